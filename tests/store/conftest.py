"""Every test here that asks for a store is asked of every kind of store there is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from open_folders import open_folder_for_all
from stores import KINDS, Kind, new_place

from orchestrator.budget.cell import Cell
from orchestrator.store.base import Lease, Store
from orchestrator.store.opening import Opened, open_store

MakeCell = Callable[[str], Cell]


@pytest.fixture(params=KINDS, ids=[kind.name for kind in KINDS])
def kind(request: pytest.FixtureRequest) -> Kind:
    """The kind of store that this test is asked of."""
    found: Kind = request.param
    return found


@pytest.fixture
def url(kind: Kind, request: pytest.FixtureRequest) -> Iterator[str]:
    """Where there is no run yet."""
    yield from new_place(kind, request)


@pytest.fixture
async def opened(url: str) -> AsyncIterator[Opened]:
    """A new store."""
    async with open_store(url) as opened:
        yield opened


@pytest.fixture
def store(opened: Opened) -> Store:
    """A new store: its journal and archive."""
    return opened.store


@pytest.fixture
def lease(opened: Opened) -> Lease:
    """The lease on the plans of a new store."""
    return opened.lease


@pytest.fixture(params=[kind for kind in KINDS if kind.cell is not None], ids=lambda kind: kind.name)
def make_cell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeCell]:
    """Makes the cell of a key; each is as if another process had it."""
    made: list[Cell] = []

    def make(key: str = "key") -> Cell:
        made.append(request.param.cell(tmp_path, key))
        return made[-1]

    yield make
    for cell in made:
        cell.close()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user of the host can enter."""
    with open_folder_for_all() as folder:
        yield folder
