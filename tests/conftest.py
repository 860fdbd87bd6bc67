"""For every test: nothing depends on how busy the machine is, so no made-up example has a time limit; nor on
which modules another test has loaded, which hypothesis looks through for numbers to try.

Objects that were collected stay, 100,000 of them: the garbage collector comes by less often.

A test that asks for a ``database`` gets an empty one, on a PostgreSQL server that its process has started.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

if TYPE_CHECKING:
    from postgres_server import PostgresServer

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")

# Nor does anything depend on what a developer's own file of configuration says.
os.environ["ORCHESTRATOR_CONFIG"] = os.devnull

# There is no setting for it. Without it a repeatable test (``derandomize``) tries other examples in each
# worker of a run.
vars(providers)["_get_local_constants"] = vars(providers)["Constants"]


# Objects that are made between two looks for cycles; Python's own is 700.
gc.set_threshold(20_000, 10, 10)


def pytest_collection_finish() -> None:
    """What was collected stays until the end."""
    gc.freeze()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests of this process; they are skipped where there is none."""
    from postgres_server import NO_SERVER, binaries, serving  # noqa: PLC0415 - most tests need none

    if binaries() is None:
        pytest.skip(NO_SERVER)
    with serving() as server:
        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """The URL of an empty database that is gone after the test."""
    url = postgres.create()
    yield url
    postgres.drop(url)
