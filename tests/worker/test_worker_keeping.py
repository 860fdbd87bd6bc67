"""What a worker sees to besides runs: that there is room in the store, whether it is ready, what it tells."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from prometheus_client import CollectorRegistry

from orchestrator.actions.budgets import left
from orchestrator.budget.ledger import LocalLedger
from orchestrator.budget.readings import LimitReading, Limits
from orchestrator.clock import LoopClock
from orchestrator.errors import StoreProblem
from orchestrator.events import Event
from orchestrator.events.limits import BudgetReset
from orchestrator.queueing.values import Level
from orchestrator.store.opening import open_store
from orchestrator.store.operating import Standing
from orchestrator.worker.health import Health
from orchestrator.worker.metrics import MOST_NAMED, OTHERS, Metrics
from orchestrator.worker.service import KEPT, _make_room
from orchestrator.worker.told import Silent


class Registry(CollectorRegistry):
    """Metrics whose values can be asked for by name."""

    def of(self, name: str, **labels: str) -> float | None:
        return self.get_sample_value(f"orchestrator_{name}", labels)


class Keeper:
    """A store that fails once, then makes room, then has it."""

    def __init__(self, *outcomes: list[str] | StoreProblem) -> None:
        self.outcomes = list(outcomes)

    async def standing(self) -> Standing:
        raise AssertionError

    async def make_room(self) -> list[str]:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, StoreProblem):
            raise outcome
        return outcome


class Heard(Silent):
    """Keeps what a worker says."""

    def __init__(self) -> None:
        self.said: list[object] = []

    def made_room(self, made: object) -> None:
        self.said.append(made)

    def problem(self, what: str, problem: Exception) -> None:
        self.said.append((what, str(problem)))


class Hours(LoopClock):
    """Sleeps are noted; after so many of them it is over."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.slept: list[float] = []
        self.most = most
        self.scope = anyio.CancelScope()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) == self.most:
            self.scope.cancel()
        await anyio.lowlevel.checkpoint()


async def test_a_worker_makes_room_each_hour_and_goes_on_when_that_fails() -> None:
    heard, clock = Heard(), Hours(3)
    with clock.scope:
        await _make_room(Keeper(StoreProblem("away"), ["answers_9"], []), clock, heard)
    assert heard.said == [("making room for the next days", "away"), ["answers_9"]]
    assert clock.slept == [KEPT] * 3


@pytest.mark.parametrize(("days", "well"), [(-1, False), (0, False), (1, True), (14, True)])
async def test_a_worker_is_ready_while_there_is_room_for_tomorrow(days: int, well: bool) -> None:
    async def standing() -> Standing:
        return Standing(days, 0)

    answer = await Health(LoopClock(), standing).ready()
    assert answer.well == well
    assert well or "store maintain" in answer.words


async def test_a_worker_is_not_ready_without_its_store_and_says_why() -> None:
    async def standing() -> Standing:
        raise StoreProblem("it lacks 0008_room, which this version needs")

    answer = await Health(LoopClock(), standing).ready()
    assert (answer.well, answer.words) == (False, "it lacks 0008_room, which this version needs")


def test_organizations_have_a_line_each_up_to_a_bound() -> None:
    registry = Registry()
    levels = [Level(f"o{n}", n, 0, None) for n in range(MOST_NAMED + 20)]
    Metrics(registry).stand(levels, 0.0, 0, 1)
    assert registry.of("runs", organization=f"o{MOST_NAMED + 19}", state="queued") == MOST_NAMED + 19
    assert registry.of("runs", organization=OTHERS, state="queued") == sum(range(20))
    lines = registry.restricted_registry(["orchestrator_runs"]).collect()
    assert sum(len(family.samples) for family in lines) == 2 * (MOST_NAMED + 1)


def test_budgets_are_told_as_they_stand_when_asked_and_no_longer_than_a_run_goes_on() -> None:
    registry, ledger = Registry(), LocalLedger(rng=Random(0))
    metrics, clock = Metrics(registry), SimpleNamespace(now=lambda: 2.0)
    session: Any = SimpleNamespace(doors=SimpleNamespace(ledger=ledger, clock=clock))
    with metrics.budgets_of("acme", lambda: left(session)), metrics.budgets_of("acme", dict):
        metrics.text()
        assert registry.of("budget_remaining", organization="acme", limit="organization") is None
        permit = ledger.try_reserve(1.0, instant=False)
        assert permit is not None
        reading = LimitReading(240, 200, 60)
        ledger.settle(permit, Limits(reading, None, None, None), 1.5, status=200)
        metrics.text()
        told = registry.of("budget_remaining", organization="acme", limit="organization")
        assert told == ledger.view(2.0).organization.free
    metrics.text()
    assert registry.of("budget_remaining", organization="acme", limit="organization") is None


def test_a_new_era_and_what_the_store_tells_are_counted() -> None:
    registry = Registry()
    metrics = Metrics(registry)
    metrics.hear(Event(1.0, "r", None, BudgetReset("the database lost it")))
    metrics.store_stands(Standing(13, 2))
    metrics.away(1.5)
    assert registry.of("budget_eras_total") == 1
    assert (registry.of("partition_days_ahead"), registry.of("late_ids")) == (13, 2)
    assert registry.of("store_outage_seconds_total") == 1.5


async def test_turns_at_the_shared_budgets_are_timed(url: str) -> None:
    registry = Registry()
    came = anyio.Event()
    async with open_store(url, measures=Metrics(registry)) as opened:
        clock = LoopClock()
        ledger = opened.ledger("o", "acme", rng=Random(1), reserve=0.0, urgent=False, tell=_nothing)
        ledger.listen(came.set)
        ledger.try_reserve(clock.now(), instant=False)
        await came.wait()
        ledger.close()
    turns = registry.of("teller_transaction_seconds_count")
    assert turns is not None
    assert turns >= 1


def _nothing(*_: object) -> None:
    """Nobody hears it."""
