"""An agent that answers nothing is waited for once, gets a last look, and is heard again when it wakes up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pytest
from builders import make_answer, make_spec
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_run import check_promises, virtual_run

from orchestrator.schedule import silence
from orchestrator.schedule.feedback import PageRead
from orchestrator.schedule.latency import models
from orchestrator.schedule.pace import Load
from orchestrator.schedule.progress import Progress
from orchestrator.schedule.schedule import Schedule
from orchestrator.schedule.steps import Poll, Purpose
from orchestrator.simulator.settings import Fault
from orchestrator.simulator.settings import Settings as World
from orchestrator.testtypes import TEST_TYPES

LOAD = Load(240, 24, 24, reserve=24.0)
LAYERS = ("network", "path-vis")
# At which time an agent's row of a test is there, by test and agent.
Ready = Callable[[int, str], float]


@dataclass
class Run:
    """Tests with agents 1, 2 and 3, created ``gap`` apart and polled every second until all are closed."""

    ready: Ready
    tests: int = 8
    deadline: float = 400.0
    gap: float = 1.0
    agents: tuple[str, ...] = ("1", "2", "3")
    closed: dict[int, float] = field(default_factory=dict)
    missing: dict[int, set[str]] = field(default_factory=dict)
    last_looks: list[str] = field(default_factory=list)
    parked: int = 0

    def go(self) -> Run:
        self.schedule = Schedule(models({}, TEST_TYPES), Random(1))
        self.progress = [
            Progress(make_spec(f"k{n}", layers=LAYERS, agents=self.agents, type="agent-to-server"))
            for n in range(self.tests)
        ]
        now, opened = 0.0, 0
        while opened < self.tests or self.schedule.open_tests:
            if opened < self.tests and now >= opened * self.gap:
                one = self.progress[opened]
                self.schedule.opened(one.spec, one, created=now, deadline=now + self.deadline, now=now)
                opened += 1
            self.poll(now)
            self.parked = max(self.parked, self.schedule.parked)
            while (key := self.schedule.closable()) is not None:
                n = int(key[1:])
                self.closed[n], self.missing[n] = now, set(self.progress[n].quiet())
            now += 1.0
            assert now < self.deadline + self.gap * self.tests + 200.0, "something was waited for for ever"
        return self

    def poll(self, now: float) -> None:
        for candidate in list(self.schedule.candidates(now, LOAD)):
            step = candidate.step
            assert isinstance(step, Poll)
            self.schedule.take(step, now)
            if step.purpose is Purpose.LAST:
                self.last_looks.append(step.key)
            n = int(step.key[1:])
            there = [a for a in self.agents if n * self.gap + self.ready(n, a) <= now]
            rows = [make_answer(step.layer, a) for a in there]
            self.schedule.apply(PageRead(step, self.progress[n].accept(step.layer, rows), None, now), now)


def never(silent: str, others: float = 20.0) -> Ready:
    return lambda _, agent: 1e9 if agent == silent else others


def test_a_silent_agent_holds_no_test_open_and_is_named() -> None:
    run = Run(never("3")).go()
    assert max(run.closed.values()) < 80.0, "every test waited for its deadline"
    assert all(missing == {"3"} for missing in run.missing.values())
    assert run.schedule.silent() == {"3": 8}


def test_it_gets_a_last_look_in_every_test_at_the_end() -> None:
    run = Run(never("3")).go()
    assert set(run.last_looks) == {f"k{n}" for n in range(8)}


def test_of_very_many_tests_some_of_all_ages_get_the_last_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "LAST_LOOKS", 3)
    run = Run(never("3"), tests=9).go()
    assert set(run.last_looks) == {"k0", "k3", "k6", "k8"}


def test_with_two_tests_nobody_is_taken_for_silent() -> None:
    run = Run(never("3"), tests=2).go()
    assert run.schedule.silent() == {}
    assert min(run.closed.values()) >= 400.0


def test_an_agent_that_is_as_slow_as_all_is_not_taken_for_silent() -> None:
    run = Run(lambda _, agent: 25.0 if agent == "3" else 20.0).go()
    assert run.schedule.silent() == {}
    assert not any(run.missing.values())


def test_if_it_wakes_up_all_its_rows_are_taken() -> None:
    # It is given up in the first tests, and answers when the sixth is created: in that, and in all before.
    def ready(n: int, agent: str) -> float:
        return 20.0 if agent != "3" or n >= 6 else 95.0 - 10.0 * n

    run = Run(ready, gap=10.0, tests=9).go()
    assert run.parked, "nothing was given up, so nothing was proved"
    assert run.schedule.silent() == {}
    assert not any(run.missing.values()), f"rows were left where they were: {run.missing}"


def test_if_it_wakes_up_by_the_last_look_all_its_rows_are_taken() -> None:
    # One other test is slow, and keeps the run going until the agent has answered.
    def ready(n: int, agent: str) -> float:
        return (120.0 if agent == "3" else 20.0) if n < 5 else 150.0

    run = Run(ready, tests=6).go()
    assert run.parked
    assert not any(run.missing.values()), f"rows were left where they were: {run.missing}"


def test_an_agent_that_has_answered_in_the_meantime_is_no_longer_late() -> None:
    run = Run(lambda n, agent: 1e9 if agent == "3" and n % 3 else 20.0, tests=9, gap=30.0).go()
    assert run.schedule.silent() == {}


def test_where_nobody_answers_nobody_is_silent() -> None:
    run = Run(lambda _n, _agent: 1e9).go()
    assert run.schedule.silent() == {}
    assert min(run.closed.values()) >= 400.0


def test_tests_of_the_silent_agent_alone_are_waited_for() -> None:
    run = Run(lambda _n, _agent: 1e9, agents=("3",)).go()
    assert min(run.closed.values()) >= 400.0


@pytest.mark.parametrize("needed", [1, 10**6], ids=["one test is enough", "no test is enough"])
def test_the_number_of_tests_is_what_decides(needed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mutant either way breaks what the tests above hold."""
    monkeypatch.setattr(silence, "TESTS", needed)
    run = Run(never("3"), tests=2 if needed == 1 else 8).go()
    assert (run.schedule.silent() != {}) == (needed == 1)


