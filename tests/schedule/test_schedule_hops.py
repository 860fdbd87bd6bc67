"""Whose hops are read where the plan leaves it to us: those of failing cells, and as many that pass."""

from __future__ import annotations

from collections import Counter

import pytest
from builders import make_spec
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model import Spec
from orchestrator.schedule.hops import MOST_FAILING, Choices, Traced, allowance, chosen


def cell(agent: int, *, failing: bool, target: str = "t", **where: str) -> Traced:
    return Traced("k", target, str(agent), 7, failing, **where)


def test_a_target_of_which_nothing_fails_is_not_asked_for() -> None:
    assert chosen([cell(n, failing=False) for n in range(9)], 100) == ()


def test_failing_and_passing_cells_come_in_turn_and_no_more_pass_than_fail() -> None:
    cells = [cell(n, failing=n < 2) for n in range(9)]
    assert [one.failing for one in chosen(cells, 100)] == [True, False, True, False]
    assert [one.failing for one in chosen([cell(n, failing=n < 6) for n in range(8)], 100)].count(False) == 2


def test_of_one_target_fifty_failing_cells_and_as_many_passing_ones_are_enough() -> None:
    found = chosen([cell(n, failing=n < 90) for n in range(300)], 10_000)
    assert Counter(one.failing for one in found) == {True: MOST_FAILING, False: MOST_FAILING}


def test_passing_cells_of_other_countries_and_networks_come_first() -> None:
    failing = [
        cell(1, failing=True, country="NO", network="A"),
        cell(2, failing=True, country="SE", network="A"),
    ]
    near = [cell(n, failing=False, country="NO", network="A") for n in (3, 4)]
    half = cell(5, failing=False, country="DE", network="A")
    far = [
        cell(6, failing=False, country="US", network="B"),
        cell(7, failing=False, country="US", network="B"),
    ]
    found = [one.agent_id for one in chosen([*failing, *near, half, *far], 100) if not one.failing]
    assert found == ["6", "5"], "one elsewhere, then another country; not a second one of the same place"


def test_what_is_allowed_goes_round_the_targets() -> None:
    cells = [cell(n, failing=n % 2 == 0, target=f"t{n % 3}") for n in range(60)]
    found = chosen(cells, 7)
    assert Counter(one.target for one in found) == {"t0": 3, "t1": 2, "t2": 2}


@pytest.mark.parametrize(
    ("room", "owed", "allowed"), [(216, 0, 54), (216, 50, 4), (216, 99, 0), (3, 0, 0), (-5, 0, 0)]
)
def test_a_quarter_of_the_reads_that_are_left_is_for_hops(room: int, owed: int, allowed: int) -> None:
    assert allowance(room, owed) == allowed


@given(
    cells=st.lists(
        st.builds(
            Traced,
            st.just("k"),
            st.sampled_from("abc"),
            st.integers(0, 500).map(str),
            st.integers(1, 2),
            st.booleans(),
            st.sampled_from(["NO", "SE", None]),
            st.sampled_from(["A", "B", None]),
        ),
        max_size=80,
        unique=True,
    ),
    allowed=st.integers(0, 60),
)
def test_what_is_chosen_is_never_more_than_allowed_nor_more_passing_than_failing(
    cells: list[Traced], allowed: int
) -> None:
    found = chosen(cells, allowed)
    assert len(found) <= allowed
    assert len(set(found)) == len(found)
    assert set(found) <= set(cells)
    for target in "abc":
        own = Counter(one.failing for one in found if one.target == target)
        assert own[False] <= own[True]


def auto(key: str, target: str = "t", block: str = "web") -> Spec:
    return make_spec(key, target=target, test=block, path_details="auto")


def choices(*specs: Spec) -> Choices:
    found = Choices()
    for spec in specs:
        found.expect(spec)
        found.expect(spec)
    return found


def test_a_test_that_fails_waits_for_the_rest_of_its_block_and_of_no_other() -> None:
    waiting = choices(auto("a", "t1"), auto("b", "t2"), auto("c", "t3", block="names"))
    assert waiting.holds("a", failing=True, last=False)
    assert (waiting.ready(), waiting.waiting) == ((), False)
    assert not waiting.holds("b", failing=False, last=False), "nothing fails there: it is closed"
    assert waiting.waiting
    assert waiting.ready() == ("a",)
    assert waiting.ready() == (), "named once"
    assert waiting.holds("a", failing=True, last=False), "until it is chosen"
    waiting.over("a")
    assert not waiting.holds("a", failing=True, last=False)


def test_a_deadline_that_comes_takes_the_block_along() -> None:
    waiting = choices(auto("a", "t1"), auto("b", "t2"), auto("c", "t3"))
    assert waiting.holds("a", failing=True, last=False)
    assert waiting.holds("b", failing=False, last=True), "what it lacks may make a cell fail"
    assert set(waiting.ready()) == {"a", "b"}
    assert waiting.holds("c", failing=True, last=False)
    assert waiting.ready() == ("c",)


def test_what_is_never_created_is_not_waited_for() -> None:
    waiting = choices(auto("a"), auto("b", "t2"))
    waiting.holds("a", failing=True, last=False)
    waiting.over("b")
    assert waiting.ready() == ("a",)


def test_the_parts_of_a_target_that_fails_are_chosen_together() -> None:
    waiting = choices(auto("a"), auto("b"))
    assert waiting.holds("a", failing=True, last=False)
    assert waiting.holds("b", failing=False, last=False)
    assert set(waiting.ready()) == {"a", "b"}


@pytest.mark.parametrize("whose", [True, False])
def test_where_the_plan_says_it_nothing_is_chosen(whose: bool) -> None:
    spec = make_spec("a", path_details=whose)
    waiting = choices(spec)
    assert not waiting.holds("a", failing=True, last=True)
    assert not waiting.waiting
