"""Both kinds of ledger, for the tests that every ledger must pass."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.budget.ledger import LocalLedger
from orchestrator.budget.permits import Ledger
from orchestrator.budget.shared import SharedLedger
from orchestrator.events import Tell, untold
from orchestrator.store.sqlite.cell import SqliteCell

MakeLedger = Callable[..., Ledger]


class Timers:
    """Calls what was asked for when the test says that the time is over."""

    def __init__(self) -> None:
        self.waiting: list[Timed] = []

    def later(self, seconds: float, call: Callable[[], None]) -> Timed:
        timed = Timed(seconds, call)
        self.waiting.append(timed)
        return timed

    def over(self) -> None:
        due, self.waiting = self.waiting, []
        for timed in due:
            if not timed.cancelled:
                timed.call()


@dataclass
class Timed:
    seconds: float
    call: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@pytest.fixture
def timers() -> Timers:
    return Timers()


@pytest.fixture(params=["local", "shared", "gathered"])
def make_ledger(request: pytest.FixtureRequest, tmp_path: Path, timers: Timers) -> Iterator[MakeLedger]:
    made: list[Ledger] = []

    def make(*, reserve: float = 0.0, tell: Tell = untold) -> Ledger:
        rng = random.Random(1)
        ledger: Ledger
        if request.param == "local":
            ledger = LocalLedger(rng=rng, reserve=reserve, tell=tell)
        else:
            later = timers.later if request.param == "gathered" else None
            cell = SqliteCell(tmp_path / "budget.db", "key")
            ledger = SharedLedger(cell, rng=rng, reserve=reserve, tell=tell, later=later)
        made.append(ledger)
        return ledger

    yield make
    for ledger in made:
        ledger.close()
