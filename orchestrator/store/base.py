"""The journal and the results: one interface, because more than one store implements it.

Whatever a method returned from is durable. Times are epoch seconds (wall clock).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from orchestrator.lifecycle import SpecState
from orchestrator.model import (
    Agent,
    Answer,
    Api,
    CellResult,
    CellState,
    Json,
    JsonObject,
    NotRun,
    Spec,
    Verdict,
)


class RunState(StrEnum):
    """State of a run in documents and in the store."""

    RUNNING = "running"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    INTERRUPTED = "interrupted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One execution of a plan.

    ``settings`` is what the run was started with and a resume needs (deadline, reserve, order, ...);
    ``facts`` is what the summary shows besides counts: requests, budgets, units, waits.
    """

    id: str
    plan: str
    plan_path: str | None
    plan_text: str
    plan_hash: str
    api: Api
    origin: str
    account: str | None
    parent: str | None
    started: float
    finished: float | None = None
    state: RunState = RunState.RUNNING
    exit_code: int | None = None
    settings: Mapping[str, Json] = field(default_factory=dict)
    facts: Mapping[str, Json] = field(default_factory=dict)

    @property
    def simulated(self) -> bool:
        """Whether its world was the built-in simulator's: its tests exist nowhere."""
        return self.settings.get("simulated") is True


@dataclass(frozen=True, slots=True)
class TestRecord:
    """One spec of a run and what came of it.

    ``baseline`` is set for re-runs: the newest round of each agent before. ``given_up`` is a user's word
    that a lost creation is not looked for any more; it stays unknown.
    """

    __test__ = False  # no test case, whatever its name looks like to pytest

    run: str
    position: int
    spec: Spec
    state: SpecState
    name: str | None = None
    test_id: str | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    baseline: Mapping[str, int] | None = None
    intended: float | None = None
    created: float | None = None
    closed: float | None = None
    error: str | None = None
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class CellRecord:
    """One cell with its end."""

    spec: str | None
    test: str
    type: str
    target: str
    agent_id: str
    agent: str
    country: str | None
    state: CellState
    verdict: Verdict | None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer with where it belongs and its cell's verdict: one line of the results."""

    spec: str
    test: str
    test_id: str | None
    type: str
    target: str
    answer: Answer
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Event:
    """Something of note in the life of a run or of one spec, for ``explain`` and for requests of note."""

    at: float
    spec: str | None
    kind: str
    facts: JsonObject


@dataclass(frozen=True, slots=True)
class Counts:
    """What the tests and cells of a run came to, read from the store.

    ``created`` counts specs whose test was created (or run again) in this run. ``left_out`` counts the cells
    among ``not_run`` that were left out before anything was created (an offline agent, ...): they do not make
    a run incomplete.
    ``pending_sent`` counts the cells among ``pending`` whose spec's creation left, or may have left
    (creating, waiting, unknown). ``verdicts`` covers every cell that is not pending.
    """

    tests: Mapping[SpecState, int]
    created: int
    cells: Mapping[CellState, int]
    verdicts: Mapping[Verdict, int]
    left_out: int = 0
    pending_sent: int = 0


# Makes the ends of a spec's cells of its answers.
Judge = Callable[[Sequence[Answer]], Sequence[CellResult]]


class Store(Protocol):
    """See the module's docstring.

    Every method raises :class:`orchestrator.errors.StoreProblem` when the store cannot keep its word.
    """

    async def create_run(
        self, run: RunRecord, specs: Sequence[TestRecord], not_run: Sequence[NotRun], agents: Sequence[Agent]
    ) -> None:
        """Write a run with its specs and cells, all or nothing."""

    async def run(self, name: str) -> RunRecord:
        """The run with this id or unambiguous prefix, or the ``last``.

        Raises :class:`orchestrator.errors.UsageProblem` if there is none or more than one.
        """

    async def runs(self, limit: int = 50, plan: str | None = None) -> list[RunRecord]:
        """The newest runs, newest first."""

    async def agents(self, run: str) -> dict[str, Agent]:
        """The agents as they were seen by the run, by id."""

    async def tests(self, run: str, states: Sequence[SpecState] | None = None) -> list[TestRecord]:
        """The specs of a run in the order of the plan."""

    async def test(self, run: str, key: str) -> TestRecord:
        """One spec of a run."""

    async def intend(self, run: str, key: str, name: str, at: float, events: Sequence[Event] = ()) -> None:
        """planned -> creating, durable before the POST leaves."""

    async def created(
        self,
        run: str,
        key: str,
        test_id: str,
        links: Mapping[str, str],
        at: float,
        events: Sequence[Event] = (),
    ) -> None:
        """creating -> waiting (also unknown -> waiting for an adopted test)."""

    async def move(
        self,
        run: str,
        key: str,
        state: SpecState,
        at: float,
        error: str | None = None,
        events: Sequence[Event] = (),
    ) -> None:
        """Any other legal move."""

    async def adopt(self, run: str, key: str, test_id: str, at: float) -> None:
        """unknown -> waiting, with the test id that a person found; its cells are open again."""

    async def give_up(self, run: str, key: str, at: float) -> None:
        """Mark a lost creation as not looked for any more."""

    async def set_baseline(self, run: str, key: str, baseline: Mapping[str, int]) -> None:
        """Remember the newest rounds before a re-run."""

    async def newest_rounds(self, origin: str, test_id: str) -> dict[str, int]:
        """The newest round of each agent that any run at this origin has stored for a test."""

    async def add_answers(
        self, run: str, key: str, answers: Sequence[Answer], events: Sequence[Event] = ()
    ) -> int:
        """Keep what is new and return how much that was; what is there already is not written again."""

    async def answers(self, run: str, key: str) -> list[Answer]:
        """The answers of one spec."""

    async def close_test(
        self,
        run: str,
        key: str,
        state: SpecState,
        cells: Sequence[CellResult] | Judge,
        at: float,
        error: str | None = None,
        events: Sequence[Event] = (),
    ) -> None:
        """The end of a spec with the ends of its cells, in one transaction.

        A judge makes the ends of the answers that are stored; it is called in the store's thread.
        """

    async def update_run(
        self,
        run: str,
        *,
        state: RunState,
        finished: float | None,
        exit_code: int | None,
        facts: Mapping[str, Json],
    ) -> None:
        """The state of the run itself."""

    async def counts(self, run: str) -> Counts:
        """Counts by state, from what is stored."""

    def cells(self, run: str) -> AsyncIterator[CellRecord]:
        """Every cell of a run, in the order of the plan, page by page."""

    def results(self, run: str) -> AsyncIterator[StoredAnswer]:
        """Every answer of a run, in a stable order, page by page."""

    async def add_events(self, run: str, events: Sequence[Event]) -> None:
        """Append events."""

    async def events(self, run: str, spec: str | None = None) -> list[Event]:
        """The events of a run, or of one spec, in order."""

    async def latencies(self, origin: str) -> dict[str, list[float]]:
        """Learned latencies by test type, seconds, oldest first."""

    async def save_latencies(self, origin: str, samples: Mapping[str, Sequence[float]]) -> None:
        """Replace what was learned."""

    async def probe(self) -> None:
        """Prove that the store can be written."""

    async def close(self) -> None:
        """Release the store."""
