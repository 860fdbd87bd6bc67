"""The queue in PostgreSQL. See :mod:`orchestrator.store.queue` for what the methods promise.

``run`` is a run's id. The lease is in ``runs``; statements here only look at it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from orchestrator.errors import UsageProblem
from orchestrator.queueing.attempts import Attempts
from orchestrator.queueing.slots import Overlap
from orchestrator.queueing.values import (
    HANDED,
    SEEN,
    Cancel,
    Here,
    Level,
    Place,
    Taken,
    Waiting,
)
from orchestrator.records import RunRecord, RunState
from orchestrator.store.queue import Handed

if TYPE_CHECKING:
    from orchestrator.store.postgres.store import PostgresStore
    from orchestrator.store.sql.engine import Db

NOW = "extract(epoch FROM clock_timestamp())::double precision"
_FREE_LEASE = "(r.leased_until IS NULL OR r.leased_until < clock_timestamp())"
# Only one hands out at a time: two that count the same free places would hand them out twice. To lock a row
# takes the right to write it, which those have who carry out runs; an advisory lock anybody may keep.
_TURN = "SELECT 1 FROM turns WHERE name = 'feed' FOR UPDATE SKIP LOCKED"
# Workers of an earlier version know the advisory lock only. It is taken for them, and while one of them has
# it nothing is handed out here; but who could not take a turn by its row stops nobody by holding this.
_EARLIER_TURN = """
    SELECT CASE WHEN pg_try_advisory_xact_lock(hashtext('orchestrator.feed')) THEN TRUE ELSE NOT EXISTS (
        SELECT FROM pg_locks JOIN pg_stat_activity holder USING (pid)
        WHERE locktype = 'advisory' AND granted AND objsubid = 1
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND (classid::bigint << 32) | objid::bigint = hashtext('orchestrator.feed')
            AND has_table_privilege(holder.usesysid, 'turns', 'UPDATE')
    ) END
"""

# Runs whose time is over before anybody began with them: by a time that an index can be searched with.
_EXPIRE = f"""
    WITH gone AS (
        UPDATE queue q SET ended = clock_timestamp(), reason = ? FROM runs r
        WHERE r.id = q.run AND q.ended IS NULL AND q.begun IS NULL AND q.expires < statement_timestamp()
            AND {_FREE_LEASE}
        RETURNING q.run
    )
    UPDATE runs SET state = ?, exit_code = ?, finished = {NOW} FROM gone WHERE runs.id = gone.run
"""

# What may be handed out now.
_READY = """
    w.ended IS NULL AND w.begun IS NULL AND w.not_before <= clock_timestamp()
    AND (w.handed IS NULL OR w.handed <= clock_timestamp() - make_interval(secs => ?))
"""
_SERVED_BY_SOMEBODY = """
    EXISTS (
        SELECT 1 FROM workers WHERE seen > clock_timestamp() - make_interval(secs => ?)
            AND (organizations IS NULL OR w.organization = ANY (organizations))
    )
"""
# The organizations that have something waiting, found by steps through the index; of each the head of its
# line. Whoever is not among the first heads, as many as there are places, has nothing among the first runs.
# Of the others the first few, as many as each may still have under way.
_FEED = f"""
    WITH RECURSIVE turn (organization) AS (
        (SELECT organization FROM queue WHERE ended IS NULL AND begun IS NULL
            ORDER BY organization LIMIT 1)
        UNION ALL
        SELECT (SELECT q.organization FROM queue q WHERE q.ended IS NULL AND q.begun IS NULL
                AND q.organization > turn.organization ORDER BY q.organization LIMIT 1)
        FROM turn WHERE turn.organization IS NOT NULL
    ), busy AS (
        SELECT organization, count(*) AS runs FROM (
            SELECT organization FROM queue WHERE ended IS NULL AND begun IS NOT NULL
            UNION ALL
            SELECT organization FROM queue WHERE ended IS NULL AND begun IS NULL
                AND handed > clock_timestamp() - make_interval(secs => ?)
        ) under_way GROUP BY organization
    ), heads AS (
        SELECT turn.organization, coalesce(rule.most_runs, ?) - coalesce(busy.runs, 0) AS room, served.at
        FROM turn LEFT JOIN busy USING (organization) LEFT JOIN served USING (organization)
        LEFT JOIN organizations rule ON rule.name = turn.organization
        CROSS JOIN LATERAL (
            SELECT run, priority, queued FROM queue w
            WHERE w.organization = turn.organization AND {_READY} AND {_SERVED_BY_SOMEBODY}
            ORDER BY w.priority DESC, w.queued, w.run LIMIT 1
        ) head
        WHERE turn.organization IS NOT NULL AND NOT coalesce(rule.paused, false)
            AND coalesce(busy.runs, 0) < coalesce(rule.most_runs, ?)
        ORDER BY head.priority DESC, served.at NULLS FIRST, head.queued, head.run LIMIT ?
    ), chosen AS (
        SELECT first.run, row_number() OVER (
            ORDER BY first.priority DESC, first.place, heads.at NULLS FIRST, first.queued, first.run
        ) AS position
        FROM heads CROSS JOIN LATERAL (
            SELECT run, priority, queued,
                row_number() OVER (ORDER BY priority DESC, queued, run) AS place
            FROM (
                SELECT run, priority, queued FROM queue w
                WHERE w.organization = heads.organization AND {_READY}
                ORDER BY w.priority DESC, w.queued, w.run LIMIT least(?, heads.room)
            ) few
        ) first
        ORDER BY position LIMIT ?
    )
    UPDATE queue SET handed = clock_timestamp() FROM chosen WHERE queue.run = chosen.run
    RETURNING chosen.position, queue.run, queue.organization, queue.priority
