"""Whose a run is: one claim at a time, and who has lost it writes nothing more, whatever it believes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import psycopg
import pytest
from builders import make_answer
from postgres_server import PostgresServer
from stores import RUN, answered, lent, sent, stored_run

from orchestrator.errors import Exit, LostRun, StoreProblem
from orchestrator.events import Adopted, Event, Lost
from orchestrator.lifecycle import SpecState
from orchestrator.records import RunFacts, RunState, TestEnd
from orchestrator.store.base import Store
from orchestrator.store.opening import Opened, open_store
from orchestrator.store.postgres import engine as engines
from orchestrator.store.postgres import link as links
from orchestrator.store.postgres import store as stores
from orchestrator.store.postgres.engine import PostgresEngine
from orchestrator.store.postgres.store import PostgresStore
from orchestrator.store.sql.engine import Db

pytestmark = pytest.mark.usefixtures("postgres")
LEASED = (
    "UPDATE orchestrator.runs SET leased_until = clock_timestamp() + make_interval(secs => %s) WHERE id = %s"
)


BLOCKED = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%epoch%'"

FORGOTTEN = """
    UPDATE orchestrator.runs SET epoch = epoch - 1, owner = NULL, leased_until = NULL WHERE id = %s
"""


@pytest.fixture
def url(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    # The server must have been up for so long before a lease counts as over.
    monkeypatch.setenv("ORCHESTRATOR_STORE_TENURE", "0.5")
    yield from lent(postgres)


def over(url: str, seconds: float = -1.0) -> None:
    """The lease on the run is over, or has so many seconds left, by the database's clock."""
    with psycopg.connect(url) as db:
        db.execute(LEASED, (seconds, RUN))


@asynccontextmanager
async def two(url: str) -> AsyncIterator[tuple[PostgresStore, PostgresStore]]:
    """Two processes, as it were, with a run of three specs: ``k1`` was created, ``k2`` is being created."""
    async with open_store(url) as one, open_store(url) as other:
        await stored_run(one.store, count=3)
        await sent(one.store, "k1")
        await one.store.intend(RUN, "k2", "name", 1.0)
        yield postgres_of(one), postgres_of(other)


def postgres_of(opened: Opened) -> PostgresStore:
    assert isinstance(opened.store, PostgresStore)
    return opened.store


Write = Callable[[Store], Awaitable[object]]
END = TestEnd("k1", SpecState.TIMED_OUT, ())
WRITES: dict[str, Write] = {
    "intend": lambda store: store.intend(RUN, "k0", "n", 2.0),
    "created": lambda store: store.created(RUN, "k2", "77", {}, 2.0),
    "move": lambda store: store.move(RUN, "k2", SpecState.PLANNED, 2.0),
    "move_all": lambda store: store.move_all(RUN, ["k2"], SpecState.PLANNED),
    "give_up": lambda store: store.give_up(RUN, "k2", 2.0),
    "set_baseline": lambda store: store.set_baseline(RUN, "k1", {"1": 5}),
    "add_answers": lambda store: store.add_answers(RUN, "k1", [make_answer()]),
    "many_answers": lambda store: store.add_answers(RUN, "k1", [make_answer(round_id=n) for n in range(30)]),
    "close_test": lambda store: store.close_test(RUN, "k1", SpecState.COMPLETE, answered("1"), 2.0),
    "close_tests": lambda store: store.close_tests(RUN, [END], 2.0),
    "add_events": lambda store: store.add_events(RUN, [Event(1.0, RUN, None, Lost("x"))]),
    "set_question": lambda store: store.set_question(RUN, {"waves": False}),
    "update_run": lambda store: store.update_run(
        RUN, state=RunState.COMPLETE, finished=2.0, exit_code=0, facts=RunFacts()
    ),
}


async def everything(store: Store) -> object:
    return (
        await store.run(RUN),
        await store.tests(RUN),
        await store.counts(RUN),
        await store.events(RUN),
        [row async for row in store.results(RUN)],
    )


async def taken_over(url: str, mine: PostgresStore, theirs: PostgresStore) -> None:
    assert await mine.claim(RUN, "a")
    over(url)
    assert await theirs.claim(RUN, "b")


