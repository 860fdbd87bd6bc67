"""Make the vendor's public snapshots of the worst tests of a run, of each test once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from anyio import CancelScope

from orchestrator.actions.finding import find
from orchestrator.actions.session import Session
from orchestrator.actions.source import source_of
from orchestrator.budget.sliding import Sliding
from orchestrator.errors import Refused, StoreProblem, Unanswered, UsageProblem
from orchestrator.model import Api
from orchestrator.records import PublicSnapshot, RunRecord, SnapshotState, TestRecord
from orchestrator.report.overview import causes
from orchestrator.report.times import clock_time, span
from orchestrator.report.worst import Worst, worst
from orchestrator.runner.order import Declined, InDoubt, order
from orchestrator.store.base import Archive, Store
from orchestrator.store.opening import Opened
from orchestrator.thousandeyes.protocol import BadAnswer, Reply
from orchestrator.thousandeyes.snapshots import MOST, SPAN, Copy, covered, read_snapshot, snapshot

LIMIT = Sliding(MOST, SPAN)
# After a refusal by the limit on snapshots, which others of the organization use too (seconds).
REFUSED_PAUSE = 60.0
# Two spans: by then whoever else makes them has stopped, or will not.
PATIENCE = 2 * SPAN


@dataclass(frozen=True, slots=True)
class ToShare:
    """A test whose results from ``start`` to ``end`` (epoch seconds) are to become public; ``title`` is what
    the snapshot is called. ``before`` is the snapshot that there is already, or may be."""

    found: Worst
    test_id: str
    title: str
    start: float
    end: float
    before: PublicSnapshot | None


@dataclass(frozen=True, slots=True)
class Sharing:
    """What was chosen of a run, the worst first."""

    run: RunRecord
    tests: tuple[ToShare, ...]

    @property
    def new(self) -> tuple[ToShare, ...]:
        """Those without a snapshot that was made or may have been."""
        return tuple(one for one in self.tests if not _stands(one.before))


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one test. ``before``: the snapshot was there, or may have been, and was not made now."""

    test: ToShare
    snapshot: PublicSnapshot
    before: bool = False


def _stands(one: PublicSnapshot | None) -> bool:
    return one is not None and one.state is not SnapshotState.REFUSED


async def choose(opened: Opened, name: str, most: int, *, now: float, plan: str | None = None) -> Sharing:
    """The worst tests of a run, at most so many. Sends nothing.

    Raises ``UsageProblem`` for a run that there is not, that version 6 made, in which nothing is bad, or of
    whose worst tests no id is known.
    """
    run = await find(opened, name, plan)
    if run.api is not Api.V7:
        raise UsageProblem(
            f"run {run.id} was made by API {run.api.value}, which makes no snapshots here",
            hint="run the plan with `api: v7`, then share that",
        )
    return await chosen(opened.store, run, most, now)


async def chosen(store: Store, run: RunRecord, most: int, now: float) -> Sharing:
    """The same of a run of version 7 that was found."""
    insight = await source_of(store, run, now).insight()
    tests = {test.spec.key: test async for test in store.each_test(run.id) if test.test_id is not None}
    cells = [cell async for cell in store.cells(run.id) if cell.spec in tests]
    found = worst(cells, causes(insight), most)
    if not found:
        raise UsageProblem(
            f"run {run.id} has no test that could be shared: nothing in it is bad",
            hint="what did not answer shows nothing; the report itself can be passed on",
        )
    before = {one.spec: one for one in await store.snapshots(run.id)}
    made = [await _to_share(store, run, one, tests[one.spec], now) for one in found]
    return Sharing(run, tuple(_with(one, before.get(one.found.spec)) for one in made))


def _with(one: ToShare, before: PublicSnapshot | None) -> ToShare:
    return ToShare(one.found, one.test_id, one.title, one.start, one.end, before)


async def _to_share(store: Archive, run: RunRecord, one: Worst, test: TestRecord, now: float) -> ToShare:
    rounds = [answer.round_id for answer in await store.answers(run.id, one.spec) if answer.round_id > 0]
    at = test.created or run.started
    start, end = covered(float(min(rounds, default=at)), float(max(rounds, default=at)), now)
    assert test.test_id is not None  # noqa: S101 - only such tests are chosen
    return ToShare(one, test.test_id, f"{run.plan}: {one.test} {one.target}", start, end, None)


async def share(
    session: Session,
    sharing: Sharing,
    told: Callable[[Told], None],
    *,
    again: bool = False,
    patience: float = PATIENCE,
    waiting: Callable[[str], None] = lambda _: None,
) -> None:
    """Make the snapshots one after the other: anybody who has a link sees what is behind it.

    What was made before, or may have been, is told and not made ``again``. Durable before it is sent. At most
    five in five minutes leave this store for an origin; who has to wait longer than ``patience`` seconds is
    told so by ``Unanswered``. One process at a time makes them; the next one is ``waiting``. The session is
    one of the run's own world (``begun.as_begun``). Raises ``Refused``, ``Unanswered``, ``StoreProblem``.
    """
    clock = session.doors.clock
    async with session.opened.lease.hold(
        f"snapshots {session.settings.origin}", clock, wait=True, told=waiting
    ):
        before = {one.spec: one for one in await session.opened.store.snapshots(sharing.run.id)}
        for one in sharing.tests:
            there = before.get(one.found.spec)
            if there is not None and _stands(there) and not again:
                told(Told(one, there, before=True))
                continue
            await _wait_for_room(session, patience, waiting)
            told(Told(one, await _Making(session, sharing.run, one, patience, waiting).made(again=again)))


