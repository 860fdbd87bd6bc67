"""Runs over a database that hosts share: whoever dies, is stopped or is cut off, nothing is paid for twice.

Each command is a process, as on a host of its own: they share nothing but the database.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from postgres_server import PostgresServer, serving
from process_world import World, ended, plan_text, stands_still, sums, until
from stores import migrated

READING = ("runs", "show", "results", "explain", "report", "store info", "reconcile")


@pytest.fixture
def url(postgres: PostgresServer, world: World) -> Iterator[str]:
    """A store that whatever is not renewed is lost in soon; ``world`` uses it."""
    url = postgres.create(migrated, named="store")
    shared(world, url)
    yield url
    postgres.drop(url)


def shared(world: World, url: str) -> None:
    world.variables |= {"ORCHESTRATOR_STORE": url, "ORCHESTRATOR_STORE_TENURE": "3"}


def asked(url: str, sql: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("SET search_path = orchestrator")
        return db.execute(sql.encode()).fetchall()


def states(url: str) -> dict[str, int]:
    """How many specs are in which state."""
    return dict(asked(url, "SELECT state, count(*) FROM specs GROUP BY state"))


def whole(world: World, url: str) -> None:
    """Every test was created once, and every answer of the API is stored."""
    assert world.duplicates() == []
    assert set(states(url)) == {"complete"}
    found = asked(
        url,
        "SELECT test_id, layer, agent_id, round_id, server FROM answers JOIN specs ON specs.n = spec_n "
        "WHERE layer <> 'path-vis-detail'",
    )
    assert len(found) == len(set(found))
    assert set(found) == world.rows()


def test_a_run_is_kept_and_every_command_reads_it(world: World, url: str) -> None:
    plan = world.plan(plan_text(sites=3))
    done = world.do("run", plan, "--json", store=url)
    assert done.code == 0, str(done)
    assert sums(done.document) == []
    whole(world, url)
    for command in READING:
        words = command.split()
        if words[0] in {"show", "results", "explain", "report", "reconcile"}:
            words.append("last")
        told = world.do(*words, store=url)
        assert told.code == 0, f"{command}: {told}"
    shown = world.do("show", "last", "--json", store=url).document
    assert {name: shown[name] for name in ("tests", "cells", "verdicts")} == {
        name: done.document[name] for name in ("tests", "cells", "verdicts")
    }
    again = world.do("rerun", "last", store=url)
    assert again.code == 0, str(again)
    assert world.do("diff", store=url).code == 0
    assert [row[0] for row in asked(url, "SELECT count(*) FROM runs WHERE leased_until IS NOT NULL")] == [0]
    assert asked(url, "SELECT 1 FROM plan_leases") == []


def test_a_second_run_of_the_plan_is_refused_on_every_host(world: World, url: str) -> None:
    world.variables["ORCHESTRATOR_STORE_TENURE"] = "600"
    plan = world.plan(plan_text(sites=2))
    first = world.start("run", plan, store=url, PROCESS_STOP="created.after:1")
    stands_still(first)
    for command in (("run", plan), ("resume", "last"), ("reconcile", "last", "--give-up", "0")):
        second = world.do(*command, store=url)
        assert second.code == 5, str(second)
        assert f"process {first.pid} on " in second.err
    first.send_signal(signal.SIGCONT)
    assert ended(first).code in {0, 5}
    assert world.duplicates() == []


POINTS = ("create_run.inside", "intend.after:2", "created.inside:2", "add_answers.inside:3")


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_run_goes_on_from_another_host(world: World, url: str, point: str) -> None:
    plan = world.plan(plan_text(sites=3))
    killed = world.do("run", plan, store=url, PROCESS_KILL=point)
    assert killed.code == -signal.SIGKILL, str(killed)
    if not asked(url, "SELECT 1 FROM runs"):
        assert world.creations() == [], "something was created for a run that is not stored"
        return
    going_on = world.do("resume", "last", "--wait", store=url)
    assert world.duplicates() == []
    lost = states(url).get("unknown", 0)
    assert lost <= 2, "more than were on their way"
    assert going_on.code == (3 if lost else 0), str(going_on)
    assert sum(states(url).values()) == 3


def test_who_wakes_up_after_another_host_took_over_writes_nothing_and_its_test_is_found(
    world: World, url: str
) -> None:
    plan = world.plan(plan_text(sites=3))
    sleeper = world.start("run", plan, store=url, PROCESS_STOP="created.before:2")
    stands_still(sleeper)
    going_on = world.do("resume", "last", "--wait", store=url)
    assert going_on.code == 3, "a creation has no answer yet"
    lost = states(url)["unknown"]
    assert 1 <= lost <= 2, "more than were on their way"
    assert states(url) == {"complete": 3 - lost, "unknown": lost}
    before = asked(url, "SELECT count(*), max(n) FROM events")
    sleeper.send_signal(signal.SIGCONT)
    woken = ended(sleeper)
    assert woken.code == 5, str(woken)
    assert "goes on with it" in woken.err
    assert asked(url, "SELECT count(*), max(n) FROM events") == before
    assert len(asked(url, "SELECT test_id FROM late")) == lost
    listed = world.do("reconcile", "last", "--json", store=url).document["unknown"]
    assert all(one["late_test_id"] for one in listed)
    told = world.do("reconcile", "last", store=url)
    assert told.err.count("adopts it") == lost, str(told)
    adopted = world.do("resume", "last", store=url)
    assert adopted.code == 0, str(adopted)
    whole(world, url)


def test_a_run_outlives_a_crash_of_its_database(world: World, postgres: PostgresServer) -> None:
    del postgres  # it says why there is none
    with serving(durable=True) as server:
        url = server.create(migrated, named="store")
        shared(world, url)
        run = world.start("run", world.plan(plan_text(sites=4)), store=url)
        until(lambda: len(world.creations()) >= 2, "two creations")
        server.crash()
        server.start()
        done = ended(run)
        assert done.code == 0, str(done)
        whole(world, url)


DOCUMENTS = (
    "show last --json",
    "results last --format jsonl",
    "report last --format json",
    "explain last --json",
)


def test_a_run_says_the_same_in_a_database_and_in_a_file_that_it_was_copied_to(
    world: World, url: str
) -> None:
    done = world.do("run", world.plan(plan_text(sites=2)), "--json")
    assert done.code == 0, str(done)
    back = world.folder / "back.db"
    for source, target in ((world.store, url), (url, back)):
        copied = world.do("store", "copy", source, target)
        assert copied.code == 0, str(copied)
        assert copied.out.startswith("copied ")
    for document in DOCUMENTS:
        here, there, again = (world.do(*document.split(), store=store) for store in (world.store, url, back))
        assert here.code == 0, str(here)
        assert here.out == there.out == again.out, document
