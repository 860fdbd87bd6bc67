"""Whether a hook may have a target diagnosed: what it is, and its host held against the hook's patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

from orchestrator.courtesy import address_of, is_among

_PLAIN = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]{1,500}", re.ASCII)
_HOST = re.compile(r"[a-z0-9_]([a-z0-9._-]{0,252})", re.ASCII)
_SIX = re.compile(r"[0-9a-f:.]{2,45}", re.ASCII)
_USUAL = frozenset({("http", "80"), ("https", "443")})
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)


def host_of(target: str) -> str | None:
    """The host that a target names, in lower case: of a URL (http, https), of ``host:port``, or itself.

    ``None`` for what may be something else: a blank, a user before the host, another scheme, a sign that some
    parsers read otherwise than others.
    """
    if not _PLAIN.fullmatch(target) or "@" in target or "\\" in target:
        return None
    if "://" not in target:
        # Nothing but a host and a port, or an address: no path in which another host could hide.
        return _without_port(target.lower()) if address_of(target) is None else target.lower()
    try:
        parts = urlsplit(target)
        if parts.scheme.lower() not in ("http", "https"):
            return None
        return _without_port(parts.netloc.lower())
    except ValueError:
        return None


def key_of(target: str) -> str:
    """The same text for all spellings of a target: scheme and host in lower case, the host without a dot at
    its end, the port of the scheme left out, ``/`` for no path, and no fragment, which is sent to nobody."""
    if "://" not in target:
        host, sign, port = target.lower().rpartition(":")
        return f"{host.rstrip('.')}:{port}" if sign and _PORT.fullmatch(port) else target.lower().rstrip(".")
    try:
        parts = urlsplit(target)
    except ValueError:
        return target.lower()
    netloc = parts.netloc.lower()
    host, sign, port = netloc.rpartition(":")
    if not sign or not _PORT.fullmatch(port):
        host, port = netloc, ""
    port = "" if (parts.scheme.lower(), port) in _USUAL else port
    place = host.rstrip(".") + (f":{port}" if port else "")
    return urlunsplit((parts.scheme.lower(), place, parts.path or "/", parts.query, ""))


def _without_port(text: str) -> str | None:
    if text.startswith("["):
        address, sign, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
        if not sign or (rest and (not rest.startswith(":") or not _PORT.fullmatch(port))):
            return None
        return address if _SIX.fullmatch(address) else None
    host, sign, port = text.partition(":")
    if sign and not _PORT.fullmatch(port):
        return None
    return host if _HOST.fullmatch(host) else None


def is_allowed(target: str, patterns: Iterable[str]) -> bool:
    """Whether the host of a target is among them, see :func:`orchestrator.courtesy.is_among`."""
    host = host_of(target)
    return host is not None and is_among(host, patterns)
