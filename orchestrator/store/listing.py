"""What pages ask of a store: runs by plan, state and world, page by page; what they came to, by target and
agent.

Nothing here decodes an answer. Every store implements it; a page is asked for often, so each question is one
short read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from orchestrator.catalogue import Outcome, PlanSeen, Queued, ScheduleSeen, Which
from orchestrator.records import RunRecord


class Listing(Protocol):
    """What is read for pages. Where there is nothing of what is asked for the answer is empty."""

    async def runs_page(self, which: Which, before: str | None, most: int) -> list[RunRecord]:
        """At most so many runs, newest first, of those stored before the run of that id (exactly)."""

    async def plans(self) -> list[PlanSeen]:
        """Every plan, by name."""

    async def worlds(self) -> list[tuple[str, str | None]]:
        """Every world (:attr:`RunRecord.world`) that a run talked to."""

    async def organizations(self) -> list[str]:
        """Every organization that runs are kept under, by name; none where a store serves one host."""

    async def outcomes(self, runs: Sequence[str]) -> list[Outcome]:
        """What each of these runs came to; a run that is not there has no cells."""


class Agenda(Protocol):
    """What a store that serves several hosts knows of the time to come."""

    async def schedules(self) -> list[ScheduleSeen]:
        """Every schedule, by name."""

    async def queue(self, most: int) -> list[Queued]:
        """The runs that wait or are carried out, in the order in which they are served."""
