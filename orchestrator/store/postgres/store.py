"""The store in a PostgreSQL database: the shared statements, whose a run is, and what only a server has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from typing import Self, TypeVar

import anyio

from orchestrator.errors import NoRight
from orchestrator.events import Adopted, Event
from orchestrator.holdings import Size
from orchestrator.lifecycle import SpecState
from orchestrator.records import RunRecord
from orchestrator.store.base import About, LateTest
from orchestrator.store.operating import Measures, Standing, Unmeasured
from orchestrator.store.postgres import schema
from orchestrator.store.postgres.address import Address
from orchestrator.store.postgres.again import LATE, WritesAgain
from orchestrator.store.postgres.engine import Claim, PostgresEngine
from orchestrator.store.postgres.link import SCHEMA, Link, Session
from orchestrator.store.sql import rows
from orchestrator.store.sql.engine import Busy, Db, InThread, Offload, in_place

T = TypeVar("T")

# Work that has not gone on for so long is cut off: more than the longest statement may take (seconds).
HANGS = 25.0
LOOKED = 1.0
# How long a claim lasts, and how long a write waits for a database that is away (seconds).
TENURE, PATIENCE = 30.0, 300.0

# Free is what nobody holds. What was held when the server started is not, until its holder could renew it.
FREE = (
    "(leased_until IS NULL OR (leased_until < clock_timestamp() "
    "AND clock_timestamp() > pg_postmaster_start_time() + make_interval(secs => ?)))"
)
# The first timeline that is met is where everything was written.
_MET = """
    INSERT INTO timelines (name, seen)
    SELECT ?, CASE WHEN EXISTS (SELECT FROM timelines) THEN clock_timestamp() ELSE '-infinity' END
    ON CONFLICT (name) DO NOTHING
"""
# After a failover, which may have lost who holds it, its holder has the time of a lease to say so.
_CLAIM = f"""
    UPDATE runs SET epoch = epoch + 1, owner = ?, leased_until = clock_timestamp() + make_interval(secs => ?)
    WHERE id = ? AND {FREE} AND (epoch = 0 AND state <> 'queued' OR NOT EXISTS (
        SELECT FROM timelines WHERE name = ? AND seen > clock_timestamp() - make_interval(secs => ?)
    )) RETURNING epoch
"""
_CLAIM_AGAIN = """
    UPDATE runs SET leased_until = clock_timestamp() + make_interval(secs => ?), epoch = ?, owner = ?
    WHERE id = ? AND (epoch < ? OR (epoch = ? AND owner = ?))
"""
_RENEW = """
    UPDATE runs SET leased_until = clock_timestamp() + make_interval(secs => ?)
    WHERE id = ? AND epoch = ? AND owner = ? RETURNING cancel_asked
"""
# Of what somebody carries out, and of what a worker has still to take off the queue, nothing is taken away.
_NOBODYS = """
    (leased_until IS NULL OR leased_until < clock_timestamp())
    AND NOT EXISTS (SELECT 1 FROM queue WHERE queue.run = runs.id AND queue.ended IS NULL)
