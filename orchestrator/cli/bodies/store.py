"""What `orchestrator store` does."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Sequence

import click

from orchestrator.actions import copying
from orchestrator.actions import prune as pruning
from orchestrator.actions import restored as restoring
from orchestrator.actions.copying import Copied
from orchestrator.actions.prune import Choice, Rule
from orchestrator.cli.bodies.common import opened_store, print_json, run_async, set_up_logging
from orchestrator.cli.bodies.common import say as aside
from orchestrator.clock import LoopClock
from orchestrator.errors import Exit, NoRight, UsageProblem
from orchestrator.holdings import Holdings
from orchestrator.report.restored import Restored
from orchestrator.report.summary import SCHEMA
from orchestrator.report.upkeep import Pruned, holdings_document
from orchestrator.safe import terminal
from orchestrator.store.opening import (
    Opened,
    is_server,
    maintain_store,
    migrate_store,
    open_store,
    pick_store,
    server_url,
)
from orchestrator.terminal.console import make_console, say
from orchestrator.terminal.upkeep import print_holdings
from orchestrator.worker.engine import install


def info(*, as_json: bool, store: str | None) -> None:
    """Tell what the store holds."""
    set_up_logging()

    async def work() -> Holdings:
        async with opened_store(store) as opened:
            return await pruning.info(opened)

    holds = run_async(work)
    if as_json:
        print_json(holdings_document(holds))
    else:
        print_holdings(make_console(sys.stdout), holds)


def copy(source: str, target: str, runs: Sequence[str], *, organization: str) -> None:
    """Copy, and tell run by run."""
    set_up_logging()
    there, here = pick_store(source, os.environ), pick_store(target, os.environ)

    def told(run: str, new: bool) -> None:
        click.echo(f"{'copied' if new else 'there already'} {run}")

    async def work() -> Copied:
        async with (
            open_store(there, make=False) as old,
            open_store(here, organization=organization) as new,
        ):
            return await copying.copy(old, new, runs, told=told)

    if not (done := run_async(work)).taken and not done.there:
        click.echo("nothing to copy")


def migrate(store: str | None) -> None:
    """Make or change tables, those of the engine of workers too, and tell which."""

    async def both(url: str) -> list[str]:
        made = await migrate_store(url)
        if not (is_server(url) and await install(server_url(url))):
            return made
        # Once more: roles are given their rights to what there is.
        return [*made, "the engine's tables", *await migrate_store(url)]

    _prepared(store, both)


def maintain(store: str | None) -> None:
    """Make parts of tables, and tell which; take away what organizations no longer keep."""
    _prepared(store, maintain_store)
    if not is_server(pick_store(store, os.environ)):
        return

    async def work() -> list[Pruned]:
        async with opened_store(store) as opened:
            return await pruning.by_organizations(opened, LoopClock())

    try:
        _tell([one for one in run_async(work) if one.taken])
    except NoRight as problem:
        aside(f"{problem.message}; {problem.hint}")


def _prepared(store: str | None, prepare: Callable[[str], Awaitable[list[str]]]) -> None:
    set_up_logging()
    url = pick_store(store, os.environ)

    async def work() -> list[str]:
        return await prepare(url)

    made = run_async(work)
    for name in made:
        click.echo(f"made {name}")
    if not made:
        click.echo("nothing to do")


def prune(rule: Rule, *, dry_run: bool, yes: bool, as_json: bool, store: str | None) -> None:
    """Choose, ask, take away, tell. A rule that says nothing means those of organizations."""
    set_up_logging()

    async def would() -> list[tuple[Choice, Pruned]]:
        async with opened_store(store) as opened:
            found = []
            for one in await _rules(opened, rule):
                choice = await pruning.candidates(opened, one, now=LoopClock().wall())
                found.append((choice, await pruning.would_take(opened, choice)))
            return found

    async def work(choices: Sequence[Choice]) -> list[Pruned]:
        async with opened_store(store) as opened:
            return [await pruning.carry_out(opened, choice, LoopClock()) for choice in choices]

    found = run_async(would)
    choices, told = [choice for choice, _ in found], [would_be for _, would_be in found]
    if not dry_run:
        if any(choice.taken for choice in choices) and not yes:
            _ask(told)
        told = run_async(lambda: work(choices))
    if as_json:
        documents = [one.document() for one in told]
        print_json(documents[0] if _says_something(rule) else {"schema": SCHEMA, "rules": documents})
    else:
        _tell(told)


def restored(*, dry_run: bool, yes: bool, as_json: bool, store: str | None) -> None:
    """Tell what is in doubt, ask, take it for lost."""
    set_up_logging()

    async def work(dry_run: bool) -> Restored:
        async with opened_store(store) as opened:
            return await restoring.restored(opened, LoopClock(), dry_run=dry_run)

    told = run_async(lambda: work(dry_run=True))
    if not dry_run:
        if told.changes and not yes:
            _ask([told], "Take all of it for lost?")
        told = run_async(lambda: work(dry_run=False))
    if as_json:
        print_json(told.document())
    else:
        _tell([told])
    raise SystemExit(int(Exit.INCOMPLETE if told.busy else Exit.OK))


def _says_something(rule: Rule) -> bool:
    return rule.keep is not None or rule.older_than is not None


async def _rules(opened: Opened, rule: Rule) -> list[Rule]:
    """The rule, or where it does not say which runs may go those of organizations, if there are any."""
    if _says_something(rule) or rule.plan is not None or rule.runs_stay:
        return [rule]
    return await pruning.rules(opened, rule.organization) or [rule]


def _ask(told: Sequence[Pruned | Restored], question: str = "Take it away?") -> None:
    """Raises ``UsageProblem`` where nobody can answer, and ``Abort`` for a no."""
    if not sys.stdin.isatty():
        raise UsageProblem(
            "nobody is there to be asked whether this may be taken",
            hint="look at it with --dry-run, then give --yes",
        )
    for line in (line for one in told for line in one.lines()):
        click.echo(terminal(line), err=True)
    click.confirm(question, abort=True, err=True)


def _tell(told: Sequence[Pruned | Restored]) -> None:
    console = make_console(sys.stdout)
    for line in (line for one in told for line in one.lines()):
        say(console, terminal(line))
