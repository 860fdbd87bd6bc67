"""The statements of notices: what is known of plans on channels, and what is still to be delivered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from orchestrator.model import JsonObject
from orchestrator.outbox import Draft, Known, Notice
from orchestrator.store.sql.engine import Db
from orchestrator.store.sql.rows import dump, load, safe

T = TypeVar("T")
_COLUMNS = (
    "n, plan, channel, number, event, run, at, document, tries, under_way, doubtful, sent, error, given_up"
)
_PENDING = "sent IS NULL AND given_up IS NULL"


class KeepsNotices:
    """Implements :class:`orchestrator.store.base.Outbox` with what its store reads and writes by."""

    async def _write(self, work: Callable[[Db], T]) -> T:
        raise NotImplementedError

    async def _read(self, work: Callable[[Db], T]) -> T:
        raise NotImplementedError

    async def notice_state(self, plan: str, world: str, channel: str) -> Known:
        def work(db: Db) -> Known:
            row = db.execute(
                "SELECT version, state FROM notice_states WHERE plan = ? AND world = ? AND channel = ?",
                (safe(plan), safe(world), channel),
            ).fetchone()
            return Known() if row is None else Known(row[0], load(row[1]))

        return await self._read(work)

    async def keep_notice(
        self, plan: str, world: str, channel: str, known: int, state: JsonObject, draft: Draft | None
    ) -> bool:
        place = (safe(plan), safe(world), channel)

        def work(db: Db) -> bool:
            if not _replace(db, place, known, dump(state)):
                return False
            if draft is not None:
                _insert(db, safe(plan) or "", channel, draft)
            return True

        return await self._write(work)

    async def begin_notice(self, n: int) -> None:
        def work(db: Db) -> None:
            # One that was under way, and is no more, died in the middle.
            db.execute(
                "UPDATE notices SET tries = tries + 1, under_way = 1, "
                "doubtful = CASE WHEN under_way = 1 THEN 1 ELSE doubtful END WHERE n = ?",
                (n,),
            )

        await self._write(work)

    async def end_notice(
        self, n: int, *, sent: float | None = None, error: str | None = None, doubtful: bool = False
    ) -> None:
        def work(db: Db) -> None:
            db.execute(
                "UPDATE notices SET under_way = 0, sent = ?, error = ?, "
                "doubtful = CASE WHEN ? = 1 THEN 1 ELSE doubtful END WHERE n = ?",
                (sent, safe(error), int(doubtful), n),
            )

        await self._write(work)

    async def give_up_notice(self, n: int, at: float) -> None:
        def work(db: Db) -> None:
            db.execute("UPDATE notices SET given_up = ?, under_way = 0 WHERE n = ?", (at, n))

        await self._write(work)

    async def notices(
        self,
        *,
        plan: str | None = None,
        run: str | None = None,
        channel: str | None = None,
        pending: bool = False,
        limit: int = 100,
    ) -> list[Notice]:
        wanted = {"plan": safe(plan), "run": run, "channel": channel}
        asked = {name: value for name, value in wanted.items() if value is not None}
        parts = [*(f"{name} = ?" for name in asked), *([_PENDING] if pending else [])]
        where = f"WHERE {' AND '.join(parts)} " if parts else ""
        # What is pending is wanted from the oldest on, all else from the newest.
        order = "n" if pending else "n DESC"

        def work(db: Db) -> list[Notice]:
            found = db.execute(
                f"SELECT {_COLUMNS} FROM notices {where}ORDER BY {order} LIMIT ?", (*asked.values(), limit)
            ).fetchall()
            return [_notice(row) for row in (found if pending else reversed(found))]

        return await self._read(work)


def _replace(db: Db, place: tuple[Any, ...], known: int, state: str) -> bool:
    """Whether nobody else has changed the state since it was read."""
    if known:
        changed = db.execute(
            "UPDATE notice_states SET version = version + 1, state = ? "
            "WHERE plan = ? AND world = ? AND channel = ? AND version = ?",
            (state, *place, known),
        )
    else:
        changed = db.execute(
            "INSERT INTO notice_states (plan, world, channel, version, state) VALUES (?, ?, ?, 1, ?) "
            "ON CONFLICT DO NOTHING",
            (*place, state),
        )
    return changed.rowcount == 1


def _insert(db: Db, plan: str, channel: str, draft: Draft) -> None:
    row = db.execute(
        "SELECT coalesce(max(number), 0) + 1 FROM notices WHERE plan = ? AND channel = ?", (plan, channel)
    ).fetchone()
    db.execute(
        "INSERT INTO notices (plan, channel, number, event, run, at, document) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (plan, channel, row[0], draft.event, draft.run, draft.at, dump(draft.document)),
    )


def _notice(row: Any) -> Notice:  # noqa: ANN401 - a row of either driver
    n, plan, channel, number, event, run, at, document, tries, under_way, doubtful, sent, error, gone = row
    return Notice(
        n,
        plan,
        channel,
        number,
        Draft(event, run, at, load(document)),
        tries,
        bool(doubtful) or bool(under_way),
        sent,
        error,
        gone,
    )
