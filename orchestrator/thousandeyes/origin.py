"""The API's origin, and whether a link stays there.

An origin is scheme, host and port, written in one way: lower case, without a default port, an IPv6 address
in brackets; and behind an API gateway a path, to which those of the API are added. The token goes to the
configured origin and nowhere else, so of every link only path and query are used.
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
_VERSION = re.compile(r"/v[67]\Z", re.IGNORECASE)
# The path of an API gateway: plain segments, none of them dots.
_BASE = re.compile(r"(/(?!\.{1,2}(/|\Z))[A-Za-z0-9._~-]{1,100}){0,10}\Z")
_HINT = "TE_BASE_URL is for example https://api.thousandeyes.com, or https://gateway.example/its/path"


@dataclass(frozen=True, slots=True)
class Place:
    """A path (as the link has it, quoted) and its query below an origin."""

    path: str
    query: tuple[tuple[str, str], ...]


def parse_origin(text: str) -> str:
    """Return the normal form of an origin; ``/v6``, ``/v7`` and slashes at the end are left out.

    Raises :class:`UsageProblem` for anything else than http or https, and for user information, a query, a
    fragment or an odd path. The text is not repeated where it could contain a password.
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
    base = _VERSION.sub("", parts.path.rstrip("/"))
    if not _BASE.match(base):
        raise UsageProblem(f"the path of the API's address {bare!r} cannot be used", hint=_HINT)
    host = _host(parts.hostname or "")
    if host is None or port == 0:
        raise UsageProblem(f"the API's address {bare!r} has no usable host name", hint=_HINT)
    return _normal(parts.scheme.lower(), host, port) + base


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
    """Return the path (from ``/version/`` on) and the query of a link, or ``None``.

    A link is followed by its path and query at ``origin``, whatever host it names: behind a gateway the API
    knows itself by another name. Dot segments and encoded slashes are refused, because servers and proxies
    disagree about where they lead; so are hosts that are none.
    """
    if not _LINK.match(href):
        return None
    try:
        parts = urlsplit(href)
        query = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=50) if parts.query else []
        # Nearly every link is written in the normal form, which needs no taking apart.
        sound = href.startswith((f"{origin}/", f"/{version}/")) or _names_a_host(parts)
    except ValueError:
        return None
    path = _from_version(parts.path, base_path(origin), version) if sound else None
    return None if path is None else Place(path, tuple(query))


def base_path(origin: str) -> str:
    """The path before ``/v6`` and ``/v7`` of a normal origin: empty, or that of an API gateway."""
    return urlsplit(origin).path


def _names_a_host(parts: SplitResult) -> bool:
    """Whether the link is relative or names a host. Raises ``ValueError`` for a port that is none."""
    scheme, _ = parts.scheme.lower(), parts.port
    if not parts.netloc:
        return not scheme
    named = "@" not in parts.netloc and _host(parts.hostname or "") is not None
    return named and scheme in {"", *_DEFAULT_PORTS}


def _from_version(path: str, base: str, version: str) -> str | None:
    """The path without what a gateway puts before the version: ours, or one that only the API knows."""
    inner = path.lower().replace("%2e", ".")
    odd = "//" in path or "%2f" in inner or "%5c" in inner
    if odd or any(segment in {".", ".."} for segment in inner.split("/")):
        return None
    within = path.removeprefix(base) if path.startswith(f"{base}/") else path
    start = within.find(f"/{version}/")
    return within[start:] if start >= 0 else None


def _host(host: str) -> str | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host if _HOST.match(host) else None
    return f"[{address}]" if address.version == 6 else str(address)


def _normal(scheme: str, host: str, port: int | None) -> str:
    default = port is None or port == _DEFAULT_PORTS[scheme]
    return f"{scheme}://{host}" if default else f"{scheme}://{host}:{port}"