@pytest.mark.parametrize("name", WRITES)
async def test_no_write_of_a_lost_run_changes_anything(postgres: PostgresServer, url: str, name: str) -> None:
    async with two(url) as (mine, theirs):
        await taken_over(url, mine, theirs)
        before = await everything(theirs)
        with pytest.raises(LostRun, match="was taken over") as caught:
            await WRITES[name](mine)
        assert caught.value.exit_code is Exit.BUSY
        assert await everything(theirs) == before
        await WRITES[name](theirs)


@pytest.mark.parametrize("name", WRITES)
async def test_who_never_claimed_a_run_does_not_write_it_while_somebody_holds_it(url: str, name: str) -> None:
    async with two(url) as (mine, theirs):
        assert await mine.claim(RUN, "a")
        with pytest.raises(LostRun):
            await WRITES[name](theirs)
        await mine.let_go(RUN)
        await WRITES[name](theirs)


async def test_a_claim_that_a_failover_forgot_is_not_that_of_who_has_claimed_since(url: str) -> None:
    async with two(url) as (mine, theirs):
        assert await mine.claim(RUN, "a")
        with psycopg.connect(url) as db:
            db.execute(FORGOTTEN, (RUN,))
        assert await theirs.claim(RUN, "b"), "and with the epoch of the other one"
        with pytest.raises(LostRun, match=r"goes on with it \(b\)"):
            await mine.intend(RUN, "k0", "n", 2.0)
        assert await mine.renew([RUN]) == {}
        await mine.let_go(RUN)
        assert await theirs.renew([RUN]) == {RUN: False}
        await theirs.intend(RUN, "k0", "n", 2.0)


async def test_a_lost_run_takes_no_write_of_another_run_with_it(url: str) -> None:
    other = "65000001deadbeef"
    async with two(url) as (mine, theirs):
        await stored_run(mine, count=20, run=other)
        assert await mine.claim(other, "a")
        await taken_over(url, mine, theirs)
        refused: list[LostRun] = []

        async def lost() -> None:
            try:
                await mine.intend(RUN, "k0", "n", 1.0)
            except LostRun as error:
                refused.append(error)

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(mine.intend, other, f"k{number}", "n", 1.0)
                tasks.start_soon(lost)
        assert len(refused) == 20
        assert (await mine.counts(other)).tests == {SpecState.CREATING: 20}
        assert (await theirs.test(RUN, "k0")).state is SpecState.PLANNED


async def test_what_the_server_refuses_takes_no_other_write_with_it(url: str) -> None:
    async with two(url) as (mine, _):
        refused: list[StoreProblem] = []

        async def again() -> None:
            try:
                await stored_run(mine)
            except StoreProblem as error:
                refused.append(error)

        async with anyio.create_task_group() as tasks:
            for number in range(10):
                tasks.start_soon(mine.add_events, RUN, [Event(float(number), RUN, None, Lost("x"))])
                tasks.start_soon(again)
        assert len(refused) == 10
        assert len([one for one in await mine.events(RUN) if isinstance(one.fact, Lost)]) == 10


async def test_not_even_its_holder_can_claim_what_is_held(url: str) -> None:
    async with two(url) as (mine, theirs):
        assert await mine.claim(RUN, "a")
        assert not await mine.claim(RUN, "a")
        assert not await theirs.claim(RUN, "b")
        assert not await theirs.claim("65000000ffffffff", "b")
        await theirs.let_go(RUN)
        assert not await theirs.claim(RUN, "b"), "it was not theirs to let go"
        await mine.let_go(RUN)
        assert await theirs.claim(RUN, "b")


async def test_what_is_renewed_goes_on_and_what_was_lost_is_told(postgres: PostgresServer, url: str) -> None:
    async with two(url) as (mine, theirs):
        assert await mine.claim(RUN, "a")
        assert await mine.renew([RUN, "aa01"]) == {RUN: False}
        assert await mine.goes_on(await mine.run(RUN))
        over(url)
        assert not await mine.goes_on(await mine.run(RUN))
        assert await mine.renew([RUN]) == {RUN: False}, "late, but nobody has taken it"
        over(url)
        assert await theirs.claim(RUN, "b")
        assert await mine.renew([RUN]) == {}
        assert await theirs.renew([RUN]) == {RUN: False}