"""
_SERVED = """
    INSERT INTO served (organization, at) VALUES (?, clock_timestamp())
    ON CONFLICT (organization) DO UPDATE SET at = excluded.at
"""
_SWEEP = f"""
    UPDATE queue SET handed = clock_timestamp()
    WHERE run IN (
        SELECT q.run FROM queue q JOIN runs r ON r.id = q.run
        WHERE q.ended IS NULL AND q.begun IS NOT NULL AND q.not_before <= clock_timestamp() AND {_FREE_LEASE}
            AND (q.handed IS NULL OR q.handed <= clock_timestamp() - make_interval(secs => ?))
        ORDER BY q.priority DESC, q.begun LIMIT ? FOR UPDATE OF q SKIP LOCKED
    )
    RETURNING run, organization, priority
"""
_PROGRESS = """
    SELECT count(*) FILTER (WHERE s.state <> 'planned') + count(s.created) + count(s.closed)
    FROM specs s WHERE s.run_n = (SELECT n FROM runs WHERE id = ?)
"""
_PLACES = f"""
    SELECT q.run, q.organization, q.plan, q.priority, extract(epoch FROM q.queued)::double precision,
        CASE WHEN q.not_before > clock_timestamp()
            THEN extract(epoch FROM q.not_before)::double precision END,
        extract(epoch FROM q.expires)::double precision, extract(epoch FROM q.begun)::double precision,
        CASE WHEN NOT {_FREE_LEASE} THEN r.owner END, q.attempts, r.cancel, q.reason, s.name
    FROM queue q JOIN runs r ON r.id = q.run LEFT JOIN schedules s ON s.n = q.schedule
    WHERE q.ended IS NULL
"""
_WAITING = f"{_PLACES} ORDER BY q.begun NULLS LAST, q.priority DESC, q.queued, q.run LIMIT ?"
_LEVELS = """
    SELECT organization, count(*) FILTER (WHERE begun IS NULL), count(*) FILTER (WHERE begun IS NOT NULL),
        extract(epoch FROM min(greatest(queued, not_before)) FILTER (WHERE begun IS NULL))::double precision
    FROM queue WHERE ended IS NULL GROUP BY organization ORDER BY organization
"""
_HERE = """
    INSERT INTO workers (name, host, version, width, free, organizations) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET width = excluded.width, free = excluded.free,
        organizations = excluded.organizations, seen = clock_timestamp()
