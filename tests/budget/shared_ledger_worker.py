"""One process of the two-process test: spends as fast as its ledger allows, against a counting file.

Arguments: folder, name. Goes on until the folder has a file ``stop``. Writes a line for every
answer to ``<name>.log`` in the folder.
"""

from __future__ import annotations

import random
import sqlite3
import sys
import time
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


def main(folder: Path, name: str) -> None:
    rng = random.Random(name)
    ledger = SharedLedger(SqliteCell(folder / "budget.db", "key"), rng=rng, reserve=0.0, window=float(WINDOW))
    server = sqlite3.connect(folder / "server.db", isolation_level=None, timeout=60)
    with (folder / f"{name}.log").open("w", buffering=1) as log:
        while not (folder / "stop").exists():
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
