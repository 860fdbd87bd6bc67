"""A look at a shared budget from outside: nothing is made, changed or waited for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from orchestrator.store.sqlite.host import boot_id


def peek(path: Path, key: str) -> str | None:
    """What the cell of this key holds, if somebody kept it since this host was started; ``None`` where there
    is none, or it cannot be read just now."""
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=0.05)) as db:
            row = db.execute("SELECT boot, body FROM budget WHERE key = ?", (key,)).fetchone()
    except (sqlite3.Error, OSError):
        return None
    return None if row is None or row[0] != boot_id() else str(row[1])
