"""The gate: what of a comparison makes an exit code. A table of findings and levels.

A broken expectation is the user's word and never argued away by statistics; a metric is our guess, so it
needs company, or to persist when it is run again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Strictness(StrEnum):
    """How much it takes to stop at the gate."""

    STRICT = "strict"
    NORMAL = "normal"
    LOOSE = "loose"
    OFF = "off"


class Kind(StrEnum):
    """Kinds of findings."""

    NOW_FAIL = "now fail, in a group"
    NOW_FAIL_ALONE = "now fails, isolated"
    MOVED = "worse by its metrics, in a group"
    SHIFTED = "a group shifted"
    MOVED_ALONE = "worse by a metric, isolated"
    PERSISTS = "worse by a metric, isolated, and again when confirmed"
    WARNS = "has warnings now"
    ENDS_EARLIER = "paths end earlier"
    SILENT = "answered before, does not now"


WORSE, CANNOT_JUDGE = 1, 3
_S, _N, _L = Strictness.STRICT, Strictness.NORMAL, Strictness.LOOSE
# At which levels a finding counts. What does not is information.
_COUNTS: Mapping[Kind, frozenset[Strictness]] = {
    Kind.NOW_FAIL: frozenset({_S, _N, _L}),
    Kind.NOW_FAIL_ALONE: frozenset({_S, _N}),
    Kind.MOVED: frozenset({_S, _N, _L}),
    Kind.SHIFTED: frozenset({_S, _N, _L}),
    Kind.MOVED_ALONE: frozenset({_S}),
    Kind.PERSISTS: frozenset({_S, _N}),
    Kind.WARNS: frozenset({_S}),
    Kind.ENDS_EARLIER: frozenset({_S}),
    Kind.SILENT: frozenset({_S, _N, _L}),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """So many cells of one kind, in words."""

    kind: Kind
    cells: int
    text: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """The end of a comparison. ``reasons`` are the findings that count, in words."""

    level: Strictness
    exit_code: int
    reasons: tuple[str, ...]


def counts(kind: Kind, level: Strictness) -> bool:
    """Whether such a finding counts at a level."""
    return level in _COUNTS[kind]


def judged(
    level: Strictness, findings: Iterable[Finding], *, comparable: int, wanted: int, least: float
) -> Judgement:
    """The exit code: 1 for what counts, 3 where too little could be compared, else 0.

    ``comparable`` of the ``wanted`` cells of the base could be compared; ``least`` is the share that has to.
    """
    if level is Strictness.OFF:
        return Judgement(level, 0, ())
    found = [one for one in findings if one.cells and counts(one.kind, level)]
    silent = [one.text for one in found if one.kind is Kind.SILENT]
    reasons = [one.text for one in found if one.kind is not Kind.SILENT]
    if comparable < least * wanted or not wanted:
        few = f"{comparable} of {wanted} cells of the base can be compared, at least {least:.0%} are needed"
        return Judgement(level, CANNOT_JUDGE, (few, *reasons, *silent))
    if reasons:
        return Judgement(level, WORSE, (*reasons, *silent))
    return Judgement(level, CANNOT_JUDGE if silent else 0, tuple(silent))
