"""How a request ended is stored with the next reservation: one transaction for each request, and no harm."""

from __future__ import annotations

import math
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from orchestrator.budget.cell import Turn
from orchestrator.budget.permits import Permit
from orchestrator.budget.readings import LimitReading, Limits
from orchestrator.budget.shared import FAILURES_IN_A_ROW, GATHERED, SharedLedger
from orchestrator.events import Fact, kind_of
from orchestrator.store.sqlite.cell import SqliteCell

SERVER = 1_700_000_040.0
END = SERVER + 60.0


class Timers(Protocol):
    """As in ``conftest``."""

    def later(self, seconds: float, call: Callable[[], None]) -> Timer: ...
    def over(self) -> None: ...


class Timer(Protocol):
    seconds: float
    cancelled: bool

    def cancel(self) -> None: ...


class Counting(SqliteCell):
    """Counts its transactions."""

    count = 0

    @contextmanager
    def transaction(self) -> Iterator[Turn]:
        self.count += 1
        with super().transaction() as turn:
            yield turn


Make = Callable[..., tuple[SharedLedger, Counting]]


def said(now: float, organization: int, reset: float = END) -> Limits:
    return Limits(LimitReading(240, organization, reset), None, float(math.floor(SERVER + now)), None)


def sent(ledger: SharedLedger, now: float) -> Permit:
    permit = ledger.try_reserve(now, instant=False)
    assert permit is not None
    return permit


@pytest.fixture
def events() -> list[str]:
    return []


@pytest.fixture
def make(tmp_path: Path, events: list[str], timers: Timers) -> Iterator[Make]:
    made: list[SharedLedger] = []

    def tell(fact: Fact) -> None:
        events.append(kind_of(fact))

    def make(pid: int = 1000) -> tuple[SharedLedger, Counting]:
        path = tmp_path / "budget.db"
        cell = Counting(path, "key", tell=tell, boot="boot", pid=pid, alive=lambda pid: pid != 666)
        rng = random.Random(pid)
        ledger = SharedLedger(cell, rng=rng, reserve=0.0, tell=tell, later=timers.later)
        made.append(ledger)
        return ledger, cell

    yield make
    for ledger in made:
        ledger.close()


def opened(ledger: SharedLedger, timers: Timers) -> None:
    ledger.settle(sent(ledger, 0.5), said(0.6, 239), 0.6, status=200)
    timers.over()


def test_a_request_costs_one_transaction(make: Make, timers: Timers) -> None:
    ledger, cell = make()
    opened(ledger, timers)
    cell.count = 0
    for n in range(20):
        now = 1.0 + n / 10
        permit = sent(ledger, now)
        assert ledger.view(now).organization.in_flight == 1
        ledger.settle(permit, said(now, 238 - n), now + 0.01, status=200)
        view = ledger.view(now + 0.02).organization
        assert (view.in_flight, view.free) == (0, 238 - n), "what has ended is known here at once"
    assert cell.count == 20


def test_the_end_of_a_request_waits_no_longer_than_it_may(make: Make, timers: Timers) -> None:
    (one, _), (other, _) = make(1), make(2)
    opened(one, timers)
    one.settle(sent(one, 1.0), said(1.1, 100), 1.1, status=200)
    assert other.view(1.2).organization.free == 238, "for others it is in flight yet"
    timers.over()
    assert other.view(1.3).organization.free == 100
    assert GATHERED <= 0.05


def test_who_is_killed_before_the_end_is_stored_leaves_a_debt_and_no_free_token(
    make: Make, timers: Timers
) -> None:
    (dead, _), (other, _) = make(666), make(2)
    opened(dead, timers)
    dead.settle(sent(dead, 1.0), said(1.1, 238), 1.1, status=200)
    assert other.view(2.0).organization.free == 238
    assert other.try_reserve(2.0, instant=False) is not None
    assert other.view(2.0).organization.free == 237, "the request of the dead one was counted or may yet be"


def test_a_change_is_told_and_counted_once_however_often_it_is_made(
    make: Make, timers: Timers, events: list[str]
) -> None:
    (one, _), (other, _) = make(1), make(2)
    opened(one, timers)
    old = sent(one, 60.0)
    events.clear()
    one.settle(old, said(62.0, 0, END + 60.0), 62.0, status=429)
    assert one.view(62.0).organization.remaining == 0
    assert other.try_reserve(62.0, instant=False) is not None, "it has changed the cell, as it may: a probe"
    assert one.view(62.5).organization.remaining == 0
    timers.over()
    assert one.refused().organization == 1
    assert events.count("budget.refused") == 1


def test_a_busy_file_loses_no_end(make: Make, timers: Timers, tmp_path: Path) -> None:
    ledger, _ = make()
    opened(ledger, timers)
    permit = sent(ledger, 1.0)
    blocker = sqlite3.connect(tmp_path / "budget.db", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    ledger.settle(permit, said(1.1, 100), 1.1, status=429)
    timers.over()
    blocker.execute("COMMIT")
    blocker.close()
    timers.over()
    other, _ = make(2)
    assert other.view(1.2).organization.remaining == 0
    assert other.view(1.2).organization.in_flight == 0
    assert ledger.refused().organization == 1


def test_who_goes_on_alone_takes_along_what_was_not_stored(
    make: Make, timers: Timers, tmp_path: Path, events: list[str]
) -> None:
    ledger, _ = make()
    opened(ledger, timers)
    permit = sent(ledger, 1.0)
    blocker = sqlite3.connect(tmp_path / "budget.db", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    ledger.settle(permit, said(1.1, 0), 1.1, status=429)
    for _ in range(FAILURES_IN_A_ROW):
        timers.over()
    blocker.execute("COMMIT")
    blocker.close()
    assert not ledger.shared
    assert ledger.refused().organization == 1
    assert events.count("budget.refused") == 1
    assert ledger.view(1.3).organization.remaining == 0


def test_who_leaves_stores_what_was_late(make: Make, timers: Timers) -> None:
    (one, _), (other, _) = make(1), make(2)
    opened(one, timers)
    one.settle(sent(one, 1.0), said(1.1, 100), 1.1, status=200)
    one.close()
    timers.over()
    assert other.view(1.2).organization.free == 100
