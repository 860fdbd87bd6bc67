"""What the schedule makes of the budgets: how eagerly to poll, how much to have open. Pure.

The arithmetic is in ``policy``; this joins it for one moment of a run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from orchestrator.budget.readings import INSTANT_LIMIT, ORGANIZATION_LIMIT, WINDOW
from orchestrator.schedule import policy
from orchestrator.schedule.latency import LONGEST_GAP
from orchestrator.schedule.scouts import FEW_GAP


@dataclass(frozen=True, slots=True)
class Load:
    """What the budgets say, for planning. ``reserve`` is tokens of a window left to other tools.

    ``room``: what may be spent of the organization's window now, ``None`` if unknown; it ends in
    ``seconds_left``. ``window`` is the seconds of a whole one. ``alone``: hardly anybody else spends of it.
    """

    organization_limit: int | None
    instant_limit: int | None
    instant_free: int
    reserve: float
    room: int | None = None
    seconds_left: float = WINDOW
    window: float = WINDOW
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Spare:
    """Calls that polls may spend in this window, where nobody else wants them; it ends in ``seconds_left``.

    ``even_gap``: seconds between two polls of each test, if what nobody needs were spent evenly; infinite
    where nothing is idle. ``few``: there are so few tests that all of them may explore. ``priced``: polls
    that are worth their call may come sooner. ``coming``: tests that will be created in this window, with so
    many ``layers`` each.
    """

    calls: float = 0.0
    seconds_left: float = 0.0
    even_gap: float = math.inf
    few: bool = False
    priced: bool = False
    coming: int = 0
    layers: float = 1.0


@dataclass(frozen=True, slots=True)
class Pace:
    """``risk``: poll when the chance that rows came since the last poll is this. ``set_aside``: tokens.

    ``longest_gap``: seconds between two polls of one layer.
    """

    risk: float
    may_create: bool
    set_aside: int
    longest_gap: float = LONGEST_GAP
    spare: Spare = Spare()


def pace(load: Load, *, to_create: int, open_tests: int, open_layers: int, layers_per_test: float) -> Pace:
    """The policy for now."""
    readable = max(1.0, (load.organization_limit or ORGANIZATION_LIMIT) - load.reserve)
    set_aside = 0
    if to_create:
        set_aside = policy.set_aside(to_create, load.instant_free, open_layers, readable, layers_per_test)
    affordable = math.inf
    if load.room is not None and load.reserve > policy.CROWDED * (readable + load.reserve):
        affordable = policy.affordable_waste(
            load.room - set_aside, load.seconds_left, readable, open_tests, open_layers, window=load.window
        )
    spare = Spare()
    if load.room is not None and load.alone:
        coming = min(to_create, max(0, load.instant_free))
        layers = max(layers_per_test, open_layers / max(1, open_tests))
        together = min(2.0, layers)  # polls of a test that explores, each time
        gap = policy.even_gap(
            load.room - set_aside,
            load.seconds_left,
            (open_tests + coming) * together,
            open_layers + coming * layers,
            window=load.window,
        )
        spare = Spare(
            calls=max(0.0, float(load.room - set_aside)),
            seconds_left=max(0.0, load.seconds_left),
            even_gap=gap,
            few=gap <= FEW_GAP * together,
            priced=layers <= policy.PRICED_LAYERS,
            coming=coming,
            layers=layers,
        )
    if to_create == 0:
        return Pace(
            risk=policy.risk_at_the_end(readable, open_tests, layers_per_test, affordable=affordable),
            may_create=False,
            set_aside=0,
            longest_gap=policy.longest_gap_at_the_end(readable, open_tests, load.window),
            spare=spare,
        )
    instant = load.instant_limit or INSTANT_LIMIT
    return Pace(
        risk=policy.risk_while_creating(readable, instant, layers_per_test, affordable=affordable),
        may_create=policy.may_create(open_layers, round(layers_per_test), readable),
        set_aside=set_aside,
        spare=spare,
    )
