"""Early polls: by a few scouts in a sweep, by everybody in an incident, and by nobody where others spend."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random

import pytest
from builders import make_answer, make_spec
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.schedule import sentinels
from orchestrator.schedule.feedback import PageRead
from orchestrator.schedule.latency import models
from orchestrator.schedule.pace import Load
from orchestrator.schedule.progress import Progress
from orchestrator.schedule.schedule import Schedule
from orchestrator.schedule.scouts import FIRST_AGE, GROWTH, TEAM, Scouts, exploring_age
from orchestrator.schedule.steps import Poll
from orchestrator.testtypes import TEST_TYPES

ALONE = Load(240, 24, 0, reserve=24.0, room=190, seconds_left=60.0, alone=True)
LAYERS = ("http-server", "network", "path-vis")


@dataclass
class Sweep:
    """Open tests of one type, all created at 0, polled once a second; ``latency`` says when each answers."""

    tests: int
    latency: float
    load: Load = ALONE
    layers: int = 1
    creating: bool = False
    ages: dict[str, list[float]] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)

    def until(self, end: float) -> Sweep:
        schedule = Schedule(models({}, TEST_TYPES), Random(1))
        progress = {}
        for n in range(self.tests):
            spec = make_spec(f"k{n}", layers=LAYERS[-self.layers :], agents=("1",))
            progress[spec.key] = Progress(spec)
            schedule.opened(spec, progress[spec.key], created=0.0, deadline=1e4, now=0.0)
        if self.creating:
            schedule.add(make_spec("later"))
        now = 0.0
        while now < end:
            for _ in range(99):
                steps = [one.step for one in schedule.candidates(now, self.load)]
                due = [step for step in steps if isinstance(step, Poll)]
                if not due:
                    break
                schedule.take(due[0], now)
                self.come(schedule, progress[due[0].key], due[0], now)
            now += 0.25
        return self

    def come(self, schedule: Schedule, progress: Progress, poll: Poll, now: float) -> None:
        self.ages.setdefault(poll.key, []).append(now)
        there = now >= self.latency
        if there:
            self.seen.setdefault(poll.key, now)
        rows = [make_answer(poll.layer, "1")] if there else []
        schedule.apply(PageRead(poll, progress.accept(poll.layer, rows), None, now), now)

    def early(self, before: float) -> dict[str, list[float]]:
        found = {key: [age for age in ages if age < before] for key, ages in self.ages.items()}
        return {key: ages for key, ages in found.items() if ages}


def test_of_many_tests_a_few_are_polled_early_and_share_their_ages() -> None:
    sweep = Sweep(60, latency=1e9).until(15.0)
    early = sweep.early(15.0)
    assert len(early) <= TEAM
    ages = sorted(age for ages in early.values() for age in ages)
    assert FIRST_AGE <= ages[0] < FIRST_AGE + 0.5
    for sooner, later in pairwise(ages):
        assert later / sooner == pytest.approx(GROWTH, rel=0.2)


def test_a_sample_has_the_waiting_tests_of_its_type_planned_anew() -> None:
    sweep = Sweep(30, latency=3.0, layers=3, creating=True).until(12.0)
    assert len(sweep.seen) == 30, "answers ten times faster than expected were waited for"


def test_without_planning_anew_they_would_be_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentinels, "TELLING", frozenset())
    assert len(Sweep(30, latency=3.0, layers=3, creating=True).until(12.0).seen) <= TEAM


def test_with_few_open_tests_everybody_explores() -> None:
    sweep = Sweep(6, latency=1e9).until(10.0)
    assert len(sweep.early(10.0)) == 6
    assert all(ages[0] <= FIRST_AGE + 0.5 for ages in sweep.ages.values())


@pytest.mark.parametrize(
    "load",
    [
        pytest.param(replace(ALONE, alone=False), id="others spend"),
        pytest.param(replace(ALONE, room=5), id="no call is idle"),
        pytest.param(replace(ALONE, room=None), id="the window is not known"),
    ],
)
@pytest.mark.parametrize("tests", [6, 60])
def test_nobody_explores_by_calls_that_are_not_idle(load: Load, tests: int) -> None:
    assert not Sweep(tests, latency=1e9, load=load).until(12.0).ages


def test_where_every_test_explores_all_layers_have_their_turn() -> None:
    sweep = Sweep(3, latency=1e9, layers=3).until(12.0)
    assert all(len(ages) >= 6 for ages in sweep.ages.values())


@given(befores=st.lists(st.floats(1.0, 300.0), min_size=1, max_size=40), seed=st.integers(0, 5))
def test_no_scout_is_polled_later_than_it_would_be_anyway(befores: list[float], seed: int) -> None:
    scouts, rng = Scouts(), Random(seed)
    for n in range(5):
        scouts.join("http-server", f"k{n}")
    ages = dict.fromkeys((f"k{n}" for n in range(5)), 0.0)
    for before in befores:
        key = rng.choice(list(ages))
        wanted = max(before, ages[key] + 1.0)
        following = scouts.next_age("http-server", key, ages[key], wanted)
        assert ages[key] < following <= wanted
        if key in ("k3", "k4"):
            assert following == wanted, "more scouts than the team has"
        ages[key] = following


@given(age=st.floats(0, 3600), gap=st.floats(1, 10))
def test_who_explores_is_polled_again_at_some_distance(age: float, gap: float) -> None:
    following = exploring_age(age, gap)
    assert following >= max(FIRST_AGE, age + gap) - 1e-9
    assert following <= max(FIRST_AGE, age + max(gap, 60.0))


@settings(max_examples=40, deadline=None)
@given(
    latencies=st.lists(st.floats(1.0, 400.0), min_size=1, max_size=20),
    rooms=st.lists(st.sampled_from([0, 3, 30, 190]), min_size=1, max_size=8),
)
def test_planning_anew_puts_nothing_off_for_ever(latencies: list[float], rooms: list[int]) -> None:
    schedule = Schedule(models({}, TEST_TYPES), Random(1))
    progress = {}
    for n in range(len(latencies)):
        spec = make_spec(f"k{n}", layers=("path-vis",), agents=("1",))
        progress[spec.key] = Progress(spec)
        schedule.opened(spec, progress[spec.key], created=0.0, deadline=1e5, now=0.0)
    now = 0.0
    while schedule.open_tests and now < 2000.0:
        load = replace(ALONE, room=rooms[int(now / 7.0) % len(rooms)], seconds_left=60.0 - now % 60.0)
        for candidate in list(schedule.candidates(now, load)):
            poll = candidate.step
            assert isinstance(poll, Poll)
            schedule.take(poll, now)
            there = now >= latencies[int(poll.key[1:])]
            rows = [make_answer(poll.layer, "1")] if there else []
            schedule.apply(PageRead(poll, progress[poll.key].accept(poll.layer, rows), None, now), now)
        while schedule.closable() is not None:
            pass
        now += 1.0
    assert not schedule.open_tests, "a test that has answered was never polled again"
