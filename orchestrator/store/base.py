"""What keeps runs: the writes of a run, what is read, and who may run a plan. Every store implements it.

Whatever a method returned from is durable. Times are epoch seconds (wall clock). Every method raises
:class:`orchestrator.errors.StoreProblem` when the store cannot keep its word.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from orchestrator.clock import Clock
from orchestrator.events import Event
from orchestrator.holdings import Holding, Holdings, RunOutline, Size
from orchestrator.lifecycle import SpecState
from orchestrator.model import Agent, Answer, CellResult, JsonObject, NotRun
from orchestrator.outbox import Draft, Known, Notice
from orchestrator.records import (
    Baseline,
    CellRecord,
    Collected,
    Counts,
    PublicSnapshot,
    RunFacts,
    RunRecord,
    RunState,
    SpecName,
    StoredAnswer,
    TestEnd,
    TestRecord,
)
from orchestrator.store.listing import Listing
from orchestrator.store.snapshots import Shared


class About(NamedTuple):
    """A store in words for people: where it is, what keeps it, and what of it should be put right."""

    place: str
    engine: str
    caution: str | None = None


class Journal(Protocol):
    """The writes of a run: they raise ``UsageProblem`` where there is no such run or spec, and
    ``IllegalMove`` for a move that the table of moves lacks. Nothing is written then."""

    async def create_run(
        self, run: RunRecord, specs: Sequence[TestRecord], not_run: Sequence[NotRun], agents: Sequence[Agent]
    ) -> None:
        """Write a run with its specs and cells, all or nothing."""

    async def begin_run(
        self, run: RunRecord, specs: Sequence[TestRecord], not_run: Sequence[NotRun], agents: Sequence[Agent]
    ) -> None:
        """The same for a run that was written before, without specs, and waited: its record is written anew.

        Raises ``UsageProblem`` for a run that has specs.
        """

    async def add_specs(self, run: str, specs: Sequence[TestRecord], facts: RunFacts) -> None:
        """More specs with their cells for a run that goes on, behind those that it has, and its ``facts``:
        all or nothing. Their positions are those that they get here."""

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
        """Any other legal move. Of a spec that is opened again the cells that lack answers are open again."""

    async def move_all(self, run: str, keys: Sequence[str], state: SpecState) -> None:
        """The same move of several specs, all or nothing, in one transaction."""

    async def adopt(self, run: str, key: str, test_id: str, at: float) -> None:
        """unknown -> waiting, with the test id that a person found; its cells are open again."""

    async def give_up(self, run: str, key: str, at: float) -> None:
        """Mark a lost creation as not looked for any more."""

    async def set_baseline(self, run: str, key: str, baseline: Mapping[str, int]) -> None:
        """Remember the newest rounds before a re-run."""

    async def add_answers(
        self,
        run: str,
        key: str,
        answers: Sequence[Answer],
        events: Sequence[Event] = (),
        cells: Sequence[CellResult] = (),
    ) -> int:
        """Keep what is new and return how much that was; what is there already is not written again.

        ``cells`` are those that are judged by these answers, in the same transaction.
        """

    async def close_test(
        self,
        run: str,
        key: str,
        state: SpecState,
        cells: Sequence[CellResult],
        at: float,
        error: str | None = None,
        events: Sequence[Event] = (),
    ) -> None:
        """The end of a spec with the ends of its cells, in one transaction; of those that are judged already
        only what changed."""

    async def close_tests(
        self, run: str, ends: Sequence[TestEnd], at: float, events: Sequence[Event] = ()
    ) -> None:
        """The ends of several specs, all or nothing, in one transaction."""

    async def update_run(
        self,
        run: str,
        *,
        state: RunState,
        finished: float | None,
        exit_code: int | None,
        facts: RunFacts,
    ) -> None:
        """The state of the run itself."""

    async def set_question(self, run: str, question: JsonObject) -> None:
        """What a diagnosis is asked, from now on; all else that it was started with stays."""

    async def add_events(self, run: str, events: Sequence[Event]) -> None:
        """Append events."""

    async def save_latencies(self, origin: str, samples: Mapping[str, Sequence[float]]) -> None:
        """Replace what was learned."""

    async def pin(self, name: str, run: str, note: str | None, at: float) -> None:
        """Name a run as a baseline; a name that there is already moves to it."""

    async def unpin(self, name: str) -> bool:
        """Forget the name of a baseline; whether there was one."""

    async def probe(self) -> None:
        """Prove that the store can be written."""


class Archive(Protocol):
    """What is read. Where there is no such run there is nothing in it; only :meth:`run`, :meth:`test`,
    :meth:`answers` and :meth:`judged` raise ``UsageProblem`` then, and for a spec that is not there."""

    async def run(self, name: str) -> RunRecord:
        """The run with this id or unambiguous prefix, or the ``last`` that does not only confirm another one.

        Raises :class:`orchestrator.errors.UsageProblem` if there is none or more than one.
        """

    async def runs(self, limit: int = 50, plan: str | None = None) -> list[RunRecord]:
        """The newest runs, newest first."""

    async def good_runs(self, before: str, most: int = 1) -> list[RunRecord]:
        """The newest runs with exit code 0 that were stored before this one, of its plan in its world
        (its name, and :attr:`RunRecord.world`), newest first: the first is the last good one.

        By the order in the store: the clocks of two simulated worlds say nothing of each other.
        """

    async def agents(self, run: str) -> dict[str, Agent]:
        """The agents as they were seen by the run, by id."""

    async def tests(self, run: str, states: Sequence[SpecState] | None = None) -> list[TestRecord]:
        """The specs of a run in the order of the plan."""

    def each_test(self, run: str, states: Sequence[SpecState] | None = None) -> AsyncIterator[TestRecord]:
        """The same, page by page."""

    async def test(self, run: str, key: str) -> TestRecord:
        """One spec of a run."""

    async def spec_names(self, run: str) -> list[SpecName]:
        """What the specs of a run are called, in the order of the plan."""

    async def newest_rounds(self, origin: str, test_id: str) -> dict[str, int]:
        """The newest round of each agent that any run at this origin has stored for a test."""

    async def answers(self, run: str, key: str) -> list[Answer]:
        """The answers of one spec."""

    async def judged(self, run: str, key: str) -> list[CellResult]:
        """The cells of one spec that have a verdict, in the order of their agents' ids."""

    async def open_answers(
        self, run: str, keys: Sequence[str]
    ) -> dict[str, tuple[list[Answer], list[CellResult]]]:
        """Of each of these specs the answers and the cells that have a verdict, as :meth:`answers` and
        :meth:`judged` give them; nothing of a spec that is not there."""

    async def told(self, run: str, kind: str) -> int:
        """How many events of a kind (a name in ``KINDS``) a run has."""

    async def counts(self, run: str) -> Counts:
        """Counts by state, from what is stored."""

    def cells(self, run: str, *, passing: bool = True) -> AsyncIterator[CellRecord]:
        """Every cell of a run, in the order of the plan, page by page; or those only that do not pass."""

    def cells_of(self, run: str, keys: Sequence[str]) -> AsyncIterator[CellRecord]:
        """The cells of these specs only, spec by spec in the order of ``keys``."""

    def left_out(self, run: str) -> AsyncIterator[CellRecord]:
        """Those cells of a run that were left out before anything was created."""

    def results(self, run: str) -> AsyncIterator[StoredAnswer]:
        """Every answer of a run, in a stable order, page by page."""

    def collected(self, run: str) -> AsyncIterator[Collected]:
        """Every test of a run in the order of the plan, page by page, each with its cells and its answers
        (in the order of :meth:`answers`), which lack their raw rows; for whoever goes through all of them."""

    def traced(self, run: str) -> AsyncIterator[StoredAnswer]:
        """Every answer of a run that has hops, in the order of :meth:`results`."""

    async def metric_names(self, run: str) -> set[str]:
        """The names of the metrics that the answers of a run have."""

    async def events(self, run: str, spec: str | None = None, kind: str | None = None) -> list[Event]:
        """The events of a run, or of one spec, or of one kind (a name in ``KINDS``), in order."""

    async def latencies(self, origin: str) -> dict[str, list[float]]:
        """Learned latencies by test type, and quiet times by kind of layer; seconds, oldest first."""

    async def snapshots(self, run: str) -> list[PublicSnapshot]:
        """The public snapshots of a run's tests, in the order of its plan."""

    async def baselines(self) -> dict[str, Baseline]:
        """Every baseline, by its name, in the order of names."""

    async def about(self) -> About:
        """What this store is."""


