"""Answers that belong to another request, doubts that are none, answers that say nothing of a creation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fault_cases import PLAN
from simulated_run import FAST, Ran, check_promises, check_sums, over_sockets, virtual_run
from virtual_world import EPOCH

from orchestrator.clock import HeldClock
from orchestrator.events import PollFailed
from orchestrator.simulator.settings import Fault
from orchestrator.simulator.settings import Settings as World

VERSIONS = pytest.mark.parametrize("api", ["v7", "v6"])
UNASKED_408 = b"HTTP/1.1 408 Request Time-out\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass
class Gateway:
    """Passes requests on to a port, one after the other, over connections that it keeps; ``how`` it is odd.

    - ``201 twice``: it writes each answer to a creation once more than it was asked for;
    - ``all twice``: it writes every answer twice;
    - ``408``: it says that an idle connection waited too long;
    - ``closes``: it closes a kept connection when it is used again, without reading.
    """

    how: str
    to: int
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    oddities: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        me = asyncio.current_task()
        assert me is not None
        self.tasks.add(me)
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            for used in range(1000):
                head = await reader.readuntil(b"\r\n\r\n")
                if used and self.how == "closes":
                    self.oddities += 1
                    break
                answer = await self._forward(head + await reader.readexactly(_length(head)))
                writer.write(answer + self._unasked(answer))
                await writer.drain()
        writer.close()
        self.tasks.discard(me)

    def _unasked(self, answer: bytes) -> bytes:
        made = answer.startswith(b"HTTP/1.1 201")
        if self.how == "all twice" or (self.how == "201 twice" and made):
            self.oddities += 1
            return answer
        if self.how == "408":
            self.oddities += 1
            return UNASKED_408
        return b""

    async def _forward(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.to)
        lines = request.replace(b"\r\nConnection: close\r\n", b"\r\n")
        writer.write(lines.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(_length(head))
        writer.close()
        return head.replace(b"\r\nConnection: close\r\n", b"\r\n") + body


def _length(head: bytes) -> int:
    named = (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return next((int(line.partition(b":")[2]) for line in named), 0)


@asynccontextmanager
async def gateway(how: str, origin: str) -> AsyncIterator[tuple[Gateway, str]]:
    there = Gateway(how, int(origin.rpartition(":")[2]))
    listener = await asyncio.start_server(there.serve, "127.0.0.1", 0)
    try:
        yield there, f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()
        for task in list(there.tasks):
            task.cancel()
        await asyncio.sleep(0.01)


async def through(how: str, api: str, folder: Path) -> tuple[Ran, Gateway, list[str]]:
    """A run through such a gateway, and the names of what was created behind it."""
    clock = HeldClock(speed=FAST, epoch=EPOCH)
    async with (
        over_sockets(World(), store=folder / "behind.db", clock=clock) as behind,
        gateway(how, behind.session.settings.origin) as (there, origin),
        over_sockets(World(), store=folder / "store.db", origin=origin, clock=clock) as simulated,
    ):
        ran = await simulated.run(f"{PLAN}api: {api}\n")
        names = [str(made["name"]) for made in behind.service.witness()["creations"]]
    return ran, there, names


@VERSIONS
@pytest.mark.parametrize("how", ["201 twice", "all twice", "408", "closes"])
async def test_what_comes_unasked_on_a_kept_connection_is_no_answer_to_a_creation(
    how: str, api: str, tmp_path: Path
) -> None:
    ran, there, made = await through(how, api, tmp_path)
    check_sums(ran)
    assert there.oddities, "the gateway was not odd at all"
    assert (ran.code, ran.states()) == (0, {"complete": 3})
    assert sorted(made) == sorted(str(test.name) for test in ran.tests), "each was created, once"
    for one in ran.answers:
        assert f"testId={one.test_id}" in str(one.answer.link), "a row stands under the wrong target"


@VERSIONS
@pytest.mark.parametrize("kind", ["others-answer", "others-id"])
def test_the_test_of_another_spec_is_never_accepted(kind: str, api: str, tmp_path: Path) -> None:
    world = World(faults=(Fault(kind, "create", after=1),))
    ran = virtual_run(f"{PLAN}api: {api}\n", world, store=tmp_path / "store.db")
    check_promises(ran)
    assert ran.states() == {"complete": 1, "unknown": 2}
    ids = [test.test_id for test in ran.tests if test.test_id is not None]
    assert len(ids) == len(set(ids)) == 1
    assert "is not its own" in ran.reasons()
    assert "Creations whose outcome is unknown" in ran.text, "what is unknown is named, to be handed back"


@VERSIONS
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("others-name", "a test of the name 'nightly / web / https://else.example"),
        ("others-type", "a test of type dns-trace, not "),
        ("others-agents", "agents that were not asked for: 77000001, 77000002"),
    ],
)
def test_an_answer_that_contradicts_what_was_asked_is_said(
    kind: str, said: str, api: str, tmp_path: Path
) -> None:
    world = World(faults=(Fault(kind, "create", nth=1),))
    ran = virtual_run(f"{PLAN}api: {api}\n", world, store=tmp_path / "store.db")
    check_promises(ran)
    assert ran.states() == {"complete": 2, "unknown": 1}
    assert said in ran.reasons()


@VERSIONS
def test_results_that_always_are_another_tests_are_never_stored(api: str, tmp_path: Path) -> None:
    world = World(faults=(Fault("others-results", "read"),))
    ran = virtual_run(f"{PLAN}api: {api}\n", world, store=tmp_path / "store.db")
    check_sums(ran)
    assert (ran.code, ran.states()) == (3, {"timed_out": 3})
    assert not ran.answers
    assert "the answer is about test 1" in ran.reasons()


@VERSIONS
def test_a_next_page_of_another_test_is_said_and_not_read(api: str, tmp_path: Path) -> None:
    world = World(faults=(Fault("others-pages", "read"),))
    ran = virtual_run(f"{PLAN}api: {api}\n", world, store=tmp_path / "store.db")
    check_promises(ran)
    mine = {test.test_id for test in ran.tests}
    asked = {part for one in ran.requests for part in one.path.split("/") if part.isdigit()}
    assert asked <= mine, "pages of another test were asked for"


@VERSIONS
@pytest.mark.parametrize("kind", ["302", "303", "307", "308", "499", "408", "409", "302-taken", "499-taken"])
async def test_a_creation_that_was_not_refused_in_words_is_not_repeated_by_a_resume(
    kind: str, api: str, tmp_path: Path
) -> None:
    world = World(faults=(Fault(kind, "create", first=2),))
    async with over_sockets(world, store=tmp_path / "store.db") as simulated:
        first = await simulated.run(f"{PLAN}api: {api}\n")
        again = await simulated.resume(first.outcome.run.id)
    assert first.states() == again.states() == {"unknown": 2, "complete": 1}
    assert not [one for one in again.requests if one.method == "POST"]
    assert f"status {kind[:3]}" in first.reasons()


@VERSIONS
@pytest.mark.parametrize("kind", ["400", "404", "422", "403"])
async def test_a_creation_that_was_refused_in_words_is_repeated_by_a_resume(
    kind: str, api: str, tmp_path: Path
) -> None:
    world = World(faults=(Fault(kind, "create", nth=1),))
    async with over_sockets(world, store=tmp_path / "store.db") as simulated:
        first = await simulated.run(f"{PLAN}api: {api}\n")
        again = await simulated.resume(first.outcome.run.id)
    assert first.states()["failed"] == 1
    check_promises(again)
    assert (again.code, again.states()) == (0, {"complete": 3})


@VERSIONS
@pytest.mark.parametrize("kind", ["portal", "portal-json"])
def test_a_login_page_is_no_sign_that_the_api_is_there(kind: str, api: str, tmp_path: Path) -> None:
    """The creation and whatever is asked after it meet a portal, for as long as the plan lasts."""
    world = World(faults=(Fault(kind, "create"), Fault(kind, "any", after=1)))
    ran = virtual_run(f"{PLAN}api: {api}\n", world, store=tmp_path / "store.db")
    check_sums(ran)
    assert len([one for one in ran.requests if one.method == "POST"]) == 1, "one creation was risked"
    assert ran.states() == {"unknown": 1, "not_run": 2}


@VERSIONS
@pytest.mark.parametrize("kind", ["html", "empty-body", "others-results"])
def test_a_page_that_cannot_be_read_is_asked_for_again(kind: str, api: str, tmp_path: Path) -> None:
    world = World(faults=(Fault(kind, "read", first=3),))
    ran = virtual_run(f"{PLAN}api: {api}\n", world, store=tmp_path / "store.db")
    assert (ran.code, len(ran.told(PollFailed))) == (0, 3)
