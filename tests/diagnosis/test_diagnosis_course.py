"""What is done next, and when it is enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from diagnosis_worlds import FAIL, OPEN, PASS, SILENT, URL, agents, asked, cell, elsewhere, found
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.diagnosis.blocks import Extras, first_wave
from orchestrator.diagnosis.course import (
    WAIT,
    Do,
    Moment,
    Stopped,
    Word,
    exit_code,
    following,
    posterior,
    word_of,
)
from orchestrator.diagnosis.found import Found, Round
from orchestrator.diagnosis.secondwave import stand_ins
from orchestrator.errors import Exit
from orchestrator.insight.words import Names
from orchestrator.model import Verdict

SOON = Moment(elapsed=20.0, quiet=1.0)
DEAD = found([FAIL] * 12)
WELL = found([PASS] * 12)
SPLIT = found([FAIL] * 4 + [PASS] * 8)
CONFIRMED = replace(SOON, asked_more=True, confirmed=True)


@given(judged=st.integers(0, 40), share=st.floats(0, 1))
def test_the_three_hypotheses_share_all_belief(judged: int, share: float) -> None:
    assert sum(posterior(round(judged * share), judged)) == pytest.approx(1.0)


def test_without_an_answer_nothing_is_believed_but_the_priors() -> None:
    assert posterior(0, 0) == pytest.approx((0.25, 0.35, 0.40))


def test_more_failures_make_it_likelier_that_everybody_fails() -> None:
    beliefs = [posterior(bad, bad)[1] for bad in range(1, 13)]
    assert beliefs == sorted(beliefs)
    assert beliefs[5] >= 0.85 > beliefs[0]


def test_all_of_seven_in_many_countries_is_everybody() -> None:
    assert word_of(found([FAIL] * 7 + [OPEN] * 5)) is Word.EVERY
    assert word_of(found([FAIL] * 5 + [OPEN] * 7)) is not Word.EVERY


def test_one_that_passes_among_six_is_in_places() -> None:
    assert word_of(found([FAIL] * 4 + [PASS] * 2 + [OPEN] * 6)) is Word.PLACES


def test_everybody_is_confirmed_at_once_and_nobody_else_is_asked() -> None:
    assert following(found([FAIL] * 7 + [OPEN] * 5), SOON).steps == (Do.CONFIRM,)


def test_what_fails_in_places_is_looked_at_more_closely_and_confirmed_when_all_have_answered() -> None:
    assert following(found([FAIL] * 4 + [PASS] * 7 + [OPEN]), SOON).steps == ()
    assert following(found([FAIL] + [PASS] * 11), SOON).steps == (Do.ASK_MORE, Do.CONFIRM)


def test_who_keeps_silent_is_not_waited_for_where_something_fails() -> None:
    moment = replace(SOON, quiet=13.0)
    assert following(found([FAIL] * 3 + [PASS] * 8 + [OPEN]), moment).steps
    assert not following(found([FAIL] * 3 + [PASS] * 4 + [OPEN] * 5), moment).steps


@given(passing=st.integers(0, 11), quiet=st.floats(0, 150))
def test_healthy_ends_nothing_while_anybody_is_open(passing: int, quiet: float) -> None:
    seen = found([PASS] * passing + [OPEN] * (12 - passing))
    step = following(seen, Moment(elapsed=min(170.0, quiet + 20.0), quiet=quiet))
    assert step.stopped is None
    assert step.steps in {(), (Do.STAND_IN,)}


def stood_in(verdicts: Sequence[Verdict | None], instead: Sequence[Verdict | None], **heard: bool) -> Found:
    """The first wave with these verdicts, and others who were asked in the place of those who are open."""
    whom = agents(len(verdicts) + len(instead))
    cells = [cell(agent, verdict) for agent, verdict in zip(whom, [*verdicts, *instead], strict=True)]
    if heard:
        row = cell(whom[0], PASS).rows
        cells = [one if one.record.verdict is not None else one._replace(rows=row) for one in cells]
    names = Names(agents={agent.id: agent.name for agent in whom})
    return Found.of("r", asked(whom[: len(verdicts)]), Round(cells, names))


LATE = Moment(elapsed=90.0, quiet=13.0, stood_in=52.0)


def test_in_the_place_of_who_never_said_anything_others_are_asked() -> None:
    seen = found([PASS] * 11 + [OPEN])
    assert following(seen, replace(SOON, quiet=11.0)).steps == ()
    assert following(seen, replace(SOON, quiet=13.0)).steps == (Do.STAND_IN,)
    assert following(seen, replace(SOON, quiet=13.0, waves=False)).steps == ()
    assert following(found([PASS] * 8 + [OPEN] * 4), replace(SOON, quiet=13.0)).steps == (), "too many"


def test_it_ends_without_who_is_silent_once_others_near_them_pass_and_a_good_while_later() -> None:
    seen = stood_in([PASS] * 11 + [OPEN], [PASS] * 2)
    assert following(seen, LATE).stopped is Stopped.ALL_ASKED
    assert following(seen, replace(LATE, elapsed=60.0)).stopped is None, "too soon"
    waiting = stood_in([PASS] * 11 + [OPEN], [PASS, OPEN])
    assert following(waiting, LATE).stopped is None
    assert following(stood_in([PASS] * 11 + [OPEN], []), LATE).stopped is None, "nobody was near"
    assert exit_code(stood_in([PASS] * 11 + [SILENT], [PASS] * 2), Exit.INCOMPLETE) is Exit.INCOMPLETE


def test_whoever_has_said_anything_is_waited_for() -> None:
    assert following(stood_in([PASS] * 11 + [OPEN], [PASS] * 2, heard=True), LATE) == WAIT


def test_where_those_in_its_place_fail_it_is_an_incident_like_any_other() -> None:
    seen = stood_in([PASS] * 11 + [OPEN], [FAIL] * 2)
    assert following(seen, LATE).steps == (Do.ASK_MORE, Do.CONFIRM)


def test_a_second_round_does_not_wait_for_who_was_silent_in_the_first() -> None:
    first = [FAIL] * 11 + [OPEN]
    waits = replace(SOON, asked_more=True, confirming=True, quiet=13.0)
    assert following(found(first, again=[FAIL] * 11 + [OPEN]), waits).stopped is Stopped.CERTAIN
    assert following(found(first, again=[FAIL] * 10 + [OPEN] * 2), waits).stopped is None
    assert following(found([FAIL] * 12, again=[FAIL] * 11 + [OPEN]), waits).stopped is None


def test_those_who_stand_in_are_near_and_none_is_asked_where_nobody_is() -> None:
    seen = found([PASS] * 11 + [OPEN])
    quiet = seen.asked.agents[-1]
    near = [elsewhere(quiet, id=str(900 + n), network=f"n{n}") for n in range(3)]
    block = replace(first_wave(seen.asked.subjects, (), seen.asked.agents, Extras())[0], name="web")
    (made,) = stand_ins(seen, [block], [*seen.asked.agents, *near], 0, 9)
    assert (made.name, made.targets, len(made.agents)) == ("web", (URL,), 2)
    assert {*made.agents} <= {one.id for one in near}
    assert stand_ins(seen, [block], seen.asked.agents, 0, 9) == ()


def test_all_good_and_all_there_ends_it() -> None:
    assert following(WELL, SOON).stopped is Stopped.NOTHING_BAD
    assert following(found([PASS] * 11 + [SILENT]), SOON).stopped is Stopped.NOTHING_BAD


def test_the_box_ends_whatever_is_going_on() -> None:
    for seen in (DEAD, WELL, SPLIT, found([OPEN] * 12)):
        late = Moment(elapsed=177.0, quiet=0.0, confirming=True)
        assert following(seen, late).stopped is Stopped.TIME_BOX


def test_a_round_that_would_not_end_in_the_box_does_not_begin() -> None:
    late = Moment(elapsed=160.0, quiet=1.0)
    assert following(DEAD, late) == following(DEAD, replace(late, waves=False, confirm=False))


def test_it_ends_when_it_is_told_apart_and_confirmed() -> None:
    again = found([FAIL] * 12, again=[FAIL] * 12)
    assert following(again, replace(CONFIRMED, confirming=True, confirmed=False)).stopped is None
    assert following(again, CONFIRMED).stopped is Stopped.CERTAIN
    assert following(DEAD, replace(SOON, waves=False, confirm=False)).stopped is Stopped.CERTAIN


def test_what_cannot_be_told_apart_ends_when_all_were_asked() -> None:
    alone = found([FAIL] + [PASS] * 11, again=[FAIL] + [PASS] * 11)
    assert following(alone, CONFIRMED).stopped is Stopped.ALL_ASKED


@pytest.mark.parametrize(
    ("verdicts", "again", "code"),
    [
        ([PASS] * 12, (), Exit.OK),
        ([PASS] * 11 + [SILENT], (), Exit.INCOMPLETE),
        ([PASS] * 11 + [OPEN], (), Exit.INCOMPLETE),
        ([FAIL] + [PASS] * 11, (), Exit.EXPECTATION_FAILED),
        ([FAIL] + [PASS] * 11, [PASS] * 12, Exit.OK),
        ([FAIL] * 2 + [PASS] * 10, [PASS] * 12, Exit.EXPECTATION_FAILED),
        ([FAIL] * 5 + [OPEN] * 7, (), Exit.INCOMPLETE),
        ([FAIL] * 6 + [OPEN] * 6, (), Exit.EXPECTATION_FAILED),
        ([SILENT] * 12, (), Exit.INCOMPLETE),
    ],
)
def test_the_exit_code_says_what_is_known(verdicts: list[object], again: list[object], code: Exit) -> None:
    seen = found(verdicts, again=again)  # type: ignore[arg-type] # verdicts and None, as the world takes them
    assert exit_code(seen, Exit.INCOMPLETE) is code


def test_a_refusal_and_an_interruption_come_before_what_was_found() -> None:
    assert exit_code(DEAD, Exit.REFUSED) is Exit.REFUSED
    assert exit_code(DEAD, Exit.SIGINT) is Exit.SIGINT
