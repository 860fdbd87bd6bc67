"""An outage in the middle of a run: few creations are left in doubt, and the rest is created after it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from scenarios import Scenario
from virtual_time import run_virtual
from virtual_world import run_in_virtual_time

from orchestrator.thousandeyes.protocol import NoAnswer, Reply, Request, Transport

BEGINS, ENDS = 4.0, 604.0  # seconds of the run


@dataclass
class Outage:
    """For ten minutes nothing is answered as it should be: by a gateway's errors, or by silence."""

    inner: Transport
    how: str
    creations_only: bool = False
    started: float | None = None

    async def send(self, request: Request) -> Reply:
        now = asyncio.get_running_loop().time()
        self.started = now if self.started is None else self.started
        if not BEGINS <= now - self.started < ENDS or (self.creations_only and not request.instant):
            return await self.inner.send(request)
        if self.how == "503":
            await asyncio.sleep(0.1)
            return Reply(503, {}, b"", now, now + 0.1)
        await asyncio.sleep(30.0)
        raise NoAnswer(f"{request.method} {request.path}: nothing came for 30 s")


def ends(path: Path, how: str, *, creations_only: bool = False) -> Counter[str]:
    """The tests of a run through the outage, by how they ended."""
    scenario = Scenario("outage", 120, 2)
    specs = [replace(spec, deadline=1800.0) for spec in scenario.specs()]

    async def work() -> Counter[str]:
        ran = await run_in_virtual_time(
            specs,
            scenario.world(),
            path / "o.db",
            transport=lambda inner: Outage(inner, how, creations_only),
        )
        return Counter(test.state.value for test in await ran.store.tests(ran.outcome.run.id))

    return run_virtual(work)


@pytest.mark.parametrize(("how", "most"), [("503", 1), ("silence", 11)])
def test_an_outage_leaves_few_creations_in_doubt_and_the_rest_is_created_after_it(
    tmp_path: Path, how: str, most: int
) -> None:
    ended = ends(tmp_path, how)
    assert ended["unknown"] <= most, f"the outage put {ended['unknown']} creations in doubt"
    assert ended["unknown"] + ended["complete"] == 120, ended


def test_where_only_creations_fail_they_are_tried_ever_more_rarely(tmp_path: Path) -> None:
    ended = ends(tmp_path, "503", creations_only=True)
    assert ended["unknown"] <= 10, f"{ended['unknown']} creations were put in doubt in ten minutes"
    assert ended["unknown"] + ended["complete"] == 120, ended
