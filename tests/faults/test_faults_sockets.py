"""Faults below HTTP and of its transport, with the real client over loopback sockets."""

from __future__ import annotations

import asyncio
import inspect
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
from fault_cases import PLAN
from simulated_run import FAST, TOKEN, Ran, check_promises, over_sockets

from orchestrator.clock import HeldClock, LoopClock
from orchestrator.errors import Unanswered
from orchestrator.events import PollFailed
from orchestrator.simulator.server import serve
from orchestrator.simulator.service import Service
from orchestrator.simulator.settings import Fault
from orchestrator.simulator.settings import Settings as World
from orchestrator.store.base import Store
from orchestrator.thousandeyes.client import HttpTransport, Timeouts

# Real seconds, for the creation that nobody answers; so slow a clock that they are a fraction of its minute.
HASTY, SPEED = Timeouts(connect=30.0, read=0.4, total=60.0), 60.0
UNKNOWN_ONCE = (3, {"unknown": 1, "complete": 2})
ALL_COMPLETE = (0, {"complete": 3})


async def run(world: World, store: Path, api: str = "v7") -> Ran:
    async with over_sockets(world, store=store) as simulated:
        ran = await simulated.run(f"{PLAN}api: {api}\n")
    check_promises(ran)
    return ran


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("reset-before", "the connection broke"),
        ("reset-after", "the connection broke"),
        ("silent-before", "no complete answer within 60 s"),
        ("silent-after", "no complete answer within 60 s"),
    ],
)
async def test_a_creation_without_a_whole_answer_is_unknown(kind: str, said: str, tmp_path: Path) -> None:
    ran = await run(World(faults=(Fault(kind, "create", nth=1),)), tmp_path / "store.db")
    unknown_once(ran, kind, said)


@pytest.mark.parametrize("kind", ["silent-before", "silent-after"])
async def test_a_creation_that_nobody_answers_in_real_time_is_unknown(kind: str, tmp_path: Path) -> None:
    world = World(faults=(Fault(kind, "create", nth=1),))
    async with over_sockets(world, store=tmp_path / "store.db", speed=SPEED, hasty=HASTY) as simulated:
        ran = await simulated.run(PLAN)
    check_promises(ran)
    unknown_once(ran, kind, "nothing came for 0.4 s")


def unknown_once(ran: Ran, kind: str, said: str) -> None:
    assert (ran.code, ran.states()) == UNKNOWN_ONCE
    assert said in ran.reasons()
    assert len(ran.created_names()) == (2 if kind.endswith("before") else 3)


@pytest.mark.parametrize("kind", ["truncated", "truncated-json", "html", "empty-body"])
@pytest.mark.parametrize("api", ["v7", "v6"])
async def test_a_creation_whose_answer_breaks_off_is_found_by_its_location(
    kind: str, api: str, tmp_path: Path
) -> None:
    ran = await run(World(faults=(Fault(kind, "create", nth=1),)), tmp_path / "store.db", api)
    assert (ran.code, ran.states()) == ALL_COMPLETE
    assert len(ran.created_names()) == 3


@pytest.mark.parametrize(
    "kind", ["reset-before", "reset-after", "silent-after", "truncated", "endless-body", "slow-body"]
)
async def test_a_read_without_a_whole_answer_is_asked_again(kind: str, tmp_path: Path) -> None:
    ran = await run(World(faults=(Fault(kind, "read", first=2),)), tmp_path / "store.db")
    assert (ran.code, ran.states()) == ALL_COMPLETE


async def test_a_body_beyond_the_limit_is_not_read_to_its_end(tmp_path: Path) -> None:
    most = inspect.signature(HttpTransport).parameters["max_body"].default
    world = World(faults=(Fault("huge", "read", nth=1, value=most + 2**20),))
    ran = await run(world, tmp_path / "store.db")
    assert (ran.code, ran.states()) == ALL_COMPLETE
    said = f"{most // 2**20} MiB"
    problems = [failed.detail for failed in ran.told(PollFailed)]
    assert any(f"the answer is larger than {said}" in problem for problem in problems)
    document = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
    assert said in document.read_text("utf-8"), f"docs/faults.md does not say {said}"


async def test_nobody_listens_and_nothing_is_sent(tmp_path: Path) -> None:
    async with over_sockets(World(), store=tmp_path / "store.db", origin="http://127.0.0.1:9") as simulated:
        with pytest.raises(
            Unanswered, match=r"no connection to 127\.0\.0\.1:9: Connection refused"
        ) as caught:
            await simulated.run(PLAN)
        assert "TE_BASE_URL" in (caught.value.hint or "")
        assert simulated.service.witness()["requests"] == {}


