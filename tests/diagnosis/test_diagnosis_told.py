"""What is said of an incident: the sentence, the screen's values, the ticket, the document."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import pytest
from diagnosis_worlds import FAIL, OPEN, PASS, SILENT, found
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.diagnosis.course import Moment
from orchestrator.diagnosis.document import document
from orchestrator.diagnosis.picture import Cost, picture
from orchestrator.diagnosis.ticket import MOST, Account, ticket
from orchestrator.diagnosis.words import claim, confirmation, sentence
from orchestrator.insight.words import plain
from orchestrator.model import Verdict

ACCOUNT = Account("6b0877f07da67c22", 3, 1, 28, 0.31, 96.2, "certain")
COST = Cost(3, 12, 0.31, 2.0)


def said(
    verdicts: Sequence[Verdict | None], again: Sequence[Verdict | None] = (), *, final: bool = True
) -> str:
    return plain(sentence(found(verdicts, again=again), final=final).text)


def test_what_fails_from_everybody_is_told_with_its_count() -> None:
    assert said([FAIL] * 12) == "https://shop.example.com fails from every agent: 12 of 12"


def test_as_long_as_some_have_not_answered_it_says_how_many_were_asked() -> None:
    told = said([FAIL] * 7 + [OPEN] * 5, final=False)
    assert told == "https://shop.example.com fails from all 7 asked so far"


def test_what_passes_is_told_of_those_that_answered_and_who_did_not_is_our_side() -> None:
    assert said([PASS] * 12) == "https://shop.example.com passes from all 12 agents"
    told = said([PASS] * 11 + [SILENT])
    assert told == (
        "https://shop.example.com passes from all 11 agents that answered; "
        "no answer from agent-11 (agent side)"
    )


def test_one_failure_names_its_agent_and_claims_no_cause() -> None:
    told = said([FAIL] + [PASS] * 11)
    assert "fails from 1 of 12 agents, without a common cause: agent-00 (connect)" in told


def test_what_passes_a_round_later_is_told_as_both() -> None:
    told = said([FAIL] + [PASS] * 11, [PASS] * 12)
    assert "failed from 1 of 12 agents and passes from all of them a round later: agent-00" in told


def test_silence_says_nothing_of_the_target() -> None:
    told = said([SILENT] * 12)
    assert "nothing answered" in told
    assert "shop" not in told


def test_nothing_is_said_before_an_answer() -> None:
    assert said([OPEN] * 12, final=False) == "https://shop.example.com: no answer yet"


@given(st.lists(st.sampled_from([FAIL, PASS, OPEN, SILENT]), min_size=1, max_size=14))
@settings(max_examples=60, deadline=None)
def test_it_never_says_everywhere_nor_that_it_is_over(verdicts: list[Verdict | None]) -> None:
    seen = found(verdicts)
    for final in (False, True):
        told = plain(sentence(seen, final=final).text).lower()
        assert not any(word in told for word in ("everywhere", "outage", "is over", "is broken", "customer"))
    text = ticket(seen, ACCOUNT)
    assert len(text) <= MOST
    assert text.startswith("**")


def test_the_claim_changes_with_the_cause_and_its_certainty_and_not_with_counts() -> None:
    assert claim(found([FAIL] * 11 + [OPEN])) == claim(found([FAIL] * 12))
    assert claim(found([FAIL] * 3 + [OPEN] * 9)) != claim(found([FAIL] * 12))
    assert claim(found([OPEN] * 12)) != claim(found([PASS] + [OPEN] * 11))


def test_a_second_round_confirms_when_it_sees_the_same_from_three_agents() -> None:
    assert confirmation(found([FAIL] * 12)) == "not confirmed"
    assert confirmation(found([FAIL] * 12, again=[FAIL] * 12)).startswith("confirmed ")
    assert not confirmation(found([FAIL] * 12, again=[FAIL] * 2 + [PASS] * 10)).startswith("confirmed ")


def test_the_picture_has_a_mark_for_each_agent() -> None:
    seen = picture(found([FAIL, PASS, OPEN, SILENT] * 3), Moment(41.0, 2.0), COST)
    assert "".join(mark.sign for mark in seen.inside + seen.outside).count("C") == 3
    assert len(seen.inside) == 4
    assert len(seen.outside) == 8
    assert (seen.elapsed, seen.box) == (41.0, 180.0)


def test_the_ticket_has_the_layer_the_time_the_table_and_what_to_do() -> None:
    text = ticket(found([FAIL] * 12, again=[FAIL] * 12), ACCOUNT)
    assert "fails from every agent: 12 of 12** (clear, confirmed" in text
    assert "- Layer: " in text
    assert "- First seen " in text
    assert "| | inside | outside |" in text
    assert "orchestrator rerun 6b0877f07da67c22" in text


HOSTILE = "https://shop.example.com/<script>|`*_@everyone\x1b[31m\u202e" + "x" * 4000


def test_a_hostile_target_stays_data_and_the_ticket_short() -> None:
    text = ticket(found([FAIL] * 12, target=HOSTILE), ACCOUNT)
    assert len(text) <= MOST
    assert "\x1b" not in text
    assert "\u202e" not in text
    for line in text.splitlines():
        outside = re.sub(r"(`+).+?(?<!`)\1(?!`)", "", line)
        assert "<script>" not in outside


@pytest.mark.parametrize("verdicts", [[FAIL] * 12, [PASS] * 12, [OPEN] * 12, [SILENT] * 12])
def test_the_document_is_that_of_the_insight_with_a_key_of_its_own(verdicts: list[Verdict | None]) -> None:
    made = document(found(verdicts), ACCOUNT, 1)
    json.dumps(made)
    assert {"schema", "run", "explanations", "silences", "diagnose"} <= set(made)
    own = made["diagnose"]
    assert isinstance(own, dict)
    assert {"targets", "waves", "stopped", "confirmed", "seconds"} <= set(own)
