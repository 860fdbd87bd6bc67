"""`orchestrator store`: what is kept, and keeping it small."""

from __future__ import annotations

import re

import click

from orchestrator.cli.options import json_option, store_option

_AGE = re.compile(r"(?:(\d{1,6})w)?(?:(\d{1,6})d)?(?:(\d{1,6})h)?")
_HOURS = (7 * 24, 24, 1)
MOST_KEPT = 1_000_000


class Age(click.ParamType[float]):
    """An age in weeks, days and hours, as seconds."""

    name = "age"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds from ``30d``, ``4w``, ``36h``."""
        found = _AGE.fullmatch(str(value).strip().lower())
        if found is None or not any(found.groups()):
            self.fail(f"an age such as 30d, 4w or 36h is wanted, not {str(value)[:40]!r}", param, ctx)
        hours = sum(int(part or 0) * each for part, each in zip(found.groups(), _HOURS, strict=True))
        if hours == 0:
            self.fail("an age of more than 0 is wanted (to let no run stay: --keep 0)", param, ctx)
        return hours * 3600.0


@click.group()
def store() -> None:
    """What the store holds, and keeping it small."""


@store.command()
@json_option
@store_option
def info(as_json: bool, store: str | None) -> None:
    """Tell where the store is, how large it is, and what is in it."""
    from orchestrator.cli.bodies import store as body  # noqa: PLC0415 - start-up stays light

    body.info(as_json=as_json, store=store)


@store.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--run", "runs", multiple=True, metavar="RUN", help="Only this run (repeatable).")
@click.option("--organization", default="", metavar="NAME", help="Whose the runs are in a shared database.")
def copy(source: str, target: str, runs: tuple[str, ...], organization: str) -> None:
    """Copy runs from one store into another, files and databases.

    Each run is copied as a whole, and proved to have arrived as it is. What is there already is left alone,
    so it can be repeated. A run that goes on is not copied; one that was killed is interrupted in the copy.
    """
    from orchestrator.cli.bodies import store as body  # noqa: PLC0415 - start-up stays light

    body.copy(source, target, runs, organization=organization)


@store.command()
@store_option
def migrate(store: str | None) -> None:
    """Make the tables of a database, or bring them to this version.

    As the role that owns them, before a new version of orchestrator is used. A file needs it not.
    """
    from orchestrator.cli.bodies import store as body  # noqa: PLC0415 - start-up stays light

    body.migrate(store)


@store.command()
@store_option
def maintain(store: str | None) -> None:
    """Make room in a database for the next 14 days, and take away what organizations no longer keep.

    Once a day, as the role that owns the tables. A file needs it not.
    """
    from orchestrator.cli.bodies import store as body  # noqa: PLC0415 - start-up stays light

    body.maintain(store)


@store.command()
@click.option("--dry-run", is_flag=True, help="Say what is in doubt, and change nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@store_option
def restored(dry_run: bool, yes: bool, as_json: bool, store: str | None) -> None:
    """After a restore from a backup: take for lost what may have been created since.

    Nothing of it is created a second time then: `reconcile` says what to look for. Runs that wait for a
    worker wait no more. Before workers are started again. Ends with 3 while somebody carries out runs.
    """
    from orchestrator.cli.bodies import store as body  # noqa: PLC0415 - start-up stays light

    body.restored(dry_run=dry_run, yes=yes, as_json=as_json, store=store)


@store.command()
@click.option(
    "--keep", type=click.IntRange(0, MOST_KEPT), metavar="N", help="The newest N runs of each plan stay."
)
@click.option("--older-than", type=Age(), metavar="AGE", help="Runs that are younger stay (30d, 4w, 36h).")
@click.option("--plan", metavar="NAME", help="Only runs of this plan.")
@click.option("--raw", is_flag=True, help="Take only the rows as the API sent them; the runs stay.")
@click.option("--answers", is_flag=True, help="Take only answers; runs, cells and verdicts stay.")
@click.option("--organization", metavar="NAME", help="Only runs of this organization of a shared store.")
@click.option("--dry-run", is_flag=True, help="Say what would be taken, and take nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@store_option
def prune(
    keep: int | None,
    older_than: float | None,
    plan: str | None,
    raw: bool,
    answers: bool,
    organization: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    store: str | None,
) -> None:
    """Take away old runs and give their space back.

    A run is taken if neither --keep nor --older-than lets it stay. Runs that have not finished stay, so
    does the last good one of each plan, and the one that a re-run which stays is compared with. With
    neither, in a shared store, what organizations say of how long is kept what is followed.
    """
    from orchestrator.actions.prune import Rule  # noqa: PLC0415 - start-up stays light
    from orchestrator.cli.bodies import store as body  # noqa: PLC0415 - as above

    if raw and answers:
        raise click.UsageError("--raw and --answers say two things")
    rule = Rule(keep, older_than, plan, raw, answers=answers, organization=organization)
    body.prune(rule, dry_run=dry_run, yes=yes, as_json=as_json, store=store)
