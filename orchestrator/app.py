"""Builds the rooms and joins them: the one place that knows who needs whom."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar

from orchestrator.budget.ledger import LocalLedger
from orchestrator.budget.permits import Ledger
from orchestrator.clock import Clock, LoopClock
from orchestrator.credentials import Credentials
from orchestrator.events import Listener
from orchestrator.listeners.telling import Telling
from orchestrator.model import Agent, Api
from orchestrator.runner.ask import ask
from orchestrator.runner.conductor import Doors, Pacing
from orchestrator.runner.pacer import Gaps
from orchestrator.runner.wire import Tally, Wire
from orchestrator.settings import Settings
from orchestrator.simulator.server import serve
from orchestrator.simulator.service import Service
from orchestrator.simulator.settings import Settings as World
from orchestrator.store.base import Store
from orchestrator.store.opening import Opened, open_store
from orchestrator.thousandeyes.client import HttpTransport, Timeouts
from orchestrator.thousandeyes.dialects import dialect
from orchestrator.thousandeyes.protocol import Dialect, Reply, Request, Transport

T = TypeVar("T")

# The simulated world's clock: a minute of limits passes in a second.
SIMULATED_SPEED = 60.0
SIMULATED_TOKEN = "simulated"  # noqa: S105 - the built-in simulator takes any
REQUEST_TOTAL = Timeouts().total


@dataclass(frozen=True, slots=True)
class Session:
    """A connection to one origin as one user, with a store. ``speed`` is that of the clock."""

    settings: Settings
    opened: Opened
    doors: Doors
    pacing: Pacing
    simulated: bool = False

    def dialect(self, api: Api) -> Dialect:
        """The translation for an API version."""
        return dialect(api)

    async def agents(self, api: Api, *, labels: bool) -> tuple[Agent, ...]:
        """The one listing of a run, with labels if a selector needs them. Raises ``Refused``."""
        speaks, account = dialect(api), self.settings.account
        listed, _ = await self.ask(speaks, speaks.agents(account), speaks.read_agents)
        # An agent that is listed twice is still one agent.
        agents = tuple({agent.id: agent for agent in listed}.values())
        if not labels:
            return agents
        named, _ = await self.ask(speaks, speaks.labels(account), speaks.read_labels)
        by_agent = _labels_by_agent(named)
        # v6 tells the labels with the agents, v7 apart from them.
        return tuple(
            replace(agent, labels=tuple(dict.fromkeys((*agent.labels, *by_agent.get(agent.id, ())))))
            for agent in agents
        )

    async def ask(self, speaks: Dialect, request: Request, read: Callable[[bytes], T]) -> tuple[T, Reply]:
        """One read outside a run: what ``read`` makes of it, and the reply.

        Raises ``Refused`` or ``Unanswered``.
        """
        doors = self.doors
        return await ask(doors.wire, doors.ledger, doors.clock, speaks, request, doors.rng.random, read)


def _labels_by_agent(named: Mapping[str, frozenset[str]]) -> dict[str, tuple[str, ...]]:
    labels: dict[str, list[str]] = {}
    for label, agent_ids in sorted(named.items()):
        for agent_id in agent_ids:
            labels.setdefault(agent_id, []).append(label)
    return {agent_id: tuple(names) for agent_id, names in labels.items()}


@asynccontextmanager
async def connect(
    settings: Settings,
    credentials: Credentials,
    *,
    reserve: float,
    listeners: Sequence[Listener] = (),
    seed: int | None = None,
) -> AsyncIterator[Session]:
    """A session with the real API, or with a simulator that runs elsewhere."""
    clock = LoopClock()
    rng = Random(secrets.randbits(64) if seed is None else seed)  # noqa: S311 - jitter, no secret
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(open_store(settings.store))
        transport = await stack.enter_async_context(
            HttpTransport(settings.origin, credentials, now=clock.now, allow_http=settings.allow_http)
        )
        ledger = opened.ledger(
            settings.origin,
            settings.organization,
            rng=rng,
            reserve=reserve,
            urgent=settings.urgent,
            tell=Telling(clock.wall, listeners).tell,
        )
        stack.callback(ledger.close)
        doors = _doors(opened.store, transport, ledger, clock, rng, listeners)
        yield Session(settings, opened, doors, Pacing())


@asynccontextmanager
async def simulate(
    settings: Settings,
    *,
    reserve: float,
    listeners: Sequence[Listener] = (),
    world: World | None = None,
    speed: float = SIMULATED_SPEED,
    seed: int = 0,
) -> AsyncIterator[Session]:
    """A session with a simulated API in this process, on loopback, ``speed`` times faster than life."""
    clock = LoopClock(speed=speed)
    rng = Random(seed)  # noqa: S311 - repeatable on purpose
    service = Service(world or World(seed=seed))
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(open_store(settings.store))
        origin = await stack.enter_async_context(serve(service, clock.wall, clock.sleep))
        transport = await stack.enter_async_context(
            HttpTransport(origin, Credentials(SIMULATED_TOKEN), now=clock.now)
        )
        # A reservation lives as long as a request can, which is real time, seen through the fast clock.
        expiry = (REQUEST_TOTAL + 30.0) * speed
        tell = Telling(clock.wall, listeners).tell
        ledger = LocalLedger(reserve=reserve, rng=rng, tell=tell, expiry=expiry)
        doors = _doors(opened.store, transport, ledger, clock, rng, listeners)
        yield Session(replace(settings, origin=origin), opened, doors, Pacing(Gaps(), speed), simulated=True)


def _doors(
    store: Store,
    transport: Transport,
    ledger: Ledger,
    clock: Clock,
    rng: Random,
    listeners: Sequence[Listener],
) -> Doors:
    return Doors(store, Wire(transport, ledger, clock, Tally()), ledger, clock, rng, listeners)
