"""Tables of runs and of agents, for people in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from orchestrator.model import Agent
from orchestrator.records import RunRecord
from orchestrator.report.headline import many
from orchestrator.report.times import duration, people, span
from orchestrator.safe import terminal
from orchestrator.terminal.columns import AlignedRow, Columns
from orchestrator.terminal.console import say, table
from orchestrator.terminal.layout import DOT, can_write, width_of

if TYPE_CHECKING:
    from rich.console import Console

Mask = Callable[[str], str]


def print_runs(console: Console, runs: Iterable[RunRecord], *, mask: Mask = str) -> None:
    """The runs, in the order given; where a terminal has no room, the headline stands below each of them."""
    listed = list(runs)
    if not listed:
        say(console, "There are no runs yet.")
        return
    rows = [_run(run, mask) for run in listed]
    headings = ("run", "plan", "state", "exit", "started", "took", "api", "rerun of", "headline")
    natural = sum(max(cell_len(line[n]) for line in (headings, *rows)) + 2 for n in range(len(headings)))
    width = width_of(console)
    if width is None or natural - 2 <= width:
        table(console, headings, rows, styled=2, keep_first=True)
        return
    columns = Columns(("run", "plan", "exit", "started", "took", "headline"), width, keep_first=True)
    dot = f" {DOT if can_write(console, DOT) else ';'} "
    lines = [
        (row[0], row[1], row[2] if row[3] == "-" else row[3], row[4], row[5], dot.join(_notes(row)))
        for row in rows
    ]
    for line in lines:
        columns.learn(line)
    columns.fit()
    for text in (columns.heading(), *(columns.line(AlignedRow(line)) for line in lines)):
        console.print(Text(text), soft_wrap=True, end="")


def _notes(row: Sequence[str]) -> Iterator[str]:
    api, parent, headline = row[6:]
    yield headline
    if "simulated" in api:
        yield "simulated"
    if parent != "-":
        yield f"re-run of {parent}"


def _run(run: RunRecord, mask: Mask) -> tuple[str, ...]:
    return (
        terminal(run.id),
        terminal(run.plan),
        run.state.value,
        "-" if run.exit_code is None else str(run.exit_code),
        people(run.started),
        "-" if run.finished is None else span(duration(run)),
        f"{run.api.value}, simulated" if run.simulated else run.api.value,
        terminal(run.parent or "-"),
        terminal(mask(run.facts.headline or "-")),
    )


def print_agents(
    console: Console, agents: Sequence[Agent], left_out: Sequence[tuple[Agent, str]] = ()
) -> None:
    """The agents that a selector matches, then those that it leaves out, with the reason."""
    headings = ("id", "name", "type", "country", "location", "state", "labels")
    if agents:
        table(console, headings, [_agent(agent) for agent in agents])
    say(console, many(len(agents), "agent"), "bold")
    if left_out:
        say(console, f"{len(left_out)} left out", "bold")
        table(
            console,
            (),
            [(terminal(agent.id), terminal(agent.name), terminal(why)) for agent, why in left_out],
            indent=2,
        )


def _agent(agent: Agent) -> tuple[str, ...]:
    return (
        terminal(agent.id),
        terminal(agent.name),
        agent.type.value,
        terminal(agent.country or "-"),
        terminal(agent.location or "-"),
        agent.state.value,
        terminal(", ".join(agent.labels) or "-"),
    )
