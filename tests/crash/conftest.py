"""Worlds of their own for the tests here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from open_folders import open_folder_for_all
from process_world import World

MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[MakeWorld]:
    """Starts a world with these settings of the simulator (and ``speed``)."""
    with ExitStack() as stack:

        def make(**settings: Any) -> World:
            return stack.enter_context(World(tmp_path, **({"speed": 40.0} | settings)))

        yield make


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A good day."""
    return make_world()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user of the host can enter."""
    with open_folder_for_all() as folder:
        yield folder
