"""The API's origin, and whether a link stays there.

An origin is scheme, host and port, written in one way: lower case, without a default port, an IPv6 address
in brackets. The token goes to the configured origin and nowhere else, so every link is held against it.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlsplit

from orchestrator.errors import UsageProblem

_DEFAULT_PORTS = {"https": 443, "http": 80}
# Letters, digits, dots and dashes; international names are written in their ASCII form.
_HOST = re.compile(r"[a-z0-9_]([a-z0-9._-]{0,252}[a-z0-9_])?\.?\Z")
# What a link may be made of (RFC 3986), without anything that clients are known to read differently:
# backslashes, blanks, control characters, user information.
_LINK = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]!$&'()*+,;=%]{1,8000}\Z")
_HINT = "TE_BASE_URL is the origin without a path, for example https://api.thousandeyes.com"


@dataclass(frozen=True, slots=True)
class Place:
    """A path (as the link has it, quoted) and its query below an origin."""

    path: str
    query: tuple[tuple[str, str], ...]


def parse_origin(text: str) -> str:
    """Return the normal form of an origin; ``/v6``, ``/v7`` and slashes at the end are left out.

    Raises :class:`UsageProblem` for anything else than http or https, and for user information, a query, a
    fragment or another path. The text is not repeated where it could contain a password.
    """
    bare = text.strip()
    if "@" in bare:
        raise UsageProblem("the API's address must not contain a user or a password", hint=_HINT)
    try:
        parts = urlsplit(bare)
        port = parts.port
    except ValueError as error:
        raise UsageProblem(f"the API's address {bare!r} cannot be read: {error}", hint=_HINT) from None
    if parts.scheme.lower() not in _DEFAULT_PORTS:
        raise UsageProblem(f"the API's address {bare!r} must begin with https://", hint=_HINT)
    if parts.query or parts.fragment or "?" in bare or "#" in bare:
        raise UsageProblem(f"the API's address {bare!r} must not have a query or a fragment", hint=_HINT)
    if parts.path.rstrip("/").lower() not in {"", "/v6", "/v7"}:
        raise UsageProblem(f"the API's address {bare!r} must not have a path", hint=_HINT)
    host = _host(parts.hostname or "")
    if host is None or port == 0:
        raise UsageProblem(f"the API's address {bare!r} has no usable host name", hint=_HINT)
    return _normal(parts.scheme.lower(), host, port)


def is_loopback(origin: str) -> bool:
    """Whether a normal origin is this machine: ``localhost``, 127.0.0.0/8 or ::1."""
    host = urlsplit(origin).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def below(href: str, origin: str, version: str) -> Place | None:
    """Return the path and query of a link below ``origin`` and ``/version/``, or ``None``.

    A link that begins with a slash is relative to the origin. Dot segments and encoded slashes are refused,
    because servers and proxies disagree about where they lead.
    """
    if not _LINK.match(href):
        return None
    try:
        parts = urlsplit(href)
        query = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=50) if parts.query else []
        # Nearly every link is written in the normal form, which needs no taking apart.
        at_home = (
            href.startswith(f"{origin}/") or not (parts.scheme or parts.netloc) or _origin_of(parts) == origin
        )
    except ValueError:
        return None
    return Place(parts.path, tuple(query)) if at_home and _plain(parts.path, version) else None


def _origin_of(parts: SplitResult) -> str | None:
    """Raises ``ValueError`` for a port that is none."""
    scheme, host, port = parts.scheme.lower(), _host(parts.hostname or ""), parts.port
    if scheme not in _DEFAULT_PORTS or host is None or "@" in parts.netloc:
        return None
    return _normal(scheme, host, port)


def _plain(path: str, version: str) -> bool:
    inner = path.lower().replace("%2e", ".")
    odd = "//" in path or "%2f" in inner or "%5c" in inner
    dots = any(segment in {".", ".."} for segment in inner.split("/"))
    return path.startswith(f"/{version}/") and not odd and not dots


def _host(host: str) -> str | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host if _HOST.match(host) else None
    return f"[{address}]" if address.version == 6 else str(address)


def _normal(scheme: str, host: str, port: int | None) -> str:
    default = port is None or port == _DEFAULT_PORTS[scheme]
    return f"{scheme}://{host}" if default else f"{scheme}://{host}:{port}"
