"""What keeps the public snapshots of tests. Every store implements it, as it does :mod:`.base`."""

from __future__ import annotations

from typing import Protocol

from orchestrator.records import SnapshotState


class Shared(Protocol):
    """The vendor's public snapshots of a run's tests: of each test one at most, whoever is killed when."""

    async def intend_snapshot(
        self, run: str, key: str, test_id: str, at: float, *, again: bool = False
    ) -> bool:
        """A snapshot of a spec's test is about to be asked for: durable before that leaves.

        False, and nothing is written, where the spec has one that was made or may have been, unless one is
        wanted ``again``.
        """

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
        """What came of it; ``sent`` where that is not known."""

    async def snapshot_times(self, origin: str, since: float) -> list[float]:
        """When snapshots were sent to an origin that were made or may have been, oldest first."""
