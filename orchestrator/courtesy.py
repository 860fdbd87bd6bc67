"""Courtesy to targets: how much of a run may be under way toward one host and on one agent. Values.

Hosts are as :mod:`orchestrator.testtypes.contacts` gives them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network


@dataclass(frozen=True, slots=True)
class Courtesy:
    """At most ``per_host`` tests at once toward a host and ``per_agent`` on an agent (``None``: any number);
    ``spacing`` is seconds from one test's beginning to the next toward the same host.

    ``allow`` are patterns of the only hosts that may be tested; none is any host.
    """

    per_host: int | None = None
    per_agent: int | None = None
    spacing: float = 0.0
    allow: tuple[str, ...] = ()

    @property
    def limits(self) -> bool:
        """Whether any creation may have to wait for it."""
        return self.per_host is not None or self.per_agent is not None or self.spacing > 0.0

    def allows(self, host: str) -> bool:
        """Whether this host may be tested."""
        return not self.allow or is_among(host, self.allow)


def is_among(host: str, patterns: Iterable[str]) -> bool:
    """Whether a host in lower case matches one of the patterns (``shop.example.com``, ``*.example.com``,
    ``10.0.0.0/8``).

    A pattern that ends with a wildcard (``10.0.0.*``) is one of addresses: a name could go on behind it. Only
    a host that is written as an address is in a network: what a name resolves to is for the agents to find
    out.
    """
    bare = host.rstrip(".")
    address = address_of(bare)
    return any(_matches(bare, address, one.lower().rstrip(".")) for one in patterns)


def address_of(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is written as, if it is."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _matches(host: str, address: IPv4Address | IPv6Address | None, pattern: str) -> bool:
    if "/" in pattern:
        return address is not None and _in_network(address, pattern)
    if address is not None and address == address_of(pattern):
        return True
    last = pattern.rpartition(".")[2]
    return fnmatchcase(host, pattern) and (address is not None or not set("*?[") & set(last))


def _in_network(address: IPv4Address | IPv6Address, pattern: str) -> bool:
    try:
        return address in ip_network(pattern, strict=False)
    except ValueError:
        return False
