"""Nothing waits for ever, neither tests nor runs nor requests; what is missing is said cell by cell."""

from __future__ import annotations

import time
from collections.abc import Callable

from process_world import World, plan_text, states, sums


def reasons(world: World) -> list[str]:
    """The report of the last run, as a person reads it."""
    return world.do("report", "last", "--format", "markdown").out.splitlines()


def test_an_agent_that_never_answers_costs_its_deadline_and_not_the_run(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    agents = world.do("agents", "--base-url", world.origin, "--json").document["agents"]
    silent = next(agent for agent in agents if agent["country"] == "GB")
    world = make_world(faults=[{"kind": "silent-agent", "target": silent["agent_id"]}])
    done = world.do("run", world.plan(plan_text(deadline="2m")), "--json")
    assert done.code == 3, str(done)
    document = done.document
    assert document["tests"]["partial"] == 4
    assert document["cells"]["planned"] == 20
    assert (document["cells"]["answered"], document["cells"]["missing"]) == (16, 4)
    assert sums(document) == []
    # Its tests wait for it side by side: two minutes, and the last looks, but not four times two.
    assert 120.0 <= document["seconds"] < 240.0
    for number in range(4):
        said = [line for line in reasons(world) if f"site-{number}." in line]
        assert len(said) == 1, f"not said cell by cell: {said}"
        assert silent["agent"] in said[0]
        assert "no answer" in said[0]


def test_the_deadline_of_the_run_ends_it_and_says_what_was_not_run(make_world: Callable[..., World]) -> None:
    # The estimate knows the documented limits and fits; the real ones are told by the first creation.
    world = make_world(instant_limit=1)
    text = plan_text(sites=6).replace("deadline: 30m", "deadline: 150s")
    done = world.do("run", world.plan(text), "--json")
    assert done.code == 3, str(done)
    tests = done.document["tests"]
    assert tests["not_run"] >= 2, tests
    assert tests["not_run"] + tests["complete"] + tests["partial"] + tests["timed_out"] == 6
    assert tests["created"] == len(world.creations())
    assert sums(done.document) == []
    assert "deadline" in world.do("show", "last").out
    # A resume has a deadline of its own, and goes on.
    assert states(world.store)["not_run"] == tests["not_run"]
    assert world.do("resume", "last", "--json").document["tests"]["created"] > tests["created"]
    assert world.duplicates() == []


def test_a_creation_that_hangs_ends_by_its_time_out_as_unknown(make_world: Callable[..., World]) -> None:
    world = make_world(faults=[{"kind": "silent-after", "match": "create", "nth": 2}])
    done = world.do("run", world.plan(plan_text()), "--json", PROCESS_TIMEOUT=0.5)
    assert done.code == 3, str(done)
    assert (done.document["tests"]["unknown"], done.document["tests"]["complete"]) == (1, 3)
    assert sums(done.document) == []
    assert len(world.creations()) == 4
    assert world.duplicates() == []
    listed = world.do("reconcile", "last")
    assert "0.5 s" in listed.out, f"why it is unknown is told: {listed}"


def test_a_look_that_hangs_is_tried_again(make_world: Callable[..., World]) -> None:
    faults = [{"kind": kind, "match": "read", "nth": nth} for nth, kind in enumerate(HANGS, 1)]
    world = make_world(faults=faults)
    done = world.do("run", world.plan(plan_text()), "--json", PROCESS_TIMEOUT=0.5)
    assert done.code == 0, str(done)
    assert done.document["tests"]["complete"] == 4


def test_a_run_that_is_resumed_long_after_its_deadlines_still_collects_what_was_paid_for(
    make_world: Callable[..., World],
) -> None:
    # As after a night without power: a deadline of 10 s, and the two minutes for last looks, are long over.
    world = make_world(speed=300.0, latency=0.2, shortest=1.0)
    plan = world.plan(plan_text(sites=3, deadline="10s"))
    assert world.do("run", plan, PROCESS_KILL="created.after:3").code == -9
    waiting = states(world.store)["waiting"]
    assert waiting >= 1
    time.sleep(0.7)
    done = world.do("resume", "last", "--json")
    tests = done.document["tests"]
    assert (tests["complete"], tests["complete"] + tests["unknown"]) == (waiting, 3), str(done)


HANGS = ("silent-before", "endless-body", "silent-after")


def test_an_api_that_never_answers_ends_the_command_before_anything_is_created(
    make_world: Callable[..., World],
) -> None:
    world = make_world(faults=[{"kind": "silent-before", "match": "agents"}])
    done = world.do("run", world.plan(plan_text()), PROCESS_TIMEOUT=0.2)
    assert done.code == 3, str(done)
    assert "0.2 s" in done.err
    assert "hint: check the origin" in done.err
    assert world.creations() == []