@settings(max_examples=50, deadline=None)
@given(data=st.data(), tests=st.integers(1, 7))
def test_whatever_comes_every_test_ends_and_what_came_first_is_kept(data: st.DataObject, tests: int) -> None:
    times = st.sampled_from([5.0, 20.0, 22.0, 45.0, 90.0, 1e9])
    table = {(n, agent): data.draw(times) for n in range(tests) for agent in ("1", "2", "3")}
    run = Run(lambda n, agent: table[n, agent], tests=tests, deadline=150.0).go()
    assert len(run.closed) == tests
    for n, when in run.closed.items():
        assert when <= n + 150.0 + 130.0
        # However it was closed, no row was left that was there when it was polled last, a second before.
        assert all(n + table[n, agent] >= when - 1.0 for agent in run.missing[n])
    assert run.schedule.open_layers == 0


PLAN = """
version: 1
name: silent
agents: {all: {type: enterprise, state: online}}
targets: {portals: [https://a.example, https://b.example, https://c.example, https://d.example, https://e.example]}
tests: [{name: web, type: http-server, targets: portals, agents: all, path_details: false}]
"""


def test_a_run_with_a_silent_agent_ends_soon_names_it_and_counts_it_as_missing(tmp_path: Path) -> None:
    world = World(seed=3, enterprise_agents=8, clusters=0, all_online=True)
    calm = virtual_run(PLAN, world, store=tmp_path / "calm.db")
    agent = calm.cells[0].agent_id
    fault = Fault("silent-agent", target=agent)
    ran = virtual_run(PLAN, replace(world, faults=(fault,)), store=tmp_path / "o.db")
    check_promises(ran)
    assert ran.seconds < calm.seconds + 60.0
    assert ran.summary["silent_agents"] == [
        {"agent_id": agent, "agent": calm.cells[0].agent, "tests": 5},
    ]
    assert ran.summary["cells"]["missing"] == 5
    assert ran.code == 3
    assert f"{calm.cells[0].agent} answered nothing in 5 tests" in ran.text.replace("`", "")
    assert calm.summary["silent_agents"] == []
