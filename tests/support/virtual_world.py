"""The real orchestrator against the simulated API in virtual time: no sockets, no threads, no waiting."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from urllib.parse import unquote

from orchestrator.budget.ledger import LocalLedger
from orchestrator.budget.permits import Ledger
from orchestrator.clock import Clock, LoopClock
from orchestrator.courtesy import Courtesy
from orchestrator.events import Event
from orchestrator.lifecycle import SpecState
from orchestrator.listeners.telling import Telling
from orchestrator.model import Answer, Api, CellResult, Spec
from orchestrator.records import RunRecord, RunSettings, TestRecord
from orchestrator.runner.conductor import Conductor, Outcome
from orchestrator.runner.doors import Doors, Pacing
from orchestrator.runner.pacer import Gaps
from orchestrator.runner.wire import Wire
from orchestrator.simulator.inprocess import InProcess
from orchestrator.simulator.messages import SimRequest
from orchestrator.simulator.service import Service
from orchestrator.store.sqlite.store import SqliteStore
from orchestrator.thousandeyes.dialects import dialect
from orchestrator.thousandeyes.protocol import NoAnswer, Reply, Request, Transport, head_tells_enough

ORIGIN = "https://api.thousandeyes.com"
RUN = "6500000000000001"
# The simulated world's clock begins here, on a full minute; the phase is added.
EPOCH = 1_800_000_000.0
PATIENCE = 60.0


class VirtualTransport:
    """Carries requests to a service in this process. ``clock`` is the client's, ``world`` the world's."""

    def __init__(self, service: Service, clock: Clock, world: Clock) -> None:
        self._clock = clock
        self._inner = InProcess(service, world.wall, clock.sleep, patience=PATIENCE, halves=True)

    async def send(self, request: Request) -> Reply:
        """As :class:`orchestrator.thousandeyes.protocol.Transport` promises."""
        sent = self._clock.now()
        headers = {"authorization": "Bearer x", "content-type": "application/json", "host": "api"}
        body = b"" if request.body is None else json.dumps(request.body).encode()
        try:
            reply = await self._inner.send(
                SimRequest(request.method, unquote(request.path), dict(request.query), headers, body)
            )
        except (ConnectionResetError, TimeoutError) as error:
            raise NoAnswer(str(error)) from error
        names = {name.lower(): value for name, value in reply.headers.items()}
        broken = None if reply.wire is None else "the answer's body broke off"
        if broken is not None and not head_tells_enough(request, reply.status, names):
            raise NoAnswer(broken)
        return Reply(reply.status, names, reply.body, sent, self._clock.now(), broken)


class TimedStore(SqliteStore):
    """A store that remembers when (the world's time) each layer of each test was stored to its last row."""

    stored_at: dict[tuple[str, str], float]
    world: Clock

    async def add_answers(
        self,
        run: str,
        key: str,
        answers: Sequence[Answer],
        events: Sequence[Event] = (),
        cells: Sequence[CellResult] = (),
    ) -> int:
        for answer in answers:
            self.stored_at[key, answer.layer] = self.world.wall()
        return await super().add_answers(run, key, answers, events, cells)


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished run with its witness. Times are the world's epoch seconds."""

    outcome: Outcome
    service: Service
    store: TimedStore
    began: float
    ended: float
    created_order: list[str]
    waited: Mapping[str, float] = field(default_factory=dict)


async def run_in_virtual_time(
    specs: Sequence[Spec],
    service: Service,
    path: Path,
    *,
    phase: float = 0.0,
    client_clock_off: float = 0.0,
    seed: int = 1,
    gaps: Gaps | None = None,
    ledger: Ledger | None = None,
    deadline: float = 1e7,
    in_order: bool = False,
    courtesy: Courtesy | None = None,
    transport: Callable[[VirtualTransport], Transport] = lambda inner: inner,
    at_start: Callable[[Conductor], object] = lambda conductor: None,
) -> Ran:
    """Conduct the specs as a run. Call inside :func:`virtual_time.run_virtual`.

    ``transport`` may put something of its own between the client and the world. ``at_start`` is given the
    conductor before the run.
    """
    world = LoopClock(epoch=EPOCH + phase)
    clock = LoopClock(epoch=EPOCH + phase + client_clock_off)
    world.wall(), clock.wall()
    rng = Random(seed)
    store = await TimedStore.open(path, virtual=True)
    store.stored_at, store.world = {}, world
    ledger = ledger or LocalLedger(rng=rng)
    way = transport(VirtualTransport(service, clock, world))
    telling = Telling(clock.wall)
    doors = Doors(store, Wire(way, ledger, clock, telling), ledger, clock, rng, telling)
    run = RunRecord(
        id=RUN, plan="bench", plan_path=None, plan_text="", plan_hash="", api=Api.V7, origin=ORIGIN,
        account=None, parent=None, started=clock.wall(),
        settings=RunSettings(deadline=deadline, in_order=in_order, courtesy=courtesy or Courtesy()),
    )  # fmt: skip
    tests = [TestRecord(RUN, n, spec, SpecState.PLANNED) for n, spec in enumerate(specs)]
    await store.create_run(run, tests, (), ())
    conductor = Conductor(doors, dialect(Api.V7), run, pacing=Pacing(gaps or Gaps()))
    at_start(conductor)
    began = world.wall()
    outcome = await conductor.run()
    ended = max(store.stored_at.values(), default=world.wall())
    order = [str(creation["name"]) for creation in service.witness()["creations"]]
    return Ran(outcome, service, store, began, ended, order)