async def test_what_was_held_when_the_server_started_is_not_free_until_it_could_be_renewed(
    postgres: PostgresServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STORE_TENURE", "86400")
    async with two(url) as (mine, theirs):
        assert await mine.claim(RUN, "a")
        over(url)
        assert not await theirs.claim(RUN, "b"), "its holder had no time to renew it"
        assert await mine.renew([RUN]) == {RUN: False}


async def check_that_a_takeover_waits(postgres: PostgresServer, url: str) -> None:
    """While a write is under way nobody takes its run over."""
    async with two(url) as (mine, theirs):
        assert await mine.claim(RUN, "a")
        over(url)
        order: list[str] = []

        async def claim() -> None:
            assert await theirs.claim(RUN, "b")
            order.append("claimed")

        async with anyio.create_task_group() as tasks:
            with mine._engine.transaction() as db:
                assert mine._engine.run_number(db, RUN) is not None
                tasks.start_soon(claim)
                while not order and not postgres.execute(BLOCKED):
                    await anyio.lowlevel.checkpoint()
                order.append("written")
        assert order == ["written", "claimed"]


async def test_a_takeover_waits_for_a_write_under_way(postgres: PostgresServer, url: str) -> None:
    await check_that_a_takeover_waits(postgres, url)


@pytest.mark.parametrize("rows", [1, 3])
async def test_who_stands_still_in_a_transaction_holds_up_nobody_for_long(
    url: str, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(links, "SESSION", links.SESSION.replace("'10s'", "'500ms'"))
    async with two(url) as (mine, theirs):
        assert await mine.claim(RUN, "a")
        over(url)
        with pytest.raises(StoreProblem, match="idle"):
            await stands_still(mine, theirs, rows)


async def stands_still(mine: PostgresStore, theirs: PostgresStore, rows: int) -> None:
    with mine._engine.transaction() as db:
        mine._engine.run_number(db, RUN)
        db.executemany("INSERT INTO probe (x) VALUES (?)", [(1,)] * rows)
        assert await theirs.claim(RUN, "b"), "it took as long as the other was allowed to stay idle"


@pytest.mark.parametrize("lock", ["", "FOR KEY SHARE"])
async def test_without_its_lock_a_takeover_would_not_wait(
    postgres: PostgresServer, url: str, monkeypatch: pytest.MonkeyPatch, lock: str
) -> None:
    monkeypatch.setattr(engines, "_FENCE", engines._FENCE.replace("FOR SHARE", lock))
    with pytest.raises(AssertionError):
        await check_that_a_takeover_waits(postgres, url)


async def test_without_comparing_epochs_a_lost_run_would_be_written(
    postgres: PostgresServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def number(self: PostgresEngine, db: Db, run: str) -> int | None:
        row = db.execute(engines._FENCE, (run,)).fetchone()
        return None if row is None else int(row[0])

    monkeypatch.setattr(PostgresEngine, "run_number", number)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        await test_no_write_of_a_lost_run_changes_anything(postgres, url, "intend")


async def check_that_a_clock_takes_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose clock is an hour ahead believes that every lease is over."""
    async with two(url) as (mine, theirs):
        assert await mine.claim(RUN, "a")
        over(url, 1800.0)
        ahead = time.time() + 3600.0
        monkeypatch.setattr(time, "time", lambda: ahead)
        assert not await theirs.claim(RUN, "b")


async def test_the_clock_of_a_host_takes_no_run_over(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await check_that_a_clock_takes_nothing(url, monkeypatch)


async def test_by_the_clock_of_a_host_a_run_would_be_taken_over(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = stores._CLAIM

    class Local(PostgresStore):
        async def claim(self, run: str, owner: str) -> bool:
            now = f"to_timestamp({time.time()})"
            sql = real.replace("leased_until < clock_timestamp()", f"leased_until < {now}")
            monkeypatch.setattr(stores, "_CLAIM", sql)
            return await super().claim(run, owner)

    monkeypatch.setattr(stores, "PostgresStore", Local)
    with pytest.raises(AssertionError):
        await check_that_a_clock_takes_nothing(url, monkeypatch)


async def test_an_id_that_came_too_late_is_kept_and_adopted_by_whoever_goes_on(
    postgres: PostgresServer, url: str
) -> None:
    async with two(url) as (mine, theirs):
        await taken_over(url, mine, theirs)
        with pytest.raises(LostRun):
            await mine.created(RUN, "k2", "99", {"network": "/v7/x"}, 5.0)
        await mine.late(RUN, "k2", "99", {"network": "/v7/x"}, 5.0)
        assert [one.test_id for one in await theirs.late_tests(RUN)] == ["99"]
        assert (await theirs.test(RUN, "k2")).state is SpecState.CREATING, "a note changes nothing of the run"
        with pytest.raises(LostRun):
            await mine.adopt_late(RUN)
        await theirs.close_test(RUN, "k2", SpecState.UNKNOWN, (), 6.0)
        [adopted] = await theirs.adopt_late(RUN)
        assert (adopted.key, adopted.test_id, adopted.adopted) == ("k2", "99", True)
        test = await theirs.test(RUN, "k2")
        assert (test.state, test.test_id, test.links) == (SpecState.WAITING, "99", {"network": "/v7/x"})
        assert test.created == 1.0, "its deadline counts from when it was sent"
        assert await theirs.events(RUN, "k2") == [Event(5.0, RUN, "k2", Adopted("99"))]
        assert await theirs.adopt_late(RUN) == []
        assert await theirs.late_tests(RUN) == []


async def test_an_id_that_came_late_for_a_test_that_was_found_is_only_remembered(
    postgres: PostgresServer, url: str
) -> None:
    async with two(url) as (mine, theirs):
        await taken_over(url, mine, theirs)
        await mine.late(RUN, "k1", "99", {}, 5.0)
        assert await theirs.adopt_late(RUN) == []
        assert (await theirs.test(RUN, "k1")).test_id == "tk1"


async def test_an_id_that_came_late_is_adopted_before_anybody_has_found_out_that_it_was_lost(
    postgres: PostgresServer, url: str
) -> None:
    async with two(url) as (mine, theirs):
        await taken_over(url, mine, theirs)
        await mine.late(RUN, "k2", "99", {}, 5.0)
        assert (await theirs.test(RUN, "k2")).state is SpecState.CREATING
        assert [one.test_id for one in await theirs.adopt_late(RUN)] == ["99"]
        test = await theirs.test(RUN, "k2")
        assert (test.state, test.test_id, test.created) == (SpecState.WAITING, "99", 1.0)
        assert await theirs.late_tests(RUN) == []


async def test_an_id_that_came_late_is_kept_as_long_as_its_test_has_none(
    postgres: PostgresServer, url: str
) -> None:
    async with two(url) as (mine, theirs):
        await taken_over(url, mine, theirs)
        await theirs.close_test(RUN, "k2", SpecState.UNKNOWN, (), 6.0)
        await theirs.move(RUN, "k2", SpecState.PLANNED, 7.0)  # it is tried again
        await mine.late(RUN, "k2", "99", {}, 5.0)
        assert await theirs.adopt_late(RUN) == []
        assert [one.test_id for one in await theirs.late_tests(RUN)] == ["99"]


@pytest.mark.parametrize("name", WRITES)
async def test_who_holds_a_run_that_was_taken_away_is_told_so(url: str, name: str) -> None:
    async with two(url) as (mine, _):
        assert await mine.claim(RUN, "a")
        with psycopg.connect(url) as db:
            db.execute("UPDATE orchestrator.runs SET id = '-1', condemned = TRUE WHERE id = %s", (RUN,))
        with pytest.raises(LostRun, match="was taken away"):
            await WRITES[name](mine)


async def test_what_was_forgotten_fences_out_nobody_who_goes_on_from_this_process(url: str) -> None:
    async with two(url) as (mine, theirs):
        await taken_over(url, mine, theirs)
        await theirs.let_go(RUN)
        with pytest.raises(LostRun):
            await WRITES["intend"](mine)
        mine.forget(RUN)
        await WRITES["intend"](mine)
