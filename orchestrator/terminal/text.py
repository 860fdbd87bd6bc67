"""Tables of runs and of agents, for people in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from orchestrator.model import Agent
from orchestrator.records import RunRecord
from orchestrator.report.headline import many
from orchestrator.report.times import duration, people, span
from orchestrator.safe import terminal
from orchestrator.terminal.console import say, table

if TYPE_CHECKING:
    from rich.console import Console


def print_runs(console: Console, runs: Iterable[RunRecord]) -> None:
    """The table of runs, in the order given."""
    rows = [
        (
            terminal(run.id),
            terminal(run.plan),
            run.state.value,
            "-" if run.exit_code is None else str(run.exit_code),
            people(run.started),
            "-" if run.finished is None else span(duration(run)),
            f"{run.api.value}, simulated" if run.simulated else run.api.value,
            terminal(run.parent or "-"),
        )
        for run in runs
    ]
    if not rows:
        say(console, "There are no runs yet.")
        return
    table(
        console,
        ("run", "plan", "state", "exit", "started", "took", "api", "rerun of"),
        rows,
        styled=2,
        keep_first=True,
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
