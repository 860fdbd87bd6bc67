"""One run per plan and store: the lock says who holds it, is waited for, and is freed by death."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from process_world import PATIENCE, World, damaged, ended, frozen, plan_text, until

from orchestrator.clock import LoopClock
from orchestrator.store.opening import open_store

# A run that waits for its windows for a while.
SLOW = {"instant_limit": 2, "speed": 20.0}


def begun(world: World, plan: Path) -> subprocess.Popen[str]:
    # Its requests wait for as long as an API that stands still makes them wait.
    process = world.start("run", plan, PROCESS_TIMEOUT=2 * PATIENCE)
    until(lambda: len(world.creations()) >= 1, "the first creation")
    return process


def waits(process: subprocess.Popen[str]) -> str:
    """What a command says when it begins to wait for another run."""
    assert process.stderr is not None
    while line := process.stderr.readline():
        if "waiting for another run" in line:
            return line
    raise AssertionError(f"it did not wait: {ended(process)}")


def test_a_second_run_of_the_plan_is_refused_and_told_who_holds_it(make_world: Callable[..., World]) -> None:
    # One creation a real minute: it goes on for as long as this test asks.
    world = make_world(instant_limit=1, speed=1.0)
    plan = world.plan(plan_text(sites=12))
    first = begun(world, plan)
    second = world.do("run", plan)
    assert second.code == 5, str(second)
    assert f"process {first.pid} on " in second.err
    assert "--wait" in second.err
    assert world.do("resume", "last").code == 5, "a resume is a run too"
    lost = world.do("reconcile", "last", "--give-up", "0")
    assert lost.code == 5, f"the journal of a run that goes on must not be changed: {lost}"
    first.kill()
    ended(first)
    runs = {test["name"].rsplit("-", 2)[1] for test in world.creations()}
    assert len(runs) == 1, f"more than one run has created something: {runs}"


async def test_the_second_run_waits_if_it_is_told_to(world: World) -> None:
    # The first is this process: it goes on for as long as it takes the second to say that it waits.
    plan = world.plan(plan_text(sites=2))
    async with (
        open_store(str(world.store)) as opened,
        opened.lease.hold("sweep", LoopClock(), wait=False, told=print),
    ):
        second = world.start("run", plan, "--wait")
        assert second.stderr is not None
        said = second.stderr.readline()
        assert world.creations() == [], "it did not wait"
    done = ended(second)
    assert done.code == 0, str(done)
    assert f"waiting for another run of plan 'sweep' (process {os.getpid()} on " in said
    assert len(world.creations()) == 2


def test_a_resume_that_waited_counts_what_the_other_one_did_meanwhile(
    make_world: Callable[..., World],
) -> None:
    world = make_world(**SLOW)
    first = begun(world, world.plan(plan_text()))
    with world.stopped():
        second = world.start("resume", "last", "--wait", "--json")
        waits(second)
    assert ended(first).code == 0
    done = ended(second)
    assert done.code == 0, str(done)
    assert done.document["requests"]["creations"] == 4, "the counts of the first session were overwritten"


def test_the_lock_of_a_killed_run_is_free(world: World) -> None:
    plan = world.plan(plan_text(sites=2))
    first = begun(world, plan)
    first.kill()
    ended(first)
    done = world.do("run", plan)
    assert done.code == 0, str(done)


def test_two_plans_run_at_once_in_one_store_and_leave_it_sound(make_world: Callable[..., World]) -> None:
    world = make_world(speed=20.0)
    plans = [world.plan(plan_text(name), f"{name}.yaml") for name in ("north", "south", "east")]
    processes = [world.start("run", plan, "--json") for plan in plans]
    documents = []
    for process in processes:
        done = ended(process)
        assert done.code == 0, str(done)
        documents.append(done.document)
    assert [document["tests"]["complete"] for document in documents] == [4, 4, 4]
    assert damaged(world.store) == ""
    assert world.duplicates() == []
    assert world.witness()["refused_429"]["own"] == 0, "they share one budget"


def test_the_same_plan_may_run_in_another_store_of_the_same_folder(
    make_world: Callable[..., World],
) -> None:
    world = make_world(**SLOW)
    plan = world.plan(plan_text(sites=2))
    first = begun(world, plan)
    other = world.store.with_name("other.db")
    with world.stopped():
        second = world.start("run", plan, store=other)
        until(other.exists, "the other store")
    done = ended(second)
    assert done.code == 0, str(done)
    assert ended(first).code == 0


def test_who_waits_for_a_run_that_is_frozen_beyond_its_deadline_says_so_and_ends(
    make_world: Callable[..., World],
) -> None:
    # Half an hour of this clock, and the five minutes that are waited beyond a deadline, are 14 seconds.
    world = make_world(speed=150.0)
    plan = world.plan(plan_text(sites=12, box="30m"))
    first = begun(world, plan)
    with frozen(first, world.store):
        second = world.do("run", plan, "--wait")
    assert second.code == 5, str(second)
    assert f"(process {first.pid} on " in second.err
    assert "seems frozen" in second.err
    ended(first)
