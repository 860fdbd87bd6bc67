"""A simulated API, and workplaces that talk to it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest
from documentation import ROOT
from workplace import BIN, Workplace, serving


@pytest.fixture(scope="module")
def simulated_api() -> Iterator[str]:
    """The API on a good day."""
    with serving() as origin:
        yield origin


@pytest.fixture
def workplace_at(tmp_path: Path) -> Callable[[str], Workplace]:
    """A workplace that talks to an origin and knows how quick it is."""

    def make(origin: str) -> Workplace:
        if not (tmp_path / "plans").exists():
            shutil.copytree(ROOT / "plans", tmp_path / "plans")
            (tmp_path / ".venv").mkdir()
            (tmp_path / ".venv" / "bin").symlink_to(BIN)
        place = Workplace(tmp_path, origin)
        anyio.run(place.learn)
        return place

    return make


@pytest.fixture
def workplace(workplace_at: Callable[[str], Workplace], simulated_api: str) -> Workplace:
    """A workplace with the API on a good day."""
    return workplace_at(simulated_api)
