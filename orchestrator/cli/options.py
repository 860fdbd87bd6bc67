"""Options that several commands share, and the values that they reach a command as."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path

import click

from orchestrator.cli.configured import setting_option
from orchestrator.model import Api
from orchestrator.settings import (
    AID,
    BASE_URL,
    CA_FILE,
    GATE,
    GATES,
    GRACE,
    NOTIFY,
    NOTIFY_FILE,
    NOTIFY_ON,
    NOTIFY_WHEN,
    ORGANIZATION,
    QUIET,
    STORE,
)

Command = Callable[..., None]


def _allow(context: click.Context, parameter: click.Parameter, given: bool) -> None:
    context.meta[parameter.name] = given


def _named(context: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
    """The store; a database of which nobody wants proof says so in its URL."""
    del parameter
    if given is None or not context.meta.get("allow_plain_database") or not given.startswith("postgres"):
        return given
    return f"{given}{'&' if '?' in given else '?'}allow_plain_database=1"


def store_option(command: Command) -> Command:
    """Where runs are kept, and how safely that is reached."""
    place = setting_option(
        STORE,
        metavar="PATH",
        callback=_named,
        help="Where runs are kept, a file or postgresql://HOST/DATABASE.",
    )
    plain = click.option(
        "--allow-plain-database",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_allow,
        help="Reach a database beyond this host without proof that it is the one.",
    )
    return place(plain(command))


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
verbose_option = click.option(
    "-v", "--verbose", is_flag=True, help="Tell requests, budgets, waits and every reason too."
)
priority_option = click.option(
    "--priority", is_flag=True, help="Go before other runs on this host that talk to the same organization."
)


class Number(click.FloatRange):
    """A number in a range, and a finite one: not-a-number lies in every range, and infinity in most."""

    name = "number"

    def convert(self, value: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = float(super().convert(value, param, ctx))
        if not math.isfinite(found):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return found


BASES = "last-good, before, a baseline's name or a run"
# Slower than this, the simulated world seems to stand still; faster, its clock has no steps.
SPEEDS = Number(0.01, 1_000_000)
grace_option = setting_option(
    GRACE,
    type=Number(0, 1e9),
    show_default=True,
    help="Seconds of the run's clock to go on collecting after the first signal.",
)


otlp_option = click.option(
    "--otlp", metavar="URL", help="Send metrics and a trace to an OpenTelemetry collector (extra: otel)."
)


@dataclass(frozen=True, slots=True)
class Access:
    """Where to talk to, as whom, and where runs are kept, as far as it was said."""

    token_file: str | None
    base_url: str | None
    aid: str | None
    organization: str
    allow_http: bool
    ca_file: str | None
    store: str | None


@dataclass(frozen=True, slots=True)
class Sharing:
    """Of how many tests public snapshots are made, if any; whether to ask first; also those that were."""

    share: int | None = None
    yes: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """How a plan is read."""

    seed: int = 0
    api: str | None = None
    sets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class World:
    """Whether the built-in simulator takes the place of the API, and how much faster than life it runs."""

    simulate: bool
    speed: float


@dataclass(frozen=True, slots=True)
class Breaking:
    """What is broken on purpose in the simulated world, as it was written, and the seed of its noise."""

    culprits: tuple[str, ...] = ()
    noise: int | None = None


@dataclass(frozen=True, slots=True)
class Attending:
    """How a run is attended: whether to wait for another one, and what to print."""

    wait: bool
    grace: float
    quiet: bool
    as_json: bool
    outputs: tuple[Path, ...] = ()
    verbose: bool = False
    otlp: str | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """How a run is held against another one. ``min_cover`` is a percentage."""

    history: int
    gate: str
    tolerances: tuple[str, ...]
    min_cover: float


@dataclass(frozen=True, slots=True)
class Judging:
    """What a new run is held against; whether what is worse is run again before it counts."""

    against: str | None
    confirm: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """How a new run is judged beside its expectations; ``rounds`` is how often its tests are run."""

    judging: Judging
    gate: Gate
    rounds: int = 1


@dataclass(frozen=True, slots=True)
class Notifying:
    """Who is told of a run beside the plan's own channels, when, and where their addresses are."""

    notify: tuple[str, ...] = ()
    notify_on: str = "change"
    notify_file: str | None = None
    no_notify: bool = False


notify_file_option = setting_option(
    NOTIFY_FILE, metavar="FILE", help="Addresses of channels: NAME = ADDRESS in each line."
)


def notify_options(command: Command) -> Command:
    """Of commands that conduct a run: ``notifying``, a :class:`Notifying`."""
    return together(
        "notifying",
        Notifying,
        command,
        setting_option(
            NOTIFY,
            later=True,
            multiple=True,
            metavar="NAME|URL",
            help="Tell a channel too: its name, or the address of a web hook (repeatable).",
        ),
        setting_option(
            NOTIFY_WHEN,
            type=click.Choice(NOTIFY_ON),
            show_default=True,
            help="When those of --notify are told.",
        ),
        notify_file_option,
        click.option("--no-notify", is_flag=True, help="Tell nobody, whatever the plan says."),
    )