class Outbox(Protocol):
    """What is known of plans on channels, and the notices that they are told. What a process has not sent is
    sent by whoever comes next."""

    async def notice_state(self, plan: str, world: str, channel: str) -> Known:
        """What is known of a plan in a world on a channel; version 0 for nothing."""

    async def keep_notice(
        self, plan: str, world: str, channel: str, known: int, state: JsonObject, draft: Draft | None
    ) -> bool:
        """Replace what is known, and put a notice of it into the outbox, all or nothing.

        ``known`` is the version that ``state`` was made from; where it is another one meanwhile nothing is
        written, and false returned. Notices of a plan on a channel are numbered from 1 on.
        """

    async def begin_notice(self, n: int) -> None:
        """A try begins. One that has not ended may have arrived."""

    async def end_notice(
        self, n: int, *, sent: float | None = None, error: str | None = None, doubtful: bool = False
    ) -> None:
        """A try has ended: it was ``sent`` (when), or it was not; ``doubtful``: it may have been."""

    async def give_up_notice(self, n: int, at: float) -> None:
        """It is not tried any more."""

    async def notices(
        self,
        *,
        plan: str | None = None,
        run: str | None = None,
        channel: str | None = None,
        pending: bool = False,
        limit: int = 100,
    ) -> list[Notice]:
        """The newest notices, all or those of a plan, a run, a channel, in the order in which they were made;
        of those that are ``pending`` the oldest."""


