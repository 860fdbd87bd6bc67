"""Where along a path it gets slow or lossy, and stays so: the one place that a trace itself can show.

A router answers probes of its own when it has time, so a single slow or lossy hop says nothing of the packets
that it forwards. A jump is one that all later hops keep: the step is on the way to this hop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

from orchestrator.model import Hop

# A jump is so much above every hop before it, and by so much of the highest of them.
LEAST_MS, LEAST_POINTS, LEAST_SHARE = 40.0, 5.0, 0.5
_MOST = 3


class Gets(StrEnum):
    """What a path gets at a jump."""

    SLOW = "slow"
    LOSSY = "lossy"


@dataclass(frozen=True, slots=True)
class Jump:
    """A step that the rest of the path keeps, on the way from ``after`` to ``address``, hop ``number``.

    ``added`` is what every hop from there on has more than each one before: milliseconds where the path gets
    slow, percentage points where it gets lossy. ``after`` is the last hop before that answered, if any did.
    """

    gets: Gets
    number: int
    address: str
    after: str | None
    added: float


@dataclass(frozen=True, slots=True)
class Shared:
    """A jump that several cells have: so many ``cells``, and ``added`` is the least of theirs.

    ``after`` is the hop before, where it is the same in all of them.
    """

    gets: Gets
    address: str
    after: str | None
    added: float
    cells: int


def jumps(hops: Sequence[Hop], *, reached: bool = True) -> tuple[Jump, ...]:
    """The jumps of one trace, along the way. ``reached``: its last hop is the target, which answers at once.

    Else the last hop proves nothing: nobody after it keeps what it has. Silent hops are skipped.
    """
    answered = [hop for hop in hops if hop.address is not None]
    slow = _steps(answered, lambda hop: hop.time, LEAST_MS, Gets.SLOW, reached=reached)
    lossy = _steps(answered, lambda hop: hop.loss, LEAST_POINTS, Gets.LOSSY, reached=reached)
    return tuple(sorted((*slow, *lossy), key=lambda jump: (jump.number, jump.gets)))


def _steps(
    hops: Sequence[Hop], value_of: Callable[[Hop], float | None], least: float, gets: Gets, *, reached: bool
) -> Iterator[Jump]:
    told = [(hop, value) for hop in hops if (value := value_of(hop)) is not None]
    values = [value for _, value in told]
    if not values or max(values) - min(values) < least:
        return
    last = hops[-1]
    least_from = list(accumulate(reversed(values), min))[::-1]
    highest = None
    for position, (hop, value) in enumerate(told):
        kept = least_from[position]
        proved = position + 1 < len(told) or (reached and hop is last)
        if highest is not None and proved and kept - highest >= max(least, LEAST_SHARE * highest):
            before = [one.address for one in hops[: hops.index(hop)]]
            yield Jump(gets, hop.number, hop.address or "", before[-1] if before else None, kept - highest)
        highest = value if highest is None else max(highest, value)


def shared(cells: Iterable[Sequence[Jump]], most: int = _MOST) -> tuple[Shared, ...]:
    """The jumps that at least half of these cells have, those of most cells first; none of a single cell."""
    every = [{(jump.gets, jump.address): jump for jump in found} for found in cells]
    counts = Counter(place for found in every for place in found)
    alike = [place for place, number in counts.items() if number >= max(2, len(every) / 2)]
    alike.sort(key=lambda place: (-counts[place], place))
    return tuple(_together([found[place] for found in every if place in found]) for place in alike[:most])


def _together(found: Sequence[Jump]) -> Shared:
    before = {jump.after for jump in found}
    after = found[0].after if len(before) == 1 else None
    return Shared(found[0].gets, found[0].address, after, min(jump.added for jump in found), len(found))