def gate_options(command: Command) -> Command:
    """How runs are compared: ``gate``, a :class:`Gate`."""
    return together(
        "gate",
        Gate,
        command,
        click.option(
            "--history",
            type=click.IntRange(0, 100),
            default=10,
            show_default=True,
            help="Earlier good runs that tell what is normal; 0 for the base alone.",
        ),
        setting_option(
            GATE,
            type=click.Choice(GATES),
            show_default=True,
            help="What makes exit code 1.",
        ),
        click.option(
            "--tolerance",
            "tolerances",
            multiple=True,
            metavar="LAYER.METRIC=ABS,REL",
            help="Own floors of a metric, as http-server.totalTime=200ms,30% (repeatable).",
        ),
        click.option(
            "--min-cover",
            type=Number(0, 100),
            default=80.0,
            show_default=True,
            metavar="PERCENT",
            help="How many of the base's cells must be comparable; else exit 3.",
        ),
    )


def against_option(meaning: str) -> Callable[[Command], Command]:
    """The base that a run is held against."""
    return click.option("--against", metavar="BASE", help=f"{meaning}: {BASES}.")


def judging_options(command: Command) -> Command:
    """Of commands whose run may be held against another one: ``judging`` and ``gate``."""
    return together(
        "judging",
        Judging,
        gate_options(command),
        against_option("Compare with BASE at the end"),
        click.option("--confirm", is_flag=True, help="Run what is worse again once; what is over is flaky."),
    )


def api_options(command: Command) -> Command:
    """Where to talk to and as whom: ``access``, an :class:`Access`."""
    return together(
        "access",
        Access,
        command,
        click.option(
            "--token-file", metavar="FILE", help="Read the token from a file, or - for standard input."
        ),
        setting_option(BASE_URL, later=True, metavar="URL", help="Origin of the API."),
        setting_option(AID, later=True, metavar="ID", help="Account group."),
        setting_option(
            ORGANIZATION,
            later=True,
            default="",
            metavar="NAME",
            help="Tells organizations' budgets apart.",
        ),
        click.option("--allow-http", is_flag=True, help="Accept plain http:// beyond loopback."),
        setting_option(CA_FILE, metavar="FILE", help="Certificates (PEM) to trust too."),
        store_option,
    )


# An answer to one question holds so many; they take five minutes for each five.
MOST_SHARED = 20


def sharing_options(command: Command) -> Command:
    """Whether tests become public: ``sharing``, a :class:`Sharing`."""
    return together(
        "sharing",
        Sharing,
        command,
        click.option(
            "--share",
            type=click.IntRange(1, MOST_SHARED),
            metavar="N",
            help="Make public snapshots of the N worst tests first, 5 in 5 minutes. It asks first.",
        ),
        click.option("--yes", is_flag=True, help="Do not ask before they are made."),
        click.option("--again", is_flag=True, help="Also of a test that has one, or may have one."),
    )


def plan_options(command: Command) -> Command:
    """How a plan is read: ``reading``, a :class:`Reading`."""
    return together(
        "reading",
        Reading,
        command,
        click.option("--seed", default=0, show_default=True, help="Repeats samples of agents."),
        click.option(
            "--api",
            type=click.Choice([one.value for one in Api]),
            help="API version, over that of the plan.",
        ),
        click.option(
            "--set",
            "sets",
            multiple=True,
            metavar="NAME=VALUE",
            help="Override a variable of the plan (repeatable).",
        ),
    )


def simulate_options(command: Command) -> Command:
    """The built-in simulator instead of the API: ``world``, a :class:`World`."""
    return together(
        "world",
        World,
        command,
        click.option("--simulate", is_flag=True, help="Use the built-in simulator; no account needed."),
        click.option(
            "--speed",
            type=SPEEDS,
            default=60.0,
            show_default=True,
            help="How much faster than life the simulated world runs.",
        ),
    )


def breaking_options(command: Command) -> Command:
    """What is broken in the simulated world: ``breaking``, a :class:`Breaking`."""
    return together(
        "breaking",
        Breaking,
        command,
        click.option(
            "--culprit",
            "culprits",
            multiple=True,
            metavar="KIND=VALUE:EFFECT",
            help="Break something in the simulated world: hop=tr2-san-jose-0:dead (repeatable).",
        ),
        click.option(
            "--noise", type=int, metavar="SEED", help="Other values in the simulated world; 0: none."
        ),
    )


def attending_options(command: Command) -> Command:
    """Of commands that conduct a run: ``attending``, an :class:`Attending`."""
    return together(
        "attending",
        Attending,
        command,
        click.option("--wait", is_flag=True, help="Wait for another run of the plan to end."),
        grace_option,
        click.option(
            "-o",
            "--output",
            "outputs",
            multiple=True,
            type=click.Path(path_type=Path),
            help="Write a report at the end, by its ending: .html, .md, .xml (JUnit), .json (repeatable).",
        ),
        setting_option(QUIET, "-q", is_flag=True, help="Print nothing on success."),
        json_option,
        verbose_option,
        otlp_option,
    )


def together(
    name: str,
    kind: Callable[..., object],
    command: Command,
    *options: Callable[[Command], Command],
) -> Command:
    """The command with these options, which reach it as one value ``name`` of ``kind``."""
    fields = tuple(inspect.signature(kind).parameters)

    @wraps(command)
    def called(**given: object) -> None:
        value = kind(**{field: given.pop(field) for field in fields})
        command(**given, **{name: value})

    complete: Command = called
    for option in reversed(options):
        complete = option(complete)
    return complete
