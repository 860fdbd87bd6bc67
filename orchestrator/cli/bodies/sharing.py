"""What `--share` does: ask whether tests may become public, and make their snapshots."""

from __future__ import annotations

import sys

import click

from orchestrator.actions import share as sharing
from orchestrator.actions.begun import settings_as_begun
from orchestrator.actions.reading import find
from orchestrator.actions.share import Told, ToShare, what_is_shown
from orchestrator.cli.bodies.common import opened_store, run_async, say
from orchestrator.cli.bodies.sessions import session, settings_of
from orchestrator.cli.options import Access, Sharing
from orchestrator.clock import LoopClock
from orchestrator.errors import OrchestratorError, UsageProblem
from orchestrator.records import SnapshotState
from orchestrator.report.headline import many
from orchestrator.report.shared import until
from orchestrator.settings import Settings


def make_snapshots(
    run: str, plan: str | None, most: int, access: Access, asked: Sharing
) -> OrchestratorError | None:
    """Make those of the worst tests, after a yes; what went wrong once something was sent, for who has more
    to do before it ends.

    Raises ``UsageProblem`` where nobody can answer and for a run that cannot be shared, ``Abort`` for a no.
    """
    settings = settings_of(access)

    async def prepare() -> tuple[sharing.Sharing, Settings]:
        async with opened_store(access.store) as opened:
            record = await find(opened, run, plan)
            own = await settings_as_begun(opened, record, settings, again=True, account=access.aid)
            return await sharing.choose(opened, record.id, most, now=LoopClock().wall()), own

    chosen, own = run_async(prepare)
    to_make = chosen.tests if asked.again else chosen.new
    if to_make and not asked.yes:
        ask(to_make)

    async def work() -> None:
        async with session(own, access, reserve=0.0) as opened:
            await sharing.share(opened, chosen, tell, again=asked.again, waiting=say)

    try:
        if to_make:
            run_async(work)
        else:
            for one in chosen.tests:
                assert one.before is not None  # noqa: S101 - nothing is new
                tell(Told(one, one.before, before=True))
    except OrchestratorError as problem:
        return problem
    return None


def ask(tests: tuple[ToShare, ...]) -> None:
    """Raises ``UsageProblem`` where nobody can answer, and ``Abort`` for a no."""
    said = what_is_shown(len(tests))
    _may_be_asked(said)
    for one in tests:
        say(_what(one))
    say(said)
    click.confirm("Make them public?", abort=True, err=True)


def ask_beforehand() -> None:
    """The same of the worst test of what is only about to be run."""
    said = what_is_shown(1)
    _may_be_asked(said)
    say(said)
    click.confirm("May the worst test of this diagnosis become public?", abort=True, err=True)


def _may_be_asked(said: str) -> None:
    if not sys.stdin.isatty():
        raise UsageProblem(
            "nobody is there to be asked whether tests may become public",
            hint=f"{said} If that is wanted, give --yes",
        )


def _what(one: ToShare) -> str:
    found = one.found
    how = "fail" if found.verdict.value == "fail" else "have warnings"
    cause = "" if found.cause is None else f", cause {found.cause}"
    return f"{found.test} {found.target}: {found.bad} of {many(found.cells, 'cell')} {how}{cause}"


def tell(told: Told) -> None:
    """A line for each, with its link."""
    one, made = told.test.found, told.snapshot
    link = f": {made.link}" if made.link else ""
    was = " (made before)" if told.before and made.state is SnapshotState.MADE else ""
    again = "; --again makes one" if made.state is not SnapshotState.MADE else ""
    say(f"snapshot of {one.test} {one.target}, {until(made, LoopClock().wall())}{was}{again}{link}")
