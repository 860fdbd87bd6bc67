"""Builds the rooms and joins them: the one place that knows who needs whom."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from orchestrator.actions.deliver import Notifier
from orchestrator.actions.organizations import FindToken, settled
from orchestrator.actions.session import Session
from orchestrator.addresses import AddressBook
from orchestrator.budget.ledger import LocalLedger
from orchestrator.budget.permits import Ledger
from orchestrator.clock import Clock, HeldClock, LoopClock
from orchestrator.courier.couriers import Couriers
from orchestrator.credentials import Credentials, mask_of
from orchestrator.errors import UsageProblem
from orchestrator.events import Listener
from orchestrator.listeners.telling import Telling
from orchestrator.organizations import admit, at_home
from orchestrator.runner.doors import Doors, Pacing
from orchestrator.runner.pacer import Gaps
from orchestrator.runner.wire import Wire
from orchestrator.settings import Settings
from orchestrator.store.base import Store
from orchestrator.store.opening import Opened, open_store
from orchestrator.telemetry.address import otlp_base
from orchestrator.telemetry.exporting import Exporter
from orchestrator.telemetry.outlet import Outlet
from orchestrator.telemetry.points import of_url
from orchestrator.telemetry.sending import Telemetry
from orchestrator.thousandeyes.client import HttpTransport, Timeouts
from orchestrator.thousandeyes.held import HeldTransport
from orchestrator.thousandeyes.protocol import Transport

if TYPE_CHECKING:
    from orchestrator.simulator.settings import Settings as World

# The simulated world's clock: a minute of limits passes in a second.
SIMULATED_SPEED = 60.0
SIMULATED_TOKEN = "simulated"  # noqa: S105 - the built-in simulator takes any
REQUEST_TOTAL = Timeouts().total


@asynccontextmanager
async def connect(
    settings: Settings,
    credentials: Credentials | FindToken,
    *,
    reserve: float,
    listeners: Sequence[Listener] = (),
    seed: int | None = None,
    opened: Opened | None = None,
) -> AsyncIterator[Session]:
    """A session with the real API, or with a simulator that runs elsewhere.

    An organization of the store is talked to at its own origin, unless ``settings`` name one.

    ``opened``: a store that several sessions of this process share, and that its opener closes.
    """
    clock = LoopClock()
    telling = Telling(clock.wall, listeners)
    rng = Random(secrets.randbits(64) if seed is None else seed)  # noqa: S311 - jitter, no secret
    async with AsyncExitStack() as stack:
        if opened is None:
            opened = await stack.enter_async_context(
                open_store(settings.store, organization=settings.organization)
            )
        if (organization := await settled(opened, settings.organization)) is not None:
            settings = at_home(organization, settings)
            admit(organization, settings)
        if not isinstance(credentials, Credentials):
            credentials = credentials(organization)
        transport = await stack.enter_async_context(
            HttpTransport(
                settings.origin,
                credentials,
                now=clock.now,
                allow_http=settings.allow_http,
                ca_file=settings.ca_file,
            )
        )
        ledger = opened.ledger(
            settings.origin,
            settings.organization,
            rng=rng,
            reserve=reserve,
            urgent=settings.urgent,
            tell=telling.tell,
            clock=clock,
        )
        stack.callback(ledger.close)
        doors = _doors(opened.store, transport, ledger, clock, rng, telling)
        mask = mask_of(credentials)
        cautions = await _cautions(opened.store, credentials)
        yield Session(
            settings,
            opened,
            doors,
            Pacing(),
            secrets.token_hex,
            mask=mask,
            owner=_owner(),
            cautions=cautions,
        )


@asynccontextmanager
async def simulate(
    settings: Settings,
    *,
    reserve: float,
    listeners: Sequence[Listener] = (),
    world: World | None = None,
    culprits: Sequence[str] = (),
    noise: int | None = None,
    speed: float = SIMULATED_SPEED,
    seed: int = 0,
    unmet: Callable[[str], object] | None = None,
) -> AsyncIterator[Session]:
    """A session with a simulated API in this process, on loopback, up to ``speed`` times faster than life.

    ``culprits`` are what is broken in it (``hop=tr2-san-jose-0:dead``), and ``noise`` the seed of its noise,
    unless it is a ``world`` of the caller's; ``unmet`` is told at the end of those that met nothing. Raises
    ``UsageProblem`` for culprits that cannot be.
    """
    from orchestrator.simulator.server import serve_world  # noqa: PLC0415 - a real run has no simulated world

    if world is None:
        world = _world(seed, culprits, noise)
    clock = HeldClock(speed=speed)
    telling = Telling(clock.wall, listeners)
    rng = Random(seed)  # noqa: S311 - repeatable on purpose
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(
            open_store(settings.store, organization=settings.organization, busy=clock.hold)
        )
        origin = await stack.enter_async_context(serve_world(world, clock.wall, clock.rest, unmet))
        client = await stack.enter_async_context(
            HttpTransport(origin, Credentials(SIMULATED_TOKEN), now=clock.now)
        )
        transport = HeldTransport(client, clock, REQUEST_TOTAL)
        ledger = LocalLedger(reserve=reserve, rng=rng, tell=telling.tell)
        doors = _doors(opened.store, transport, ledger, clock, rng, telling)
        settings = replace(settings, origin=origin)
        # The gap between requests follows the event loop: kept there, it would be time that the clock counts.
        pacing = Pacing(Gaps(wire=0.0), speed)
        yield Session(settings, opened, doors, pacing, secrets.token_hex, simulated=True, owner=_owner())


def _owner() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def notifier(book: AddressBook, ca_file: str | None = None) -> Notifier:
    """Who carries notices, by these addresses. ``ca_file`` has certificates to trust too."""
    return Notifier(book, Couriers(ca_file))


@asynccontextmanager
async def telling_by_otlp(
    opening: Callable[[Sequence[Listener]], AbstractAsyncContextManager[Session]],
    url: str,
    *,
    mask: Callable[[str], str] = str,
    allow_http: bool = False,
    resumed: bool = False,
    warned: Callable[[str], object] = lambda warning: None,
) -> AsyncIterator[Session]:
    """The session of ``opening`` with a listener more, which sends to an address what is told and measured.

    ``resumed``: its run was begun by another session. ``warned`` hears at the end if something was not sent.
    Raises ``UsageProblem`` for an address that cannot be one, ``MissingExtra`` without the extra.
    """
    base = otlp_base(url, allow_http=allow_http)
    telemetry = Telemetry(Outlet(Exporter(base, mask), base), base, resumed=resumed)
    async with opening([telemetry]) as session:
        try:
            async with telemetry.beside(session.doors.store, of_url(session.settings.origin)):
                yield session
        finally:
            if telemetry.warning is not None:
                warned(telemetry.warning)


def _world(seed: int, culprits: Sequence[str], noise: int | None) -> World:
    from orchestrator.simulator.culprits import broken_world  # noqa: PLC0415 - a real run has no such world

    try:
        return broken_world(seed, culprits, noise)
    except ValueError as error:
        raise UsageProblem(
            str(error), hint="orchestrator simulator --list-culprits shows what there is"
        ) from error


async def _cautions(store: Store, credentials: Credentials) -> dict[str, str]:
    told = {"token": credentials.caution, "store": (await store.about()).caution}
    return {what: caution for what, caution in told.items() if caution is not None}


def _doors(
    store: Store,
    transport: Transport,
    ledger: Ledger,
    clock: Clock,
    rng: Random,
    telling: Telling,
) -> Doors:
    return Doors(store, Wire(transport, ledger, clock, telling), ledger, clock, rng, telling)
