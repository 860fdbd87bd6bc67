"""A folder that every user of the host can enter; those of pytest are for one user."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def open_folder_for_all() -> Iterator[Path]:
    """Skips where the system's folder for temporary files is private."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        if not all(above.stat().st_mode & stat.S_IXOTH for above in folder.parents):
            pytest.skip("temporary files of this user are out of the reach of others")
        folder.chmod(0o755)
        yield folder
