"""Courtesy in whole runs, in virtual time: the simulated world is the witness."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from simulated_run import Ran, check_promises, in_process, virtual_run
from virtual_time import run_virtual

from orchestrator.lifecycle import SpecState
from orchestrator.simulator.crowd import crowd
from orchestrator.simulator.service import Service
from orchestrator.simulator.settings import Fault
from orchestrator.simulator.settings import Settings as World

PLAN = """
version: 1
name: polite
api: {api}
agents: {{some: ["3", "4", "5"]}}
targets:
  pages: [{pages}]
tests:
  - name: web
    type: http-server
    targets: pages
    agents: some
    layers: http-server
    agents_per_test: {each}
  - name: names
    type: dns-server
    targets: [a.example A, b.example A, c.example A, d.example A]
    agents: some
    options: {{dnsServers: [ns1.example, ns2.example]}}
courtesy: {courtesy}
"""
PAGES = ", ".join(f"'https://{host}.example/{n}'" for host in ("shop", "mail") for n in range(4))


def polite(
    courtesy: str = "{per_host: 2, per_agent: 6, spacing: 3s}", *, api: str = "v7", each: int = 2
) -> str:
    return PLAN.format(api=api, courtesy=courtesy, pages=PAGES, each=each)


def most(told: Mapping[str, Any], what: str) -> int:
    return max(int(one["at_once"]) for one in told[what].values())


def gap(told: Mapping[str, Any]) -> float:
    return min(float(one["gap"]) for one in told["hosts"].values())


def held(service: Service) -> None:
    """The limits of :func:`polite`, as the world saw them."""
    told = crowd(service.world)
    assert most(told, "hosts") <= 2, told
    assert most(told, "agents") <= 6, told
    assert gap(told) >= 3.0, told


def seen(plan: str, world: World, store: Path) -> tuple[Ran, Service]:
    async def work() -> tuple[Ran, Service]:
        async with in_process(world, store=store) as simulated:
            return await simulated.run(plan), simulated.service

    return run_virtual(work)


@pytest.mark.parametrize("api", ["v7", "v6"])
def test_no_more_is_under_way_than_the_plan_allows_and_everything_is_collected(
    api: str, tmp_path: Path
) -> None:
    ran, service = seen(polite(api=api), World(), tmp_path / "o.db")
    check_promises(ran)
    assert ran.code == 0
    assert len(ran.tests) == 20
    held(service)
    assert set(crowd(service.world)["hosts"]) == {
        "shop.example",
        "mail.example",
        "ns1.example",
        "ns2.example",
    }
    assert ran.outcome.run.facts.waits["courtesy"] > 30.0
    assert ran.outcome.run.settings.courtesy.per_host == 2  # for whoever resumes it


def test_without_courtesy_the_same_plan_goes_beyond_its_limits(tmp_path: Path) -> None:
    _, service = seen(polite("{allow: ['*.example']}"), World(), tmp_path / "o.db")
    told = crowd(service.world)
    assert most(told, "hosts") > 4
    assert most(told, "agents") > 6
    assert gap(told) < 1.0


TROUBLE = {
    "answers to creations are lost": Fault("reset-after", "create", probability=0.2),
    "creations are refused for a while": Fault("429", "create", probability=0.2),
    "an agent never answers": Fault("silent-agent", target="4"),
}


@pytest.mark.parametrize("fault", TROUBLE.values(), ids=TROUBLE)
def test_whatever_happens_the_limits_hold_and_the_run_ends(fault: Fault, tmp_path: Path) -> None:
    ran, service = seen(polite(), World(faults=(fault,)), tmp_path / "o.db")
    check_promises(ran)
    assert {SpecState(state) for state in ran.states()} <= {
        *(SpecState.COMPLETE, SpecState.PARTIAL, SpecState.UNKNOWN, SpecState.FAILED),
    }
    held(service)


def test_after_a_kill_what_is_still_under_way_counts(tmp_path: Path) -> None:
    async def work() -> tuple[Ran, Service]:
        async with in_process(World(), store=tmp_path / "o.db") as simulated:
            with anyio.move_on_after(50.0):
                await simulated.run(polite())
            run = (await simulated.session.doors.store.runs(1))[0]
            before = len(simulated.service.world.tests)
            assert 4 <= before < 20
            return await simulated.resume(run.id), simulated.service

    ran, service = run_virtual(work)
    check_promises(ran)
    assert ran.code in {0, 3}  # a creation may have been under way
    held(service)


def test_a_rerun_keeps_the_courtesy_of_its_parent(tmp_path: Path) -> None:
    async def work() -> Service:
        async with in_process(World(), store=tmp_path / "o.db") as simulated:
            first = await simulated.run(polite("{per_host: 2, per_agent: 6, spacing: 3s}", each=3))
            await anyio.sleep(600.0)
            again = await simulated.rerun(first.outcome.run.id)
            check_promises(again)
            assert again.code == 0
            return simulated.service

    held(run_virtual(work))


def test_a_slot_is_free_before_the_tests_deadline_where_only_a_silent_agent_is_missing(
    tmp_path: Path,
) -> None:
    """Three tests wait for it, the others do not."""
    world = World(faults=(Fault("silent-agent", target="4"),))
    ran = virtual_run(polite("{per_agent: 1}", each=3), world, store=tmp_path / "o.db")
    assert ran.summary["tests"]["created"] == 12
    assert ran.seconds < 12 * 180.0 / 2
