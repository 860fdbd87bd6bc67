"""After a restore from a backup: what may have been created since is lost until somebody has looked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from builders import make_run
from click.testing import CliRunner
from stores import RUN, lent, sent, stored_run

from orchestrator.actions.restored import OWNER, restored
from orchestrator.cli import cli
from orchestrator.clock import LoopClock
from orchestrator.lifecycle import SpecState
from orchestrator.queueing.values import Place
from orchestrator.records import RunFacts, RunSettings, RunState
from orchestrator.store.opening import Opened, open_store

if TYPE_CHECKING:
    from postgres_server import PostgresServer

WAITED, SIMULATED = "65000000000000e1", "65000000000000e2"


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    yield from lent(postgres)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store as its backup had it: one run is open, another one waits, one was simulated."""
    url = str(tmp_path / "o.db") if request.param == "sqlite" else request.getfixturevalue("database")

    async def fill() -> None:
        async with open_store(url) as opened:
            await stored_run(opened.store, count=4)
            await sent(opened.store, "k0")
            await opened.store.intend(RUN, "k1", "name", 1.0)
            if opened.queue is not None:
                run = make_run(WAITED, state=RunState.QUEUED)
                await opened.queue.submit(run, Place("acme"))

    anyio.run(fill)
    return url


def told(url: str, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli, [*words, "--store", url], standalone_mode=False)
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def states(url: str) -> dict[str, str]:
    async def work() -> dict[str, str]:
        async with open_store(url) as opened:
            return {test.spec.key: test.state.value for test in await opened.store.tests(RUN)}

    return anyio.run(work)


def test_what_may_have_been_created_is_lost_and_to_be_looked_for_by_its_marker(url: str) -> None:
    before = states(url)
    would = json.loads(told(url, "store", "restored", "--dry-run", "--json"))
    assert [one["specs"] for one in would["doubtful"] if one["run"] == RUN] == [3]
    assert states(url) == before
    assert "may have been created since the backup" in told(url, "store", "restored", "--yes")
    assert states(url) == {"k0": "waiting", "k1": "unknown", "k2": "unknown", "k3": "unknown"}
    lost = json.loads(told(url, "reconcile", RUN, "--json"))
    assert len(lost["unknown"]) == 3
    assert all("[orc-" in one["name"] for one in lost["unknown"] if one["spec"] != "k1")
    assert all("restored from a backup" in one["error"] for one in lost["unknown"])
    again = json.loads(told(url, "store", "restored", "--yes", "--json"))
    assert (again["doubtful"], again["waited"], again["busy"]) == ([], [], [])


async def test_a_run_that_waited_is_begun_by_nobody(database: str) -> None:
    async with open_store(database) as opened:
        assert opened.queue is not None
        await opened.queue.submit(make_run(WAITED, state=RunState.QUEUED), Place("acme"))
        assert (await restored(opened, LoopClock(), dry_run=True)).waited == (WAITED,)
        assert (await restored(opened, LoopClock())).waited == (WAITED,)
        assert (await opened.store.run(WAITED)).state is RunState.SKIPPED
        assert await opened.queue.place_of(WAITED) is None


async def test_a_run_that_a_worker_had_just_taken_is_begun_by_nobody_either(database: str) -> None:
    async with open_store(database) as opened:
        assert opened.queue is not None
        await opened.queue.submit(make_run(WAITED, state=RunState.QUEUED), Place("acme"))
        assert await opened.queue.take(WAITED) is not None
        assert (await restored(opened, LoopClock())).waited == (WAITED,)
        assert (await opened.store.run(WAITED)).state is RunState.SKIPPED


async def test_a_run_that_a_worker_is_about_to_begin_is_told_as_going_on_until_its_claim_has_lapsed(
    database: str,
) -> None:
    async with open_store(database) as opened:
        assert opened.queue is not None
        await opened.queue.submit(make_run(WAITED, state=RunState.QUEUED), Place("acme"))
        assert await opened.queue.take(WAITED) is not None
        assert await opened.store.claim(WAITED, "worker/1")
        for dry_run in (True, False):
            found = await restored(opened, LoopClock(), dry_run=dry_run)
            assert (found.waited, found.busy) == ((), (WAITED,))
        await opened.store.let_go(WAITED)
        assert (await restored(opened, LoopClock())).waited == (WAITED,)
        assert (await opened.store.run(WAITED)).state is RunState.SKIPPED


async def test_a_run_that_ended_and_could_be_resumed_is_looked_at_too(tmp_path: Path) -> None:
    async with open_store(str(tmp_path / "o.db")) as opened:
        await stored_run(opened.store)
        await opened.store.update_run(
            RUN, state=RunState.INCOMPLETE, finished=9.0, exit_code=3, facts=RunFacts()
        )
        assert [one.run for one in (await restored(opened, LoopClock())).doubtful] == [RUN]
        assert await _planned(opened) == 0


async def test_a_run_that_somebody_goes_on_with_is_left_alone_and_so_is_a_simulated_one(
    tmp_path: Path,
) -> None:
    async with open_store(str(tmp_path / "o.db")) as opened:
        await stored_run(opened.store)
        run = make_run(SIMULATED, plan="trial", settings=RunSettings(simulated=True))
        await opened.store.create_run(run, (), (), ())
        async with opened.lease.hold("sweep", LoopClock(), wait=False, told=print):
            found = await restored(opened, LoopClock())
        assert (found.busy, found.doubtful) == ((RUN,), ())
        assert await _planned(opened) == 2
        assert [one.run for one in (await restored(opened, LoopClock())).doubtful] == [RUN]
        assert await _planned(opened) == 0


async def _planned(opened: Opened) -> int:
    return len(await opened.store.tests(RUN, (SpecState.PLANNED,)))


async def test_nobody_holds_a_run_afterwards(database: str) -> None:
    async with open_store(database) as opened:
        await stored_run(opened.store)
        await restored(opened, LoopClock())
        assert await opened.store.claim(RUN, f"not {OWNER}")
