"""What is kept of runs: the values that go into a store and come out of it. Times are epoch seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from orchestrator.allotment import Counted
from orchestrator.courtesy import Courtesy
from orchestrator.lifecycle import SpecState
from orchestrator.model import (
    Answer,
    Api,
    CellResult,
    CellState,
    JsonObject,
    Spec,
    Verdict,
)
from orchestrator.outbox import Channel

# What a resume does with lost creations.
UNKNOWN_POLICIES = ("keep", "retry", "skip")


class RunState(StrEnum):
    """State of a run in documents and in the store.

    ``queued``: it waits for a worker, and has no tests yet; ``skipped``: it never began.
    """

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    INTERRUPTED = "interrupted"
    REFUSED = "refused"
    SKIPPED = "skipped"


# States of runs that have ended and that nobody goes on with.
FINISHED = (RunState.COMPLETE, RunState.INCOMPLETE, RunState.REFUSED, RunState.SKIPPED)


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What a run was started with and a resume needs.

    ``deadline`` is seconds from the start of a session, ``reserve`` the part of the organization's window
    that is left to its other tools. ``simulated``: its world was the built-in simulator's; its tests exist
    nowhere. ``boxed``: by the estimate not all tests fit into the deadline. ``sets`` are the plan's
    variables as they were set on the command line. ``allow_missing`` is the share of the cells that may lack
    an answer before the run counts as incomplete. ``keep``: how many runs of the plan stay in the store.
    ``partial``: it runs a part of another run's tests again, so that it stands for no run of the plan;
    ``confirms``: those that were worse than before, to see whether they still are. ``notify``: who is told of
    it. ``courtesy``: how much may be under way toward one host and on one agent. ``question``: what a
    diagnosis was asked, so that whoever goes on with it knows what to ask next.
    """

    deadline: float = 1800.0
    reserve: float = 0.1
    in_order: bool = False
    urgent: bool = False
    simulated: bool = False
    boxed: bool = False
    allow_missing: float = 0.0
    sets: Mapping[str, str] = field(default_factory=dict)
    partial: bool = False
    confirms: bool = False
    keep: int | None = None
    notify: tuple[Channel, ...] = ()
    courtesy: Courtesy = field(default_factory=Courtesy)
    question: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """What the plan came to at the start; the summary's sums are checked against it."""

    tests: int
    cells: int


@dataclass(frozen=True, slots=True)
class Requests:
    """Counts of requests that were sent; ``errors`` are answers of 400 and above and lost answers."""

    creations: int = 0
    reruns: int = 0
    reads: int = 0
    refused_429: int = 0
    errors: int = 0

    def __add__(self, other: Requests) -> Requests:
        return Requests(
            self.creations + other.creations,
            self.reruns + other.reruns,
            self.reads + other.reads,
            self.refused_429 + other.refused_429,
            self.errors + other.errors,
        )


@dataclass(frozen=True, slots=True)
class BudgetSeen:
    """A budget as last seen. ``reset`` is epoch seconds, ``others`` what others spend, calls a window."""

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    others: float | None = None


