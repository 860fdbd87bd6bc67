"""How eagerly to poll, and how polls and creations share the organization's budget. Arithmetic only.

``readable`` below is what we may spend of the organization's limit per window: the limit less the reserve.
Creations per window (the instant-test limit) are usually what binds; what they and one poll per layer leave
of ``readable`` may be wasted on early polls, which is what buys a short delay.
"""

from __future__ import annotations

import math

from orchestrator.schedule.latency import LONGEST_GAP, SHORTEST_GAP

EAGEREST, FRUGALEST = 0.2, 0.7  # risk of a poll: 4 and 0.4 wasted polls per layer
# Wasted polls that a layer, and a test, may cost us while there is still something to create.
WASTED_PER_LAYER, WASTED_PER_TEST = 0.6, 1.85
LAST_FEW = 3  # tests; below that, the end of the run is what counts
CROWDED = 0.2  # reserve, as part of the limit, from which others are taken to spend in earnest
HORIZON = 30.0  # seconds; about what an answer takes
NEEDED = 1.6  # polls that an open layer will need, the unlucky ones included
PRICED_LAYERS = 2.0  # per test; with more of them, the calls that are left over buy hardly anything
ROUGHLY = 0.5  # of a window: what is idle in less of it is no reason to poll everything at once
LAST_GAP = 0.4  # of the usual gap between creations, when all that are left fit into this window
OPEN_WINDOWS = 2.0  # work in progress: so many windows' worth of polls
FEWEST_OPEN = 8


def wip_cap(readable: float) -> float:
    """Layers that may be open at once: no more than can be read in time, or polls would starve."""
    return max(FEWEST_OPEN, OPEN_WINDOWS * readable)


def may_create(open_layers: int, layers: int, readable: float) -> bool:
    """Whether a test with ``layers`` layers still fits below the cap. The first one always does."""
    return open_layers == 0 or open_layers + layers <= wip_cap(readable)


def set_aside(
    creations_left: int, instant_free: int, open_layers: int, readable: float, layers_per_test: float
) -> int:
    """Organization tokens that polls must leave to the creations that may come in this window.

    Bounded by what the work-in-progress cap still admits: tokens kept for creations that it forbids would be
    kept for nothing.
    """
    headroom = math.ceil((wip_cap(readable) - open_layers) / max(1.0, layers_per_test))
    return max(0, min(creations_left, instant_free, headroom))


def affordable_waste(
    room: float, seconds_left: float, readable: float, open_tests: int, open_layers: int, *, window: float
) -> float:
    """Wasted polls per open test that the tokens of the next :data:`HORIZON` seconds allow, in quarters.

    ``room`` is what may be spent in this window, which ends in ``seconds_left``. Where others spend in
    earnest the tokens of a window are soon gone, and each poll that was too early delays one that would bring
    rows: without this the last tests of a run waited for the next window (measured: 1.11 of the bound for 96
    tests instead of 1.04, and three refusals instead of none).
    """
    soon = room + readable * max(0.0, HORIZON - seconds_left) / window
    return round(4.0 * max(0.0, soon - NEEDED * open_layers) / max(1, open_tests)) / 4.0


def even_gap(room: float, seconds_left: float, polls: float, layers: float, *, window: float) -> float:
    """Seconds in which ``polls`` can be sent, all along the window, by calls that no open layer needs.

    ``inf`` where nothing is idle. ``room`` is what polls may spend in this window.
    """
    idle = room - NEEDED * layers
    if idle <= 0.0 or polls <= 0.0:
        return math.inf
    return max(seconds_left, ROUGHLY * window) * polls / idle


def risk_while_creating(
    readable: float, creations_per_window: float, layers_per_test: float, *, affordable: float = math.inf
) -> float:
    """Chance of success to wait for before a poll, while there are tests to create.

    Frugal when the organization's budget binds; otherwise as eager as half of the spare tokens allow, with no
    more than :data:`WASTED_PER_LAYER` (or :data:`WASTED_PER_TEST`) polls wasted. ``affordable`` are wasted
    polls per test. What is idle then is spent by its price (:mod:`orchestrator.schedule.worth`).
    """
    per_test = readable / max(1.0, creations_per_window) - 1.0 - layers_per_test
    if per_test <= 0.3:
        return FRUGALEST
    wasted = min(per_test / 2.0, max(WASTED_PER_TEST, WASTED_PER_LAYER * layers_per_test), affordable)
    return min(FRUGALEST, 1.0 / (1.0 + wasted))


def risk_at_the_end(
    readable: float, open_tests: int, layers_per_test: float, *, affordable: float = math.inf
) -> float:
    """The same when nothing is left to create: all that can be read is for the tests still open.

    Only the last few tests decide when the run ends; being eager with all of them would only cost polls.
    """
    wasted = max(1.0, readable / max(1, open_tests) - layers_per_test)
    if open_tests > LAST_FEW:
        wasted = min(wasted, max(WASTED_PER_TEST, WASTED_PER_LAYER * layers_per_test))
    wasted = min(wasted, affordable)
    return max(EAGEREST, min(FRUGALEST, 1.0 / (1.0 + wasted)))


def longest_gap_at_the_end(readable: float, open_tests: int, window: float) -> float:
    """Seconds between two polls of a test that takes longer than most, when nothing is left to create.

    The last few may be polled with half of what can be read; that ends the run seconds earlier.
    """
    if open_tests > LAST_FEW:
        return LONGEST_GAP
    return min(LONGEST_GAP, max(SHORTEST_GAP, 2.0 * window * open_tests / max(1.0, readable)))


def creation_gap(usual: float, creations: int, seconds_left: float, *, last: bool = False) -> float:
    """Seconds between two creations: ``usual``, or less where the window would end before its tokens do.

    A run that begins late in a clock minute would otherwise leave tokens behind that no later minute gives
    back. Half of the time left, because answers take a while and the end is not known to the instant.

    ``last``: these are the last creations of the run. In every other window a gap costs nothing, because the
    next one has to be waited for anyway; here it makes the run end later.
    """
    if last:
        usual *= LAST_GAP
    if creations <= 0:
        return usual
    return max(0.0, min(usual, 0.5 * seconds_left / creations))


def brought_forward(planned: float, wanted: float) -> float:
    """When to poll after the policy changed: never later than planned.

    Moving polls back at each change starves them: with every completion they would be due a little later.
    """
    return min(planned, wanted)


def lagging_poll(polls: int) -> float:
    """Seconds until the next poll of a layer that lags behind its sentinel, after ``polls`` of it."""
    return min(15.0, 1.5 * 1.6 ** min(polls, 20))
