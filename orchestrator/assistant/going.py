"""A run that a call began: it may outlive the call, and ends in an orderly way when it is stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio

from orchestrator.actions.run import Attendance
from orchestrator.errors import Exit
from orchestrator.events import Standing
from orchestrator.listeners.progress import ProgressListener
from orchestrator.records import RunRecord
from orchestrator.report.headline import many


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: ``done`` of ``total`` steps (creations, ends of tests, verdicts), in one sentence."""

    done: int
    total: int
    words: str


@dataclass(slots=True)
class Going:
    """One run. ``run`` is known once it is stored; ``problem`` is what made it impossible."""

    run: str | None = None
    progress: Progress | None = None
    problem: Exception | None = None
    over: anyio.Event = field(default_factory=anyio.Event)
    _news: anyio.Event = field(default_factory=anyio.Event)
    _first: anyio.Event = field(default_factory=anyio.Event)
    _second: anyio.Event = field(default_factory=anyio.Event)

    def stop(self) -> None:
        """Create nothing more, and collect what is paid for."""
        self._first.set()

    def leave(self) -> None:
        """Leave at once; a resume goes on."""
        self._first.set()
        self._second.set()

    def end(self) -> None:
        """It is over."""
        self.over.set()
        self._news.set()

    async def news(self, patience: float) -> None:
        """Until something is new, ``patience`` seconds at most."""
        with anyio.move_on_after(patience):
            await self._news.wait()
        if not self.over.is_set():
            self._news = anyio.Event()

    @contextmanager
    def attend(self, run: RunRecord) -> Iterator[Attendance]:
        """Implements :data:`orchestrator.actions.run.Attend`."""
        self.run = run.id
        self._news.set()
        yield Attendance(listeners=[ProgressListener(self._stands)], stops=self._stops())

    def _stands(self, standing: Standing) -> None:
        bad = standing.failing + standing.partial + standing.no_answer
        words = (
            f"{standing.closed} of {many(standing.planned, 'test')} ended, {standing.open} open; "
            f"{standing.passing + standing.warning} of {many(standing.cells, 'cell')} pass, {bad} do not"
        )
        judged = bad + standing.passing + standing.warning + standing.not_run
        done = standing.created + standing.closed + judged
        self.progress = Progress(done, 2 * standing.planned + standing.cells, words)
        self._news.set()

    async def _stops(self) -> AsyncIterator[Exit]:
        await self._first.wait()
        yield Exit.SIGINT
        await self._second.wait()
        yield Exit.SIGINT
