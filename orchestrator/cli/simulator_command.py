"""`orchestrator simulator`: the simulated API as a server, in real time."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from orchestrator.simulator.service import Service, Settings

DEFAULT_PORT = 8089
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65535))
@click.option("--scenario", type=click.Path(dir_okay=False, path_type=Path), help="YAML or JSON settings.")
@click.option("--organization-limit", type=click.IntRange(1), help="Calls per window [default: 240].")
@click.option("--instant-limit", type=click.IntRange(1), help="Instant tests per window [default: 24].")
@click.option("--window", type=click.FloatRange(0, min_open=True), help="Seconds per window [default: 60].")
@click.option("--aligned/--anchored", default=None, help="Windows follow the clock, or the first request.")
@click.option(
    "--latency", type=click.FloatRange(0, min_open=True), help="Results this much slower [default: 1]."
)
@click.option("--others", type=click.FloatRange(0, 1), help="Share that others eat [default: 0].")
@click.option("--seed", type=int, help="Another world with the same rules [default: 1].")
@click.option("--fault", "faults", multiple=True, metavar="KIND[:MATCH[:P]]", help="P: 0..1, #n or #n+.")
@click.option("--list-faults", is_flag=True, help="List the faults and end.")
def simulator(
    host: str, port: int, scenario: Path | None, faults: tuple[str, ...], list_faults: bool, **chosen: Any
) -> None:
    """Serve the simulated API (v6 and v7), with its limits, agents, tests and faults.

    Takes the token in TE_TOKEN, or any token if that is not set. Ends with exit code 0 on SIGINT and SIGTERM.
    What it saw is at /_simulator/witness, and /_simulator/health answers as soon as it is ready.
    """
    if list_faults:
        _print_faults()
        return
    service = _service(scenario, faults, chosen)
    from asyncio import run  # noqa: PLC0415 - nothing is loaded for --help

    try:
        run(_serve(service, host, port))
    except OSError as error:
        reason = error.strerror or str(error)
        raise click.UsageError(f"cannot listen on {host}:{port}: {reason}; choose another --port") from error


def _service(scenario: Path | None, faults: tuple[str, ...], chosen: dict[str, Any]) -> Service:
    """A world as the scenario says, overridden by the flags, with the token of the environment."""
    from orchestrator.simulator.faults import parse_fault  # noqa: PLC0415 - loaded when called
    from orchestrator.simulator.scenario import load_scenario  # noqa: PLC0415 - as above
    from orchestrator.simulator.service import Service, Settings  # noqa: PLC0415 - as above

    try:
        settings = Settings() if scenario is None else load_scenario(scenario)
        given: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
        if os.environ.get("TE_TOKEN"):
            given["token"] = os.environ["TE_TOKEN"].strip()
        given["faults"] = (*settings.faults, *map(parse_fault, faults))
        return Service(replace(settings, **given))
    except ValueError as error:
        raise click.UsageError(str(error)) from error


async def _serve(service: Service, host: str, port: int) -> None:
    import asyncio  # noqa: PLC0415 - nothing is loaded for --help
    import signal  # noqa: PLC0415 - as above

    from orchestrator.clock import LoopClock  # noqa: PLC0415 - as above
    from orchestrator.simulator.server import serve  # noqa: PLC0415 - as above

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


def _print_faults() -> None:
    from orchestrator.simulator.faults import KINDS  # noqa: PLC0415 - loaded when called

    width = max(map(len, KINDS))
    for kind, (_, text) in KINDS.items():
        click.echo(f"{kind:<{width}}  {text}")
