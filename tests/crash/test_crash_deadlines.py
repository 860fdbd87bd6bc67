"""Nothing waits for ever, neither tests nor runs nor requests; what is missing is said cell by cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from process_world import World, plan_text, states, sums, until
from simulated_run import Ran, in_process, virtual_run
from virtual_time import run_virtual

from orchestrator.simulator.fleet import fleet
from orchestrator.simulator.settings import Fault, Settings

SMALL: dict[str, Any] = {"seed": 7, "network_delay": 0.5, "enterprise_agents": 4, "clusters": 0}


def test_an_agent_that_never_answers_costs_neither_the_run_nor_its_deadline(tmp_path: Path) -> None:
    silent = next(
        agent for agent in fleet(Settings(**SMALL)) if (agent.type, agent.country) == ("cloud", "GB")
    )
    faults = (Fault("silent-agent", target=str(silent.id)),)
    ran = virtual_run(plan_text(deadline="2m"), Settings(**SMALL, faults=faults), store=tmp_path / "runs.db")
    assert ran.code == 3, ran.text
    assert ran.summary["tests"]["partial"] == 4
    assert ran.summary["cells"]["planned"] == 20
    assert (ran.summary["cells"]["answered"], ran.summary["cells"]["missing"]) == (16, 4)
    assert sums(ran.summary) == []
    # Three of its tests wait for it until nobody does any more; two minutes would be their deadline.
    assert ran.seconds < 120.0
    assert [one["tests"] for one in ran.summary["silent_agents"]] == [4]
    for number in range(4):
        said = [line for line in ran.text.splitlines() if f"site-{number}." in line]
        assert len(said) == 1, f"not said cell by cell: {said}"
        assert silent.name in said[0]
        assert "no answer" in said[0]


def test_the_deadline_of_the_run_ends_it_and_says_what_was_not_run(tmp_path: Path) -> None:
    # The estimate knows the documented limits and fits; the real ones are told by the first creation.
    async def work() -> tuple[Ran, Ran]:
        world = Settings(**SMALL, instant_limit=1)
        async with in_process(world, store=tmp_path / "runs.db") as simulated:
            ended = await simulated.run(plan_text(sites=6, box="150s"))
            # A resume has a deadline of its own, and goes on.
            return ended, await simulated.resume(ended.outcome.run.id)

    ran, resumed = run_virtual(work)
    assert ran.code == 3, ran.text
    tests = ran.summary["tests"]
    assert tests["not_run"] >= 2, tests
    assert tests["not_run"] + tests["complete"] + tests["partial"] + tests["timed_out"] == 6
    assert tests["created"] == len(ran.created_names())
    assert sums(ran.summary) == []
    assert "deadline" in ran.text
    assert ran.states()["not_run"] == tests["not_run"]
    assert resumed.summary["tests"]["created"] > tests["created"]
    assert len(resumed.created_names()) == len(set(resumed.created_names()))


def test_a_creation_that_hangs_ends_by_its_time_out_as_unknown(make_world: Callable[..., World]) -> None:
    # One creation a minute, so that the second that is sent is the second that arrives.
    world = make_world(instant_limit=1, faults=[{"kind": "silent-after", "match": "create", "nth": 2}])
    done = world.do("run", world.plan(plan_text()), "--json", PROCESS_TIMEOUT="0.5:post:2")
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
    done = world.do("run", world.plan(plan_text()), "--json", PROCESS_TIMEOUT="0.5:read")
    assert done.code == 0, str(done)
    assert done.document["tests"]["complete"] == 4


def test_a_run_that_is_resumed_long_after_its_deadlines_still_collects_what_was_paid_for(
    make_world: Callable[..., World],
) -> None:
    # As after a night without power: the deadlines, and the two minutes for last looks, are long over.
    world = make_world(speed=1.0, network_delay=0.0, latency=0.02)
    plan = world.plan(plan_text(sites=3))
    assert world.do("run", plan, PROCESS_KILL="created.after:3").code == -9
    waiting = states(world.store)["waiting"]
    assert waiting >= 1
    last = max(creation["at"] for creation in world.creations())
    until(lambda: world.pace.now() > last + 10.0, "the last row; none takes longer than 5 s")
    world.pace = replace(world.pace, wall=world.pace.wall + 24 * 3600.0)
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
