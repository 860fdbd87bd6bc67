"""What a worker counts, in the form that Prometheus reads. Needs the extra; without it nothing is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestrator.errors import MissingExtra, OrchestratorError
from orchestrator.events import Created, Event, Limited, Lost, Rerun
from orchestrator.events.limits import BudgetReset
from orchestrator.queueing.attempts import Ending
from orchestrator.queueing.values import Level, Taken
from orchestrator.store.operating import Standing
from orchestrator.store.queue import Fired

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

# Made before the first event, so that a rate has a beginning.
PREFIX = "orchestrator"
# Organizations that have lines of their own: those with most to do, where there are more. Others share one.
MOST_NAMED = 100
OTHERS = "(others)"
# Seconds of a turn at the shared budgets: two round trips at best, a lock that is waited for at worst.
TURNS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """Hears what a worker does and what happens in its runs; :meth:`text` is what Prometheus reads.

    Raises ``MissingExtra`` where prometheus-client is not installed.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        try:
            from prometheus_client import (  # noqa: PLC0415 - an extra
                CollectorRegistry,
                Counter,
                Gauge,
                Histogram,
            )
        except ImportError as error:
            raise MissingExtra("a worker's metrics", "postgres") from error
        self._registry = registry if registry is not None else CollectorRegistry()

        def counter(name: str, told: str, labels: Sequence[str] = ()) -> Counter:
            return Counter(f"{PREFIX}_{name}", told, labels, registry=self._registry)

        def gauge(name: str, told: str, labels: Sequence[str] = ()) -> Gauge:
            return Gauge(f"{PREFIX}_{name}", told, labels, registry=self._registry)

        self._runs = gauge("runs", "Runs in the queue that are not over.", ("organization", "state"))
        self._waiting = gauge("queue_waiting", "Runs that wait for a worker.")
        self._oldest = gauge("queue_oldest_seconds", "How long the oldest of them waits.")
        self._here = gauge("worker_runs", "Runs that this worker carries out.")
        self._free = gauge("worker_free", "Runs that this worker could take besides.")
        self._claims = counter("claims", "Runs that this worker took.")
        self._takeovers = counter("takeovers", "Of them those that another one had begun.")
        self._lost_runs = counter("lost_runs", "Runs that another worker took over from this one.")
        self._ended = counter("runs_ended", "Runs that came back to this worker.", ("code",))
        self._creations = counter("creations", "Tests that were created or run again.")
        self._own_429 = counter("own_429", "Requests that a limit refused.")
        self._unknown = counter("unknown_creations", "Creations whose answer was lost.")
        self._lag = gauge("schedule_lag_seconds", "How late the last schedule was looked at.")
        self._fired = counter("schedule_runs", "Runs that schedules made.")
        self._missed = counter("schedule_missed", "Slots of schedules that nobody saw in time.")
        self._problems = counter("store_problems", "Attempts at the database or the engine that failed.")
        self._away = counter("store_outage_seconds", "How long writes waited for a database that was away.")
        self._days = gauge("partition_days_ahead", "Days after today for which the store has room.")
        self._late = gauge("late_ids", "Ids of paid tests that came late and that nobody has adopted.")
        self._eras = counter("budget_eras", "Eras of shared budgets that this worker began.")
        self._turns = Histogram(
            f"{PREFIX}_teller_transaction_seconds",
            "What a turn at the shared budgets takes.",
            registry=self._registry,
            buckets=TURNS,
        )
        self._budgets = gauge(
            "budget_remaining", "Requests that may still be sent in this window.", ("organization", "limit")
        )
        self._budgets_of: dict[str, list[Callable[[], Mapping[str, int]]]] = {}

    def text(self) -> tuple[bytes, str]:
        """All of it as it stands, and the type of its content."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest  # noqa: PLC0415 - an extra

        self._look_at_budgets()
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def stand(self, levels: Sequence[Level], now: float, runs: int, free: int) -> None:
        """How the queue stands at a time of the store's clock, and this worker."""
        self._runs.clear()
        for number, level in enumerate(sorted(levels, key=_load, reverse=True)):
            by_state: Mapping[str, int] = {"queued": level.waiting, "running": level.under_way}
            name = level.organization if number < MOST_NAMED else OTHERS
            for state, count in by_state.items():
                self._runs.labels(name, state).inc(count)
        oldest = [level.oldest for level in levels if level.oldest is not None]
        self._waiting.set(sum(level.waiting for level in levels))
        self._oldest.set(max(0.0, now - min(oldest)) if oldest else 0.0)
        self.here(runs, free)

    def store_stands(self, standing: Standing) -> None:
        """How the store stands."""
        self._days.set(standing.days_ahead)
        self._late.set(standing.late_ids)

    @contextmanager
    def budgets_of(self, organization: str, left: Callable[[], Mapping[str, int]]) -> Iterator[None]:
        """While the block runs it is told what is ``left`` of an organization's limits, by their names."""
        mine = self._budgets_of.setdefault(organization, [])
        mine.append(left)
        try:
            yield
        finally:
            mine.remove(left)
            if not mine:
                del self._budgets_of[organization]

    def _look_at_budgets(self) -> None:
        """Of several runs the least: what one sees may be older than what another one does."""
        self._budgets.clear()
        for organization, asked in [*self._budgets_of.items()][:MOST_NAMED]:
            seen = [left() for left in asked]
            for limit in {limit for one in seen for limit in one}:
                least = min(one[limit] for one in seen if limit in one)
                self._budgets.labels(organization, limit).set(least)

    def here(self, runs: int, free: int) -> None:
        """How this worker stands."""
        self._here.set(runs)
        self._free.set(free)

    # -- what the worker does -------------------------------------------------------------------------

    def took(self, run: str, taken: Taken) -> None:
        del run
        self._claims.inc()
        if taken.begun:
            self._takeovers.inc()

    def ended(self, run: str, taken: Taken, ending: Ending) -> None:
        del run, taken
        self._ended.labels(str(int(ending.code))).inc()
        if ending.lost:
            self._lost_runs.inc()

    def lost(self, run: str) -> None:
        del run

    def defect(self, run: str, error: Exception) -> None:
        del run, error

    def fired(self, fired: Fired) -> None:
        self._lag.set(fired.lag)
        self._fired.inc(len(fired.runs))
        self._missed.inc(fired.missed)

    def made_room(self, made: Sequence[str]) -> None:
        del made

    def problem(self, what: str, problem: OrchestratorError | OSError) -> None:
        del what, problem
        self._problems.inc()

    # -- what the store tells -------------------------------------------------------------------------

    def away(self, seconds: float) -> None:
        self._away.inc(seconds)

    def turn(self, seconds: float) -> None:
        self._turns.observe(seconds)

    # -- what happens in its runs ---------------------------------------------------------------------

    def hear(self, event: Event) -> None:
        """Count what is counted."""
        match event.fact:
            case Created() | Rerun():
                self._creations.inc()
            case Limited():
                self._own_429.inc()
            case Lost():
                self._unknown.inc()
            case BudgetReset():
                self._eras.inc()


def _load(level: Level) -> tuple[int, str]:
    return level.waiting + level.under_way, level.organization
