"""The kinds of groups, in one table: which claim is the smallest, and what it costs to make it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from orchestrator.testtypes.layers import BY_SERVER

# A name server, by the name of the layer that has a row for each.
NAME_SERVER = BY_SERVER.name


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. ``order``: smaller claims come first. ``prior`` is its cost in bits beside its number.

    ``pair``: an agent's side within one target. ``agents``: what agents have in common. ``path``: of hops.
    """

    name: str
    order: int
    prior: float
    pair: bool = False
    agents: bool = False
    path: bool = False


def _table(*rows: tuple[str, float, str]) -> Mapping[str, Kind]:
    return MappingProxyType(
        {
            name: Kind(name, order, prior, "*" in name, side == "agents", side == "path")
            for order, (name, prior, side) in enumerate(rows)
        }
    )


# From the smallest claim to the largest.
KINDS = _table(
    ("target", 1, ""),
    ("agent", 1, ""),
    ("block", 2, ""),
    ("host", 2, ""),
    ("endpoint", 2, ""),
    ("server-ip", 2, ""),
    ("dns-answer", 2, ""),
    (NAME_SERVER, 2, ""),
    ("country*target", 3, "agents"),
    ("network*target", 3, "agents"),
    ("agent-type*target", 3, "agents"),
    ("location*target", 4, "agents"),
    ("hop", 2, "path"),
    ("link", 3, "path"),
    ("last-hop", 3, "path"),
    ("hop-prefix", 3, "path"),
    ("hop-network", 3, "path"),
    ("location", 2, "agents"),
    ("network", 2, "agents"),
    ("country", 2, "agents"),
    ("label", 3, "agents"),
    ("agent-type", 3, "agents"),
    ("run", 4, ""),
)

# Of silence: never the target's side. ``cause`` is what the run recorded.
SILENT_KINDS = _table(
    ("agent", 1, ""),
    ("cause", 1, ""),
    ("spec", 1, ""),
    ("layer*type", 1, ""),
    ("block", 2, ""),
    ("run", 4, ""),
)
