"""Where a path gets slow or lossy and stays so is a jump; a router that is slow for itself is none."""

from __future__ import annotations

from typing import Any

from builders import make_answer, make_spec
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.insight.document import document
from orchestrator.insight.jumps import Gets, Jump, Shared, jumps, shared
from orchestrator.insight.look import look
from orchestrator.insight.values import Observed, Trouble
from orchestrator.insight.words import Names, plain
from orchestrator.model import Answer, CellState, Hop, Path, Verdict
from orchestrator.records import CellRecord
from orchestrator.testtypes import DETAILS


def trace(*times: float | None, losses: tuple[float | None, ...] = ()) -> list[Hop]:
    """Hops of these round trips; ``None`` is a hop that does not tell."""
    told = losses or (None,) * len(times)
    return [
        Hop(number, f"192.0.2.{number}", time=time, loss=loss)
        for number, (time, loss) in enumerate(zip(times, told, strict=True), start=1)
    ]


def test_a_step_that_the_rest_of_the_path_keeps_is_a_jump() -> None:
    assert jumps(trace(1, 10, 92, 95, 93)) == (Jump(Gets.SLOW, 3, "192.0.2.3", "192.0.2.2", 82.0),)


def test_a_slow_control_plane_is_none() -> None:
    assert jumps(trace(1, 10, 300, 12, 11)) == ()


def test_a_later_step_counts_above_all_that_came_before() -> None:
    """The slow answer of one router hides a step that does not come above it."""
    assert jumps(trace(1, 10, 300, 12, 95)) == ()


def test_forty_milliseconds_and_half_of_what_was_before_are_both_needed() -> None:
    assert jumps(trace(10, 49.9)) == ()
    assert len(jumps(trace(10, 50))) == 1
    assert jumps(trace(100, 149)) == ()
    assert len(jumps(trace(100, 150))) == 1


def test_what_is_kept_is_told_and_not_what_the_first_hop_there_says() -> None:
    assert [jump.added for jump in jumps(trace(10, 200, 70, 90))] == [60.0]


def test_the_last_hop_of_a_trace_that_did_not_arrive_proves_nothing() -> None:
    assert jumps(trace(1, 2, 90), reached=False) == ()
    assert len(jumps(trace(1, 2, 90, 91), reached=False)) == 1


def test_silent_hops_are_passed_over_and_the_last_that_answered_is_named() -> None:
    before, slow = [*trace(1, 2), Hop(3)], Hop(4, "192.0.2.4", time=80.0)
    assert jumps([*before, slow, Hop(5, "192.0.2.5")], reached=False) == (), "nobody after it tells its time"
    (jump,) = jumps([*before, slow, Hop(5, "192.0.2.5", time=81.0)])
    assert jump == Jump(Gets.SLOW, 4, "192.0.2.4", "192.0.2.2", 78.0)


def test_loss_that_stays_to_the_end_is_a_jump_too() -> None:
    kept = trace(1, 1, 1, 1, losses=(0.0, 0.0, 20.0, 22.0))
    assert jumps(kept) == (Jump(Gets.LOSSY, 3, "192.0.2.3", "192.0.2.2", 20.0),)
    assert jumps(trace(1, 1, 1, 1, losses=(0.0, 60.0, 0.0, 0.0))) == (), "a router that limits its answers"
    assert jumps(trace(1, 1, losses=(0.0, 4.9))) == ()


def test_two_steps_are_two_jumps() -> None:
    assert [(jump.number, jump.added) for jump in jumps(trace(1, 60, 61, 180, 181))] == [
        (2, 59.0),
        (4, 119.0),
    ]


values = st.one_of(st.none(), st.floats(0, 400, allow_nan=False))


@given(
    times=st.lists(values, max_size=12),
    losses=st.lists(st.floats(0, 100), max_size=12),
    arrived=st.booleans(),
)
def test_after_a_jump_every_hop_is_above_every_hop_before(
    times: list[float | None], losses: list[float], arrived: bool
) -> None:
    size = min(len(times), len(losses))
    hops = trace(*times[:size], losses=tuple(losses[:size]))
    for jump in jumps(hops, reached=arrived):
        told = {hop.number: hop.time if jump.gets is Gets.SLOW else hop.loss for hop in hops}
        before = [value for number, value in told.items() if number < jump.number and value is not None]
        after = [value for number, value in told.items() if number >= jump.number and value is not None]
        assert min(after) - max(before) == jump.added >= (40 if jump.gets is Gets.SLOW else 5)


def test_of_several_cells_what_half_of_them_have_is_shared() -> None:
    one, other = jumps(trace(1, 100, 100)), jumps(trace(1, 70, 70))
    found = shared([one, other, (), jumps(trace(1, 2, 90))])
    assert found == (Shared(Gets.SLOW, "192.0.2.2", "192.0.2.1", 69.0, 2),)
    assert shared([one]) == (), "one cell shares nothing"


# -- what is told of a cause on a path -----------------------------------------------------------------------


def observed(number: int, *, slow: bool) -> Observed:
    """A cell whose path is its own but for one router in the middle, where it is slow."""
    agent = str(number)
    spec = make_spec(f"k{agent}", target=f"t{number // 2 % 3}", layers=("network", "path-vis"))
    middle = "198.51.100.7" if slow else f"198.51.100.1{agent}"
    more = 85.0 if slow else 0.0
    hops = (
        Hop(1, f"192.0.2.{agent}", time=1.0),
        Hop(2, f"203.0.113.{agent}", time=5.0),
        Hop(3, middle, time=5.0 + more),
        Hop(4, f"203.0.113.10{agent}", time=9.0 + more),
    )
    rows: list[Answer] = [
        make_answer("network", agent, metrics={"avgLatency": 9.0 + more}),
        make_answer("path-vis", agent, metrics={"responseTime": 9.0 + more}),
        make_answer(DETAILS, agent, metrics={}, paths=(Path(None, hops),)),
    ]
    record = CellRecord(
        *(spec.key, spec.test, spec.type, spec.target, agent, f"agent {agent}", None, CellState.ANSWERED),
        Verdict.FAIL if slow else Verdict.PASS,
    )
    trouble = Trouble("network", "network.avgLatency 94 ms, expected < 50 ms", "avgLatency")
    return Observed(record, spec, tuple(rows), (trouble,) if slow else ())


def test_a_cause_on_a_path_says_where_the_path_gets_slow() -> None:
    cells = [observed(number, slow=number % 2 == 0) for number in range(12)]
    found = look("r", cells, Names(hops={"198.51.100.7": "core-7"}))
    (cause,) = found.explanations
    assert cause.group == ("hop", ("198.51.100.7",))
    assert plain(cause.contrast[0]) == "+85 ms at core-7, kept to the end: 6 of 6 cells"
    told: Any = document(found)["explanations"]
    step = {"gets": "slow", "after": None, "address": "198.51.100.7", "added": 85.0, "cells": 6}
    assert [one["jumps"] for one in told] == [[step]]
