"""The statistics of a session, counted from what is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.events import (
    AnswersStored,
    Event,
    Opened,
    RequestAnswered,
    RequestFailed,
    RequestSent,
    Sending,
    WaitEnded,
    Waiting,
)
from orchestrator.events.verdicts import Judged, verdicts_in
from orchestrator.model import Verdict
from orchestrator.records import Requests


@dataclass(slots=True)
class Statistics:
    """Counts so far; ``waits`` are seconds. ``created`` counts re-runs too, ``errors`` lost answers too,
    ``verdicts`` the cells that were judged, by what they come to now."""

    creations: int = 0
    reruns: int = 0
    reads: int = 0
    refused_429: int = 0
    errors: int = 0
    created: int = 0
    answers: int = 0
    error_rows: int = 0
    waits: dict[Waiting, float] = field(default_factory=dict)
    verdicts: dict[Verdict, int] = field(default_factory=dict)

    @property
    def requests(self) -> Requests:
        """The counts of requests."""
        return Requests(self.creations, self.reruns, self.reads, self.refused_429, self.errors)

    def hear(self, event: Event) -> None:
        """Count what is counted."""
        match event.fact:
            case RequestSent(what):
                self._sent(what)
            case RequestAnswered(_, status):
                if status == 429:
                    self.refused_429 += 1
                elif status >= 400:
                    self.errors += 1
            case RequestFailed():
                self.errors += 1
            case AnswersStored(_, new, errors):
                self.answers += new
                self.error_rows += errors
            case Judged():
                self._judged(event.fact)
            case Opened():
                self.created += 1
            case WaitEnded(reason, seconds):
                self.waits[reason] = self.waits.get(reason, 0.0) + seconds

    def _judged(self, judged: Judged) -> None:
        for verdict, change in verdicts_in(judged).items():
            self.verdicts[verdict] = self.verdicts.get(verdict, 0) + change

    def _sent(self, what: Sending) -> None:
        if what is Sending.READ:
            self.reads += 1
        elif what is Sending.RERUN:
            self.reruns += 1
        else:
            self.creations += 1
