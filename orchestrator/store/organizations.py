"""The organizations of a store that several hosts share, as an interface."""

from __future__ import annotations

from typing import Protocol

from orchestrator.organizations import Organization


class Organizations(Protocol):
    """Every method raises :class:`orchestrator.errors.StoreProblem` where the store cannot keep its word."""

    async def listed(self) -> list[Organization]:
        """All of them, in the order of their names."""

    async def get(self, name: str) -> Organization | None:
        """The one of this name."""

    async def of_run(self, run: str) -> str:
        """The name of the one that a run (its whole id) is kept under; empty for none."""

    async def put(self, organization: Organization) -> bool:
        """Write one, ``changed`` now by the store's clock; whether there was none of this name before."""

    async def pause(self, name: str, reason: str | None, *, paused: bool) -> bool:
        """Let it rest, or go on; whether there is one of this name."""
