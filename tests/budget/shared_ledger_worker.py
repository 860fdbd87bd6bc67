"""One process of the two-process test: spends as fast as its ledger allows, against a counting file.

Arguments: folder, name. Goes on until the folder has a file ``stop``. Writes a line for every
answer to ``<name>.log`` in the folder.
"""

from __future__ import annotations

import random
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.budget.readings import LimitReading, Limits
from orchestrator.budget.shared import SharedLedger
from orchestrator.store.sqlite.cell import SqliteCell

WINDOW, LIMIT, INSTANT = 6, 40, 8


def count(db: sqlite3.Connection, now: float, *, instant: bool) -> tuple[int, Limits]:
    """The server: windows aligned to their length, both counters in one transaction."""
    window = int(now // WINDOW)
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT OR IGNORE INTO used VALUES (?, 0, 0)", (window,))
    organization, instants = db.execute(
        "SELECT organization, instant FROM used WHERE window = ?", (window,)
    ).fetchone()
    refused = organization >= LIMIT or (instant and instants >= INSTANT)
    if not refused:
        organization, instants = organization + 1, instants + instant
        db.execute(
            "UPDATE used SET organization = ?, instant = ? WHERE window = ?", (organization, instants, window)
        )
    db.execute("COMMIT")
    reset = float((window + 1) * WINDOW)
    return (429 if refused else 200), Limits(
        LimitReading(LIMIT, LIMIT - organization, reset),
        LimitReading(INSTANT, INSTANT - instants, reset) if instant else None,
        float(int(now)),
        None,
    )


class Timers:
    """Calls what is due when it is looked at, as an event loop does."""

    def __init__(self) -> None:
        self._due: dict[Timer, tuple[float, Callable[[], None]]] = {}

    def later(self, seconds: float, call: Callable[[], None]) -> Timer:
        timer = Timer(self._due)
        self._due[timer] = time.monotonic() + seconds, call
        return timer

    def call(self) -> None:
        for timer, (at, call) in list(self._due.items()):
            if at <= time.monotonic():
                timer.cancel()
                call()


class Timer:
    def __init__(self, due: dict[Timer, tuple[float, Callable[[], None]]]) -> None:
        self._due = due

    def cancel(self) -> None:
        self._due.pop(self, None)


def main(folder: Path, name: str) -> None:
    rng = random.Random(name)
    timers = Timers()
    cell = SqliteCell(folder / "budget.db", "key")
    ledger = SharedLedger(cell, rng=rng, reserve=0.0, window=float(WINDOW), later=timers.later)
    server = sqlite3.connect(folder / "server.db", isolation_level=None, timeout=60)
    with (folder / f"{name}.log").open("w", buffering=1) as log:
        while not (folder / "stop").exists():
            timers.call()
            instant = rng.random() < 0.4
            permit = ledger.try_reserve(time.monotonic(), instant=instant)
            if permit is None:
                time.sleep(0.02)
                continue
            time.sleep(rng.random() * 0.02)
            status, limits = count(server, time.time(), instant=instant)
            time.sleep(rng.random() * 0.02)
            ledger.settle(permit, limits, time.monotonic(), status=status)
            log.write(f"{status} {time.monotonic()}\n")
    ledger.close()
    server.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