@dataclass(frozen=True, slots=True)
class SilentAgent:
    """An agent that was not waited for any more: it answered nothing in so many ``tests``."""

    agent_id: str
    agent: str
    tests: int


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run's summary shows besides its counts; all of it may be missing (a run that was just begun).

    ``waits``: seconds by what creations waited for. ``units`` is an estimate. ``stopped``: why the run ended
    before its plan did, one line. ``seconds``: what its sessions took together, by a clock that never jumps.
    ``headline``: what was said first of it when it ended; data of others may stand in it.
    ``silent_agents``: those that the last session ended without. ``counted``: what the vendor had counted of
    its tests when it ended, where that was asked for and told.
    """

    planned: Planned | None = None
    units: float = 0.0
    requests: Requests = field(default_factory=Requests)
    organization: BudgetSeen | None = None
    instant_test: BudgetSeen | None = None
    waits: Mapping[str, float] = field(default_factory=dict)
    stopped: str | None = None
    seconds: float | None = None
    headline: str | None = None
    silent_agents: tuple[SilentAgent, ...] = ()
    counted: Counted | None = None

    @property
    def budgets(self) -> dict[str, BudgetSeen | None]:
        """Both budgets by their names in documents."""
        return {"organization": self.organization, "instant_test": self.instant_test}


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One execution of a plan: ``settings`` as it was begun, ``facts`` as it stands.

    ``raw_pruned`` is when the rows of its answers, as the API sent them, were taken away, if they were;
    ``answers_pruned`` the same of its answers as a whole.
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
    settings: RunSettings = field(default_factory=RunSettings)
    facts: RunFacts = field(default_factory=RunFacts)
    raw_pruned: float | None = None
    answers_pruned: float | None = None

    @property
    def simulated(self) -> bool:
        """Whether its world was the built-in simulator's: its tests exist nowhere."""
        return self.settings.simulated

    @property
    def world(self) -> tuple[str, str | None]:
        """Which origin and account group it talked to; runs of different ones cannot be compared."""
        return world_of(self.origin, self.account, simulated=self.simulated)


def world_of(origin: str, account: str | None, *, simulated: bool) -> tuple[str, str | None]:
    """The world of a run. The built-in simulator has another address at each start."""
    return ("simulated" if simulated else origin), account


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


class SpecName(NamedTuple):
    """What a spec is called: its key, its test block, its target."""

    key: str
    test: str
    target: str


@dataclass(frozen=True, slots=True)
class TestEnd:
    """How a spec ends: its state, why, and the ends of its cells."""

    __test__ = False  # as above

    key: str
    state: SpecState
    cells: tuple[CellResult, ...]
    error: str | None = None


class CellRecord(NamedTuple):
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
class Collected:
    """A test with its cells, by agent id, and its answers of each agent."""

    test: TestRecord
    cells: tuple[CellRecord, ...]
    answers: Mapping[str, Sequence[Answer]]


@dataclass(frozen=True, slots=True)
class Baseline:
    """A name for a run that later ones are compared with. ``pinned`` is when it was given."""

    name: str
    run: str
    note: str | None
    pinned: float
    plan: str


class SnapshotState(StrEnum):
    """What is known of a snapshot. ``sent``: it was asked for, and may exist; the answer is not known."""

    SENT = "sent"
    MADE = "made"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class PublicSnapshot:
    """The vendor's public copy of one test's results. ``at`` is when it was sent, of one that was answered
    when that was; ``id`` and ``link`` are the vendor's words, ``error`` why there is none."""

    spec: str
    test: str
    target: str
    test_id: str
    state: SnapshotState
    at: float
    id: str | None = None
    link: str | None = None
    error: str | None = None

    @property
    def expires(self) -> float:
        """Until when the link works (epoch seconds)."""
        return self.at + SHARED_FOR


# A public snapshot is there for so long (seconds), by the vendor's word.
SHARED_FOR = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Paths:
    """Paths whose hop details are ``wanted``, one for each agent and round, and those that were ``got``."""

    wanted: int = 0
    got: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """What the tests and cells of a run came to, read from the store.

    ``created`` counts specs whose test was created (or run again) in this run. ``left_out`` counts the cells
    among ``not_run`` that were left out before anything was created (an offline agent, ...): they do not make
    a run incomplete.
    ``pending_sent`` counts the cells among ``pending`` whose spec's creation left, or may have left
    (creating, waiting, unknown), ``begun_cells`` those of them of which something has come, ``begun_tests``
    the tests that wait for answers and have some. ``verdicts`` covers every cell that is not pending.
    ``paths`` are the paths measured so far whose hop details the plan wants, and how many of those have come.
    """

    tests: Mapping[SpecState, int]
    created: int
    cells: Mapping[CellState, int]
    verdicts: Mapping[Verdict, int]
    left_out: int = 0
    pending_sent: int = 0
    begun_cells: int = 0
    begun_tests: int = 0
    paths: Paths = Paths()
