"""What `orchestrator simulator` does."""

from __future__ import annotations

import asyncio
import gc
import os
import shlex
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from orchestrator.cli.bodies.common import cannot_listen
from orchestrator.clock import LoopClock
from orchestrator.safe import terminal
from orchestrator.simulator.culprits import broken_world, listing
from orchestrator.simulator.faults import KINDS, parse_fault
from orchestrator.simulator.scenario import load_scenario
from orchestrator.simulator.server import serve
from orchestrator.simulator.service import Service, Settings

if TYPE_CHECKING:
    from orchestrator.cli.options import Breaking
    from orchestrator.cli.simulator_command import Chosen

T = TypeVar("T")

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def simulator(
    host: str,
    port: int,
    scenario: Path | None,
    chosen: Chosen,
    breaking: Breaking,
    faults: tuple[str, ...],
) -> None:
    """Serve until a signal comes."""
    service = _service(scenario, faults, chosen, breaking)
    gc.enable()  # see ``__main__``
    try:
        asyncio.run(_serve(service, host, port))
    except OSError as error:
        raise cannot_listen(host, port, error) from error


def print_faults() -> None:
    """List the faults."""
    width = max(map(len, KINDS))
    for kind, (_, text) in KINDS.items():
        click.echo(f"{kind:<{width}}  {text}")


def print_culprits(scenario: Path | None) -> None:
    """List what can be broken in a world."""
    try:
        world = Settings() if scenario is None else load_scenario(scenario)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    for line in listing(world):
        click.echo(terminal(line))


def _service(scenario: Path | None, faults: tuple[str, ...], chosen: Chosen, breaking: Breaking) -> Service:
    """A world as the scenario says, overridden by the flags, with the token of the environment."""
    try:
        read = Settings() if scenario is None else load_scenario(scenario)
        seed = _first(chosen.seed, read.seed)
        world = broken_world(seed, breaking.culprits, breaking.noise, read)
        return Service(
            replace(
                world,
                organization_limit=_first(chosen.organization_limit, world.organization_limit),
                instant_limit=_first(chosen.instant_limit, world.instant_limit),
                window=_first(chosen.window, world.window),
                aligned=_first(chosen.aligned, world.aligned),
                latency=_first(chosen.latency, world.latency),
                others=_first(chosen.others, world.others),
                token=os.environ.get("TE_TOKEN", "").strip() or world.token,
                faults=(*world.faults, *map(parse_fault, faults)),
            )
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _first(said: T | None, otherwise: T) -> T:
    return otherwise if said is None else said


async def _serve(service: Service, host: str, port: int) -> None:
    clock = LoopClock()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serve(service, clock.wall, clock.sleep, host, port) as origin:
        _announce(service.settings, host, origin)
        await stop.wait()


def _announce(settings: Settings, host: str, origin: str) -> None:
    """How to use it, on stderr. The token is never shown, not even a made-up one."""
    click.echo(f"simulated API on {origin} (v6 and v7), Ctrl-C ends it", err=True)
    click.echo(f"export TE_BASE_URL={shlex.quote(origin)}", err=True)
    if settings.token is None:
        click.echo("export TE_TOKEN=any-token-will-do", err=True)
    else:
        click.echo("# TE_TOKEN: the one that this server was started with", err=True)
    if host not in _LOOPBACK:
        click.echo("warning: this is plain HTTP beyond loopback; use no real token here", err=True)
