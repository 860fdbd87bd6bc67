"""Commands that only read the store: runs, show, results, report, explain."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.common import (
    as_it_stands,
    json_option,
    like_a_filter,
    reading,
    run_async,
    set_up_logging,
    store_option,
)
from orchestrator.cli.masking import mask
from orchestrator.cli.runnames import required_run_argument, run_argument
from orchestrator.errors import UsageProblem
from orchestrator.report.formats import REPORTS, RESULTS
from orchestrator.store.opening import pick_store, store_exists


@click.command()
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1), help="How many, newest first."
)
@click.option("--plan", help="Only runs of this plan.")
@json_option
@store_option
def runs(limit: int, plan: str | None, as_json: bool, store: str | None) -> None:
    """List the runs in the store, newest first."""

    async def work() -> None:
        from orchestrator.terminal.console import make_console  # noqa: PLC0415 - loaded when called
        from orchestrator.terminal.text import print_runs  # noqa: PLC0415 - as above

        found = []
        if await store_exists(pick_store(store, os.environ)):
            async with reading(store) as opened:
                found = [await as_it_stands(run, opened) for run in await opened.store.runs(limit, plan)]
        if as_json:
            print_json({"schema": 1, "runs": [_run_row(run) for run in found]})
        else:
            print_runs(make_console(sys.stdout), found)

    like_a_filter()
    set_up_logging()
    run_async(work)


def _run_row(run: Any) -> dict[str, object]:
    from orchestrator.report.times import utc  # noqa: PLC0415 - loaded when called

    return {
        "run": run.id,
        "plan": run.plan,
        "state": run.state.value,
        "exit_code": run.exit_code,
        "started": utc(run.started),
        "finished": utc(run.finished),
        "api": run.api.value,
        "rerun_of": run.parent,
    }


@click.command()
@run_argument
@json_option
@store_option
def show(run: str, as_json: bool, store: str | None) -> None:
    """Show what RUN came to (an id, a prefix of one, or `last`)."""

    async def work() -> None:
        async with reading(store) as opened:
            record = await as_it_stands(await opened.store.run(run), opened)
            if as_json:
                from orchestrator.report.summary import summary  # noqa: PLC0415 - loaded when called

                print_json(summary(record, await opened.store.counts(record.id), now=time.time()))
            else:
                await tell_summary(opened.store, record, sys.stdout)

    like_a_filter()
    set_up_logging()
    run_async(work)


async def tell_summary(opened: Any, record: Any, stream: Any) -> None:
    """The summary for people, with what is wrong and what to do next."""
    from orchestrator.lifecycle import SpecState  # noqa: PLC0415 - loaded when called
    from orchestrator.report.digest import digest  # noqa: PLC0415 - as above
    from orchestrator.report.names import agent_names, with_names  # noqa: PLC0415 - as above
    from orchestrator.terminal.console import make_console  # noqa: PLC0415 - as above
    from orchestrator.terminal.text import print_summary  # noqa: PLC0415 - as above

    counts = await opened.counts(record.id)
    names = agent_names((await opened.agents(record.id)).values())
    what = await digest(with_names(opened.cells(record.id), names))
    lost = await opened.tests(record.id, [SpecState.UNKNOWN])
    unknown = [test for test in lost if not test.given_up]
    print_summary(make_console(stream), record, counts, what, unknown, now=time.time())


@click.command()
@run_argument
@click.option("--format", "form", type=click.Choice(["table", *RESULTS]), default="table", show_default=True)
@click.option("--layer", "layers", multiple=True, help="Only this layer (repeatable).")
@click.option("--verdict", "verdicts", multiple=True, help="Only cells with this verdict (repeatable).")
@click.option("--status", "statuses", multiple=True, type=click.Choice(["ok", "error"]))
@click.option("--agent", "agents", multiple=True, metavar="ID|PATTERN")
@click.option("--target", "targets", multiple=True, metavar="PATTERN")
@store_option
def results(
    run: str,
    form: str,
    layers: tuple[str, ...],
    verdicts: tuple[str, ...],
    statuses: tuple[str, ...],
    agents: tuple[str, ...],
    targets: tuple[str, ...],
    store: str | None,
) -> None:
    """Print the answers of RUN."""

    async def work() -> None:
        from orchestrator.actions.source import source_of  # noqa: PLC0415 - loaded when called
        from orchestrator.model import AnswerStatus, Verdict  # noqa: PLC0415 - loaded when called
        from orchestrator.report import results as writers  # noqa: PLC0415 - as above
        from orchestrator.terminal.console import make_console, painter  # noqa: PLC0415 - as above
        from orchestrator.testtypes import METRICS  # noqa: PLC0415 - as above

        wrong = [verdict for verdict in verdicts if verdict not in list(Verdict)]
        if wrong:
            raise click.UsageError(f"--verdict takes {', '.join(Verdict)}, not {wrong[0]!r}")
        unknown = [layer for layer in layers if layer not in METRICS]
        if unknown:
            raise click.UsageError(f"--layer takes {', '.join(METRICS)}, not {unknown[0]!r}")
        keep = writers.Filter(
            layers, tuple(map(Verdict, verdicts)), tuple(map(AnswerStatus, statuses)), agents, targets
        )
        async with reading(store) as opened:
            record = await as_it_stands(await opened.store.run(run), opened)

            source = source_of(opened.store, record, time.time())
            if form in RESULTS:
                await RESULTS[form].write(source, sys.stdout.write, keep)
            else:
                console = make_console(sys.stdout)
                width = console.width if console.is_terminal else None
                await writers.write_table(
                    source.results,
                    sys.stdout.write,
                    keep,
                    width=width,
                    paint=painter(console),
                    names=await source.names(),
                )

    like_a_filter()
    set_up_logging()
    run_async(work)


@click.command()
@run_argument
@click.option("--format", "form", type=click.Choice([*REPORTS]), default="markdown", show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file.")
@store_option
def report(run: str, form: str, output: Path | None, store: str | None) -> None:
    """Write a report of RUN: Markdown for a ticket, or JUnit for a CI server."""

    async def work() -> bytes:
        from orchestrator.actions.source import source_of  # noqa: PLC0415 - loaded when called

        parts: list[bytes] = []

        def keep(text: str) -> None:
            parts.append(text.encode("utf-8", "backslashreplace"))

        async with reading(store) as opened:
            record = await as_it_stands(await opened.store.run(run), opened)
            await REPORTS[form].write(source_of(opened.store, record, time.time()), keep)
        return b"".join(parts)

    like_a_filter()
    set_up_logging()
    content = run_async(work)
    if output is None:
        sys.stdout.buffer.write(content)
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise UsageProblem(
            f"the report cannot be written to {output}: {error.strerror or error}",
            hint="name a file in a folder that you may write to",
        ) from error


@click.command()
@required_run_argument
@click.argument("cell")
@click.option("--agent", help="Which agent of the cell (id or name).")
@json_option
@store_option
def explain(run: str, cell: str, agent: str | None, as_json: bool, store: str | None) -> None:
    """Tell the story of CELL of RUN.

    CELL is a target's name or a part of it, a spec's key, or TARGET@AGENT.
    """

    async def work() -> None:
        async with reading(store) as opened:
            record = await as_it_stands(await opened.store.run(run), opened)
            await _explain(opened.store, record, cell, agent, as_json=as_json)

    like_a_filter()
    set_up_logging()
    run_async(work)


async def _explain(opened: Any, record: Any, cell: str, agent: str | None, *, as_json: bool) -> None:
    from orchestrator.report.explain import explanation, never_planned, steps  # noqa: PLC0415 - as above
    from orchestrator.report.times import utc  # noqa: PLC0415 - as above

    planned = await opened.tests(record.id)
    target, sign, name = cell.rpartition("@")
    # A target may have an @ of its own.
    if sign and agent is None and target and cell not in {test.spec.target for test in planned}:
        cell, agent = target, name
    tests = [
        test
        for test in planned
        if test.spec.target == cell or (len(cell) >= 4 and test.spec.key.startswith(cell))
    ] or [test for test in planned if cell.lower() in test.spec.target.lower()]
    keys = {test.spec.key for test in tests}
    asked = [
        one
        async for one in opened.cells(record.id)
        if agent in {None, one.agent_id, one.agent}
        and (one.spec in keys if one.spec is not None else cell.lower() in one.target.lower())
    ]
    cells = [one for one in asked if one.spec is not None]
    left_out = [one for one in asked if one.spec is None]
    if agent is not None:
        tests = [test for test in tests if test.spec.key in {one.spec for one in cells}]
    if not tests and not left_out:
        raise UsageProblem(
            f"run {record.id} has no cell {cell!r}" + (f" with agent {agent!r}" if agent else ""),
            hint="give a target's name or a spec's key as `orchestrator results` shows them",
        )
    documents = []
    for test in tests:
        events = await opened.events(record.id, test.spec.key)
        mine = [one for one in cells if one.spec == test.spec.key]
        if as_json:
            told = [
                {"at": utc(step.at), "since": round(step.since, 3), "text": mask(step.text)}
                for step in steps(record, test, events)
            ]
            documents.append({"spec": test.spec.key, "target": test.spec.target, "steps": told})
        else:
            for line in explanation(record, test, events, mine if agent else ()):
                click.echo(mask(line))
            click.echo()
    if as_json:
        missing = [
            {"test": one.test, "target": one.target, "agent_id": one.agent_id, "reasons": list(one.reasons)}
            for one in left_out
        ]
        print_json({"schema": 1, "run": record.id, "tests": documents, "left_out": missing})
        return
    for one in left_out:
        click.echo(mask(never_planned(one)))


def print_json(document: object) -> None:
    """One JSON document on stdout; ASCII only, so that no terminal or pipe chokes on hostile text."""
    click.echo(json.dumps(document, indent=2))
