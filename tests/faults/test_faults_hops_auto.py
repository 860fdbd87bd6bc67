"""``path_details: auto``: hops are read where a target fails, last of all, and all of it is counted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from anyio import CancelScope
from simulated_run import Ran, check_promises, in_process, is_detail, virtual_run
from virtual_time import run_virtual

from orchestrator.actions import run as action
from orchestrator.actions.run import Attendance
from orchestrator.errors import Exit
from orchestrator.events import HopsChosen
from orchestrator.model import Verdict
from orchestrator.plan.load import parse_plan
from orchestrator.records import Paths, RunRecord
from orchestrator.simulator.settings import Fault
from orchestrator.simulator.settings import Settings as World
from orchestrator.testtypes import DETAILS

PLAN = """
version: 1
name: hops
api: {api}
agents: {{here: {{type: cloud, sample: {{count: {agents}}}}}}}
tests:
  - name: reach
    type: agent-to-server
    targets: ["one.example.com:443", "two.example.com:443"]
    agents: here
    expect: {expect}
    {more}
"""
WORLD = World(seed=5)
NEAR = "network.avgLatency < 60"


def plan(*, api: str = "v7", agents: int = 12, expect: str = NEAR, more: str = "") -> str:
    return PLAN.format(api=api, agents=agents, expect=expect, more=more)


def hops(ran: Ran) -> set[tuple[str | None, str]]:
    """Whose hops were asked for: test and agent."""
    found: set[tuple[str | None, str]] = set()
    for request in ran.requests:
        if is_detail(request):
            parts = request.path.removesuffix(".json").strip("/").split("/")
            test, agent = (parts[-6], parts[-3]) if parts[-2] == "round" else (parts[-3], parts[-2])
            found.add((test, agent))
    return found


def by_verdict(ran: Ran, verdict: Verdict) -> set[tuple[str | None, str]]:
    ids = {test.spec.key: test.test_id for test in ran.tests}
    return {(ids[cell.spec or ""], cell.agent_id) for cell in ran.cells if cell.verdict is verdict}


@pytest.mark.parametrize("api", ["v7", "v6"])
@pytest.mark.parametrize("more", ["", "path_details: auto"], ids=["by default", "as said"])
def test_the_hops_of_failing_cells_and_of_as_many_passing_ones_are_read(
    tmp_path: Path, api: str, more: str
) -> None:
    ran = virtual_run(plan(api=api, more=more), WORLD, store=tmp_path / "runs.db")
    check_promises(ran)
    failing, passing = by_verdict(ran, Verdict.FAIL), by_verdict(ran, Verdict.PASS)
    assert failing
    assert passing
    assert failing <= hops(ran)
    for test in ran.tests:
        passed = [one for one in hops(ran) & passing if one[0] == test.test_id]
        failed = [one for one in failing if one[0] == test.test_id]
        whole = [one for one in passing if one[0] == test.test_id]
        assert len(passed) == min(len(failed), len(whole))
    assert ran.summary["paths"] == {"wanted": len(hops(ran)), "got": len(hops(ran))}
    told = ran.told(HopsChosen)
    assert sum(len(fact.paths) for fact in told) == len(hops(ran))
    assert sum(fact.failing for fact in told) == len(failing)
    assert {one.answer.layer for one in ran.answers} == {"network", "path-vis", DETAILS}
    assert (ran.code, ran.states()) == (1, {"complete": 2}), "hops change no exit code"


def test_hops_are_read_when_all_else_is_in(tmp_path: Path) -> None:
    ran = virtual_run(plan(), WORLD, store=tmp_path / "runs.db")
    reads = [is_detail(request) for request in ran.requests]
    assert True in reads
    assert reads == sorted(reads), "a hop was read before another layer"


@pytest.mark.parametrize(
    ("expect", "more"),
    [
        (NEAR, "path_details: false"),
        ("network.avgLatency < 100000", "path_details: auto"),
        ("path-vis.numberOfHops < 0", "path_details: auto"),
        (NEAR, "layers: [network]"),
    ],
    ids=["none wanted", "nothing fails", "no path is to blame", "no paths"],
)
def test_where_hops_tell_nothing_none_is_read(tmp_path: Path, expect: str, more: str) -> None:
    ran = virtual_run(plan(expect=expect, more=more), WORLD, store=tmp_path / "runs.db")
    assert hops(ran) == set()
    assert ran.summary["paths"] == {"wanted": 0, "got": 0}
    assert all(test.state.value == "complete" for test in ran.tests)


def test_of_the_reads_that_are_left_hops_take_a_quarter_at_most(tmp_path: Path) -> None:
    world = replace(WORLD, organization_limit=40)
    ran = virtual_run(plan(agents=38, expect="network.avgLatency < 1"), world, store=tmp_path / "runs.db")
    check_promises(ran)
    assert 0 < len(hops(ran)) <= 10
    assert len(by_verdict(ran, Verdict.FAIL)) > 10
    assert ran.summary["paths"]["wanted"] == len(hops(ran))


def test_hops_that_do_not_come_are_told_and_change_nothing_else(tmp_path: Path) -> None:
    async def work() -> Ran:
        async with in_process(WORLD, store=tmp_path / "runs.db") as simulated:
            transport = simulated.transport
            send = transport._inner.send

            async def refusing(request: Any) -> Any:
                reply = await send(request)
                return replace(reply, status=404, body=b"{}") if is_detail(request) else reply

            transport._inner.send = refusing  # type: ignore[method-assign] # what the test is about
            return await simulated.run(plan())

    ran = run_virtual(work)
    assert ran.code == 1
    assert ran.summary["paths"]["got"] == 0 < ran.summary["paths"]["wanted"]


def test_a_silent_agent_does_not_keep_the_hops_of_the_others(tmp_path: Path) -> None:
    world = replace(WORLD, faults=(Fault("silent-agent", target="3"),))
    ran = virtual_run(plan(agents=40), world, store=tmp_path / "runs.db")
    check_promises(ran)
    assert ran.code == 3
    assert by_verdict(ran, Verdict.FAIL) & hops(ran)
    assert ran.summary["paths"]["got"] == ran.summary["paths"]["wanted"] > 0


def test_a_run_that_is_stopped_in_the_middle_of_hops_reads_the_rest_when_it_is_resumed(
    tmp_path: Path,
) -> None:
    async def work() -> tuple[list[int], Any, Ran]:
        async with in_process(WORLD, store=tmp_path / "runs.db") as simulated:
            session, transport = simulated.session, simulated.transport
            parsed = parse_plan(plan(), "plan.yaml", tmp_path, environ={})

            async def stops() -> AsyncIterator[Exit]:
                while sum(map(is_detail, transport.requests)) < 3:
                    await session.doors.clock.sleep(0.01)
                yield Exit.SIGINT

            @contextmanager
            def attend(_run: RunRecord) -> Iterator[Attendance]:
                yield Attendance(stops=stops(), grace=0.0)

            stopped = await action.run(session, parsed, attend=attend)
            assert stopped.exit_code is Exit.SIGINT
            counts = await session.doors.store.counts(stopped.run.id)
            asked = sum(map(is_detail, transport.requests))
            return [asked], counts.paths, await simulated.resume(stopped.run.id)

    (asked,), before, ran = run_virtual(work)
    check_promises(ran)
    assert before.got <= asked < before.wanted
    assert ran.summary["paths"] == {"wanted": before.wanted, "got": before.wanted}
    assert len(hops(ran)) == before.wanted - before.got, "what is there was asked for again"
    assert len(ran.told(HopsChosen)) == 2, "it was chosen once, for each target"


def test_what_was_chosen_is_known_before_the_first_hop_is_asked_for_whoever_goes_on(tmp_path: Path) -> None:
    """Hops come last: until then much may happen, and no room be left in the window for another choice."""

    async def work() -> tuple[Paths, Ran]:
        async with in_process(WORLD, store=tmp_path / "runs.db") as simulated:
            session, inner = simulated.session, simulated.transport._inner
            send, killed, begun = inner.send, CancelScope(), list[str]()

            async def killing(request: Any) -> Any:
                if is_detail(request):
                    killed.cancel()
                return await send(request)

            @contextmanager
            def attend(run: RunRecord) -> Iterator[Attendance]:
                begun.append(run.id)
                yield Attendance()

            inner.send = killing  # type: ignore[method-assign] # what the test is about
            with killed:
                parsed = parse_plan(plan(), "plan.yaml", tmp_path, environ={})
                await action.run(session, parsed, attend=attend)
            inner.send = send  # type: ignore[method-assign] # as above
            counts = await session.doors.store.counts(begun[0])
            return counts.paths, await simulated.resume(begun[0])

    before, ran = run_virtual(work)
    check_promises(ran)
    assert before.got == 0 < before.wanted
    assert ran.summary["paths"] == {"wanted": before.wanted, "got": before.wanted}
    assert len(ran.told(HopsChosen)) == 2, "it was chosen once, for each target"
