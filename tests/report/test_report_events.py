"""Facts go into a store and come back, of earlier versions too; each can be logged and explained."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import events as known
from orchestrator.events import (
    KINDS,
    CircuitOpened,
    Event,
    Fact,
    Limited,
    Polled,
    PollFailed,
    Probed,
    Unknown,
    Waited,
    Waiting,
    facts_of,
)
from orchestrator.events.limits import EndedWindow
from orchestrator.lifecycle import SpecState
from orchestrator.listeners.journal import DURABLE
from orchestrator.listeners.telling import Guarded, Telling
from orchestrator.report.explain import told_of
from orchestrator.report.waits import WAITS
from orchestrator.store.events import dump, load

if TYPE_CHECKING:
    pass

facts = st.one_of([st.from_type(kind) for kind in KINDS])
EVERY = sorted(KINDS, key=lambda kind: kind.__name__)


def example_of(kind: type[Fact]) -> Fact:
    """The simplest of its kind, with everything said that can be said."""
    simple: dict[str, Any] = {
        "str": "x", "str | None": "x", "int": 1, "int | None": 1, "float": 1.5, "float | None": 1.5,
        "bool": True, "tuple[str, ...]": ("organization",), "Waiting": Waiting.SPACING,
        "Waiting | None": Waiting.SPACING, "SpecState": SpecState.COMPLETE,
        "EndedWindow": EndedWindow(9, 240, 3),
        "BudgetStanding": known.BudgetStanding(240, 3, 9.0, 2.0, blind=True), "Sending": known.Sending.READ,
    }  # fmt: skip
    return kind(**{name: simple[str(one.type)] for name, one in kind.__dataclass_fields__.items()})


def test_every_fact_of_the_union_has_a_name_and_no_two_share_one() -> None:
    assert set(KINDS) == set(get_args(Fact)) - {Unknown}
    assert len(set(KINDS.values())) == len(KINDS)


@given(fact=facts)
def test_a_fact_comes_back_from_the_store_as_it_was(fact: Fact) -> None:
    kind, said = dump(fact)
    assert load(kind, json.loads(json.dumps(said))) == fact


@pytest.mark.parametrize("kind", EVERY)
def test_every_fact_comes_back_with_everything_it_can_say(kind: type[Fact]) -> None:
    fact = example_of(kind)
    name, said = dump(fact)
    assert load(name, json.loads(json.dumps(said))) == fact
    assert set(said) == set(kind.__dataclass_fields__)


@pytest.mark.parametrize(
    ("kind", "said", "fact"),
    [
        ("waited", {"for": "wip", "seconds": 2.5}, Waited(Waiting.OPEN_TESTS, 2.5)),
        ("circuit", {"failures": 5, "seconds": 10.0}, CircuitOpened(5, 10.0)),
        ("probe", {"status": "answered", "detail": ""}, Probed(answered=True)),
        ("probe", {"status": "failed", "detail": "reset"}, Probed(answered=False, detail="reset")),
        ("limited", {"budget": "creation", "detail": "n"}, Limited(budget=Waiting.INSTANT_TEST, detail="n")),
        ("limited", {"layer": "network", "status": "failed", "detail": "n"}, Limited("network", detail="n")),
        ("adopted", {"test_id": "77"}, known.Adopted("77")),
        ("given_up", {}, known.GivenUp()),
        ("closed", {"state": "timed_out"}, known.Closed(SpecState.TIMED_OUT)),
        ("look", {"layer": "network", "status": "failed", "detail": "no"}, PollFailed("network", "no")),
        ("look", {"layer": "network", "status": 502}, PollFailed("network", "status 502")),
        (
            "look",
            {
                "layer": "network", "rows": 1, "of": 2, "complete": False, "strangers": 1, "stale": 2,
                "skipped": 3, "age": 4.25, "status": "empty",
            },
            Polled("network", 1, 2, strangers=1, stale=2, skipped=3, age=4.25, empty=True),
        ),
    ],
)  # fmt: skip
def test_what_earlier_versions_stored_is_understood(kind: str, said: dict[str, Any], fact: Fact) -> None:
    assert load(kind, said) == fact


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("thawed", {"by": "sun"}),
        ("closed", {"state": "melted"}),
        ("waited", {"for": "godot", "seconds": 1.0}),
        ("intended", {}),
        ("created", {"test_id": 77}),
        ("budget.window", {"budget": "organization", "ended": 3}),
        ("look", {}),
    ],
)
def test_what_is_not_understood_is_kept_as_it_stands(kind: str, said: dict[str, Any]) -> None:
    fact = load(kind, said)
    assert fact == Unknown(kind, said)
    assert dump(fact) == (kind, said)
    assert told_of(fact).startswith(kind)


@pytest.mark.parametrize("kind", EVERY)
def test_every_fact_has_a_sentence_of_its_own(kind: type[Fact]) -> None:
    sentence = told_of(example_of(kind))
    assert sentence != told_of(Unknown(*dump(example_of(kind))))
    sentences = [told_of(example_of(other)) for other in EVERY]
    assert sentences.count(sentence) == 1


@given(fact=facts)
def test_no_fact_is_told_with_a_character_that_a_terminal_obeys(fact: Fact) -> None:
    assert not [char for char in told_of(fact) if ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0]


def test_every_reason_to_wait_has_words() -> None:
    assert set(WAITS) == set(Waiting)


def test_only_facts_of_a_run_are_stored_and_the_store_writes_two_of_them_itself() -> None:
    of_a_run = set(get_args(known.RunFact))
    assert {known.Adopted, known.GivenUp} <= of_a_run - DURABLE
    assert of_a_run >= DURABLE


def test_a_fact_says_nothing_of_what_it_leaves_open() -> None:
    assert facts_of(Limited(layer="network")) == {"layer": "network"}


class Heard:
    """Keeps what it hears, or fails from the start."""

    def __init__(self, *, fails: bool = False) -> None:
        self.events: list[Event] = []
        self.fails = fails

    def hear(self, event: Event) -> None:
        self.events.append(event)
        if self.fails:
            raise RuntimeError("full")


def test_a_listener_that_raises_is_told_of_once_and_the_others_hear_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, second = Heard(fails=True), Heard()
    telling = Telling(lambda: 5.0, [Guarded(first), Guarded(second)], run="r")
    telling.tell(CircuitOpened(5, 1.0))
    telling.tell(known.GivenUp(), "k")
    assert len(first.events) == 1
    assert second.events == [
        Event(5.0, "r", None, CircuitOpened(5, 1.0)),
        Event(5.0, "r", "k", known.GivenUp()),
    ]
    [record] = caplog.records
    assert "listener Heard failed" in record.message
    assert record.exc_info is not None


def test_a_defect_in_a_listener_of_our_own_is_not_hidden() -> None:
    with pytest.raises(RuntimeError, match="full"):
        Telling(lambda: 5.0, [Heard(fails=True)]).tell(known.GivenUp())
