"""Whom to ask: every beginning of the list is the most telling one of its length."""

from __future__ import annotations

from diagnose_incidents import listed
from diagnosis_worlds import agents, elsewhere
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.diagnosis.vantage import chosen, is_outside, more
from orchestrator.model import AgentState
from orchestrator.plan.selectors import reason_left_out
from orchestrator.simulator.settings import Settings

FLEET = listed(Settings(topology="shared"))


def test_the_first_six_are_in_six_countries_and_networks() -> None:
    for seed in range(20):
        first = chosen(FLEET, 6, seed)
        assert len({one.country for one in first}) == 6
        assert len({one.network for one in first}) == 6


def test_two_of_three_are_outside_at_every_length() -> None:
    order = chosen(FLEET, 18, 1)
    for length in range(3, 19, 3):
        assert sum(map(is_outside, order[:length])) == length * 2 // 3


def test_where_a_side_has_nobody_left_the_other_one_fills_up() -> None:
    inside = [one for one in FLEET if not is_outside(one)]
    assert len(chosen(inside, 5, 0)) == 5
    assert len(chosen(FLEET[:3], 12, 0)) == 3


@given(seed=st.integers(0, 1000), count=st.integers(1, 20), mixed=st.randoms(use_true_random=False))
def test_a_seed_repeats_the_choice_whatever_the_order_of_the_listing(
    seed: int, count: int, mixed: object
) -> None:
    shuffled = list(FLEET)
    mixed.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis gives a random.Random
    order = chosen(FLEET, count, seed)
    assert chosen(shuffled, count, seed) == order
    assert order == chosen(FLEET, count + 1, seed)[:count]
    assert not any(reason_left_out(one) for one in order)


def test_who_cannot_be_asked_is_not() -> None:
    one, *others = agents(4)
    assert chosen([elsewhere(one, state=AgentState.OFFLINE)], 4, 0) == ()
    assert len(chosen([elsewhere(one, state=AgentState.DISABLED), *others], 4, 0)) == 3


def test_the_agents_of_an_earlier_incident_come_first() -> None:
    wanted = {FLEET[0].id, FLEET[7].id, FLEET[45].id}
    assert {one.id for one in chosen(FLEET, 3, 5, wanted)} == wanted


def test_more_agents_are_others_and_have_what_is_wanted() -> None:
    asked = chosen(FLEET, 12, 0)
    further = more(FLEET, asked, 4, 0, lambda agent: agent.country == "US")
    assert {one.country for one in further} == {"US"}
    assert not {one.id for one in further} & {one.id for one in asked}
