"""Every open test ends, none with a poll under way, and none early with something still to ask.

Hypothesis decides what is sent, what comes back and when. Without any of the rules behind it the machine
fails.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest
from builders import make_answer, make_spec
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from orchestrator.lifecycle import IllegalMove
from orchestrator.schedule import closing, polls
from orchestrator.schedule.closing import LAST_TRIES, MOVES, OVER, READING, Closing, OpenTest
from orchestrator.schedule.feedback import DetailEnded, PageMissed, PageRead
from orchestrator.schedule.latency import models
from orchestrator.schedule.progress import Progress
from orchestrator.schedule.steps import Detail, Poll
from orchestrator.testtypes import TEST_TYPES

LAYERS = ("http-server", "network", "path-vis")
AGENTS = ("1", "2")
ANSWERS = ("all", "all", "some", "none", "page", "lost", "refused", "429")


@dataclass
class Seen:
    """What the machine itself knows of a test."""

    progress: Progress
    deadline: float
    details: int = 0
    refusals: dict[str, int] = field(default_factory=dict)

    def wants(self, layer: str) -> bool:
        return not self.progress.complete(layer) and self.refusals.get(layer, 0) < LAST_TRIES


class Machine(RuleBasedStateMachine):
    """The real schedule of polls; answers come in any order, or not at all."""

    @initialize()
    def begin(self) -> None:
        self.now = 0.0
        self.polls = polls.Polls(models({}, TEST_TYPES), Random(0))
        self.open: dict[str, Seen] = {}
        self.flying: list[Poll | Detail] = []
        self.opened = 0

    @rule(layers=st.integers(1, 3), deadline=st.sampled_from([-5.0, 20.0, 60.0, 300.0]))
    def open_one(self, layers: int, deadline: float) -> None:
        spec = make_spec(f"k{self.opened}", layers=LAYERS[-layers:], agents=AGENTS)
        self.opened += 1
        seen = self.open[spec.key] = Seen(Progress(spec), max(self.now, self.now + deadline))
        created = self.now - max(0.0, -deadline)
        self.polls.opened(spec, seen.progress, created=created, deadline=self.now + deadline, now=self.now)

    @rule(seconds=st.sampled_from([0.0, 0.5, 5.0, 30.0, 130.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(seconds=st.sampled_from([0.0, 10.0, 30.0]))
    def read_all(self, seconds: float) -> None:
        """Time goes by, and whatever is due then is sent and answered in full."""
        self.now += seconds
        self.send(4)
        for step in list(self.flying):
            self.come(step, "all")
        self.close()

    @rule(times=st.integers(1, 4))
    def send(self, times: int) -> None:
        for _ in range(times):
            due = [*self.polls.urgent(self.now), *self.polls.candidates(self.now)]
            if due and isinstance(due[0].step, Poll | Detail):
                self.polls.take(due[0].step)
                self.flying.append(due[0].step)

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), how=st.sampled_from(ANSWERS))
    def answer(self, data: st.DataObject, how: str) -> None:
        self.come(data.draw(st.sampled_from(self.flying)), how)

    def come(self, step: Poll | Detail, how: str) -> None:
        self.flying.remove(step)
        seen = self.open[step.key]
        if isinstance(step, Detail):
            again = how in {"lost", "429"}
            self.polls.detail_ended(DetailEnded(step, again, how == "429"), self.now)
            seen.details -= not again  # what is lost is asked for again, until the deadline
        elif how in {"lost", "refused", "429"}:
            # Refusals are told apart from what was lost, and a layer ends with the third in its chain.
            seen.refusals[step.layer] = max(
                seen.refusals.get(step.layer, 0), step.refusals + (how == "refused")
            )
            self.polls.missed(PageMissed(step, how != "refused", how == "429"), self.now)
        else:
            agents = {"all": AGENTS, "some": AGENTS[:1], "page": AGENTS[:1]}.get(how, ())
            harvest = seen.progress.accept(step.layer, [make_answer(step.layer, one) for one in agents])
            asks = step.layer == "path-vis" and how == "all" and not seen.details
            wanted = (("1", 7),) if asks else ()
            seen.details += len(wanted)
            href = f"/next/{step.page}" if how == "page" else None
            self.polls.read(PageRead(step, harvest, href, self.now, wanted), self.now)

    @rule()
    def close(self) -> None:
        while (key := self.polls.closable()) is not None:
            seen = self.open[key]
            assert all(step.key != key for step in self.flying), "closed with a poll under way"
            if self.now < seen.deadline:
                assert not any(map(seen.wants, seen.progress.spec.layers)), "closed with a layer to read"
                assert seen.details == 0, "closed with details to come"
            del self.open[key]

    @rule()
    def hasten(self) -> None:
        self.polls.hasten(self.now)
        for seen in self.open.values():
            seen.deadline = min(seen.deadline, self.now)

    @rule()
    def give_up(self) -> None:
        for seen in self.open.values():
            seen.deadline = min(seen.deadline, self.now)
        self.polls.give_up()

    @invariant()
    def counts_agree(self) -> None:
        assert self.polls.tests == len(self.open)
        wanted = sum(seen.wants(layer) for seen in self.open.values() for layer in seen.progress.spec.layers)
        assert self.polls.layers >= wanted

    def teardown(self) -> None:
        """Nothing can be afforded any more; what is under way is lost. Every test is closed all the same."""
        for step in list(self.flying):
            self.come(step, "lost")
        for _ in range(200):
            list(self.polls.urgent(self.now))
            self.close()
            later = [when for when in self.polls.wakes() if when > self.now]
            if not self.open:
                break
            assert later, "a test is open, and nothing will wake its schedule"
            self.now = min(later)
        assert not self.open, "a test stays open for ever"
        assert self.polls.layers == 0


SETTINGS = settings(
    derandomize=True,
    deadline=None,
    database=None,
    stateful_step_count=40,
    suppress_health_check=list(HealthCheck),
)


def run(examples: int, *, shrink: bool = True) -> None:
    phases = list(Phase) if shrink else [Phase.generate]
    run_state_machine_as_test(Machine, settings=settings(SETTINGS, max_examples=examples, phases=phases))


def test_every_open_test_ends_and_none_with_a_poll_under_way() -> None:
    run(300)


class ClosesUnderWay(Closing):
    def _free(self, test: OpenTest) -> bool:
        return True


class WithoutGrace(Closing):
    def _end_late(self, now: float) -> None:
        pass


class ForgetsDeadlines(Closing):
    def watch(self, test: OpenTest) -> None:
        pass


class ForgetsDetails(Closing):
    def _nothing_left(self, test: OpenTest) -> bool:
        return not test.left


@pytest.mark.parametrize("mutant", [ClosesUnderWay, WithoutGrace, ForgetsDeadlines, ForgetsDetails])
def test_the_machine_fails_without_the_rule(mutant: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polls, "Closing", mutant)
    with pytest.raises(AssertionError, match=r"closed with|stays open|nothing will wake"):
        run(300, shrink=False)


@pytest.mark.parametrize("old", closing.Phase)
@pytest.mark.parametrize("new", closing.Phase)
def test_a_move_that_the_table_does_not_have_raises(old: closing.Phase, new: closing.Phase) -> None:
    spec = make_spec("a")
    test = OpenTest(spec, Progress(spec), 0.0, 180.0, "path-vis", set(), "http-server", phase=old)
    if (old, new) in MOVES:
        test.move(new)
        assert test.phase is new
    else:
        with pytest.raises(IllegalMove, match=f"from {old.name} to {new.name}"):
            test.move(new)


def test_a_phase_that_is_over_leads_nowhere_but_to_the_end() -> None:
    assert not [move for move in MOVES if move[0] in OVER and move[1] is not closing.Phase.ENDED]
    # Only what was parked is read again, when a silent agent wakes up.
    parked = closing.Phase.PARKED
    assert not [move for move in MOVES if move[0] not in {*READING, parked} and move[1] in READING]
