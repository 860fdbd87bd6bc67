"""Hop details come late, come slowly, or never: what can be had is had, what is missing is counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from simulated_run import Ran, check_promises, in_process, is_detail
from virtual_time import run_virtual

from orchestrator.clock import Clock
from orchestrator.records import Paths
from orchestrator.simulator.settings import Settings as World
from orchestrator.testtypes import DETAILS, PATHS
from orchestrator.thousandeyes.protocol import Reply, Request, Transport

PLAN = """
version: 1
name: hops
api: {api}
{deadline}
agents: {{here: {{type: cloud, sample: {{count: {agents}}}}}}}
tests:
  - name: reach
    type: http-server
    targets: [{targets}]
    agents: here
    path_details: true
"""


def plan(targets: int, agents: int, *, api: str = "v7", deadline: str = "") -> str:
    names = ", ".join(f'"https://h{number}.example.com"' for number in range(targets))
    return PLAN.format(api=api, targets=names, agents=agents, deadline=deadline)


@dataclass
class Meddling:
    """Answers to details are changed on their way; ``change`` gets the age of the world in seconds."""

    inner: Transport
    clock: Clock
    change: Callable[[Request, Reply, float], Reply]
    asked: int = 0

    async def send(self, request: Request) -> Reply:
        """As the inner transport."""
        reply = await self.inner.send(request)
        if not is_detail(request):
            return reply
        self.asked += 1
        return self.change(request, reply, self.clock.now())


def run(
    text: str,
    store: Path,
    change: Callable[[Request, Reply, float], Reply] = lambda _request, reply, _age: reply,
    **world: Any,
) -> tuple[Ran, Meddling]:
    async def work() -> tuple[Ran, Meddling]:
        async with in_process(replace(World(seed=5), **world), store=store / "store.db") as simulated:
            transport = simulated.transport
            between = Meddling(transport._inner, simulated.session.doors.clock, change)
            transport._inner = between
            return await simulated.run(text), between

    return run_virtual(work)


def wanted(ran: Ran) -> int:
    return sum(row.answer.layer == PATHS.name and row.answer.status == "ok" for row in ran.answers)


def got(ran: Ran) -> int:
    return sum(row.answer.layer == DETAILS for row in ran.answers)


def failing_until(age: float, status: int) -> Callable[[Request, Reply, float], Reply]:
    began: list[float] = []

    def change(_request: Request, reply: Reply, now: float) -> Reply:
        began.append(now)
        return reply if now - began[0] > age else replace(reply, status=status, body=b'{"status": 404}')

    return change


def empty_until(age: float) -> Callable[[Request, Reply, float], Reply]:
    began: list[float] = []

    def change(_request: Request, reply: Reply, now: float) -> Reply:
        began.append(now)
        if now - began[0] > age:
            return reply
        told = json.loads(reply.body)
        if "net" in told:
            told["net"].pop("pathVis", None)
        else:
            told["results"] = []
        return replace(reply, body=json.dumps(told).encode())

    return change


@pytest.mark.parametrize("api", ["v7", "v6"])
def test_hops_that_wait_for_their_turn_are_not_dropped_at_the_tests_deadline(
    api: str, tmp_path: Path
) -> None:
    """A small budget: 180 details take far longer than the deadline of a test and its grace."""
    ran, _ = run(plan(10, 18, api=api), tmp_path, organization_limit=40, instant_limit=10)
    check_promises(ran)
    assert (ran.code, wanted(ran), got(ran)) == (0, 180, 180)
    assert ran.summary["paths"] == {"wanted": 180, "got": 180}
    assert all(row.answer.paths for row in ran.answers if row.answer.layer == DETAILS)


@pytest.mark.parametrize("status", [404, 503, 500])
def test_hops_that_cannot_be_read_for_a_while_are_had_later(status: int, tmp_path: Path) -> None:
    ran, _ = run(plan(2, 6), tmp_path, failing_until(50.0, status))
    check_promises(ran)
    assert (wanted(ran), got(ran)) == (12, 12)


@pytest.mark.parametrize("api", ["v7", "v6"])
def test_hops_that_come_late_are_waited_for(api: str, tmp_path: Path) -> None:
    ran, _ = run(plan(2, 6, api=api), tmp_path, empty_until(60.0))
    check_promises(ran)
    assert (wanted(ran), got(ran)) == (12, 12)


@pytest.mark.parametrize(
    "change",
    [failing_until(1e9, 404), failing_until(1e9, 503), empty_until(1e9)],
    ids=["404", "503", "empty"],
)
def test_hops_that_never_come_end_neither_late_nor_as_a_failure(
    change: Callable[[Request, Reply, float], Reply], tmp_path: Path
) -> None:
    ran, between = run(plan(1, 4), tmp_path, change)
    check_promises(ran)
    assert (ran.code, wanted(ran), got(ran)) == (0, 4, 0)
    assert ran.seconds < 400
    assert between.asked <= 4 * 15


def test_hops_that_are_refused_are_asked_for_three_times(tmp_path: Path) -> None:
    ran, between = run(plan(1, 4), tmp_path, failing_until(1e9, 403))
    check_promises(ran)
    assert (ran.code, got(ran), between.asked) == (0, 0, 12)
    assert ran.seconds < 120


def test_the_deadline_of_the_run_ends_the_waiting_for_hops(tmp_path: Path) -> None:
    """Hops that wait are within the estimate; hops that cannot be read for as long are not."""
    text = plan(10, 18, deadline="deadline: 430")
    ran, _ = run(text, tmp_path, failing_until(250.0, 503), organization_limit=40, instant_limit=10)
    check_promises(ran)
    assert 0 < got(ran) < wanted(ran)
    assert ran.summary["paths"] == {"wanted": wanted(ran), "got": got(ran)}


def test_a_run_whose_plan_wants_no_hops_counts_none(tmp_path: Path) -> None:
    ran, between = run(plan(1, 4).replace("path_details: true", "path_details: false"), tmp_path)
    assert (wanted(ran), got(ran), between.asked) == (4, 0, 0)
    assert ran.summary["paths"] == {"wanted": 0, "got": 0}


class Killed(Exception):
    """The session ends here."""


def test_hops_that_a_killed_session_did_not_read_are_read_and_counted_by_the_next(tmp_path: Path) -> None:
    came: list[Request] = []

    def kill(request: Request, reply: Reply, _now: float) -> Reply:
        came.append(request)
        if len(came) == 10:
            raise Killed
        return reply

    async def work() -> tuple[Paths, Ran]:
        async with in_process(World(seed=5), store=tmp_path / "o.db") as simulated:
            transport, store = simulated.transport, simulated.session.doors.store
            inner = transport._inner
            transport._inner = Meddling(inner, simulated.session.doors.clock, kill)
            with pytest.raises((Killed, ExceptionGroup)):
                await simulated.run(plan(3, 12))
            transport._inner = inner
            run = (await store.run("last")).id
            before = (await store.counts(run)).paths
            return before, await simulated.resume(run)

    before, ran = run_virtual(work)
    assert 0 < before.got < before.wanted
    assert ran.summary["paths"] == {"wanted": 36, "got": 36}
