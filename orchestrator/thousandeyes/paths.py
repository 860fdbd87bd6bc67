"""Hops of path traces, from the words of both API versions. Whatever the body says, nothing here raises."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.model import Hop, Json, Path
from orchestrator.thousandeyes.scalars import items, mapping, number, text

# A packet has at most 255 hops to live; a longer list is no path.
MOST_HOPS = 255
# Ten traces can be asked for, in two directions.
MOST_PATHS = 64
_LONGEST_TEXT = 256


def read_paths(fields: Mapping[str, Json]) -> tuple[Path, ...]:
    """The traces of a row that was brought to v7's names, each with its hops by number."""
    return tuple(_path(mapping(trace)) for trace in items(fields.get("pathTraces"))[:MOST_PATHS])


def _path(trace: Mapping[str, Json]) -> Path:
    hops: list[Hop] = []
    for hop in items(trace.get("hops"))[:MOST_HOPS]:
        before = hops[-1].number if hops else 0
        hops.append(_hop(mapping(hop), before + 1))
    return Path(_short(trace.get("pathId")), tuple(sorted(hops, key=lambda hop: hop.number)))


def _hop(told: Mapping[str, Json], following: int) -> Hop:
    """``following`` is the number of a hop that tells none."""
    position = number(told.get("hop"))
    known = position is not None and position == int(position) and 0 < position <= MOST_HOPS
    return Hop(
        number=int(position) if known and position is not None else following,
        address=_short(told.get("ipAddress")),
        rdns=_short(told.get("rdns")),
        network=_short(told.get("network")),
        prefix=_short(told.get("prefix")),
        location=_short(told.get("location")),
        time=_measured(told.get("responseTime")),
        loss=_measured(told.get("loss")),
        mpls=_labels(told.get("mpls")),
    )


def _short(value: Json) -> str | None:
    found = text(value)
    return None if found is None else found[:_LONGEST_TEXT]


def _measured(value: Json) -> float | None:
    found = number(value)
    return found if found is not None and found >= 0 else None


def _labels(value: Json) -> str | None:
    """A text as documented; a list of labels is one too."""
    if isinstance(value, list):
        return ", ".join(found for one in value if (found := _short(one)) is not None)[:_LONGEST_TEXT] or None
    return _short(value)
