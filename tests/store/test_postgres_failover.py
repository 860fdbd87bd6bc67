"""A failover to a standby that lacks the last commits: what was paid for is known all the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from cut_wire import Fault, wired
from postgres_server import PostgresServer, serving
from stores import RUN, answered, migrated, stored_run

from orchestrator.lifecycle import SpecState
from orchestrator.store.opening import open_store
from orchestrator.store.postgres.again import WritesAgain
from orchestrator.store.postgres.engine import PostgresEngine
from orchestrator.store.postgres.remembered import REMEMBERED, Known, Remembered

LONG_AGO = "UPDATE orchestrator.timelines SET seen = '-infinity'"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with serving(durable=True) as server:
        yield server


class Standby:
    """The files of a server as they were; it becomes the primary in its place, on a timeline of its own."""

    def __init__(self, server: PostgresServer) -> None:
        self._server, self._data = server, server._data
        self._copy = Path(f"{self._data}.standby")
        server.stop()
        shutil.copytree(self._data, self._copy, symlinks=True)
        if server._user is not None:
            for file in (self._copy, *self._copy.rglob("*")):
                shutil.chown(file, server._user.pw_uid, server._user.pw_gid)
        server.start()

    def takes_over(self) -> None:
        self._server.crash()
        shutil.rmtree(self._data)
        self._copy.rename(self._data)
        with (self._data / "postgresql.auto.conf").open("a") as settings:
            settings.write("restore_command = 'false'\n")
        (self._data / "recovery.signal").touch()
        self._server.start()


def test_what_is_kept_of_specs_is_what_a_database_may_lack() -> None:
    kept = Remembered()
    kept.intended(Known("r", "a", SpecState.CREATING, "1", 0.0, "name", 5.0))
    kept.created(Known("r", "a", SpecState.WAITING, "1", 1.0, test_id="7", created=6.0))
    kept.created(Known("r", "never intended here", SpecState.WAITING, "1", 1.0, test_id="8"))
    kept.intended(Known("r", "refused", SpecState.CREATING, "1", 1.0))
    kept.moved("r", "refused", SpecState.PLANNED, "1", 2.0)
    kept.moved("r", "a", SpecState.COMPLETE, "1", 2.0)
    assert kept.elsewhere("1") == []
    found = {one.key: one for one in kept.elsewhere("2")}
    assert {key: one.state for key, one in found.items()} == {
        "a": SpecState.WAITING,
        "refused": SpecState.PLANNED,
    }
    assert (found["a"].name, found["a"].intended, found["a"].test_id) == ("name", 5.0, "7")
    kept.told([found["a"]], "2")
    assert [one.key for one in kept.elsewhere("2")] == ["refused"]


def test_the_last_that_was_written_may_be_lacking_however_long_the_database_was_away() -> None:
    kept = Remembered()
    kept.intended(Known("r", "early", SpecState.CREATING, "1", 0.0))
    kept.intended(Known("r", "a", SpecState.CREATING, "1", REMEMBERED))
    kept.moved("r", "a", SpecState.UNKNOWN, "1", REMEMBERED + 1.0)
    # Nobody asks when that is: an outage that lasted longer than what is remembered forgets nothing.
    assert [one.key for one in kept.elsewhere("2")] == ["a"]


async def test_what_was_sent_before_a_failover_that_forgot_it_is_written_again_before_anything_else(
    server: PostgresServer,
) -> None:
    url = server.create(migrated)
    async with open_store(url) as opened:
        store = opened.store
        await stored_run(store, count=6)
        assert await store.claim(RUN, "an earlier one")
        await store.let_go(RUN)
        standby = Standby(server)
        assert await store.claim(RUN, "me")
        for key in ("k0", "k1", "k2", "k3"):
            await store.intend(RUN, key, f"name {key}", 1.0)
        await store.created(RUN, "k1", "71", {"self": "there"}, 2.0)
        await store.created(RUN, "k2", "72", {}, 2.0)
        await store.close_test(RUN, "k2", SpecState.COMPLETE, answered("1", "2"), 3.0)
        await store.move(RUN, "k3", SpecState.PLANNED, 2.0)
        standby.takes_over()
        assert (await store.test(RUN, "k1")).state is SpecState.PLANNED, "it was lost"
        async with open_store(url) as others:
            assert not await others.store.claim(RUN, "other"), "it has forgotten who holds it"
            await store.intend(RUN, "k4", "name", 4.0)
            with psycopg.connect(url) as db:
                db.execute(LONG_AGO)
            assert not await others.store.claim(RUN, "other"), "the claim was written again, too"
        tests = {test.spec.key: test for test in await store.tests(RUN)}
        assert {key: test.state for key, test in tests.items()} == {
            "k0": SpecState.CREATING,
            "k1": SpecState.WAITING,
            "k2": SpecState.WAITING,  # its answers are read again
            "k3": SpecState.PLANNED,
            "k4": SpecState.CREATING,
            "k5": SpecState.PLANNED,
        }
        assert (tests["k1"].test_id, tests["k1"].name, tests["k1"].created) == ("71", "name k1", 2.0)
        assert (tests["k0"].name, tests["k0"].intended) == ("name k0", 1.0)
        await store.intend(RUN, "k3", "once more", 5.0)
        await store.let_go(RUN)
        assert await store.claim(RUN, "another")


async def test_the_number_of_a_transaction_that_somebody_else_has_on_another_timeline_is_not_believed(
    server: PostgresServer,
) -> None:
    url = server.create(migrated)
    async with wired(url) as (wire, way), open_store(way) as opened:
        await stored_run(opened.store)
        standby = Standby(server)
        wire.fault = Fault.UNANSWERED
        wire.meanwhile = lambda: _taken_over(standby, url)
        await opened.store.intend(RUN, "k0", "name", 1.0)
        assert wire.faults == 1
        assert (await opened.store.test(RUN, "k0")).name == "name"


def _taken_over(standby: Standby, url: str) -> None:
    """Numbers of transactions on the new timeline go beyond those of the old one."""
    standby.takes_over()
    with psycopg.connect(url, autocommit=True) as db:
        for _ in range(20):
            db.execute("SELECT pg_current_xact_id()")


async def test_what_is_done_again_in_doubt_may_find_itself_done(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The standby had it, and only its answer was lost."""
    url = server.create(migrated)
    state_of = PostgresEngine._state_of

    def elsewhere(self: PostgresEngine, number: str) -> str:
        self.timeline = "another"
        return state_of(self, number)

    monkeypatch.setattr(PostgresEngine, "_state_of", elsewhere)
    async with wired(url) as (wire, way), open_store(way) as opened:
        await stored_run(opened.store)
        wire.fault = Fault.UNANSWERED
        await opened.store.intend(RUN, "k0", "name", 1.0)
        assert (await opened.store.test(RUN, "k0")).name == "name"


async def test_without_it_a_test_that_is_paid_for_would_be_planned_again(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WritesAgain, "_write_again", lambda *_: _nothing)
    url = server.create(migrated)
    async with open_store(url) as opened:
        await stored_run(opened.store)
        standby = Standby(server)
        await opened.store.intend(RUN, "k0", "name", 1.0)
        standby.takes_over()
        await opened.store.intend(RUN, "k1", "name", 2.0)
        assert (await opened.store.test(RUN, "k0")).state is SpecState.PLANNED


_nothing: Callable[[], None] = lambda: None  # noqa: E731 - what a write that has nothing to write again returns
