"""`orchestrator serve`: the runs of a store as web pages."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.options import store_option

DEFAULT_PORT = 8090


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--token-file",
    metavar="FILE",
    help="Ask everybody for the token in this file (Bearer, or the password that a browser asks for).",
)
@click.option(
    "--trust-proxy-user",
    metavar="HEADER",
    help="Answer requests in which a proxy that authenticates names a user in this header.",
)
@click.option(
    "--proxy",
    "proxies",
    multiple=True,
    metavar="ADDRESS",
    help="Where that proxy asks from, an address or a network (repeatable).  [default: this host]",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="HOST",
    help="A name that the pages are asked by, besides addresses and localhost (repeatable).",
)
@click.option(
    "--organization",
    "organizations",
    multiple=True,
    metavar="NAME",
    help="Show the budgets of this organization too (repeatable).",
)
@click.option(
    "--hooks",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Take alerts as this file says, and diagnose what they are about.",
)
@store_option
def serve(
    host: str,
    port: int,
    token_file: str | None,
    trust_proxy_user: str | None,
    proxies: tuple[str, ...],
    names: tuple[str, ...],
    organizations: tuple[str, ...],
    hooks: Path | None,
    store: str | None,
) -> None:
    """Serve the runs of the store as web pages: reports, comparisons, histories, budgets.

    Only for reading: no page changes anything. With --hooks alerts are taken too, at POST /hooks/NAME.
    Listens on loopback; beyond it only with --token-file or --trust-proxy-user. Each page is JSON too
    (Accept: application/json). Ends with exit code 0 on SIGINT and SIGTERM.
    """
    from orchestrator.cli.bodies import serve as body  # noqa: PLC0415 - start-up stays light

    asked = body.Asked(host, port, token_file, trust_proxy_user, proxies, names)
    body.serve(asked, organizations, hooks, store=store)
