"""Both kinds of ledger, for the tests that every ledger must pass."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.budget.ledger import LocalLedger
from orchestrator.budget.permits import Ledger
from orchestrator.budget.shared import SharedLedger
from orchestrator.events import Tell, untold
from orchestrator.store.sqlite.cell import SqliteCell

MakeLedger = Callable[..., Ledger]


@pytest.fixture(params=["local", "shared"])
def make_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeLedger]:
    made: list[Ledger] = []

    def make(*, reserve: float = 0.0, tell: Tell = untold) -> Ledger:
        rng = random.Random(1)
        ledger: Ledger
        if request.param == "local":
            ledger = LocalLedger(rng=rng, reserve=reserve, tell=tell)
        else:
            ledger = SharedLedger(
                SqliteCell(tmp_path / "budget.db", "key"), rng=rng, reserve=reserve, tell=tell
            )
        made.append(ledger)
        return ledger

    yield make
    for ledger in made:
        ledger.close()
