"""What the schedule makes of the budgets: how eagerly to poll, how much to have open. Pure.

The arithmetic is in ``policy``; this joins it for one moment of a run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from orchestrator.budget.readings import INSTANT_LIMIT, ORGANIZATION_LIMIT, WINDOW
from orchestrator.schedule import policy
from orchestrator.schedule.latency import LONGEST_GAP


@dataclass(frozen=True, slots=True)
class Load:
    """What the budgets say, for planning. ``reserve`` is tokens of a window left to other tools.

    ``room``: what may be spent of the organization's window now, ``None`` if unknown; it ends in
    ``seconds_left``. ``window`` is the seconds of a whole one.
    """

    organization_limit: int | None
    instant_limit: int | None
    instant_free: int
    reserve: float
    room: int | None = None
    seconds_left: float = WINDOW
    window: float = WINDOW


@dataclass(frozen=True, slots=True)
class Pace:
    """``risk``: poll when the chance that rows came since the last poll is this. ``set_aside``: tokens.

    ``longest_gap``: seconds between two polls of one layer.
    """

    risk: float
    may_create: bool
    set_aside: int
    longest_gap: float = LONGEST_GAP


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
    if to_create == 0:
        return Pace(
            risk=policy.risk_at_the_end(readable, open_tests, layers_per_test, affordable=affordable),
            may_create=False,
            set_aside=0,
            longest_gap=policy.longest_gap_at_the_end(readable, open_tests, load.window),
        )
    instant = load.instant_limit or INSTANT_LIMIT
    return Pace(
        risk=policy.risk_while_creating(readable, instant, layers_per_test, affordable=affordable),
        may_create=policy.may_create(open_layers, round(layers_per_test), readable),
        set_aside=set_aside,
    )
