"""The thread that sends: whoever hands something over never waits for it, and a process that ends neither."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from orchestrator.model import Agent, Answer
from orchestrator.records import RunRecord, TestRecord
from orchestrator.telemetry.points import Points, points_of
from orchestrator.telemetry.spans import Span

_log = logging.getLogger(__name__)

# Batches that wait at most; whoever has more keeps them.
MOST_WAITING = 32
LATE = "it took too long"


class Exports(Protocol):
    """Sends values, and says whether they were taken. ``why``: why not, also while it is tried again."""

    why: str | None

    def points(self, batch: Sequence[Points]) -> bool:
        """Send what was measured."""

    def spans(self, batch: Sequence[Span]) -> bool:
        """Send steps of runs."""

    def close(self) -> None:
        """Nothing is tried again."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A test with its answers. What is told of them is made in the thread."""

    run: RunRecord
    test: TestRecord
    agents: Mapping[str, Agent]
    answers: Sequence[Answer]


Batch: TypeAlias = "Sequence[Measured] | Sequence[Span]"


class Outlet:
    """Sends batches in their order. The thread is a daemon: a process never waits for it to end.

    ``why`` is why the last batch that was not taken was not; of the first one a warning is logged.
    """

    def __init__(self, exporter: Exports, url: str) -> None:
        self._exporter, self._url = exporter, url
        self._waiting: queue.Queue[Batch | None] = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._work, name="otlp", daemon=True)
        self._under_way: Batch = ()
        self._lost = 0
        self.why: str | None = None

    def start(self) -> None:
        """From here on it sends."""
        self._thread.start()

    def offer(self, batch: Batch | None) -> bool:
        """Hand a batch over; whether there was room for it. ``None`` is the end."""
        try:
            self._waiting.put_nowait(batch)
        except queue.Full:
            return False
        return True

    @property
    def idle(self) -> bool:
        """Whether everything that was handed over was sent, or given up."""
        return self._waiting.unfinished_tasks == 0

    @property
    def troubled(self) -> bool:
        """Whether what is being sent is not taken, or the last was not."""
        return self._exporter.why is not None

    def close(self) -> int:
        """Send no more; how many tests and spans of what was handed over were not sent."""
        lost = self._lost + len(self._under_way)
        while not self._waiting.empty():
            lost += len(self._waiting.get_nowait() or ())
        if lost:
            self._warn(self._exporter.why or self.why or LATE)
        self._exporter.close()
        self.offer(None)
        return lost

    def _warn(self, why: str | None) -> None:
        if self.why is None:
            _log.warning("OpenTelemetry: %s does not take what is sent: %s", self._url, why)
        self.why = why or self.why

    def _work(self) -> None:
        while (batch := self._waiting.get()) is not None:
            self._under_way = batch
            if not self._sent(batch):
                self._lost += len(batch)
                self._warn(self._exporter.why)
            self._under_way = ()
            self._waiting.task_done()

    def _sent(self, batch: Batch) -> bool:
        try:
            spans = [one for one in batch if isinstance(one, Span)]
            measured = [one for one in batch if isinstance(one, Measured)]
            points = [
                cell for one in measured for cell in points_of(one.run, one.test, one.agents, one.answers)
            ]
            return (not points or self._exporter.points(points)) and (
                not spans or self._exporter.spans(spans)
            )
        except Exception as error:
            # A defect of ours, or of the SDK: the run has nothing to do with it.
            self._exporter.why = f"{type(error).__name__}: {error}"
            return False