"""


def put(db: Db, run: str, plan: str, place: Place, schedule: int | None, slot: float | None) -> bool:
    """Write the row of a run whose record is written; ``False`` where its slot has one already."""
    done = db.execute(
        "INSERT INTO queue (run, organization, plan, priority, not_before, expires, overlap, schedule, slot) "
        "VALUES (?, ?, ?, ?, coalesce(to_timestamp(?), '-infinity'), to_timestamp(?), ?, ?, ?) "
        "ON CONFLICT (schedule, slot) DO NOTHING",
        (
            run,
            place.organization,
            plan,
            place.priority,
            place.not_before,
            place.expires,
            place.overlap.value,
            schedule,
            slot,
        ),
    )
    return done.rowcount == 1


def feed(db: Db, most: int, free: int) -> list[Handed]:
    """See :meth:`orchestrator.store.queue.Queue.feed`."""
    if free <= 0 or db.execute(_TURN).fetchone() is None or not db.execute(_EARLIER_TURN).fetchone()[0]:
        return []
    reason = "it was not begun in time"
    db.execute(_EXPIRE, (reason, RunState.SKIPPED.value, 3))
    found = db.execute(_FEED, (HANDED, most, HANDED, SEEN, most, free, HANDED, free, free)).fetchall()
    found.sort()  # what an UPDATE returns has no order
    organizations = sorted({row[2] for row in found})
    if organizations:
        db.executemany(_SERVED, [(one,) for one in organizations])
    return [Handed(*row[1:]) for row in found]


def take(db: Db, run: str) -> Taken | None:
    """See :meth:`orchestrator.store.queue.Queue.take`."""
    row = db.execute(
        "SELECT q.organization, q.priority, q.overlap, r.state <> ?, q.attempts, q.progress, r.cancel, "
        "q.ended IS NOT NULL FROM queue q JOIN runs r ON r.id = q.run WHERE q.run = ? FOR UPDATE OF q",
        (RunState.QUEUED.value, run),
    ).fetchone()
    if row is None or row[7]:
        return None
    attempts = Attempts(row[4], row[5]).another(int(db.execute(_PROGRESS, (run,)).fetchone()[0]))
    db.execute(
        "UPDATE queue SET begun = coalesce(begun, clock_timestamp()), attempts = ?, progress = ?, "
        "reason = NULL WHERE run = ?",
        (attempts.count, attempts.progress, run),
    )
    cancel = None if row[6] is None else Cancel(row[6])
    return Taken(run, row[0], row[1], Overlap(row[2]), bool(row[3]), attempts, cancel)


def over(db: Db, run: str, state: RunState | None, exit_code: int, reason: str | None) -> None:
    """See :meth:`orchestrator.store.queue.Queue.over`."""
    db.execute(
        "UPDATE queue SET ended = clock_timestamp(), reason = ? WHERE run = ? AND ended IS NULL",
        (reason, run),
    )
    if state is not None:
        db.execute(
            f"UPDATE runs SET state = ?, exit_code = ?, finished = {NOW} WHERE id = ? AND state IN (?, ?, ?)",
            (
                *(state.value, exit_code, run),
                *(RunState.QUEUED.value, RunState.RUNNING.value, RunState.INTERRUPTED.value),
            ),
        )


def cancel(db: Db, run: str, how: Cancel) -> bool:
    """See :meth:`orchestrator.store.queue.Queue.cancel`."""
    row = db.execute(
        f"SELECT r.state, q.run IS NOT NULL AND q.ended IS NULL AND {_FREE_LEASE} "
        "FROM runs r LEFT JOIN queue q ON q.run = r.id WHERE r.id = ? FOR UPDATE OF r",
        (run,),
    ).fetchone()
    if row is None:
        raise UsageProblem(f"there is no run {run}")
    db.execute("UPDATE runs SET cancel_asked = TRUE, cancel = ? WHERE id = ?", (how.value, run))
    if not row[1]:
        return False
    waits = row[0] == RunState.QUEUED.value
    over(db, run, RunState.SKIPPED if waits else RunState.INTERRUPTED, 130, "it was cancelled")
    return True


class PostgresQueue:
    """Implements :class:`orchestrator.store.queue.Queue` beside a journal, whose writes its own join."""

    def __init__(self, journal: PostgresStore) -> None:
        self._journal = journal

    async def now(self) -> float:
        return float(await self._journal.read(lambda db: db.execute(f"SELECT {NOW}").fetchone()[0]))

    async def submit(self, run: RunRecord, place: Place) -> None:
        def work(db: Db) -> None:
            self._journal.insert_run(db, run, place.organization)
            put(db, run.id, run.plan, place, None, None)

        await self._journal.write(work)

    async def feed(self, most: int, free: int) -> list[Handed]:
        return await self._journal.write(lambda db: feed(db, most, free))

    async def sweep(self, free: int) -> list[Handed]:
        def work(db: Db) -> list[Handed]:
            found = db.execute(_SWEEP, (HANDED, max(0, free))).fetchall()
            return [Handed(*row) for row in sorted(found, key=lambda row: (-row[2], row[0]))]

        return await self._journal.write(work)

    async def take(self, run: str) -> Taken | None:
        return await self._journal.write(lambda db: take(db, run))

    async def later(self, run: str, wait: float, reason: str | None, *, counts: bool = False) -> None:
        def work(db: Db) -> None:
            self._journal.fence(db, run)
            db.execute(
                "UPDATE queue SET attempts = greatest(0, attempts - ?), "
                "not_before = clock_timestamp() + make_interval(secs => ?), reason = ?, "
                "handed = NULL, begun = CASE WHEN (SELECT state FROM runs WHERE id = run) = ? THEN NULL "
                "ELSE begun END WHERE run = ? AND ended IS NULL",
                (0 if counts else 1, wait, reason, RunState.QUEUED.value, run),
            )

        await self._journal.write(work)

    async def over(self, run: str, state: RunState | None, exit_code: int, reason: str | None) -> None:
        def work(db: Db) -> None:
            self._journal.fence(db, run)
            over(db, run, state, exit_code, reason)

        await self._journal.write(work)

    async def cancel(self, run: str, how: Cancel) -> bool:
        return await self._journal.write(lambda db: cancel(db, run, how))

    async def cancelled(self, runs: Collection[str]) -> dict[str, Cancel]:
        def work(db: Db) -> dict[str, Cancel]:
            sql = "SELECT id, cancel FROM runs WHERE id = ANY(?) AND cancel IS NOT NULL"
            return {run: Cancel(how) for run, how in db.execute(sql, (list(runs),))}

        return await self._journal.read(work)

    async def uncancel(self, run: str) -> None:
        sql = "UPDATE runs SET cancel_asked = FALSE, cancel = NULL WHERE id = ?"
        await self._journal.write(lambda db: db.execute(sql, (run,)).rowcount)

    async def waiting(self, most: int = 1000) -> list[Waiting]:
        def work(db: Db) -> list[Waiting]:
            return [_waiting(row) for row in db.execute(_WAITING, (most,))]

        return await self._journal.read(work)

    async def place_of(self, run: str) -> Waiting | None:
        def work(db: Db) -> Waiting | None:
            row = db.execute(f"{_PLACES} AND q.run = ?", (run,)).fetchone()
            return None if row is None else _waiting(row)

        return await self._journal.read(work)

    async def levels(self) -> list[Level]:
        return await self._journal.read(lambda db: [Level(*row) for row in db.execute(_LEVELS)])

    async def here(self, worker: Here) -> None:
        whose = None if worker.organizations is None else list(worker.organizations)
        row = (worker.name, worker.host, worker.version, worker.width, worker.free, whose)
        await self._journal.write(lambda db: db.execute(_HERE, row).rowcount)

    async def gone(self, name: str) -> None:
        await self._journal.write(
            lambda db: db.execute("DELETE FROM workers WHERE name = ?", (name,)).rowcount
        )

    async def free(self) -> int:
        sql = (
            "SELECT coalesce(sum(free), 0)::integer FROM workers "
            "WHERE seen > clock_timestamp() - make_interval(secs => ?)"
        )
        return int(await self._journal.read(lambda db: db.execute(sql, (SEEN,)).fetchone()[0]))

    async def workers(self) -> list[tuple[Here, float]]:
        sql = (
            "SELECT name, host, version, width, free, organizations, "
            "extract(epoch FROM seen)::double precision FROM workers ORDER BY name"
        )
        return await self._journal.read(lambda db: [(_worker(row), float(row[6])) for row in db.execute(sql)])


def _worker(row: Any) -> Here:  # noqa: ANN401 - what a statement gives
    whose = None if row[5] is None else tuple(row[5])
    return Here(name=row[0], host=row[1], version=row[2], width=row[3], free=row[4], organizations=whose)


def _waiting(row: Any) -> Waiting:  # noqa: ANN401 - what a statement gives
    return Waiting(
        run=row[0],
        organization=row[1],
        plan=row[2],
        priority=row[3],
        queued=row[4],
        not_before=row[5],
        expires=row[6],
        begun=row[7],
        owner=row[8],
        attempts=row[9],
        cancel=None if row[10] is None else Cancel(row[10]),
        reason=row[11],
        schedule=row[12],
    )
