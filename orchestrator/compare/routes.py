"""Paths of a cell as sets, and what of them changed. Another path is information, never worse by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.compare.values import NO_ROUTE, Route
from orchestrator.model import Answer, Path
from orchestrator.testtypes.layers import DETAILS, PATHS

# Fewer shared hops than this share of all that were ever seen is another way.
_SHARED = 0.5
_LONGER = 3


def route_of(rows: Iterable[Answer]) -> Route:
    """The route of a cell, from its rows; :data:`NO_ROUTE` where no hops are known."""
    rows = list(rows)
    traces = [path for row in rows if row.layer == DETAILS for path in row.paths or () if path.hops]
    if not traces:
        return NO_ROUTE
    totals = [row for row in rows if row.layer == PATHS.name]
    reached = any("responseTime" in row.metrics for row in totals) if totals else None
    last = next((hop for path in traces if (hop := path.last_answered) is not None), None)
    return Route(
        networks=frozenset(_networks(path) for path in traces),
        hops=frozenset(hop.address for path in traces for hop in path.hops if hop.address),
        ends=None if reached is not False or last is None else last.rdns or last.address,
        reached=reached,
        lengths=frozenset(path.hops[-1].number for path in traces),
    )


def _networks(path: Path) -> tuple[str, ...]:
    found: list[str] = []
    for hop in path.hops:
        if hop.network and (not found or found[-1] != hop.network):
            found.append(hop.network)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Rerouted:
    """What changed in a path. ``networks``: it shares no way through networks with any earlier run.

    ``hops``: less than half of the hops ever seen are shared. ``longer``: its length is three beyond what it
    ever was. ``ends``: where it ends now, though it reached its target before.
    """

    networks: bool = False
    hops: bool = False
    longer: bool = False
    ends: str | None = None

    @property
    def told(self) -> Iterator[str]:
        """Each of it in words."""
        if self.ends is not None:
            yield f"ends at {self.ends}, before at its target"
        if self.networks:
            yield "goes through other networks"
        if self.hops and not self.networks:
            yield "goes through other hops"
        if self.longer:
            yield "is of another length"


def rerouted(now: Route, past: Sequence[Route]) -> Rerouted | None:
    """What changed; ``None`` where a path is not known now or before."""
    known = [route for route in past if route.known]
    if not now.known or not known:
        return None
    if now.reached is False and known[0].reached:
        # What lies behind the last hop is not to be seen: only where it ends can be told.
        return Rerouted(ends=now.ends)
    union = frozenset().union(*(route.hops for route in known))
    lengths = [length for route in known for length in route.lengths]
    beyond = any(
        length > max(lengths) + _LONGER - 1 or length < min(lengths) - _LONGER + 1 for length in now.lengths
    )
    return Rerouted(
        networks=not any(_alike(now.networks, route.networks) for route in known),
        hops=len(now.hops & union) < _SHARED * len(now.hops),
        longer=bool(lengths) and beyond,
    )


def _alike(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> bool:
    return bool(one & other) or not any(one) or not any(other)
