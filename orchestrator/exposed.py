"""Whether a file that holds a secret can be read by every user of the host."""

from __future__ import annotations

import stat
from pathlib import Path


def caution(path: Path) -> str | None:
    """What to tell its owner about a file that others can read; nothing of one that they cannot reach."""
    try:
        real = path.resolve()
        mode = real.stat().st_mode
        reached = all(folder.stat().st_mode & stat.S_IXOTH for folder in real.parents)
    except (OSError, RuntimeError):
        return None  # whoever uses it will tell
    if not (stat.S_ISREG(mode) and mode & stat.S_IROTH and reached):
        return None
    return f"every user of this host can read {path}; for you alone: chmod 600 {path}"
