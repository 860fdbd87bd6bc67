"""Who may ask: by the name in ``Host``, a token, or a user whom a proxy vouches for. Pure.

Whoever is refused learns that, and nothing else; the reason is for the log. There are no cookies and no
log-in page: a browser asks for the token itself (HTTP Basic), so nothing is stored that another site could
make it send with a form, and nothing changes by a GET.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from orchestrator.errors import UsageProblem

Network = IPv4Network | IPv6Network

# Shorter ones can be guessed over a network.
SHORTEST_TOKEN = 20
_LOCAL_NAMES = frozenset({"localhost", "ip6-localhost"})
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_-]{1,63})*\.?", re.ASCII)
_HOST = re.compile(r"(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<name>[^\[\]:]+))(?::[0-9]{1,5})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Terms:
    """Who may ask. ``names`` are those that the server is called by besides its addresses; ``token`` is
    wanted of everybody, if there is one; ``user_header`` is set by a proxy, whose address is in
    ``proxies``."""

    names: frozenset[str] = frozenset()
    token: str | None = field(default=None, repr=False)
    user_header: str | None = None
    proxies: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request says who asks. ``headers`` by lower-case name, with every value that was sent."""

    peer: str | None
    headers: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why somebody may not ask: ``why`` is for the log, never for whoever asked."""

    status: int
    why: str
    headers: Mapping[str, str] = field(default_factory=dict)


_WHO = {"WWW-Authenticate": 'Basic realm="orchestrator", charset="UTF-8"'}


def refusal(terms: Terms, asked: Asked) -> Refusal | None:
    """Why this request is not answered; ``None`` if it may be."""
    strange = strange_host(terms, asked)
    if strange is not None:
        return strange
    if terms.user_header is not None:
        return _by_user(terms, terms.user_header, asked)
    if terms.token is not None and not _has_token(terms.token, asked.headers.get("authorization", ())):
        given = asked.headers.get("authorization")
        return Refusal(401, "a wrong token" if given else "no token", _WHO)
    return None


def strange_host(terms: Terms, asked: Asked) -> Refusal | None:
    """Why a request is not meant for us; ``None`` if it is."""
    hosts = asked.headers.get("host", ())
    if len(hosts) == 1 and known_host(hosts[0], terms.names):
        return None
    return Refusal(421, "the Host header is missing, doubled, or a name that is not ours")


def _by_user(terms: Terms, header: str, asked: Asked) -> Refusal | None:
    if not is_among(asked.peer, terms.proxies):
        return Refusal(403, "it did not come from a proxy that is trusted")
    users = asked.headers.get(header.lower(), ())
    if len(users) != 1 or not users[0].strip():
        return Refusal(403, f"the proxy names no user, or several, in {header}")
    return None


def known_host(host: str, names: Iterable[str]) -> bool:
    """Whether a ``Host`` header is an address, or a name of ours: a stranger's name that leads here (DNS
    rebinding) is not answered, whose page would read ours otherwise."""
    found = _HOST.fullmatch(host.strip().lower())
    if found is None:
        return False
    bare = found["six"] or found["name"]
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        return bool(_NAME.fullmatch(bare)) and bare.rstrip(".") in {*_LOCAL_NAMES, *names}
    return True


def _has_token(token: str, headers: Sequence[str]) -> bool:
    """Whether the one header has the token, as ``Bearer`` or as the password of ``Basic``."""
    if len(headers) != 1:
        return False
    kind, _, said = headers[0].partition(" ")
    if kind.lower() == "basic":
        try:
            _, _, given = base64.b64decode(said.strip(), validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return False
    elif kind.lower() == "bearer":
        given = said.strip().encode("utf-8", "surrogateescape")
    else:
        return False
    return hmac.compare_digest(given, token.encode())


def is_among(peer: str | None, networks: Iterable[Network]) -> bool:
    """Whether an address is in one of these networks; an IPv4 one may be written as IPv6."""
    try:
        address = ipaddress.ip_address((peer or "").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped.version == one.version and mapped in one for one in networks)


def is_loopback(host: str) -> bool:
    """Whether only this host can reach an address that is listened on."""
    if host.lower() in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


LOOPBACK: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


def terms_of(
    host: str,
    *,
    names: Sequence[str] = (),
    token: str | None = None,
    user_header: str | None = None,
    proxies: Sequence[str] = (),
) -> Terms:
    """Who may ask a server that listens on ``host``.

    Raises ``UsageProblem`` for what would be open to everybody, and for names and networks that cannot be.
    """
    if token is not None and user_header is not None:
        raise UsageProblem(
            "--token-file and --trust-proxy-user are two ways to say who may ask", hint="give one of them"
        )
    if not is_loopback(host) and token is None and user_header is None:
        raise UsageProblem(
            f"{host} can be reached from other hosts, and everybody would read every run",
            hint="ask for a token with --token-file, or listen on loopback behind a proxy that authenticates",
        )
    if token is not None and len(token) < SHORTEST_TOKEN:
        raise UsageProblem(
            f"the token for the pages has {len(token)} characters, and {SHORTEST_TOKEN} is the least",
            hint="make one with `openssl rand -hex 32`",
        )
    if user_header is not None and not _HEADER.fullmatch(user_header):
        raise UsageProblem(
            f"--trust-proxy-user: {user_header[:80]!r} is no name of a header", hint="such as X-Remote-User"
        )
    if proxies and user_header is None:
        raise UsageProblem("--proxy says who may name a user", hint="give --trust-proxy-user too")
    if user_header is not None and not is_loopback(host) and not proxies:
        raise UsageProblem(
            f"on {host} everybody could name a user in {user_header}",
            hint="name the proxy's address with --proxy",
        )
    return Terms(
        names=frozenset(map(_name, names)),
        token=token,
        user_header=user_header,
        proxies=tuple(map(_network, proxies)) or LOOPBACK,
    )


def _name(text: str) -> str:
    name = text.strip().lower().rstrip(".")
    if not _NAME.fullmatch(name):
        raise UsageProblem(f"--name: {text[:80]!r} is no name of a host", hint="without a port or https://")
    return name


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise UsageProblem(
            f"--proxy: {text[:80]!r} is no address or network", hint="such as 10.0.0.7"
        ) from error
