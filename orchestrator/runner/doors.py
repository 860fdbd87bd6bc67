"""What a run is given from outside: its doors, its pace, and a word to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from orchestrator.budget.permits import Ledger
from orchestrator.clock import Clock
from orchestrator.errors import Exit
from orchestrator.listeners.telling import Telling
from orchestrator.runner.pacer import Gaps
from orchestrator.runner.wire import Wire
from orchestrator.store.base import Store


@dataclass(frozen=True, slots=True)
class Doors:
    """What a run needs of the outside, and who hears of it."""

    store: Store
    wire: Wire
    ledger: Ledger
    clock: Clock
    rng: Random
    telling: Telling


@dataclass(frozen=True, slots=True)
class Pacing:
    """How fast to send at most. ``speed`` is the clock's, for the pacers, which follow the event loop."""

    gaps: Gaps = field(default_factory=Gaps)
    speed: float = 1.0


def _nobody() -> None:
    """Nobody waits for the word yet."""


def never() -> bool:
    """Nobody else may have taken the run over unnoticed."""
    return False


class Interruption:
    """A word to create no more and to leave soon. It may be given at any time, also before the run begins.

    ``lapsed`` says whether the run may be another process's by now, because this host was suspended.
    """

    def __init__(self, lapsed: Callable[[], bool] = never) -> None:
        self.lapsed = lapsed
        self.code: Exit | None = None
        self.grace = 0.0
        self.lost: str | None = None
        self._wake: Callable[[], None] = _nobody

    def give(self, code: Exit, grace: float) -> None:
        """Collect what is paid for during ``grace`` seconds, then leave with ``code``."""
        self.code, self.grace = code, grace
        self._wake()

    def lose(self, why: str) -> None:
        """Send nothing more: the run is another process's."""
        self.lost = why
        self._wake()

    def wakes(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` when the word is given."""
        self._wake = wake
