"""What kinds of instant tests there are, by their v7 names, and what a created one consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit

from orchestrator.simulator.messages import JsonObject

_NET = ("network", "path-vis")

# Result layers of each type, the primary one first (documented endpoints; the nesting follows the
# vendor's description of test layers).
LAYERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "agent-to-server": _NET,
        "agent-to-agent": _NET,
        "dns-server": ("dns-server", *_NET),
        "dns-trace": ("dns-trace",),
        "dnssec": ("dnssec",),
        "http-server": ("http-server", *_NET),
        "page-load": ("page-load", "http-server", *_NET),
        "web-transactions": ("web-transactions", *_NET),
        "api": ("api", *_NET),
        "ftp-server": ("ftp-server", *_NET),
        "sip-server": ("sip-server", *_NET),
        "voice": ("rtp-server", *_NET),
    }
)

# Each layer's error fields: (type of error, text); the vendor uses three names for the text.
ERROR_FIELDS: Mapping[str, tuple[str | None, str | None]] = MappingProxyType(
    {
        "network": (None, "errorDetails"),
        "path-vis": (None, None),
        "http-server": ("errorType", "errorDetails"),
        "page-load": (None, None),
        "web-transactions": ("errorType", "errorDetails"),
        "api": ("errorType", "errorDetails"),
        "ftp-server": ("errorType", "errorDetails"),
        "dns-server": (None, "errorDetails"),
        "dns-trace": (None, "errorDetails"),
        "dnssec": (None, "errorDetails"),
        "sip-server": ("errorType", "problemDetail"),
        "rtp-server": (None, "errorDetail"),
    }
)


@dataclass(frozen=True, slots=True)
class Definition:
    """A test as the world sees it, whichever version asked for it.

    ``subject`` is what makes two tests the same test: with the seed it decides every result. ``echo`` is
    the body that the version ``api`` shows when it shows the test.
    """

    type: str
    name: str
    api: str
    agent_ids: tuple[int, ...]
    host: str
    subject: tuple[str, ...]
    port: int | None = None
    secure: bool = False
    dns_servers: tuple[str, ...] = ()
    target_agent: int | None = None
    direction: str | None = None
    network: bool = True
    bandwidth: bool = False
    traces: int = 3
    dscp: int = 0
    echo: JsonObject = field(default_factory=dict)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that will get rows: without network measurements only the type's own."""
        return tuple(layer for layer in LAYERS[self.type] if self.network or layer not in _NET)


def place_of_url(url: str) -> tuple[str, int | None, bool]:
    """Host, port and whether it is encrypted; a bare host is taken as http."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    secure = parts.scheme in {"https", "ftps", "sftp"}
    default = {"https": 443, "ftp": 21, "ftps": 990, "sftp": 22}.get(parts.scheme, 80)
    try:
        port = parts.port or default
    except ValueError:
        port = default
    return (parts.hostname or url).lower(), port, secure


def place_of_server(server: str, port: int | None, protocol: str) -> tuple[str, int | None]:
    """Host and port of ``host:port``; TCP without a port means 80, ICMP has none."""
    host, colon, tail = server.rpartition(":")
    if colon and tail.isdigit() and ":" not in host:
        server, port = host, int(tail)
    if protocol == "icmp":
        return server.lower(), None
    return server.lower(), port or 80