async def _wait_for_room(session: Session, patience: float, waiting: Callable[[str], None]) -> None:
    clock = session.doors.clock
    now = clock.wall()
    times = await session.opened.store.snapshot_times(session.settings.origin, now - 2 * SPAN)
    seconds = LIMIT.opens_in(times, now)
    if seconds > patience:
        raise Unanswered(
            f"{MOST} snapshots were made within {span(SPAN)}, which is all that an organization may",
            hint=f"`orchestrator report RUN --share 1` makes one from {clock_time(now + seconds)} on",
        )
    if seconds >= 1.0:
        waiting(f"{MOST} snapshots in {span(SPAN)} are all that the API makes: the next in {span(seconds)}")
    await clock.sleep(seconds)


class _Making:
    """One snapshot: intended, sent, ended."""

    def __init__(
        self,
        session: Session,
        run: RunRecord,
        one: ToShare,
        patience: float,
        waiting: Callable[[str], None],
    ) -> None:
        self._session, self._run, self._one = session, run, one
        self._waiting = waiting
        self._give_up = session.doors.clock.now() + patience

    async def made(self, *, again: bool) -> PublicSnapshot:
        """The snapshot with its link."""
        doors, one = self._session.doors, self._one
        speaks, account = self._session.dialect(Api.V7), self._session.settings.account
        request = snapshot(Api.V7, one.test_id, one.title, (one.start, one.end), account)
        intended = False

        async def intend() -> None:
            nonlocal intended
            with CancelScope(shield=True):
                intended = await self._store.intend_snapshot(
                    self._run.id, one.found.spec, one.test_id, doors.clock.wall(), again=again
                )
            if not intended:
                raise UsageProblem(f"somebody else shares {one.title!r} just now", hint="look with `show`")

        try:
            copy = await order(
                doors.wire, doors.ledger, doors.clock, speaks, request, _read, intend, self._limited
            )
        except (Declined, Refused, Unanswered) as error:
            if intended:
                await self._end(SnapshotState.REFUSED, error=str(error))
            if not isinstance(error, Declined):
                raise
            raise Unanswered(f"the API made no snapshot of {one.title!r}: {error}") from error
        except (InDoubt, BadAnswer) as error:
            await self._end(SnapshotState.SENT, error=str(error))
            raise Unanswered(
                f"whether there is a snapshot of {one.title!r} now is not known: {error}",
                hint="look for it in the product (Sharing); --again makes one whatever came of this",
            ) from error
        try:
            return await self._end(SnapshotState.MADE, copy)
        except StoreProblem as error:
            said = f"{error.message}; the snapshot is there, and its link could not be stored: {copy.link}"
            raise StoreProblem(said, hint=error.hint) from error

    @property
    def _store(self) -> Store:
        return self._session.opened.store

    async def _end(
        self, state: SnapshotState, copy: Copy | None = None, *, error: str | None = None
    ) -> PublicSnapshot:
        found, at = self._one.found, self._session.doors.clock.wall()
        said = None if error is None else self._session.mask(error)
        snapshot_id, link = (None, None) if copy is None else (copy.id, copy.link)
        with CancelScope(shield=True):
            await self._store.end_snapshot(
                self._run.id, found.spec, state, at, snapshot_id=snapshot_id, link=link, error=said
            )
        return PublicSnapshot(
            found.spec,
            found.test,
            found.target,
            self._one.test_id,
            state,
            at,
            snapshot_id,
            link,
            said,
        )

    async def _limited(self, reply: Reply) -> None:
        """Others of the organization make snapshots too, and no header says when there is room again."""
        del reply
        clock = self._session.doors.clock
        if clock.now() + REFUSED_PAUSE > self._give_up:
            raise Declined("others of the organization have used up its 5 snapshots in 5 minutes (429)")
        self._waiting(f"others of the organization make snapshots too: once more in {span(REFUSED_PAUSE)}")
        await clock.sleep(REFUSED_PAUSE)


def _read(reply: Reply) -> Copy:
    return read_snapshot(reply.body, reply.headers)


def what_is_shown(tests: int) -> str:
    """What of so many tests becomes visible, to whom, in words for people who are asked."""
    what = "this test" if tests == 1 else f"these {tests} tests"
    return (
        f"Anybody who has the link sees the results of {what} for 30 days, without a log-in: its name and "
        "target, the agents with their places, addresses and paths with their hops, errors, and what the "
        "answers held (headers; of pages what was loaded). Only the product takes it back (Sharing)."
    )
