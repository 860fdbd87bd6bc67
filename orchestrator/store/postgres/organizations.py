"""Organizations in PostgreSQL. See :mod:`orchestrator.store.organizations` for what the methods promise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.organizations import Organization

if TYPE_CHECKING:
    from orchestrator.store.postgres.store import PostgresStore
    from orchestrator.store.sql.engine import Db

# The table has `most_workers` too, which nothing heeds: it goes when no version that reads it is in use.
_COLUMNS = (
    "name, origin, called, account_groups, token, most_runs, answers_kept, raw_kept, "
    "runs_kept, paused, paused_reason"
)
_NOW = "extract(epoch FROM clock_timestamp())::double precision"


def _organization(row: Sequence[Any]) -> Organization:
    name, origin, called, groups, *rest = row
    return Organization(name, origin, called, tuple(json.loads(groups)), *rest)


class PostgresOrganizations:
    """Implements :class:`orchestrator.store.organizations.Organizations` beside a journal."""

    def __init__(self, journal: PostgresStore) -> None:
        self._journal = journal

    async def listed(self) -> list[Organization]:
        def work(db: Db) -> list[Organization]:
            sql = f"SELECT {_COLUMNS}, changed FROM organizations ORDER BY name"
            return [_organization(row) for row in db.execute(sql)]

        return await self._journal.read(work)

    async def get(self, name: str) -> Organization | None:
        def work(db: Db) -> Organization | None:
            sql = f"SELECT {_COLUMNS}, changed FROM organizations WHERE name = ?"
            row = db.execute(sql, (name,)).fetchone()
            return None if row is None else _organization(row)

        return await self._journal.read(work)

    async def of_run(self, run: str) -> str:
        def work(db: Db) -> str:
            row = db.execute("SELECT organization FROM runs WHERE id = ?", (run,)).fetchone()
            return "" if row is None else str(row[0])

        return await self._journal.read(work)

    async def put(self, organization: Organization) -> bool:
        one = organization
        values = (
            *(one.name, one.origin, one.called, json.dumps(one.account_groups), one.token),
            *(one.most_runs, one.answers_kept, one.raw_kept, one.runs_kept),
            *(one.paused, one.paused_reason),
        )
        names = _COLUMNS.split(", ")
        marks = ", ".join("?" * len(names))
        changes = ", ".join(f"{name} = excluded.{name}" for name in (*names[1:], "changed"))

        def work(db: Db) -> bool:
            # A row that was inserted has no older version.
            row = db.execute(
                f"INSERT INTO organizations ({_COLUMNS}, changed) VALUES ({marks}, {_NOW}) "
                f"ON CONFLICT (name) DO UPDATE SET {changes} RETURNING xmax = 0",
                values,
            ).fetchone()
            return row is not None and bool(row[0])

        return await self._journal.write(work)

    async def pause(self, name: str, reason: str | None, *, paused: bool) -> bool:
        def work(db: Db) -> bool:
            done = db.execute(
                f"UPDATE organizations SET paused = ?, paused_reason = ?, changed = {_NOW} WHERE name = ?",
                (paused, reason if paused else None, name),
            )
            return done.rowcount == 1

        return await self._journal.write(work)
