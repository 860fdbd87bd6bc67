"""Refusals while many requests are under way: the first one is the last that we cause."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fault_cases import PLAN
from simulated_run import Ran, Simulated, check_promises, in_process
from virtual_time import run_virtual

from orchestrator.simulator.settings import Fault
from orchestrator.simulator.settings import Settings as World
from orchestrator.thousandeyes.protocol import Reply, Request

MANY = (
    PLAN.replace('["https://a.example", "https://b.example"]', "sites")
    + "targets:\n  sites: ["
    + ", ".join(f'"https://site-{number}.example"' for number in range(20))
    + "]\n"
)
# Seconds that an answer takes: many requests are under way when the first refusal arrives.
FAR = 6.0


class Revoking:
    """A transport that has the token revoked after so many requests."""

    def __init__(self, simulated: Simulated, after: int) -> None:
        self._inner, self._service = simulated.transport._inner, simulated.service
        self._good, self._left = simulated.service.settings, after

    async def send(self, request: Request) -> Reply:
        self._left -= 1
        if self._left == 0:
            self._service.settings = replace(self._good, token="another")
        return await self._inner.send(request)

    def restore(self) -> None:
        """The user has a good token again."""
        self._service.settings = self._good


@pytest.mark.parametrize("after", [2, 9, 40], ids=lambda after: f"after {after} requests")
def test_a_revoked_token_causes_no_request_after_its_first_refusal(after: int, tmp_path: Path) -> None:
    async def work() -> tuple[Ran, Ran]:
        world = World(network_delay=FAR)
        async with in_process(world, store=tmp_path / "store.db") as simulated:
            revoking = simulated.transport._inner = Revoking(simulated, after)
            refused = await simulated.run(MANY)
            revoking.restore()
            return refused, await simulated.resume(refused.outcome.run.id)

    refused, resumed = run_virtual(work)
    check_promises(refused)
    assert refused.code == 4
    assert "401" in (refused.outcome.refused or "")
    first = min(reply.received for _, reply in refused.replies if reply.status == 401)
    late = [request.path for request, reply in refused.replies if reply.sent > first]
    assert late == [], "sent after the first 401 had arrived"
    assert refused.witness["unauthorized"] < 120, "so many would block the address"
    check_promises(resumed)
    assert (resumed.code, resumed.states()) == (0, {"complete": 21}), "a good token finishes the run"
    assert len(resumed.created_names()) == 21


def test_a_refused_permission_causes_no_creation_after_its_first_refusal(tmp_path: Path) -> None:
    async def work() -> Ran:
        # The first creation of a window goes alone, to learn its limit; the others follow it closely.
        faults = tuple(Fault("403", "create", nth=number) for number in range(2, 30))
        world = World(network_delay=FAR, faults=faults)
        async with in_process(world, store=tmp_path / "store.db") as simulated:
            return await simulated.run(MANY)

    ran = run_virtual(work)
    check_promises(ran)
    assert ran.code == 4
    first = min(reply.received for _, reply in ran.replies if reply.status == 403)
    creations = [reply for request, reply in ran.replies if request.method == "POST"]
    assert len(creations) > 2, "only one was under way, so this test shows nothing"
    assert [reply for reply in creations if reply.sent > first] == []
    refused = len(creations) - 1
    wanted = {"complete": 1, "failed": refused, "not_run": 20 - refused}
    assert ran.states() == {state: count for state, count in wanted.items() if count}
    assert len(ran.created_names()) == 1, "what was created before is still collected"
