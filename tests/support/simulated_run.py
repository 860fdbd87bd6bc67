"""A plan run by the real orchestrator against a simulated world, with all that a test may ask about it.

Two doors to the same world::

    async with over_sockets(world, store=path) as simulated:   # the real HTTP client, a fast clock
    async with in_process(world, store=path) as simulated:     # inside virtual_time.run_virtual
        ran = await simulated.run(PLAN)

or in one call: ``virtual_run(PLAN, world, store=path)``.
"""

from __future__ import annotations

import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from secrets import token_hex
from typing import Any, TypeVar

from virtual_time import run_virtual
from virtual_world import EPOCH, ORIGIN, VirtualTransport

from orchestrator.actions import run as action
from orchestrator.actions.reading import summed_up
from orchestrator.actions.run import Attend, Attendance, Outcome, Wishes
from orchestrator.actions.session import Session
from orchestrator.budget.ledger import LocalLedger
from orchestrator.clock import HeldClock, LoopClock
from orchestrator.credentials import Credentials
from orchestrator.events import Event, Fact, Standing
from orchestrator.lifecycle import SpecState
from orchestrator.listeners.progress import ProgressListener
from orchestrator.listeners.telling import Telling
from orchestrator.model import AnswerStatus, Api
from orchestrator.plan.load import parse_plan
from orchestrator.records import CellRecord, RunRecord, StoredAnswer, TestRecord
from orchestrator.report.markdown import ticket
from orchestrator.report.summary import summary
from orchestrator.runner.doors import Doors, Pacing
from orchestrator.runner.pacer import Gaps
from orchestrator.runner.wire import Wire
from orchestrator.settings import Settings
from orchestrator.simulator.server import serve
from orchestrator.simulator.service import Service
from orchestrator.simulator.settings import Settings as World
from orchestrator.store.opening import open_store
from orchestrator.thousandeyes.client import HttpTransport, Timeouts
from orchestrator.thousandeyes.held import HeldTransport
from orchestrator.thousandeyes.protocol import Reply, Request, Transport

F = TypeVar("F", bound=Fact)

TOKEN = "sesame-0123456789abcdef-0123456789abcdef"
# Over sockets as fast as the process can: the clock is held while it works.
FAST = 1e6
# Seconds of that clock, after which a request is given up that the world does not answer.
TOTAL = Timeouts().total
# What a run may take beyond its deadline, in its clock's seconds: last looks and one request's time-out.
DEADLINE_SLACK = 30.0 + 60.0 + 5.0


