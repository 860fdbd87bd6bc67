"""The statements of baselines: names of runs that later ones are compared with."""

from __future__ import annotations

from orchestrator.records import Baseline
from orchestrator.store.sql.engine import Db
from orchestrator.store.sql.rows import safe


def baselines(db: Db) -> dict[str, Baseline]:
    """Every baseline, by its name, in the order of names."""
    found = db.execute(
        "SELECT name, runs.id, note, pinned, runs.plan FROM baselines "
        "JOIN runs ON runs.n = run_n ORDER BY name"
    )
    return {row[0]: Baseline(*row) for row in found}


def pin(db: Db, name: str, run_n: int, note: str | None, at: float) -> None:
    """Name a run; a name that there is already moves to it."""
    db.execute(
        "INSERT INTO baselines (name, run_n, note, pinned) VALUES (?, ?, ?, ?) ON CONFLICT (name) "
        "DO UPDATE SET run_n = excluded.run_n, note = excluded.note, pinned = excluded.pinned",
        (safe(name), run_n, safe(note), at),
    )


def unpin(db: Db, name: str) -> bool:
    """Forget a name; whether there was one."""
    return db.execute("DELETE FROM baselines WHERE name = ?", (safe(name),)).rowcount > 0
