"""What of a shared store may be taken away: nothing that somebody carries out, and only by whoever may."""

from __future__ import annotations

from collections.abc import Iterator

import anyio
import anyio.lowlevel
import psycopg
import pytest
from builders import make_run
from documentation import ROOT
from kept_runs import ended_run
from postgres_server import PostgresServer
from stores import lent

from orchestrator.errors import StoreProblem
from orchestrator.queueing.values import Place
from orchestrator.records import RunFacts, RunState
from orchestrator.store.opening import Opened, migrate_store, open_store

RUN = "aa01"
OVER = "UPDATE orchestrator.runs SET leased_until = clock_timestamp() - interval '1 s' WHERE id = %s"

TAKEN = "UPDATE orchestrator.runs SET leased_until = clock_timestamp() + interval '1 h' WHERE id = %s"
WAITING = "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%thinning%' AND wait_event_type = 'Lock'"


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    yield from lent(postgres)


async def cleared(opened: Opened) -> None:
    while await opened.store.clear():
        pass


async def queued_and_ended(opened: Opened) -> None:
    """A run that came through the queue, has ended, and is still its worker's to take off."""
    assert opened.queue is not None
    await opened.queue.submit(make_run(RUN, state=RunState.QUEUED), Place("acme"))
    assert await opened.store.claim(RUN, "w/1")
    assert await opened.queue.take(RUN) is not None
    await opened.store.update_run(RUN, state=RunState.COMPLETE, finished=4.0, exit_code=0, facts=RunFacts())


async def test_a_run_that_came_through_the_queue_can_be_taken_away(url: str) -> None:
    async with open_store(url) as opened:
        assert opened.queue is not None
        await queued_and_ended(opened)
        await opened.queue.over(RUN, None, 0, None)
        await opened.store.let_go(RUN)
        assert await opened.store.condemn([RUN]) == [RUN]
        await cleared(opened)
        assert await opened.store.outlines() == []
    with psycopg.connect(url) as db:
        assert db.execute("SELECT run FROM orchestrator.queue").fetchall() == []


async def test_a_run_that_a_worker_has_still_to_take_off_the_queue_stays(url: str) -> None:
    async with open_store(url) as opened:
        await queued_and_ended(opened)
        await opened.store.let_go(RUN)
        assert await opened.store.condemn([RUN]) == []


async def test_a_run_that_somebody_carries_out_stays_until_that_has_ended(url: str) -> None:
    async with open_store(url) as holder, open_store(url) as other:
        await ended_run(holder.store, RUN, state=RunState.INCOMPLETE, exit_code=3)
        assert await holder.store.claim(RUN, "resumes it")
        assert await other.store.condemn([RUN]) == []
        assert await other.store.thin(RUN, 9.0) is None
        assert (await other.store.run(RUN)).raw_pruned is None
        assert await holder.store.renew([RUN]) == {RUN: False}
        with psycopg.connect(url) as db:
            db.execute(OVER, (RUN,))
        assert await other.store.condemn([RUN]) == [RUN]


async def test_answers_stay_of_a_run_that_somebody_takes_up_while_they_are_chosen_to_go(
    url: str, postgres: PostgresServer
) -> None:
    async with open_store(url) as opened, anyio.create_task_group() as tasks:
        await ended_run(opened.store, RUN, state=RunState.INCOMPLETE, exit_code=3)
        assert await opened.store.forget_answers([RUN], 9.0) == [RUN]
        with psycopg.connect(url) as other:
            other.execute(TAKEN, (RUN,))
            tasks.start_soon(cleared, opened)
            while not postgres.execute(WAITING):
                await anyio.lowlevel.checkpoint()
        # Committed: what waited for it looks again.
    async with open_store(url) as opened:
        assert len([row async for row in opened.store.results(RUN)]) == 8


async def test_who_may_delete_nothing_condemns_nothing_and_is_told(postgres: PostgresServer) -> None:
    url = postgres.create()
    with psycopg.connect(url) as db:
        db.execute((ROOT / "docs" / "deploy" / "roles.sql").read_bytes())
    await migrate_store(url.replace("postgres@", "orchestrator_owner@", 1))
    async with open_store(url.replace("postgres@", "orchestrator_worker@", 1)) as opened:
        await ended_run(opened.store, RUN)
        assert await opened.store.condemn([]) == []
        with pytest.raises(StoreProblem, match="may take no runs away") as caught:
            await opened.store.condemn([RUN])
        assert "store prune" in str(caught.value.hint)
        assert [one.id for one in await opened.store.outlines()] == [RUN]
    async with open_store(url.replace("postgres@", "orchestrator_owner@", 1)) as owner:
        assert await owner.store.condemn([RUN]) == [RUN]
        await cleared(owner)
        assert await owner.store.outlines() == []
    postgres.drop(url)