class Upkeep(Protocol):
    """What keeps a store small. Each call that writes is short, because others write too, and a kill between
    two of them leaves a sound store; whoever prunes next goes on."""

    async def outlines(self) -> list[RunOutline]:
        """All runs, newest first."""

    async def must_stay(self) -> dict[str, str]:
        """The ids of runs that are not to be taken, whatever their age, each with the reason."""

    async def condemn(self, runs: Sequence[str]) -> list[str]:
        """From now on these runs are not there. Returns those of them that there were, and that had ended."""

    async def forget_answers(self, runs: Sequence[str], at: float) -> list[str]:
        """From ``at``, which is now, on the answers of these runs are not there any more, as soon as they are
        cleared; runs, specs and cells stay. Returns those of them that had ended."""

    async def clear(self) -> bool:
        """Take away a part of what condemned runs hold, or of forgotten answers; whether there is more."""

    async def thin(self, run: str, at: float, after: int = -1) -> int | None:
        """Take away a part of the raw rows of a run that has ended; ``at`` is now.

        Returns the position to go on ``after``, ``None`` where nothing is left to do.
        """

    async def give_back(self) -> bool:
        """Give a part of the free space back; whether there is more that can be given back so."""

    async def rebuild(self) -> bool:
        """Give all free space back at once, where nobody else uses the store; whether that was done."""

    async def size(self) -> Size:
        """How large the store is."""

    async def holding(self, runs: Sequence[str]) -> Holding:
        """What these runs hold."""

    async def holdings(self) -> Holdings:
        """What the whole store holds."""


class LateTest(NamedTuple):
    """The id of a paid test that came when its run was another process's already. ``at`` is epoch seconds."""

    run: str
    key: str
    test_id: str
    links: Mapping[str, str]
    at: float
    adopted: bool = False


class Tenure(Protocol):
    """Whose a run is. Who has claimed it may write it until its lease has ended and somebody else claims it;
    from then on every write of a run raises :class:`orchestrator.errors.LostRun`, and changes nothing.

    A store of one host has no claims: there the lease on the plan is enough, and a claim is always granted.
    """

    @property
    def tenure(self) -> float:
        """How long a claim lasts that is not renewed (seconds, by the store's clock)."""

    async def claim(self, run: str, owner: str) -> bool:
        """Take a run that nobody holds, for one execution of it; whether it is ours now.

        ``owner`` is for people. Not even its holder can claim what is held.
        """

    async def renew(self, runs: Collection[str]) -> Mapping[str, bool]:
        """Hold these runs longer. Those that are still ours, each with whether its end was asked for."""

    async def let_go(self, run: str) -> None:
        """Hold a run no longer, so that others may claim it at once; nothing if it is not ours any more."""

    def forget(self, run: str) -> None:
        """Know nothing more of a claim after the last write with it: what was lost, or what runs out by
        itself."""

    async def goes_on(self, run: RunRecord) -> bool:
        """Whether somebody, this process too, goes on with a run that has not ended."""

    async def late(self, run: str, key: str, test_id: str, links: Mapping[str, str], at: float) -> None:
        """Keep the id of a test that was created, though the run is not ours any more."""

    async def late_tests(self, run: str) -> list[LateTest]:
        """Ids that came late and that nobody has adopted."""

    async def adopt_late(self, run: str) -> list[LateTest]:
        """Give lost creations of a run that is ours the ids that came late, as :meth:`Journal.adopt` does;
        those that were taken. What was found otherwise meanwhile stays as it is."""


class Exchange(Protocol):
    """Runs go from one store into another."""

    async def take_from(self, source: Exchange, run: str) -> bool:
        """Take a run of another store as it is there, and what was learned of latencies; whether it is new.

        Raises ``UsageProblem`` where there is another run of this id, ``StoreProblem``.
        """


class Store(Journal, Archive, Tenure, Outbox, Shared, Protocol):
    """What one who conducts a run needs of a store, and one who tells of it.

    ``patience``: how many seconds a write waits, at most, for a store that is away or locked.
    """

    @property
    def patience(self) -> float: ...


class WholeStore(Store, Exchange, Upkeep, Listing, Protocol):
    """All of it."""


async def for_ever() -> float:
    """Nobody knows how long a plan may be held."""
    return math.inf


class Lease(Protocol):
    """One run per plan and store, until its holder lets go or dies."""

    def hold(
        self,
        plan: str,
        clock: Clock,
        *,
        wait: bool,
        told: Callable[[str], None],
        longest: Callable[[], Awaitable[float]] = for_ever,
    ) -> AbstractAsyncContextManager[None]:
        """Hold the plan while the block runs.

        While somebody else holds it: raises :class:`orchestrator.errors.PlanBusy`, which says who, or with
        ``wait`` tells that once and waits, unless whoever holds it has held it longer than it can: so many
        seconds, asked anew each time. Such a holder is frozen.
        """

    async def is_held(self, plan: str) -> bool:
        """Whether a run of the plan is alive, this process's own too."""
