"""A database that goes away: a write waits for it and is done exactly once, whatever became of its COMMIT."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import NoReturn

import anyio
import anyio.lowlevel
import pytest
from builders import make_answer
from cut_wire import Fault, wired
from postgres_server import PostgresServer, serving
from stores import RUN, lent, migrated, stored_run

from orchestrator.budget.errands import Trip
from orchestrator.clock import boot_seconds
from orchestrator.errors import StoreProblem
from orchestrator.events import Event, Lost
from orchestrator.lifecycle import IllegalMove, SpecState
from orchestrator.store.opening import Opened, open_store
from orchestrator.store.postgres import cell
from orchestrator.store.postgres import store as stores
from orchestrator.store.postgres.engine import PostgresEngine
from orchestrator.store.postgres.link import TOLD_ROWS, Link
from orchestrator.store.postgres.store import PostgresStore


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    yield from lent(postgres)


def engine_of(opened: Opened) -> PostgresEngine:
    assert isinstance(opened.store, PostgresStore)
    return opened.store._engine


@pytest.mark.parametrize("fault", [Fault.UNSENT, Fault.UNANSWERED])
async def test_a_write_whose_commit_is_lost_is_done_exactly_once(url: str, fault: Fault) -> None:
    async with wired(url) as (wire, way), open_store(way) as opened:
        store = opened.store
        await stored_run(store)
        wire.fault = fault
        await store.intend(RUN, "k0", "name", 1.0)
        assert wire.faults == 1
        assert (await store.test(RUN, "k0")).name == "name"
        wire.fault = fault
        assert await store.add_answers(RUN, "k0", [make_answer(round_id=n) for n in range(20)]) == 20
        assert len(await store.answers(RUN, "k0")) == 20
        assert wire.faults == 2


async def test_doing_it_again_without_asking_would_do_it_twice(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PostgresEngine, "_state_of", lambda *_: "aborted")
    async with wired(url) as (wire, way), open_store(way) as opened:
        await stored_run(opened.store)
        wire.fault = Fault.UNANSWERED
        with pytest.raises(IllegalMove):
            await opened.store.intend(RUN, "k0", "name", 1.0)


async def test_believing_that_it_was_done_would_lose_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PostgresEngine, "_state_of", lambda *_: "committed")
    async with wired(url) as (wire, way), open_store(way) as opened:
        await stored_run(opened.store)
        wire.fault = Fault.UNSENT
        await opened.store.intend(RUN, "k0", "name", 1.0)
        assert (await opened.store.test(RUN, "k0")).state is SpecState.PLANNED


async def test_a_transaction_that_is_still_under_way_is_waited_for(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ["in progress", "in progress"]
    state_of = PostgresEngine._state_of

    def later(self: PostgresEngine, number: str) -> str:
        return said.pop() if said else state_of(self, number)

    monkeypatch.setattr(PostgresEngine, "_state_of", later)
    async with wired(url) as (wire, way), open_store(way) as opened:
        await stored_run(opened.store)
        wire.fault = Fault.UNANSWERED
        await opened.store.intend(RUN, "k0", "name", 1.0)
        assert said == []
        assert (await opened.store.test(RUN, "k0")).name == "name"


@pytest.mark.parametrize("word", [b"BEGIN", b"UPDATE specs", b"INSERT INTO", b"FOR SHARE"])
@pytest.mark.parametrize("fault", [Fault.UNSENT, Fault.UNANSWERED])
async def test_a_write_that_was_cut_before_its_commit_is_done_again(
    url: str, word: bytes, fault: Fault
) -> None:
    async with wired(url) as (wire, way), open_store(way) as opened:
        await stored_run(opened.store)
        wire.word, wire.fault = word, fault
        await opened.store.intend(RUN, "k0", "name", 1.0)
        await opened.store.created(RUN, "k0", "77", {}, 2.0)
        await opened.store.add_answers(RUN, "k0", [make_answer()])
        assert wire.faults == 1
        assert (await opened.store.test(RUN, "k0")).test_id == "77"
        assert await opened.store.answers(RUN, "k0") == [make_answer()]


async def test_writes_and_reads_wait_while_the_database_is_away_and_go_on_when_it_is_back(url: str) -> None:
    async with wired(url) as (wire, way), open_store(way) as opened, anyio.create_task_group() as tasks:
        store = opened.store
        await stored_run(store, count=5)
        wire.refuses = True
        wire.cut()
        seen: list[str] = []

        async def intend(key: str) -> None:
            await store.intend(RUN, key, "name", 1.0)
            seen.append(key)

        async def read() -> None:
            seen.append((await store.run(RUN)).id)

        for n in range(5):
            tasks.start_soon(intend, f"k{n}")
        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        assert seen == []
        with anyio.move_on_after(0.1):  # one who leaves meanwhile is not written later
            await store.add_events(RUN, [Event(1.0, RUN, None, Lost("left"))])
        wire.refuses = False
        while len(seen) < 6:
            await anyio.lowlevel.checkpoint()
        assert await store.events(RUN) == []
    assert sorted(seen) == sorted(["k0", "k1", "k2", "k3", "k4", RUN])


@pytest.mark.parametrize("link", ["reader", "writer"])
async def test_a_connection_that_was_left_in_the_middle_of_a_statement_is_made_anew(
    url: str, monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STORE_PATIENCE", "2")
    async with open_store(url) as opened:
        assert isinstance(opened.store, PostgresStore)
        engine = opened.store._engine
        await stored_run(opened.store)
        getattr(engine, link).session().raw.pgconn.send_query(b"SELECT 1")
        await opened.store.intend(RUN, "k0", "name", 1.0)
        assert (await opened.store.test(RUN, "k0")).name == "name"


async def test_after_its_patience_a_write_says_what_is_the_matter(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STORE_PATIENCE", "0.3")
    async with wired(url) as (wire, way), open_store(way) as opened:
        await stored_run(opened.store)
        wire.refuses = True
        wire.cut()
        for attempt in (opened.store.intend(RUN, "k0", "n", 1.0), opened.store.tests(RUN)):
            with pytest.raises(StoreProblem) as caught:
                await attempt
            assert caught.value.message.startswith(f"store {way}: ")
            assert "orchestrator resume" in str(caught.value.hint)
        wire.refuses = False
        assert (await opened.store.test(RUN, "k0")).state is SpecState.PLANNED


async def test_a_commit_of_which_nobody_can_say_what_became_is_told(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STORE_PATIENCE", "0.3")
    async with wired(url) as (wire, way), open_store(way) as opened:
        await stored_run(opened.store)

        async def away() -> None:
            while not wire.faults:
                await anyio.lowlevel.checkpoint()
            wire.refuses = True

        async with anyio.create_task_group() as tasks:
            wire.fault = Fault.UNANSWERED
            tasks.start_soon(away)
            with pytest.raises(StoreProblem, match="whether a transaction was kept"):
                await opened.store.intend(RUN, "k0", "name", 1.0)
        wire.refuses = False


@pytest.mark.parametrize("word", [b"COMMIT", b"UPDATE specs", b"BEGIN"])
async def test_a_server_that_hangs_without_a_word_is_cut_off(
    url: str, word: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "HANGS", 0.5)
    monkeypatch.setattr(stores, "LOOKED", 0.1)
    async with wired(url) as (wire, way), open_store(way) as opened:
        await stored_run(opened.store)
        wire.word, wire.fault = word, Fault.HANGS
        await opened.store.intend(RUN, "k0", "name", 1.0)
        assert wire.faults == 1
        assert (await opened.store.test(RUN, "k0")).name == "name"
        wire.word, wire.fault = b"SELECT", Fault.HANGS
        assert (await opened.store.run(RUN)).id == RUN


async def test_a_server_that_hangs_while_a_connection_is_made_is_cut_off(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "HANGS", 0.5)
    monkeypatch.setattr(stores, "LOOKED", 0.1)
    async with wired(url) as (wire, way), open_store(way) as opened:
        await stored_run(opened.store)
        wire.cut()
        wire.word, wire.fault = b"SET search_path", Fault.HANGS
        with anyio.fail_after(60.0):
            await opened.store.intend(RUN, "k0", "name", 1.0)
        assert wire.faults == 1
        assert (await opened.store.test(RUN, "k0")).name == "name"


async def test_a_turn_at_the_budgets_whose_connection_hangs_when_it_is_made_is_cut_off(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell, "LONGEST_TURN", 0.5)
    async with wired(url) as (wire, way):
        couriers = cell.Couriers(lambda made: Link(way, way, made).session().raw, boot_seconds)
        wire.word, wire.fault = b"SET search_path", Fault.HANGS
        came: list[Trip | None] = []
        home = anyio.Event()

        def never(*_at: object) -> NoReturn:
            raise AssertionError("the row was never had")

        def back(trip: Trip | None) -> None:
            came.append(trip)
            home.set()

        couriers.of("key").go(never, back)
        with anyio.fail_after(60.0):
            await home.wait()
        assert came == [None]
        couriers.close()


def test_every_step_of_work_that_is_long_is_seen_by_who_cuts_off_what_hangs(url: str) -> None:
    link = Link(url, url)
    db = link.session()
    rows = [(number,) for number in range(3 * TOLD_ROWS)]
    steps: list[Callable[[], object]] = [
        lambda: db.execute("SELECT 1"),
        lambda: db.executemany("DELETE FROM probe WHERE x = ?", rows[:2]),
        lambda: db.executemany("INSERT INTO probe (x) VALUES (?)", rows[:2]),
        lambda: db.load("probe", "x", rows[:2]),
        lambda: db.load("probe", "x", rows),
    ]
    seen = [link.turns]
    for step in steps:
        step()
        seen.append(link.turns)
    link.drop()
    told = [after - before for before, after in itertools.pairwise(seen)]
    assert all(told)
    assert told[-1] >= 3, "a copy of many rows is many steps"


def test_a_crash_of_the_server_in_the_middle_loses_nothing_that_returned(
    monkeypatch: pytest.MonkeyPatch, postgres: PostgresServer
) -> None:
    """``postgres`` is asked for only because it says why there is none."""
    del postgres

    async def work(server: PostgresServer) -> None:
        returned: list[str] = []
        url = server.create(migrated, named="store")
        async with open_store(url) as opened, anyio.create_task_group() as tasks:
            await stored_run(opened.store, count=40)

            async def intend(key: str) -> None:
                await opened.store.intend(RUN, key, "name", 1.0)
                returned.append(key)

            async def crashes() -> None:
                while len(returned) < 5:
                    await anyio.lowlevel.checkpoint()
                await anyio.to_thread.run_sync(server.crash)
                await anyio.to_thread.run_sync(server.start)

            tasks.start_soon(crashes)
            for n in range(40):
                tasks.start_soon(intend, f"k{n}")
                await anyio.sleep(0.005)
        async with open_store(url) as again:
            found = await again.store.tests(RUN, [SpecState.CREATING])
        assert {one.spec.key for one in found} == {f"k{n}" for n in range(40)} == set(returned)

    with serving(durable=True) as server:
        anyio.run(work, server)
