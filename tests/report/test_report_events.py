"""Facts go into a store and come back, of earlier versions too; each can be logged and explained."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import structlog
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
from orchestrator.events.limits import BudgetReset, EndedWindow
from orchestrator.lifecycle import SpecState
from orchestrator.listeners.journal import DURABLE
from orchestrator.listeners.log import LogListener, configure_logging
from orchestrator.listeners.telling import Guarded, Telling
from orchestrator.records import Requests
from orchestrator.report.explain import told_of
from orchestrator.report.waits import WAITS
from orchestrator.store.events import dump, load

# No clock of ours tells a time that is no number, and such a one would not equal itself.
st.register_type_strategy(float, st.floats(allow_nan=False))
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


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging("debug", True, lambda text: text.replace("secret", "***"), stream=stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("kind", EVERY)
def test_every_fact_is_logged_under_its_dotted_name_with_what_it_says(
    logged: io.StringIO, kind: type[Fact]
) -> None:
    fact = example_of(kind)
    LogListener().hear(Event(5.0, "r", "k", fact))
    line = json.loads(logged.getvalue())
    name, said = dump(fact)
    assert line["event"] == (name if "." in name else f"run.{name}")
    assert (line["run"], line["spec"]) == ("r", "k")
    assert {key: line[key] for key in said} == json.loads(json.dumps(said))


def test_a_fact_of_no_run_is_logged_without_one_and_masked(logged: io.StringIO) -> None:
    LogListener().hear(Event(5.0, None, None, BudgetReset("secret sauce")))
    line = json.loads(logged.getvalue())
    assert (line["event"], line["reason"]) == ("budget.reset", "*** sauce")
    assert "run" not in line


def test_what_happens_all_the_time_is_logged_for_developers_only(logged: io.StringIO) -> None:
    logging.getLogger().setLevel(logging.INFO)
    listener = LogListener()
    listener.hear(Event(5.0, "r", "k", known.RequestSent(known.Sending.READ)))
    assert logged.getvalue() == ""
    listener.hear(Event(5.0, "r", "k", known.Lost("reset")))
    assert json.loads(logged.getvalue())["event"] == "run.lost"


def test_a_run_is_counted_from_what_is_told() -> None:
    telling = Telling(lambda: 5.0)
    telling.tell(known.RequestSent(known.Sending.READ))  # the listing of agents, for this run
    of_a_run = telling.of("r", [])
    for what in known.Sending:
        of_a_run.tell(known.RequestSent(what))
    for status in (200, 429, 500):
        of_a_run.tell(known.RequestAnswered(known.Sending.READ, status, 0.1))
    of_a_run.tell(known.RequestFailed(known.Sending.CREATION, "reset"))
    of_a_run.tell(known.AnswersStored("network", 3, 1))
    of_a_run.tell(known.Opened("77"))
    for seconds in (1.0, 2.5):
        of_a_run.tell(known.WaitEnded(Waiting.CIRCUIT, seconds))
    of_a_run.tell(Waited(Waiting.CIRCUIT, 3.5))  # the same wait, told again
    counted = of_a_run.statistics
    assert counted.requests == Requests(creations=1, reruns=1, reads=2, refused_429=1, errors=2)
    assert (counted.created, counted.answers, counted.error_rows) == (1, 3, 1)
    assert counted.waits == {Waiting.CIRCUIT: 3.5}


def test_a_second_run_of_a_session_is_counted_by_itself() -> None:
    telling = Telling(lambda: 5.0)
    first = telling.of("r", [])
    first.tell(known.RequestSent(known.Sending.CREATION))
    second = telling.of("s", [])
    second.tell(known.RequestSent(known.Sending.RERUN))
    assert first.statistics.requests == Requests(creations=1)
    assert second.statistics.requests == Requests(reruns=1)
