"""The options of a worker."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.configured import setting_option
from orchestrator.cli.options import Access, Command, store_option, together
from orchestrator.settings import AID, BASE_URL, CA_FILE, CONCURRENCY

LISTEN = "127.0.0.1:9464"


@dataclass(frozen=True, slots=True)
class Serving:
    """How a worker serves: how many runs at a time, whose, and where it says how it is."""

    concurrency: int
    organizations: tuple[str, ...]
    listen: str
    name: str | None
    plan_env: tuple[str, ...]
    health: bool
    token_file: str | None
    base_url: str | None
    origins: tuple[str, ...]
    aid: str | None
    allow_http: bool
    ca_file: str | None
    store: str | None

    @property
    def access(self) -> Access:
        """Where to talk to, of organizations that do not say it themselves."""
        return Access(self.token_file, self.base_url, self.aid, "", self.allow_http, self.ca_file, self.store)


def serving_options(command: Command) -> Command:
    """``serving``, a :class:`Serving`."""
    return together(
        "serving",
        Serving,
        command,
        setting_option(
            CONCURRENCY,
            type=click.IntRange(1, 100),
            show_default=True,
            help="Runs at a time; an organization never gets faster by more.",
        ),
        click.option(
            "--organization",
            "organizations",
            multiple=True,
            metavar="NAME",
            help="Only runs of this organization (repeatable).",
        ),
        click.option(
            "--listen",
            default=LISTEN,
            show_default=True,
            metavar="HOST:PORT",
            help="Where /healthz, /readyz and /metrics are; off for nowhere.",
        ),
        click.option("--name", metavar="NAME", help="How others see this worker. [default: host:process]"),
        click.option(
            "--plan-env",
            multiple=True,
            metavar="NAME",
            help="A variable of this host that plans may read as ${env:NAME} (repeatable).",
        ),
        click.option("--health", is_flag=True, help="Only ask the worker at --listen whether it is well."),
        click.option(
            "--token-file", metavar="FILE", help="The token of organizations that name none themselves."
        ),
        setting_option(BASE_URL, later=True, metavar="URL", help="Their origin."),
        click.option(
            "--origin",
            "origins",
            multiple=True,
            metavar="URL",
            help="Where organizations of the store may be too, besides the vendor's (repeatable).",
        ),
        setting_option(AID, later=True, metavar="ID", help="Their account group."),
        click.option("--allow-http", is_flag=True, help="Accept plain http:// beyond loopback."),
        setting_option(CA_FILE, metavar="FILE", help="Certificates (PEM) to trust too."),
        store_option,
    )