class Gate:
    """Passes connections on to a port while it is open; a closed gate refuses them."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = self.closed = 0

    async def open(self) -> None:
        self._listener = await asyncio.start_server(self._pass, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self.closed += 1
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks)
        # Until the client has seen that its idle connection is gone: the next turns tell what was closed.
        for _ in range(50):
            await asyncio.sleep(0)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        me = asyncio.current_task()
        assert me is not None
        self._tasks.add(me)
        inward, outward = await asyncio.open_connection("127.0.0.1", self._to)
        try:
            await asyncio.gather(_pump(reader, outward), _pump(inward, writer))
        except asyncio.CancelledError:
            pass  # the gate was closed
        finally:
            self._tasks.discard(me)
            for each in (writer, outward):
                each.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()


async def test_creations_that_never_left_wait_until_the_api_is_back_and_are_created_once(
    tmp_path: Path,
) -> None:
    clock = HeldClock(speed=FAST)
    async with over_sockets(World(), store=tmp_path / "first.db", clock=clock) as behind:
        gate = Gate(int(behind.session.settings.origin.rpartition(":")[2]))
        await gate.open()
        origin = f"http://127.0.0.1:{gate.port}"
        async with over_sockets(
            World(), store=tmp_path / "store.db", clock=clock, origin=origin
        ) as simulated:
            with pytest.MonkeyPatch.context() as patch:
                store = type(simulated.session.doors.store)
                patch.setattr(store, "intend", closing_once(store, gate, clock))
                ran = await simulated.run(PLAN)
        await gate.close()
        witness = behind.service.witness()
    assert (ran.code, ran.states()) == ALL_COMPLETE
    names = [creation["name"] for creation in witness["creations"]]
    assert len(names) == len(set(names)) == 3
    assert ran.summary["requests"]["creations"] > 3, "some were refused a connection"
    assert ran.summary["requests"]["errors"] == ran.summary["requests"]["creations"] - 3


def closing_once(store: type[Store], gate: Gate, clock: HeldClock) -> Callable[..., Awaitable[None]]:
    """The store's ``intend``; its first call closes the gate and opens it some seconds of the clock later."""
    intend = store.intend
    opening: list[asyncio.Future[None]] = []

    async def open_again() -> None:
        await clock.sleep(6.0)
        with clock.hold():
            await gate.open()

    async def closing(*arguments: Any) -> None:
        await intend(*arguments)
        if gate.closed == 0:
            with clock.hold():
                await gate.close()
            opening.append(asyncio.ensure_future(open_again()))

    return closing


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def tls_server(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_a_trusted_certificate_carries_a_whole_run(authority: trustme.CA, tmp_path: Path) -> None:
    client = ssl.create_default_context()
    authority.configure_trust(client)
    contexts = (tls_server(authority, "127.0.0.1"), client)
    async with over_sockets(World(), store=tmp_path / "store.db", tls=contexts) as simulated:
        ran = await simulated.run(PLAN)
    check_promises(ran)
    assert (ran.code, ran.states()) == ALL_COMPLETE


@pytest.mark.parametrize(("name", "trusted"), [("127.0.0.1", False), ("api.thousandeyes.com", True)])
async def test_a_certificate_that_is_not_trusted_ends_the_run_before_anything_is_sent(
    authority: trustme.CA, tmp_path: Path, name: str, *, trusted: bool
) -> None:
    client = ssl.create_default_context()
    if trusted:
        authority.configure_trust(client)
    contexts = (tls_server(authority, name), client)
    async with over_sockets(World(), store=tmp_path / "store.db", tls=contexts) as simulated:
        with pytest.raises(Unanswered, match="is not trusted"):
            await simulated.run(PLAN)
        witness = simulated.service.witness()
    assert witness["requests"] == {}
    assert witness["tokens"] == [], "the token must not reach a server that is not proven"


@asynccontextmanager
async def elsewhere() -> AsyncIterator[tuple[str, Service]]:
    """A second host that would gladly take the token."""
    clock, service = LoopClock(), Service(World())
    async with serve(service, clock.wall, clock.sleep) as origin:
        yield origin, service


@pytest.mark.parametrize("match", ["create", "read", "rerun"])
async def test_the_token_never_follows_a_redirect(match: str, tmp_path: Path) -> None:
    async with elsewhere() as (origin, other):
        # More than are sent: early looks may be of any layer, and one odd answer does not end a layer.
        world = World(faults=(Fault("redirect", match, first=500, target=origin),))
        async with over_sockets(world, store=tmp_path / "store.db") as simulated:
            ran = await simulated.run(PLAN)
            check_promises(ran)
            if match == "rerun":
                ran = await simulated.rerun(ran.outcome.run.id)
        assert ran.code == 3, "a redirect is no answer"
        assert other.witness()["requests"] == {}, "a request followed the redirect"
        assert other.witness()["tokens"] == []


async def test_the_token_never_follows_a_redirect_of_the_listing(tmp_path: Path) -> None:
    async with elsewhere() as (origin, other):
        world = World(faults=(Fault("redirect", "agents", target=origin),))
        async with over_sockets(world, store=tmp_path / "store.db") as simulated:
            with pytest.raises(Unanswered, match="status 307"):
                await simulated.run(PLAN)
        assert other.witness()["tokens"] == []


async def test_the_token_never_follows_a_link_to_another_host(tmp_path: Path) -> None:
    async with elsewhere() as (origin, other):
        world = World(base_url=origin, page_size=2, links="complete")
        async with over_sockets(world, store=tmp_path / "store.db") as simulated:
            ran = await simulated.run(PLAN)
        check_promises(ran)
        assert other.witness()["requests"] == {}, "a link to another host was followed"
        assert other.witness()["tokens"] == []
    assert ran.cell_states() == {"answered": 8}, "path and query were followed at the API's own origin"


async def test_the_token_reaches_the_configured_origin(tmp_path: Path) -> None:
    """Without this the tests above could not fail."""
    ran = await run(World(), tmp_path / "store.db")
    assert len(ran.witness["tokens"]) == 1
    assert TOKEN not in str(ran.witness)
