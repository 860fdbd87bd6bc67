"""Commands that only read the store: runs, show, results, report, explain."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.options import (
    Access,
    Gate,
    Sharing,
    against_option,
    api_options,
    gate_options,
    json_option,
    sharing_options,
    store_option,
    verbose_option,
)
from orchestrator.cli.runnames import plan_option, required_run_argument, run_argument
from orchestrator.report.formats import (
    BY_SUFFIX,
    REPORTS,
    RESULTS,
    TABLES,
    form_of,
    results_form,
    unknown_ending,
)
from orchestrator.report.html.layout import CELLS, MOST_CELLS, Parts

MOST_RUNS = 1_000_000


@click.command()
@click.option(
    "--limit",
    default=20,
    show_default=True,
    type=click.IntRange(1, MOST_RUNS),
    help="How many, newest first.",
)
@click.option("--plan", metavar="NAME", help="Only runs of this plan.")
@json_option
@store_option
def runs(limit: int, plan: str | None, as_json: bool, store: str | None) -> None:
    """List the runs in the store, newest first."""
    from orchestrator.cli.bodies import reading as body  # noqa: PLC0415 - start-up stays light

    body.runs(limit, plan, as_json=as_json, store=store)


@click.command()
@run_argument
@plan_option
@against_option("Hold it against BASE, and tell what the gate says")
@gate_options
@verbose_option
@json_option
@store_option
def show(
    run: str,
    plan: str | None,
    against: str | None,
    gate: Gate,
    verbose: bool,
    as_json: bool,
    store: str | None,
) -> None:
    """Show what RUN came to (an id, a prefix of one, or `last`)."""
    from orchestrator.cli.bodies import reading as body  # noqa: PLC0415 - start-up stays light

    body.show(run, plan, against, gate, as_json=as_json, verbose=verbose, store=store)


@click.command()
@run_argument
@plan_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", *RESULTS, *TABLES]),
    help="What to write.  [default: by the ending of --output, else table]",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file.")
@click.option("--layer", "layers", multiple=True, help="Only this layer (repeatable).")
@click.option("--verdict", "verdicts", multiple=True, help="Only cells with this verdict (repeatable).")
@click.option("--status", "statuses", multiple=True, type=click.Choice(["ok", "error"]))
@click.option("--agent", "agents", multiple=True, metavar="ID|PATTERN")
@click.option("--target", "targets", multiple=True, metavar="PATTERN")
@click.option("--cause", type=int, metavar="N", help="Only cells of explanation N, as `show` numbers them.")
@click.option("--cells", is_flag=True, help="One line per cell, also of those without an answer.")
@store_option
def results(
    run: str,
    plan: str | None,
    form: str | None,
    output: Path | None,
    layers: tuple[str, ...],
    verdicts: tuple[str, ...],
    statuses: tuple[str, ...],
    agents: tuple[str, ...],
    targets: tuple[str, ...],
    cause: int | None,
    cells: bool,
    store: str | None,
) -> None:
    """Print the answers of RUN, or with --cells what came of each of its cells, and why."""
    from orchestrator.cli.bodies import reading as body  # noqa: PLC0415 - start-up stays light

    form = form or results_form(output)
    if form is None and output is not None and output.suffix.lower() not in {"", ".txt"}:
        known = ", ".join(
            [*(one.suffix for one in RESULTS.values()), *(one.suffix for one in TABLES.values())]
        )
        raise click.UsageError(
            f"-o takes files that end in {known} or .txt, not {output.name[:80]!r}; or say --format"
        )
    body.results(
        run,
        plan,
        form or "table",
        output,
        layers=layers,
        verdicts=verdicts,
        statuses=statuses,
        agents=agents,
        targets=targets,
        cause=cause,
        cells=cells,
        store=store,
    )


@click.command()
@run_argument
@plan_option
@click.option(
    "--format",
    "form",
    type=click.Choice([*REPORTS]),
    help="What to write.  [default: by the ending of --output, else markdown]",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file.")
@click.option(
    "--css",
    type=click.Path(dir_okay=False, path_type=Path),
    help="html: write the style to this file and link it, for servers that forbid styles in a page.",
)
@click.option(
    "--cells",
    type=click.IntRange(0, MOST_CELLS),
    help=f"html: at most so many bad cells one by one.  [default: {CELLS}]",
)
@click.option(
    "--part",
    type=click.Choice([one.value for one in Parts]),
    help="html: all of it, or a summary for the body of a mail.",
)
@click.option(
    "--columns",
    metavar="country|location|network|label:KEY",
    help="html: what the matrix groups agents by.",
)
@sharing_options
@against_option("Hold it against BASE, and tell what the gate says")
@gate_options
@api_options
def report(
    run: str,
    plan: str | None,
    against: str | None,
    gate: Gate,
    form: str | None,
    output: Path | None,
    css: Path | None,
    cells: int | None,
    part: str | None,
    columns: str | None,
    sharing: Sharing,
    access: Access,
) -> None:
    """Write a report of RUN: Markdown for a ticket, HTML for a person, JUnit for a CI server.

    Markdown and HTML tell by themselves what changed since the last good run. What the gate says is told,
    and is no exit code: `diff` has one. With --share the vendor's public snapshots of the worst tests are
    made first, and their links are in the report; nothing else here talks to the API.
    """
    from orchestrator.cli.bodies import reports as body  # noqa: PLC0415 - start-up stays light

    if form is None and output is not None and output.suffix.lower() not in {"", *BY_SUFFIX}:
        raise click.UsageError(unknown_ending(output, "; or say --format"))
    if (sharing.yes or sharing.again) and sharing.share is None:
        raise click.UsageError("--yes and --again are of --share")
    wanted = body.Wanted(form or form_of(output), output, css, cells, part, columns)
    body.report(run, plan, wanted, against, gate, sharing, access)


@click.command()
@required_run_argument
@click.argument("cell", required=False)
@plan_option
@click.option("--agent", help="Which agent of the cell (id or name).")
@click.option("--cells", is_flag=True, help="List the bad cells of each cause (without CELL).")
@json_option
@store_option
def explain(
    run: str,
    cell: str | None,
    plan: str | None,
    agent: str | None,
    cells: bool,
    as_json: bool,
    store: str | None,
) -> None:
    """Tell the story of CELL of RUN.

    CELL is the name of a target or of a block, a part of one, a spec's key, TARGET@AGENT or @AGENT.
    Without one: what the bad cells of the whole run share.
    """
    from orchestrator.cli.bodies import reading as body  # noqa: PLC0415 - start-up stays light

    if plan is not None and cell is None and run != "last":
        run, cell = "last", run
    if "" in (run.strip(), None if cell is None else cell.strip()):
        what = "CELL" if run.strip() else "RUN"
        raise click.UsageError(f"{what} is empty (is a variable empty?)")
    if cells and cell is not None:
        raise click.UsageError("--cells is for the whole run: leave CELL out")
    if cell is None:
        if agent is not None:
            raise click.UsageError("--agent is for one CELL: name it")
        body.insight(run, plan, cells=cells, as_json=as_json, store=store)
        return
    body.explain(run, plan, cell, agent, as_json=as_json, store=store)
