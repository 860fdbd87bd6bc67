"""The options of `diagnose`, and the values that they reach it as."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import click

from orchestrator.cli.configured import setting_option
from orchestrator.cli.options import Command, grace_option, json_option, otlp_option, together
from orchestrator.settings import CONTROL, TIME_BOX


class Duration(click.ParamType[float]):
    """Seconds from ``90s``, ``3m``, ``1m30s`` or a number of seconds."""

    name = "duration"
    _FORM = re.compile(r"(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", re.ASCII)

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = self._FORM.fullmatch(str(value).strip())
        if match is None or not any(match.groups()):
            self.fail(f"{value!r} is no time such as 90s or 3m.", param, ctx)
        return 60.0 * float(match[1] or 0) + float(match[2] or 0)


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked, as it was written; the time box in seconds."""

    whence: tuple[str, ...]
    count: int
    time_box: float
    controls: tuple[str, ...]
    against: str | None
    preset: str | None
    dns_servers: tuple[str, ...]
    page: bool
    confirm: bool
    waves: bool


@dataclass(frozen=True, slots=True)
class Telling:
    """How it is told, and what is kept of it."""

    share: bool
    yes: bool
    save: Path | None
    outputs: tuple[Path, ...]
    grace: float
    quiet: bool
    as_json: bool
    otlp: str | None
    detach: bool


def asking_options(command: Command) -> Command:
    """What is asked: ``asking``, an :class:`Asking`."""
    return together(
        "asking",
        Asking,
        command,
        click.option(
            "--from",
            "whence",
            multiple=True,
            metavar="SELECTOR",
            help="Whom to ask: 'type=cloud country=GB,DE', a name's pattern, or a run (its agents again).",
        ),
        click.option(
            "--agents",
            "count",
            type=click.IntRange(1, 50),
            default=12,
            show_default=True,
            help="So many agents at first.",
        ),
        setting_option(
            TIME_BOX,
            type=Duration(),
            show_default=True,
            metavar="TIME",
            help="What is known by then is told.",
        ),
        setting_option(
            CONTROL,
            "controls",
            multiple=True,
            metavar="TARGET",
            help="Known to work, asked of the same agents (repeatable).",
        ),
        click.option("--against", metavar="BASE", help="Compare with BASE: last-good, before, a run."),
        click.option("--preset", metavar="NAME", help="Run this plan instead: a name in plans/, or a file."),
        click.option(
            "--dns-server",
            "dns_servers",
            multiple=True,
            metavar="HOST",
            help="Ask this name server, too (repeatable).",
        ),
        click.option("--page", is_flag=True, help="Load the whole page from two agents, too."),
        click.option(
            "--confirm/--no-confirm", default=True, help="Run what fails once more.  [default: confirm]"
        ),
        click.option(
            "--waves/--no-waves", default=True, help="Look closer where it splits.  [default: waves]"
        ),
    )


def telling_options(command: Command) -> Command:
    """How it is told: ``telling``, a :class:`Telling`."""
    return together(
        "telling",
        Telling,
        command,
        click.option(
            "--share",
            is_flag=True,
            help="Make a public snapshot of the worst test, if something is bad. It asks first.",
        ),
        click.option("--yes", is_flag=True, help="Do not ask whether it may become public."),
        click.option(
            "--save",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="PLAN",
            help="Write a plan that asks the same again.",
        ),
        click.option(
            "-o",
            "--output",
            "outputs",
            multiple=True,
            type=click.Path(path_type=Path),
            help="Write the ticket (.md) or a report of the run: .html, .xml, .json (repeatable).",
        ),
        grace_option,
        click.option("-q", "--quiet", is_flag=True, help="Only the ticket, no progress."),
        json_option,
        otlp_option,
        click.option("--detach", is_flag=True, help="Leave it to a worker, and print the id of its run."),
    )
