"""When a cron expression fires, in a zone; which of its slots are due after a pause. Epoch seconds.

A slot is named by its nominal time, whatever its jitter: a schedule fires once for each of its slots.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from zoneinfo import ZoneInfo

from orchestrator.errors import MissingExtra

# A slot that is found so late (seconds) is on time: workers look at schedules once a minute.
ON_TIME = 300.0
# More missed slots than this are not caught up, whatever a schedule says.
MOST_CAUGHT_UP = 100


class Overlap(StrEnum):
    """What to do with a slot while an earlier run of the plan is not over."""

    SKIP = "skip"
    QUEUE = "queue"


class CatchUp(StrEnum):
    """Which of the slots that nobody saw are made up for."""

    LATEST = "latest"
    NONE = "none"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Timing:
    """When something happens. ``jitter`` and ``within`` are seconds.

    ``shift`` is this schedule's own share of the jitter: see :func:`shift_of`.
    """

    cron: str
    timezone: str = "UTC"
    shift: float = 0.0
    catch_up: CatchUp = CatchUp.LATEST
    within: float = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Due:
    """What a look at a schedule comes to: the slots to run now, how many were missed and are not made up for,
    up to which slot all is decided, and when to look again (``None``: it never fires any more)."""

    slots: tuple[float, ...]
    missed: int
    last: float
    next_at: float | None


def shift_of(organization: str, name: str, jitter: float) -> float:
    """How many seconds after its slots a schedule fires: the same ones for ever, less than ``jitter``."""
    if jitter < 1:
        return 0.0
    digest = hashlib.sha256(f"{organization}\0{name}".encode()).digest()
    return float(int.from_bytes(digest[:8], "big") % int(jitter))


def slots(cron: str, timezone: str, after: float) -> Iterator[float]:
    """The nominal times of a cron expression later than ``after``, in order, without end.

    An hour that the clocks skip fires at the next minute that there is, one that comes twice fires in its
    first. Raises ``MissingExtra`` where cronsim is not installed, and ``ValueError`` for what is no cron
    expression or no zone.
    """
    simulation, wrong = _cronsim()
    try:
        zone = ZoneInfo(timezone)
    except (OSError, KeyError, ValueError) as error:  # OSError: a folder of the zone files
        raise ValueError(f"no time zone is called {timezone!r}") from error
    # The iterator counts in the zone's own time, which an hour that comes twice sets back.
    begin = datetime.fromtimestamp(after, UTC).astimezone(zone)
    try:
        times = simulation(cron, begin)
    except wrong as error:
        raise ValueError(f"{error} in {cron!r}; one that is right is '17 5 * * 1-5'") from error
    last = after
    for time in times:
        found = time.timestamp()
        if found > last:
            last = found
            yield found


def check_cron(cron: str, timezone: str, now: float) -> None:
    """Raise ``ValueError`` for what never fires, or is no cron expression, or no zone."""
    if len(cron.split()) != 5:
        raise ValueError("five fields are wanted, as in '17 5 * * 1-5'")
    if next(slots(cron, timezone, now), None) is None:
        raise ValueError("this never fires")


def due(timing: Timing, last: float, now: float) -> Due:
    """The slots after ``last`` whose time has come by ``now``. Raises as :func:`slots`."""
    reach = ON_TIME if timing.catch_up is CatchUp.NONE else max(timing.within, ON_TIME)
    # What lies before is not made up for, and not even counted one by one.
    oldest = max(last, now - timing.shift - reach)
    come: list[float] = []
    coming: float | None = None
    for slot in slots(timing.cron, timing.timezone, oldest):
        if slot + timing.shift > now:
            coming = slot
            break
        come.append(slot)
    forgotten = _any_between(timing, last, oldest)
    chosen = come if timing.catch_up is CatchUp.ALL else come[-1:]
    chosen = chosen[-MOST_CAUGHT_UP:]
    return Due(
        tuple(chosen),
        len(come) - len(chosen) + forgotten,
        max(last, oldest if not come else come[-1]),
        None if coming is None else coming + timing.shift,
    )


def coming(timing: Timing, now: float, count: int) -> list[float]:
    """The next ``count`` times at which a schedule fires, its shift included."""
    return [slot + timing.shift for slot in islice(_coming(timing, now), count)]


def _coming(timing: Timing, now: float) -> Iterator[float]:
    yield from slots(timing.cron, timing.timezone, now - timing.shift)


def _any_between(timing: Timing, begin: float, end: float) -> int:
    """1 if a slot lies after ``begin`` and not after ``end``, which is all that is told of them."""
    if end <= begin:
        return 0
    first = next(slots(timing.cron, timing.timezone, begin), None)
    return int(first is not None and first <= end)


def _cronsim() -> tuple[Callable[[str, datetime], Iterator[datetime]], type[Exception]]:
    try:
        from cronsim import CronSim, CronSimError  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtra("a schedule", "postgres") from error
    return CronSim, CronSimError
