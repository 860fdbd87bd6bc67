"""Schedules in PostgreSQL. See :mod:`orchestrator.store.queue` for what the methods promise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.queueing.slots import CatchUp, Due, Overlap, due
from orchestrator.queueing.values import Place, Schedule, Scheduled
from orchestrator.records import RunState
from orchestrator.store.postgres.queue import NOW, over, put
from orchestrator.store.queue import Fired, MakeRun

if TYPE_CHECKING:
    from orchestrator.store.postgres.store import PostgresStore
    from orchestrator.store.sql.engine import Db

_COLUMNS = (
    "organization, name, plan, bundle, cron, timezone, jitter, overlap, catch_up, within, priority, expires, "
    "paused"
)
_TIMING = ("cron", "timezone", "jitter")
# So many schedules in one transaction; the others a moment later.
BATCH = 50
# A host may lack a zone that another one has: look again after so many seconds.
UNKNOWN_ZONE = 600.0
SKIPPED = "an earlier run of the plan was not over"


def _row(schedule: Schedule) -> tuple[Any, ...]:
    one = schedule
    return (
        *(one.organization, one.name, one.plan, one.bundle, one.cron, one.timezone, one.jitter),
        *(one.overlap.value, one.catch_up.value, one.within, one.priority, one.expires, one.paused),
    )


def _schedule(row: Sequence[Any]) -> Schedule:
    return Schedule(
        organization=row[0],
        name=row[1],
        plan=row[2],
        bundle=row[3],
        cron=row[4],
        timezone=row[5],
        jitter=row[6],
        overlap=Overlap(row[7]),
        catch_up=CatchUp(row[8]),
        within=row[9],
        priority=row[10],
        expires=row[11],
        paused=row[12],
    )


def _apply(db: Db, schedule: Schedule, now: float) -> str:
    found = db.execute(
        f"SELECT {_COLUMNS}, last_slot FROM schedules WHERE organization = ? AND name = ? FOR UPDATE",
        (schedule.organization, schedule.name),
    ).fetchone()
    known = None if found is None else _schedule(found)
    if known == schedule:
        return "same"
    # What lies before a schedule was written, or before its times were changed, is not made up for.
    keeps = known is not None and all(getattr(known, one) == getattr(schedule, one) for one in _TIMING)
    last = found[-1] if keeps else now
    values = (*_row(schedule), last, due(schedule.timing, last, last).next_at)
    if known is None:
        db.execute(
            f"INSERT INTO schedules ({_COLUMNS}, last_slot, next_at) VALUES ({', '.join('?' * len(values))})",
            values,
        )
        return "new"
    names = [*_COLUMNS.split(", "), "last_slot", "next_at"]
    db.execute(
        f"UPDATE schedules SET {', '.join(f'{name} = ?' for name in names)} "
        "WHERE organization = ? AND name = ?",
        (*values, schedule.organization, schedule.name),
    )
    return "changed"


class PostgresSchedules:
    """Implements :class:`orchestrator.store.queue.Schedules` beside a journal, whose writes its own join."""

    def __init__(self, journal: PostgresStore) -> None:
        self._journal = journal

    async def apply(self, schedules: Sequence[Schedule]) -> list[str]:
        def work(db: Db) -> list[str]:
            now = _now(db)
            return [_apply(db, one, now) for one in schedules]

        return await self._journal.write(work)

    async def listed(self, organization: str | None = None) -> list[Scheduled]:
        def work(db: Db) -> list[Scheduled]:
            where, values = ("WHERE organization = ?", (organization,)) if organization else ("", ())
            sql = (
                f"SELECT {_COLUMNS}, next_at, last_slot, (SELECT run FROM queue WHERE schedule = schedules.n "
                f"ORDER BY slot DESC LIMIT 1) FROM schedules {where} ORDER BY organization, name"
            )
            return [Scheduled(_schedule(row), *row[13:]) for row in db.execute(sql, values)]

        return await self._journal.read(work)

    async def pause(self, organization: str, name: str, *, paused: bool) -> bool:
        def work(db: Db) -> bool:
            # What was missed while it rested was meant to be.
            done = db.execute(
                f"UPDATE schedules SET last_slot = CASE WHEN paused AND NOT ? THEN {NOW} ELSE last_slot END, "
                "next_at = CASE WHEN paused AND NOT ? THEN 0 ELSE next_at END, paused = ? "
                "WHERE organization = ? AND name = ?",
                (paused, paused, paused, organization, name),
            )
            return done.rowcount == 1

        return await self._journal.write(work)

    async def remove(self, organization: str, name: str) -> bool:
        def work(db: Db) -> bool:
            sql = "DELETE FROM schedules WHERE organization = ? AND name = ?"
            return db.execute(sql, (organization, name)).rowcount == 1

        return await self._journal.write(work)

    async def tick(self, make: MakeRun) -> list[Fired]:
        def work(db: Db) -> list[Fired]:
            rows = db.execute(
                f"SELECT {_COLUMNS}, n, last_slot, next_at FROM schedules "
                f"WHERE NOT paused AND next_at <= {NOW} ORDER BY next_at LIMIT ? FOR UPDATE SKIP LOCKED",
                (BATCH,),
            ).fetchall()
            return [fired for row in rows if (fired := self._fire(db, row, make)) is not None]

        return await self._journal.write(work)

    def _fire(self, db: Db, row: Sequence[Any], make: MakeRun) -> Fired | None:
        schedule, number, last, next_at = _schedule(row), row[13], row[14], row[15]
        now = _now(db)
        try:
            found = due(schedule.timing, last, now)
        except ValueError:  # a zone that this host does not know: another one's may
            db.execute("UPDATE schedules SET next_at = ? WHERE n = ?", (now + UNKNOWN_ZONE, number))
            return None
        runs, skipped = self._put(db, schedule, number, found, now, make)
        db.execute(
            "UPDATE schedules SET last_slot = ?, next_at = ? WHERE n = ?", (found.last, found.next_at, number)
        )
        if not (runs or skipped or found.missed):
            return None
        return Fired(
            schedule, tuple(runs), skipped, found.missed, max(0.0, now - next_at) if next_at else 0.0
        )

    def _put(
        self, db: Db, schedule: Schedule, number: int, found: Due, now: float, make: MakeRun
    ) -> tuple[list[str], int]:
        runs, skipped = [], 0
        for slot in found.slots:
            busy = schedule.overlap is Overlap.SKIP and _busy(db, schedule)
            run = make(schedule, now)
            if db.execute("SELECT 1 FROM queue WHERE schedule = ? AND slot = ?", (number, slot)).fetchone():
                continue  # the row was changed by hand, or restored: it has fired
            self._journal.insert_run(db, run, schedule.organization)
            expires = schedule.expires
            ends = None if expires is None else slot + schedule.timing.shift + expires
            place = Place(schedule.organization, schedule.priority, None, ends, schedule.overlap)
            put(db, run.id, run.plan, place, number, slot)
            if busy:
                over(db, run.id, RunState.SKIPPED, 5, SKIPPED)
                skipped += 1
            else:
                runs.append(run.id)
        return runs, skipped


def _busy(db: Db, schedule: Schedule) -> bool:
    """Whether a run of the plan, from wherever, is not over."""
    sql = "SELECT 1 FROM queue WHERE organization = ? AND plan = ? AND ended IS NULL LIMIT 1"
    return db.execute(sql, (schedule.organization, schedule.plan)).fetchone() is not None


def _now(db: Db) -> float:
    return float(db.execute(f"SELECT {NOW}").fetchone()[0])