"""
_LET_GO = "UPDATE runs SET leased_until = NULL, owner = NULL WHERE id = ? AND epoch = ? AND owner = ?"


class Watched(InThread):
    """Work in a thread that is cut off from the server when it hangs."""

    def __init__(self, busy: Busy, link: Link) -> None:
        super().__init__(busy)
        self._link = link

    async def __call__(self, work: Callable[[], T]) -> T:
        """What the work returned."""
        loop = asyncio.get_running_loop()
        seen, since = self._link.turns, anyio.current_time()
        timer: asyncio.TimerHandle

        def look() -> None:
            nonlocal seen, since, timer
            if self._link.turns != seen:
                seen, since = self._link.turns, anyio.current_time()
            elif anyio.current_time() - since >= HANGS:
                since = anyio.current_time()
                self._link.cut()
            timer = loop.call_later(LOOKED, look)

        timer = loop.call_later(LOOKED, look)
        try:
            return await super().__call__(work)
        finally:
            timer.cancel()


class PostgresStore(WritesAgain):
    """Implements :class:`orchestrator.store.base.WholeStore`; what the methods promise is said there."""

    _engine: PostgresEngine
    _by_organization = True
    _may_go = _NOBODYS
    _whose = "organization"

    def __init__(
        self,
        engine: PostgresEngine,
        reads: Offload,
        writes: Offload,
        *,
        organization: str = "",
        tenure: float = TENURE,
        busy: Busy = nullcontext,
        measures: Measures | None = None,
    ) -> None:
        async def pause(seconds: float) -> None:
            with busy():
                await anyio.sleep(seconds)

        away = (measures or Unmeasured()).away
        super().__init__(engine, reads, writes=writes, pause=pause, away=away)
        self.organization = organization
        self._tenure = tenure
        self._held_on = ""  # the timeline that has the claims of this process

    @classmethod
    async def open(
        cls,
        where: Address,
        *,
        organization: str = "",
        patience: float | None = None,
        tenure: float | None = None,
        virtual: bool = False,
        busy: Busy = nullcontext,
        measures: Measures | None = None,
    ) -> Self:
        """Open the store; whoever may makes the parts for the next days where few are left.

        Raises ``StoreProblem`` where there is none, or one that this version cannot use.
        """
        engine = PostgresEngine(where, patience or PATIENCE)
        reads: Offload = in_place if virtual else Watched(busy, engine.reader)
        writes: Offload = in_place if virtual else Watched(busy, engine.writer)

        def check() -> None:
            with engine.reading() as db:
                engine.knows(version_of(db.raw.info.server_version))
                schema.check(db, where.place)
                if schema.days_ahead(db) < schema.FEW_DAYS and schema.may_make_room(db):
                    schema.maintain(db)

        try:
            await reads(check)
        except BaseException:
            engine.close()
            raise
        return cls(
            engine,
            reads,
            writes,
            organization=organization,
            tenure=tenure or TENURE,
            busy=busy,
            measures=measures,
        )

    async def write(self, work: Callable[[Db], T]) -> T:
        """Carry out other writes of this folder, with those of the journal."""
        return await self._write(work)

    async def read(self, work: Callable[[Db], T]) -> T:
        """Carry out other reads of this folder."""
        return await self._read(work)

    def insert_run(self, db: Db, run: RunRecord, organization: str) -> None:
        """Write the record of a run of an organization that waits."""
        super()._insert_record(db, run, {"organization": rows.safe(organization)})

    # -- whose a run is -------------------------------------------------------------------------------

    @property
    def tenure(self) -> float:
        """How long a claim lasts that is not renewed."""
        return self._tenure

    async def claim(self, run: str, owner: str) -> bool:
        """Take a run that nobody holds."""

        def work(db: Db) -> int | None:
            timeline, tenure = self._engine.timeline, self._tenure
            db.execute(_MET, (timeline,))
            found = db.execute(_CLAIM, (owner, tenure, run, tenure, timeline, tenure)).fetchone()
            return None if found is None else int(found[0])

        epoch = await self._write(work)
        if epoch is not None:
            self._engine.claims[run] = Claim(epoch, owner)
        return epoch is not None

    async def renew(self, runs: Collection[str]) -> Mapping[str, bool]:
        """Hold these runs longer."""
        claims = self._engine.claims
        held = sorted((run, claims[run]) for run in runs if run in claims)

        def work(db: Db) -> dict[str, bool]:
            found = {run: db.execute(_RENEW, (self._tenure, run, *claim)).fetchone() for run, claim in held}
            return {run: bool(row[0]) for run, row in found.items() if row is not None}

        return await self._write(work) if held else {}

    def _write_again(self, session: Session) -> Callable[[], None]:
        """The claims of this process first, without which it could write nothing of its runs."""
        timeline = self._engine.timeline
        if timeline != self._held_on:
            for run, claim in list(self._engine.claims.items()):
                session.execute(_CLAIM_AGAIN, (self._tenure, *claim, run, claim.epoch, *claim))
        written = super()._write_again(session)

        def kept() -> None:
            self._held_on = timeline
            written()

        return kept

    def forget(self, run: str) -> None:
        """Know nothing more of a claim."""
        self._engine.claims.pop(run, None)

    def fence(self, db: Db, run: str) -> None:
        """Nobody takes the run over in this transaction. Raises ``LostRun`` where somebody has."""
        self._engine.run_number(db, run)

    async def let_go(self, run: str) -> None:
        """Hold a run no longer."""
        claim = self._engine.claims.pop(run, None)
        if claim is not None:
            await self._write(lambda db: db.execute(_LET_GO, (run, *claim)).rowcount)

    async def goes_on(self, run: RunRecord) -> bool:
        """Whether somebody goes on with a run."""
        sql = "SELECT leased_until > clock_timestamp() FROM runs WHERE id = ?"

        def work(db: Db) -> bool:
            found = db.execute(sql, (run.id,)).fetchone()
            return found is not None and bool(found[0])

        return await self._read(work)

    async def late(self, run: str, key: str, test_id: str, links: Mapping[str, str], at: float) -> None:
        """Keep the id of a paid test; it is no change of the run, so it is not fenced."""
        kept = (key, rows.safe(test_id), rows.dump(dict(links)), at, run)
        await self._write(lambda db: db.execute(LATE, kept).rowcount)

    async def late_tests(self, run: str) -> list[LateTest]:
        """Ids that came late and that nobody has adopted."""
        return await self._read(lambda db: [one for _, one in _late(db, run)])

    async def adopt_late(self, run: str) -> list[LateTest]:
        """Give lost creations the ids that came late."""

        def work(db: Db) -> list[LateTest]:
            adopted: list[LateTest] = []
            for n, one in _late(db, run):
                spec_n, run_n = self._spec(db, run, one.key)
                state, sent, test_id = db.execute(
                    "SELECT state, intended, test_id FROM specs WHERE n = ?", (spec_n,)
                ).fetchone()
                # Also where nobody has found out yet that the answer to its creation is lost.
                lacks_it = state == SpecState.UNKNOWN.value or (
                    state == SpecState.CREATING.value and test_id is None
                )
                if lacks_it:
                    self._adopt(db, spec_n, one.test_id, one.links, sent)
                    self._tell(db, run_n, [Event(one.at, run, one.key, Adopted(one.test_id))])
                    adopted.append(one._replace(adopted=True))
                if lacks_it or test_id is not None:
                    db.execute("UPDATE late SET adopted = TRUE WHERE n = ?", (n,))
            return adopted

        return await self._write(work)

    def _insert_record(self, db: Db, run: RunRecord, more: Mapping[str, object] | None = None) -> int:
        """Runs of this process are its organization's."""
        return super()._insert_record(db, run, {"organization": rows.safe(self.organization), **(more or {})})

    async def about(self) -> About:
        """What this store is, and what of it should be put right."""
        told = await self._read(schema.cautions)
        return About(self._engine.place, self._engine.kind, "; ".join(told) or None)

    async def standing(self) -> Standing:
        """How this store stands; see :class:`orchestrator.store.operating.Keeper`."""

        def work() -> Standing:
            with self._engine.reading() as db:
                schema.check(db, self._engine.place)
                late = db.execute("SELECT count(*) FROM late WHERE NOT adopted").fetchone()[0]
                return Standing(schema.days_ahead(db), int(late))

        return await self._offload(work)  # it is not waited for: that it is away is an answer

    async def make_room(self) -> list[str]:
        """Make room for the days to come, where there is not enough."""

        def work() -> list[str]:
            # Not among the writes of runs: it may wait for a migration that takes its time.
            with self._engine.reading() as db:
                return schema.maintain(db) if schema.days_ahead(db) < schema.DAYS_AHEAD else []

        return await self._offload(work)

    # -- space ------------------------------------------------------------------------------------------

    async def condemn(self, runs: Sequence[str]) -> list[str]:
        """Let these runs go. Raises ``NoRight`` where this role could not clear away what they hold."""
        await self._prove_right_to_take(runs)
        return await super().condemn(runs)

    async def forget_answers(self, runs: Sequence[str], at: float) -> list[str]:
        """Let the answers of these runs go. Raises as :meth:`condemn`."""
        await self._prove_right_to_take(runs)
        return await super().forget_answers(runs, at)

    async def _prove_right_to_take(self, runs: Sequence[str]) -> None:
        sql = f"SELECT has_table_privilege('{SCHEMA}.runs', 'DELETE')"
        if runs and not await self._read(lambda db: db.execute(sql).fetchone()[0]):
            raise NoRight(
                f"store {self._engine.place}: this role may take no runs away",
                hint="run `orchestrator store prune` as the role that owns the tables (docs/store.md)",
            )

    async def give_back(self) -> bool:
        """The server takes back what is free by itself."""
        return False

    async def rebuild(self) -> bool:
        """Nothing that others could go on beside."""
        return False

    async def size(self) -> Size:
        """How large the tables are, with their indexes."""
        sql = (
            "SELECT coalesce(sum(pg_total_relation_size(pg_class.oid)), 0) FROM pg_class "
            "JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = ? AND relkind = 'r'"
        )
        return await self._read(lambda db: Size(int(db.execute(sql, (SCHEMA,)).fetchone()[0]), 0))

    async def clear(self) -> bool:
        """Take away some of what condemned runs hold: a whole part of a table, where nobody else has rows."""
        return await self._drop_a_part() or await super().clear()

    async def _drop_a_part(self) -> bool:
        def work() -> bool:
            with self._engine.reading() as db:
                return schema.is_owner(db) and schema.drop_one(db)

        return await self._offload(work)


def version_of(number: int) -> str:
    """180001 is 18.1."""
    return f"{number // 10000}.{number % 10000}"


def _late(db: Db, run: str) -> list[tuple[int, LateTest]]:
    found = db.execute(
        "SELECT late.n, key, test_id, links, at FROM late JOIN runs ON runs.n = run_n "
        "WHERE runs.id = ? AND NOT adopted ORDER BY late.n",
        (run,),
    )
    return [(row[0], LateTest(run, row[1], row[2], rows.load(row[3]), row[4])) for row in found]
