"""Which proxy stands between us and the API. Pure.

Only for https: the proxy then sees a CONNECT and ciphertext. Over plain http it would be handed the token, so
a proxy is never used there, and never for this machine. The library's own way of trusting the environment is
not used, because it also takes passwords from ``~/.netrc`` and then refuses our Authorization header.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from orchestrator.errors import UsageProblem
from orchestrator.thousandeyes.origin import is_loopback

_SEPARATORS = re.compile(r"[,;\s]+")
_WITH_PORT = re.compile(r"(?P<host>\[[^\]]+\]|[^:]+):(?P<port>[0-9]{1,5})\Z", re.ASCII)
_NAMES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy's address without its user, and the user's credentials apart, which are never shown."""

    url: str
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)


def proxy_for(origin: str, environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy for an origin by ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` (either case).

    Raises :class:`UsageProblem` for a proxy that cannot be used; going around it silently would be worse.
    """
    parts = urlsplit(origin)
    named = next((name for name in _NAMES if environ.get(name, "").strip()), None)
    if named is None or parts.scheme != "https" or is_loopback(origin):
        return None
    exempt = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if _exempt(parts.hostname or "", parts.port or 443, exempt):
        return None
    return _read(environ[named].strip(), named)


def _read(text: str, name: str) -> Proxy:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError:
        raise UsageProblem(f"the proxy in {name} is not an address") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageProblem(
            f"the proxy in {name} cannot be used: only http:// and https:// proxies are supported",
            hint=f"unset {name}, or put the API's host into NO_PROXY",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    url = f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return Proxy(url, user, password)


def _exempt(host: str, port: int, exempt: str) -> bool:
    """``*``; a host or domain (also after ``.`` or ``*.``), with or without its port; a network.

    Entries are separated by commas or blanks.
    """
    return any(_names(entry, host, port) for entry in _SEPARATORS.split(exempt.lower()) if entry)


def _names(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass  # not a network, or our host is a name
    found = _WITH_PORT.match(entry)
    if found is not None:
        entry = found["host"]
        if int(found["port"]) != port:
            return False
    name = entry.strip("[]").removeprefix("*").lstrip(".").rstrip(".")
    return bool(name) and (name == host or host.endswith(f".{name}"))
