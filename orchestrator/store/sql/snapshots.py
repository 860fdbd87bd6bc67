"""The statements of public snapshots: one of each test, written before it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from orchestrator.records import PublicSnapshot, SnapshotState
from orchestrator.store.sql.engine import Db
from orchestrator.store.sql.rows import safe

T = TypeVar("T")
# As they are kept, and copied from store to store.
COLUMNS = "test_id, state, at, id, link, error"


class KeepsSnapshots:
    """Implements :class:`orchestrator.store.snapshots.Shared` with what its store reads and writes by."""

    async def _write(self, work: Callable[[Db], T]) -> T:
        raise NotImplementedError

    async def _read(self, work: Callable[[Db], T]) -> T:
        raise NotImplementedError

    def _spec(self, db: Db, run: str, key: str) -> tuple[int, int]:
        raise NotImplementedError

    async def intend_snapshot(
        self, run: str, key: str, test_id: str, at: float, *, again: bool = False
    ) -> bool:
        def work(db: Db) -> bool:
            spec_n, _ = self._spec(db, run, key)
            # Of two at once one finds the other's row: the key is the spec.
            free = "" if again else f"WHERE snapshots.state = '{SnapshotState.REFUSED}'"
            written = db.execute(
                "INSERT INTO snapshots (spec_n, test_id, state, at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (spec_n) DO UPDATE SET test_id = excluded.test_id, state = excluded.state, "
                f"at = excluded.at, id = NULL, link = NULL, error = NULL {free}",
                (spec_n, test_id, SnapshotState.SENT.value, at),
            )
            return written.rowcount == 1

        return await self._write(work)

    async def end_snapshot(
        self,
        run: str,
        key: str,
        state: SnapshotState,
        at: float,
        *,
        snapshot_id: str | None = None,
        link: str | None = None,
        error: str | None = None,
    ) -> None:
        def work(db: Db) -> None:
            spec_n, _ = self._spec(db, run, key)
            db.execute(
                "UPDATE snapshots SET state = ?, at = ?, id = ?, link = ?, error = ? WHERE spec_n = ?",
                (state.value, at, safe(snapshot_id), safe(link), safe(error), spec_n),
            )

        await self._write(work)

    async def snapshots(self, run: str) -> list[PublicSnapshot]:
        def work(db: Db) -> list[PublicSnapshot]:
            found = db.execute(
                "SELECT specs.key, specs.test, specs.target, snapshots.test_id, snapshots.state, "
                "snapshots.at, snapshots.id, snapshots.link, snapshots.error FROM snapshots "
                "JOIN specs ON specs.n = snapshots.spec_n JOIN runs ON runs.n = specs.run_n "
                "WHERE runs.id = ? ORDER BY specs.position",
                (run,),
            )
            return [_snapshot(row) for row in found]

        return await self._read(work)

    async def snapshot_times(self, origin: str, since: float) -> list[float]:
        def work(db: Db) -> list[float]:
            found = db.execute(
                "SELECT snapshots.at FROM snapshots JOIN specs ON specs.n = snapshots.spec_n "
                "JOIN runs ON runs.n = specs.run_n "
                "WHERE snapshots.at >= ? AND snapshots.state <> ? AND runs.origin = ? ORDER BY snapshots.at",
                (since, SnapshotState.REFUSED.value, origin),
            )
            return [float(row[0]) for row in found]

        return await self._read(work)


def _snapshot(row: Any) -> PublicSnapshot:  # noqa: ANN401 - a row of either driver
    spec, test, target, test_id, state, at, snapshot_id, link, error = row
    return PublicSnapshot(spec, test, target, test_id, SnapshotState(state), at, snapshot_id, link, error)
