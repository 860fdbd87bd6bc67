"""The kinds of store there are, for the tests that every one must pass, and runs to keep in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from builders import make_agent, make_run, make_spec, make_tests

from orchestrator.budget.cell import Cell
from orchestrator.lifecycle import SpecState
from orchestrator.model import CellResult, CellState, NotRun, Verdict
from orchestrator.store.base import Journal
from orchestrator.store.sqlite.cell import SqliteCell

if TYPE_CHECKING:
    from postgres_server import PostgresServer

RUN = "65000000deadbeef"
ENDS = (SpecState.COMPLETE, SpecState.PARTIAL, SpecState.TIMED_OUT)


# How many rows are read at once.
PAGE = "orchestrator.store.sql.archive.PAGE"
SQLITE, POSTGRES = "sqlite", "postgres"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of store. A new one is a new row in ``KINDS``, and what makes its place in ``new_place``.

    ``server``: it needs one, and its place is a database there; else its place is a folder.
    ``cell`` makes the cell of a key in a folder, for those that keep it there.
    """

    name: str
    server: bool
    cell: Callable[[Path, str], Cell] | None


KINDS: tuple[Kind, ...] = (
    Kind(SQLITE, server=False, cell=lambda folder, key: SqliteCell(folder / "store" / "budget.db", key)),
    Kind(POSTGRES, server=True, cell=None),
)


def migrated(url: str) -> None:
    """Make the tables of a database."""
    from orchestrator.store.postgres.upkeep import prepare  # noqa: PLC0415 - only where there is a server

    prepare(url)


def lent(server: PostgresServer) -> Iterator[str]:
    """The URL of an empty store in a database, for a fixture; whoever uses it has ended when the test has."""
    url = server.lend(migrated, named="store")
    yield url
    server.give_back(url, named="store")


def new_place(kind: Kind, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a store in an empty place of its own. Of a server it is one that has its tables already."""
    if kind.server:
        server: PostgresServer = request.getfixturevalue("postgres")
        yield from lent(server)
    else:
        folder: Path = request.getfixturevalue("tmp_path")
        yield f"sqlite:///{folder / 'store' / 'orchestrator.db'}"


async def stored_run(store: Journal, count: int = 2, run: str = RUN) -> None:
    """A run of so many specs of two agents each, ``k0`` and on, and one cell that was left out."""
    specs = [make_spec(f"k{n}") for n in range(count)]
    left_out = [NotRun("web", "http-server", "https://example.com", "9", "the agent is offline")]
    agents = [make_agent("1"), make_agent("2")]
    await store.create_run(make_run(run), make_tests(specs, run), left_out, agents)


async def sent(store: Journal, *keys: str, run: str = RUN) -> None:
    """Specs whose test was created; its id is the key with ``t`` before it."""
    for key in keys:
        await store.intend(run, key, f"name of {key}", 1.0)
        await store.created(run, key, f"t{key}", {}, 2.0)


async def brought_to(store: Journal, key: str, state: SpecState) -> None:
    """A planned spec, by legal moves."""
    if state is SpecState.NOT_RUN:
        await store.close_test(RUN, key, state, (), 1.0)
    elif state is not SpecState.PLANNED:
        await store.intend(RUN, key, "name", 1.0)
    if state in {SpecState.FAILED, SpecState.UNKNOWN}:
        await store.close_test(RUN, key, state, (), 2.0)
    elif state is SpecState.WAITING or state in ENDS:
        await store.created(RUN, key, "77", {}, 2.0)
    if state in ENDS:
        await store.close_test(RUN, key, state, (), 3.0)


def answered(*agents: str) -> Sequence[CellResult]:
    """The ends of cells that passed."""
    return [CellResult(agent, CellState.ANSWERED, Verdict.PASS) for agent in agents]
