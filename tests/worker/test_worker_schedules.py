"""Schedules in PostgreSQL: a slot fires once, whoever looks; skip, queue, catch-up, rest."""

from __future__ import annotations

from itertools import count

import anyio
import psycopg
import pytest
from builders import make_run

from orchestrator.queueing.slots import CatchUp, Overlap
from orchestrator.queueing.values import Schedule
from orchestrator.records import RunRecord, RunState
from orchestrator.store.opening import Opened, open_store
from orchestrator.store.queue import Fired, Schedules

NUMBERS = count()


def schedule(name: str = "sweep", **changes: object) -> Schedule:
    values = {"organization": "acme", "plan": "sweep", "bundle": "{}", "cron": "0 * * * *"}
    return Schedule(name=name, **(values | changes))  # type: ignore[arg-type] # as the dataclass wants them


def make(one: Schedule, now: float) -> RunRecord:
    return make_run(f"r{next(NUMBERS)}", plan=one.plan, started=now, state=RunState.QUEUED)


def of(opened: Opened) -> Schedules:
    assert opened.schedules is not None
    return opened.schedules


def set_back(url: str, hours: float) -> None:
    """As if so much time had passed without anybody looking."""
    sql = "UPDATE orchestrator.schedules SET last_slot = last_slot - %s, next_at = next_at - %s"
    with psycopg.connect(url) as db:
        db.execute(sql, (hours * 3600, hours * 3600))


async def ticked(opened: Opened) -> list[Fired]:
    return await of(opened).tick(make)


async def test_what_lies_before_a_schedule_was_written_does_not_fire(opened: Opened) -> None:
    assert await of(opened).apply([schedule()]) == ["new"]
    assert await ticked(opened) == []


async def test_a_slot_fires_once_with_three_that_look(url: str) -> None:
    async with open_store(url) as one, open_store(url) as two, open_store(url) as three:
        await of(one).apply([schedule(f"s{n}", catch_up=CatchUp.ALL) for n in range(5)])
        set_back(url, 3)
        fired: list[Fired] = []

        async def look(opened: Opened) -> None:
            for _ in range(3):
                fired.extend(await ticked(opened))

        async with anyio.create_task_group() as tasks:
            for opened in (one, two, three):
                tasks.start_soon(look, opened)
        assert sum(len(found.runs) for found in fired) == 15
        with psycopg.connect(url) as db:
            found = db.execute("SELECT count(*), count(DISTINCT (schedule, slot)) FROM orchestrator.queue")
            assert found.fetchone() == (15, 15)


@pytest.mark.parametrize(
    ("catch_up", "runs", "missed"), [(CatchUp.LATEST, 1, 2), (CatchUp.ALL, 3, 0), (CatchUp.NONE, 0, 1)]
)
async def test_what_was_missed_is_made_up_for_as_it_is_wished(
    opened: Opened, url: str, catch_up: CatchUp, runs: int, missed: int
) -> None:
    await of(opened).apply([schedule(catch_up=catch_up, cron="0 * * * *")])
    set_back(url, 3)
    with psycopg.connect(url) as db:  # at half past, so that nothing is on time
        late = (
            "UPDATE orchestrator.schedules SET cron = to_char(now() - interval '30 min', 'MI') || ' * * * *'"
        )
        db.execute(late)
    (fired,) = await ticked(opened)
    assert (len(fired.runs), fired.missed) == (runs, missed)


async def test_a_slot_that_meets_an_earlier_run_is_skipped_or_waits(opened: Opened, url: str) -> None:
    await of(opened).apply([schedule("skips", overlap=Overlap.SKIP), schedule("waits", plan="other")])
    set_back(url, 1)
    await ticked(opened)
    set_back(url, 1)
    with psycopg.connect(url) as db:  # the same slots once more would not fire
        db.execute("UPDATE orchestrator.queue SET slot = slot - 86400")
    fired = {one.schedule.name: one for one in await ticked(opened)}
    assert (fired["skips"].skipped, fired["skips"].runs) == (1, ())
    assert (fired["waits"].skipped, len(fired["waits"].runs)) == (0, 1)
    with psycopg.connect(url) as db:
        told = db.execute("SELECT reason FROM orchestrator.queue WHERE reason IS NOT NULL").fetchall()
    assert told == [("an earlier run of the plan was not over",)]


async def test_a_schedule_that_rests_makes_nothing_and_does_not_make_up_for_it(
    opened: Opened, url: str
) -> None:
    await of(opened).apply([schedule(catch_up=CatchUp.ALL)])
    assert await of(opened).pause("acme", "sweep", paused=True)
    set_back(url, 5)
    assert await ticked(opened) == []
    assert await of(opened).pause("acme", "sweep", paused=False)
    assert await ticked(opened) == []
    (found,) = await of(opened).listed("acme")
    assert found.next_at is not None
    assert found.next_at > 1e9, "it fires again"
    assert not await of(opened).pause("acme", "nothing", paused=True)


async def test_writing_a_schedule_again_changes_what_differs_and_keeps_its_place(
    opened: Opened, url: str
) -> None:
    await of(opened).apply([schedule()])
    set_back(url, 1)
    assert await of(opened).apply([schedule()]) == ["same"]
    assert await of(opened).apply([schedule(priority=3)]) == ["changed"]
    (fired,) = await ticked(opened)
    assert len(fired.runs) == 1, "other priorities forget no slot"
    set_back(url, 1)
    await of(opened).apply([schedule(priority=3, cron="30 4 * * *")])
    assert await ticked(opened) == [], "other times begin anew"
    assert await of(opened).remove("acme", "sweep")
    assert not await of(opened).remove("acme", "sweep")
    assert len(await of(opened).listed()) == 0


async def test_a_run_of_a_schedule_expires_after_its_slot(opened: Opened, url: str) -> None:
    await of(opened).apply([schedule(expires=60.0)])
    set_back(url, 1)
    (fired,) = await ticked(opened)
    assert opened.queue is not None
    waits = await opened.queue.place_of(fired.runs[0])
    assert waits is not None
    assert waits.expires is not None
    assert waits.expires % 3600 == pytest.approx(60.0)
    assert waits.schedule == "sweep"


async def test_a_zone_that_this_host_does_not_know_holds_up_no_other_schedule(
    opened: Opened, url: str
) -> None:
    await of(opened).apply([schedule("odd"), schedule("even")])
    set_back(url, 1)
    with psycopg.connect(url) as db:
        db.execute("UPDATE orchestrator.schedules SET timezone = 'Moon/Tycho' WHERE name = 'odd'")
    assert [one.schedule.name for one in await ticked(opened)] == ["even"]
    assert await ticked(opened) == []
