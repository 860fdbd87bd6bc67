"""A store that several hosts share, with its queue and its schedules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest
from stores import lent

from orchestrator.store.opening import Opened, open_store

if TYPE_CHECKING:
    from postgres_server import PostgresServer


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    """A database that has its tables."""
    yield from lent(postgres)


@pytest.fixture
async def opened(url: str) -> AsyncIterator[Opened]:
    """The store, opened."""
    async with open_store(url) as found:
        yield found