class Recording:
    """A transport that keeps what was asked and what came: the witness of what was served to the client."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.replies: list[tuple[Request, Reply]] = []
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Reply:
        """As the inner transport."""
        self.requests.append(request)
        reply = await self._inner.send(request)
        self.replies.append((request, reply))
        return reply


class Hasty:
    """Sends the first creation by a transport of its own."""

    def __init__(self, usual: Transport, first: Transport) -> None:
        self._usual, self._first = usual, first

    async def send(self, request: Request) -> Reply:
        """As the transport whose turn it is."""
        way = self._usual
        if request.instant:
            way, self._first = self._first, self._usual
        return await way.send(request)


@dataclass(frozen=True, slots=True)
class Ran:
    """What one run came to. ``seconds`` are the run's own clock's; ``text`` is the report for a ticket.

    ``requests`` and ``replies`` are those of the last session of the run; ``sent_before`` counts creations
    and re-runs of earlier ones.
    """

    outcome: Outcome
    witness: Mapping[str, Any]
    summary: Mapping[str, Any]
    tests: Sequence[TestRecord]
    cells: Sequence[CellRecord]
    answers: Sequence[StoredAnswer]
    events: Sequence[Event]
    text: str
    seconds: float
    requests: Sequence[Request]
    replies: Sequence[tuple[Request, Reply]]
    sent_before: int

    @property
    def code(self) -> int:
        """The exit code."""
        return int(self.outcome.exit_code)

    def states(self) -> dict[str, int]:
        """How many tests ended in which state."""
        return dict(Counter(test.state.value for test in self.tests))

    def cell_states(self) -> dict[str, int]:
        """How many cells ended in which state."""
        return dict(Counter(cell.state.value for cell in self.cells))

    def created_names(self) -> list[str]:
        """Names of the tests that the world created, in order."""
        return [str(creation["name"]) for creation in self.witness["creations"]]

    def reasons(self) -> str:
        """Every error of a test and reason of a cell."""
        errors = [test.error or "" for test in self.tests]
        return "\n".join([*errors, *(reason for cell in self.cells for reason in cell.reasons)])

    def told(self, kind: type[F]) -> list[F]:
        """The facts of a kind, in order."""
        return [event.fact for event in self.events if isinstance(event.fact, kind)]


@dataclass(slots=True)
class _Begun:
    """How everything stood when a run was about to be conducted."""

    run: RunRecord | None = None
    at: float = 0.0
    requests: int = 0
    replies: int = 0

    @property
    def sent(self) -> int:
        """How many creations and re-runs earlier sessions of the run sent."""
        assert self.run is not None, "nothing was conducted"
        facts = self.run.facts.requests
        return facts.creations + facts.reruns


@dataclass(slots=True)
class Simulated:
    """A world with a session that talks to it. Runs may follow each other; all share world and store."""

    session: Session
    service: Service
    transport: Recording
    folder: Path
    standings: list[Standing] = field(default_factory=list)

    async def run(self, plan_text: str, **wishes: Any) -> Ran:
        """Run a plan to its end. Raises what makes it impossible (``Refused``, ``Unanswered``, ...)."""
        self._anew()
        plan = parse_plan(plan_text, "plan.yaml", self.folder, environ={})
        return await self._ran(
            lambda attend: action.run(self.session, plan, wishes=Wishes(**wishes), attend=attend)
        )

    async def rerun(self, run: str, *, failed: bool = False) -> Ran:
        """Run the tests of a run again."""
        self._anew()
        parent = await self.session.doors.store.run(run)
        return await self._ran(
            lambda attend: action.rerun(self.session, parent, failed=failed, attend=attend)
        )

    async def resume(self, run: str, *, unknown: str = "keep") -> Ran:
        """Go on with a run."""
        self._anew()
        record = await self.session.doors.store.run(run)
        return await self._ran(
            lambda attend: action.resume(self.session, record, unknown=unknown, attend=attend)
        )

    def _anew(self) -> None:
        """Requests are counted per session, and each command is a session of its own."""
        doors = self.session.doors
        telling = Telling(doors.clock.wall)
        wire = Wire(self.transport, doors.ledger, doors.clock, telling)
        self.session = replace(self.session, doors=replace(doors, wire=wire, telling=telling))

    async def _ran(self, act: Callable[[Attend], Awaitable[Outcome]]) -> Ran:
        """Act, and gather what the run left. What is measured begins when the run is stored."""
        clock, begun = self.session.doors.clock, _Begun()

        @contextmanager
        def attend(run: RunRecord) -> Iterator[Attendance]:
            begun.run, begun.at = run, clock.now()
            begun.requests, begun.replies = len(self.transport.requests), len(self.transport.replies)
            yield Attendance(listeners=[ProgressListener(self.standings.append)])

        outcome = await act(attend)
        return await self._gather(begun, outcome, clock.now() - begun.at)

    async def _gather(self, begun: _Begun, outcome: Outcome, seconds: float) -> Ran:
        store, run = self.session.doors.store, outcome.run
        cells = [cell async for cell in store.cells(run.id)]
        now = self.session.doors.clock.wall()
        shown = await summed_up(store, run, now=now)
        return Ran(
            outcome=outcome,
            witness=self.service.witness(),
            summary=summary(run, outcome.counts, now=now),
            tests=await store.tests(run.id),
            cells=cells,
            answers=[answer async for answer in store.results(run.id)],
            events=await store.events(run.id),
            text=ticket(shown.overview),
            seconds=seconds,
            requests=self.transport.requests[begun.requests :],
            replies=self.transport.replies[begun.replies :],
            sent_before=begun.sent,
        )


@asynccontextmanager
async def over_sockets(
    world: World,
    *,
    store: Path,
    speed: float = FAST,
    clock: HeldClock | None = None,
    hasty: Timeouts | None = None,
    tls: tuple[ssl.SSLContext, ssl.SSLContext] | None = None,
    origin: str | None = None,
    token: str = TOKEN,
) -> AsyncIterator[Simulated]:
    """The world behind a loopback server, the real HTTP client, a clock that no slow machine can hurry.

    ``clock`` is to be shared where two worlds meet; ``hasty`` are real seconds, for the first creation only;
    ``tls`` is the server's and the client's context; ``origin`` sends the client elsewhere.
    """
    clock = clock or HeldClock(speed=speed, epoch=EPOCH)
    rng = Random(world.seed)
    service = Service(world)
    server_tls, client_tls = tls if tls is not None else (None, None)
    async with (
        open_store(str(store), busy=clock.hold) as opened,
        serve(service, clock.wall, clock.rest, tls=server_tls) as served,
    ):

        def client(timeouts: Timeouts) -> HttpTransport:
            credentials = Credentials(token)
            return HttpTransport(
                origin or served,
                credentials,
                now=clock.now,
                timeouts=timeouts,
                environ={},
                tls=client_tls,
            )

        async with client(Timeouts()) as usual, client(hasty or Timeouts()) as first:
            transport = Recording(HeldTransport(Hasty(usual, first), clock, TOTAL))
            telling = Telling(clock.wall)
            ledger = LocalLedger(reserve=0.1, rng=rng)
            wire = Wire(transport, ledger, clock, telling)
            doors = Doors(opened.store, wire, ledger, clock, rng, telling)
            settings = Settings(origin=usual.origin, store=opened.url)
            pacing = Pacing(Gaps(wire=0.0), speed)
            session = Session(settings, opened, doors, pacing, token_hex, simulated=True)
            yield Simulated(session, service, transport, store.parent)


@asynccontextmanager
async def in_process(world: World, *, store: Path, epoch: float = EPOCH) -> AsyncIterator[Simulated]:
    """The world without sockets and threads, in virtual time. Use it inside :func:`run_virtual`."""
    clock = LoopClock(epoch=epoch)
    clock.wall()
    rng = Random(world.seed)
    service = Service(replace(world, base_url=world.base_url or ORIGIN))
    async with open_store(str(store), virtual=True) as opened:
        transport = Recording(VirtualTransport(service, clock, clock))
        ledger = LocalLedger(reserve=0.1, rng=rng)
        telling = Telling(clock.wall)
        wire = Wire(transport, ledger, clock, telling)
        doors = Doors(opened.store, wire, ledger, clock, rng, telling)
        settings = Settings(origin=ORIGIN, store=opened.url)
        session = Session(settings, opened, doors, Pacing(), token_hex, simulated=True)
        yield Simulated(session, service, transport, store.parent)


def virtual_run(plan_text: str, world: World, *, store: Path) -> Ran:
    """Run a plan in virtual time. Not from inside a running loop."""

    async def work() -> Ran:
        async with in_process(world, store=store) as simulated:
            return await simulated.run(plan_text)

    return run_virtual(work)


# -- what must hold whatever happens ----------------------------------------------------------------------


def check_promises(ran: Ran) -> None:
    """Assert what no fault may break: paid for once, kept, counted, ended in time, told truly."""
    _paid_for_once(ran)
    _kept(ran)
    check_sums(ran)


def check_sums(ran: Ran) -> None:
    """Assert what holds even of a world that lies about what it created: counted, in time, told truly."""
    _counted(ran)
    _ended_in_time(ran)
    _told_the_truth(ran)


def _paid_for_once(ran: Ran) -> None:
    twice = [name for name, times in Counter(ran.created_names()).items() if times > 1]
    assert not twice, f"created more than once: {twice}"
    ids = {test.test_id for test in ran.tests if test.test_id is not None}
    unknown = {test.name for test in ran.tests if test.state is SpecState.UNKNOWN}
    forgotten = [
        creation["name"]
        for creation in ran.witness["creations"]
        if creation["test_id"] not in ids and creation["name"] not in unknown
    ]
    assert not forgotten, f"created, but neither followed nor unknown: {forgotten}"


def _kept(ran: Ran) -> None:
    stored = [
        (
            *(one.test_id, one.answer.layer, one.answer.agent_id, one.answer.round_id),
            *(one.answer.server, one.answer.direction),
        )
        for one in ran.answers
    ]
    twice = [place for place, times in Counter(stored).items() if times > 1]
    assert not twice, f"stored more than once: {twice}"
    lost = served_rows(ran) - {place[:4] for place in stored}
    assert not lost, f"served, but not stored: {sorted(lost)}"


def _counted(ran: Ran) -> None:
    for group in ("tests", "cells"):
        counts = dict(ran.summary[group])
        planned = counts.pop("planned")
        counts.pop("created", None)
        assert sum(counts.values()) == planned, f"{group} do not add up to {planned}: {counts}"
    assert len(ran.tests) == ran.summary["tests"]["planned"]
    assert len(ran.cells) == ran.summary["cells"]["planned"]
    sent = ran.sent_before + sum(request.method == "POST" for request in ran.requests)
    assert _sent(ran.summary) == sent, f"{sent} were sent, but told: {ran.summary['requests']}"


def _sent(facts: Mapping[str, Any]) -> int:
    requests = facts.get("requests") or {}
    return int(requests.get("creations", 0)) + int(requests.get("reruns", 0))


def _ended_in_time(ran: Ran) -> None:
    deadline = ran.outcome.run.settings.deadline
    assert ran.seconds <= deadline + DEADLINE_SLACK, f"took {ran.seconds:.0f} s of {deadline:.0f} s"


def _told_the_truth(ran: Ran) -> None:
    if ran.code in {0, 1}:
        assert set(ran.states()) <= {"complete"}, f"exit {ran.code} with {ran.states()}"
        assert set(ran.cell_states()) <= {"answered", "errors", "not_run"}, f"exit {ran.code}"
    open_ends = {"planned", "creating", "waiting"} & set(ran.states())
    if ran.code == 3:
        assert not open_ends, f"an incomplete run has open tests: {ran.states()}"
        assert "INCOMPLETE" in ran.text.upper(), ran.text
    assert ran.outcome.run.exit_code == ran.code


Place = tuple[str | None, str, str, int]


def served_rows(ran: Ran) -> set[Place]:
    """Test, layer, agent and round of every row for us in a whole, successful answer to a look.

    Read here once more, by a few lines that share nothing with the product's reading.
    """
    mine = {test.test_id: test for test in ran.tests if test.test_id is not None}
    found: set[Place] = set()
    for request, reply in ran.replies:
        parts = request.path.strip("/").removesuffix(".json").split("/")
        if request.method != "GET" or not 200 <= reply.status < 300 or "agent" in parts:
            continue
        test = next((mine[part] for part in parts if part in mine), None)
        if test is None:
            continue
        layer, rows = _rows(ran.outcome.run.api, parts, reply.body)
        for row in rows:
            agent, started = _who(row)
            old = (test.baseline or {}).get(agent, -1)
            if agent in test.spec.agents and started is not None and started > old:
                found.add((test.test_id, layer, agent, started))
    return found


_V6_LAYERS = {
    ("net", "metrics"): ("network", ("net", "metrics")),
    ("net", "path-vis"): ("path-vis", ("net", "pathVis")),
    ("web", "http-server"): ("http-server", ("web", "httpServer")),
    ("dns", "server"): ("dns-server", ("dns", "server")),
    ("web", "page-load"): ("page-load", ("web", "pageLoad")),
}


def _rows(api: Api, parts: Sequence[str], body: bytes) -> tuple[str, list[Any]]:
    try:
        told = json.loads(body)
    except ValueError:
        return "", []
    if not isinstance(told, dict):
        return "", []
    if api is Api.V7:
        rows = told.get("results")
        return parts[-1], rows if isinstance(rows, list) else []
    layer, (outer, inner) = _V6_LAYERS[parts[1], parts[2]]
    group = told.get(outer)
    rows = group.get(inner) if isinstance(group, dict) else None
    return layer, rows if isinstance(rows, list) else []


def _who(row: Any) -> tuple[str, int | None]:
    if not isinstance(row, dict):
        return "", None
    agent = row.get("agent")
    told = agent.get("agentId") if isinstance(agent, dict) else row.get("agentId")
    started = str(row.get("roundId"))
    return str(told), int(started) if started.isdigit() else None


def is_detail(request: Request) -> bool:
    """Whether hops are asked for; v7: .../path-vis/agent/A/round/R, v6: .../path-vis/T/A/R."""
    parts = request.path.strip("/").split("/")
    return "path-vis" in parts and (parts[-2] == "round" or len(parts) == 6)


def error_rows(ran: Ran) -> int:
    """How many answers are error rows."""
    return sum(one.answer.status is AnswerStatus.ERROR for one in ran.answers)
