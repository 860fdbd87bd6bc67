"""An outage in the middle of a run: few creations are left in doubt, and the rest is created after it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from scenarios import Scenario
from virtual_time import run_virtual
from virtual_world import run_in_virtual_time

from orchestrator.thousandeyes.protocol import NoAnswer, Reply, Request, Transport

BEGINS, ENDS = 4.0, 604.0  # seconds of the run


PAGE = b"<!DOCTYPE html><html><head><title>Guest network</title></head></html>"
# What stands between us and the API and answers for it.
PORTALS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "login page": (200, {"content-type": "text/html"}, PAGE),
    "login JSON": (200, {"content-type": "application/json"}, b'{"login": "http://login.example"}'),
    "login redirect": (302, {"location": "http://login.example/"}, b""),
    "forbidden page": (403, {"content-type": "text/html"}, PAGE),
    "not found page": (404, {"content-type": "text/html"}, PAGE),
    "network authentication": (511, {"content-type": "text/html"}, PAGE),
}


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
        if self.how in PORTALS:
            await asyncio.sleep(0.1)
            status, headers, body = PORTALS[self.how]
            return Reply(status, headers, body, now, now + 0.1)
        await asyncio.sleep(30.0)
        raise NoAnswer(f"{request.method} {request.path}: nothing came for 30 s")


@dataclass
class Slow:
    """The first creation is lost, and every other answer takes longer than a look is waited for at first."""

    inner: Transport
    lost: bool = False

    async def send(self, request: Request) -> Reply:
        await asyncio.sleep(20.0)
        if request.instant and not self.lost:
            self.lost = True
            raise NoAnswer(f"{request.method} {request.path}: the connection broke")
        return await self.inner.send(request)


@dataclass
class BadType:
    """The API cannot create page-load tests, which are the first in line."""

    inner: Transport

    async def send(self, request: Request) -> Reply:
        now = asyncio.get_running_loop().time()
        if request.instant and "page-load" in request.path:
            return Reply(500, {}, b"", now, now)
        return await self.inner.send(request)


def ended(path: Path, tests: int, transport: Callable[[Transport], Transport]) -> Counter[str]:
    """The tests of a run over this transport, by how they ended."""
    scenario = Scenario("outage", tests, 2)
    specs = [replace(spec, deadline=1800.0) for spec in scenario.specs()]

    async def work() -> Counter[str]:
        ran = await run_in_virtual_time(
            specs, scenario.world(), path / "o.db", transport=transport, deadline=3600.0
        )
        return Counter(test.state.value for test in await ran.store.tests(ran.outcome.run.id))

    return run_virtual(work)


def ends(path: Path, how: str, *, creations_only: bool = False) -> Counter[str]:
    """The ends of 120 tests whose run goes through an outage."""
    return ended(path, 120, lambda inner: Outage(inner, how, creations_only))


@pytest.mark.parametrize(("how", "most"), [("503", 1), ("silence", 11)])
def test_an_outage_leaves_few_creations_in_doubt_and_the_rest_is_created_after_it(
    tmp_path: Path, how: str, most: int
) -> None:
    came = ends(tmp_path, how)
    assert came["unknown"] <= most, f"the outage put {came['unknown']} creations in doubt"
    assert came["unknown"] + came["complete"] == 120, came


@pytest.mark.parametrize("how", ["login page", "login JSON", "login redirect", "network authentication"])
def test_a_portal_that_answers_for_the_api_does_not_count_as_the_api(tmp_path: Path, how: str) -> None:
    came = ends(tmp_path, how)
    assert came["unknown"] <= 1, f"the portal put {came['unknown']} creations in doubt"
    assert came["unknown"] + came["complete"] >= 119, came


def test_where_only_creations_fail_they_are_tried_ever_more_rarely(tmp_path: Path) -> None:
    came = ends(tmp_path, "503", creations_only=True)
    assert came["unknown"] <= 20, f"{came['unknown']} creations were put in doubt in ten minutes"
    assert came["unknown"] + came["complete"] == 120, came


def test_answers_that_take_long_do_not_hold_creations_back_for_ever(tmp_path: Path) -> None:
    assert ended(tmp_path, 10, Slow) == {"unknown": 1, "complete": 9}


def test_a_type_that_cannot_be_created_does_not_keep_the_others_from_it(tmp_path: Path) -> None:
    came = ended(tmp_path, 30, BadType)
    assert came["complete"] == 20, came
    assert came["unknown"] + came["not_run"] == 10, came
