"""What people read in a terminal: the summary of a run, and the tables of runs and of agents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from orchestrator.model import Agent
from orchestrator.records import Counts, Requests, RunRecord, TestRecord
from orchestrator.report.commands import next_commands
from orchestrator.report.digest import Digest, Group
from orchestrator.report.headline import ends, groups, headline, many
from orchestrator.report.summary import summary
from orchestrator.report.times import clock_time, duration, people, span
from orchestrator.report.waits import awaited
from orchestrator.safe import terminal
from orchestrator.terminal.console import STYLES, say, table

if TYPE_CHECKING:
    from rich.console import Console

BUDGET_NAMES = {"organization": "organization", "instant_test": "instant tests"}
_TROUBLES = 10
_UNKNOWN = 20


def print_summary(
    console: Console,
    run: RunRecord,
    counts: Counts,
    digest: Digest,
    unknown: Sequence[TestRecord] = (),
    *,
    now: float | None = None,
) -> None:
    """What a run came to, what is wrong, and what one can do next. ``unknown`` are the lost creations."""
    document = summary(run, counts, now=now)
    say(console, f"{terminal(run.plan)}  {headline(run, counts)}", STYLES.get(run.state.value, ""))
    seconds = document["seconds"]
    took = f", took {span(seconds)}" if isinstance(seconds, float) else ""
    where = ", simulated" if run.simulated else ""
    say(console, f"  run {terminal(run.id)}, started {people(run.started)}{took}{where}")
    if run.facts.stopped is not None:
        say(console, f"  stopped: {terminal(run.facts.stopped)}", "yellow")
    for name, group in groups(counts).items():
        say(console, f"  {name:<9} {_counted(group)}")
    if counts.paths.wanted:
        say(console, f"  paths     {counts.paths.got} of {counts.paths.wanted} came")
    say(console, f"  requests  {_requests(run.facts.requests)}")
    for line in budget_lines(run):
        say(console, f"  {line}")
    say(console, f"  units     {run.facts.units:g} (estimate)")
    _print_troubles(console, digest)
    print_groups(console, "Left out before the start", digest.left_out)
    print_groups(console, "Not run", digest.not_run)
    _print_unknown(console, unknown)
    say(console, "Next", "bold")
    table(console, (), next_commands(run, counts, bool(unknown)), indent=2)


def budget_lines(run: RunRecord) -> list[str]:
    """A line per budget seen: limit, remaining, reset, spent by others; one on what was waited for."""
    lines = []
    for name, seen in run.facts.budgets.items():
        if seen is None or seen.limit is None:
            continue
        # A window that is over says nothing of the next one.
        over = seen.remaining is None
        left = f"{seen.limit:g} a window" if over else f"{seen.remaining:g} of {seen.limit:g} left"
        ends = "" if over else f", resets {clock_time(seen.reset)}"
        spent = "" if seen.others is None else f", others spend {seen.others:g} a window"
        lines.append(f"budget    {BUDGET_NAMES[name]}: {left}{ends}{spent}")
    waited = [f"{span(seconds)} for {awaited(name)}" for name, seconds in run.facts.waits.items() if seconds]
    return [*lines, f"waited    {', '.join(waited)}"] if waited else lines


def _counted(group: Mapping[str, int]) -> str:
    """``12 planned, 12 created: 11 complete, 1 open``."""
    head = ", ".join(f"{group[name]} {name}" for name in ("planned", "created") if name in group)
    return ": ".join(part for part in (head, ends(group)) if part) or "none"


def _requests(sent: Requests) -> str:
    parts = [many(sent.creations, "creation")]
    if sent.reruns:
        parts.append(many(sent.reruns, "re-run"))
    parts += [
        many(sent.reads, "read"),
        f"{sent.refused_429} refused (429)",
        many(sent.errors, "error"),
    ]
    return ", ".join(parts)


def _print_troubles(console: Console, digest: Digest) -> None:
    if not digest.troubles:
        return
    say(console, "What is wrong", "bold")
    shown = digest.troubles[:_TROUBLES]
    rows = [
        (
            trouble.kind,
            terminal(trouble.cell.test),
            terminal(trouble.cell.target),
            terminal(trouble.cell.agent or trouble.cell.agent_id),
            terminal(trouble.what),
        )
        for trouble in shown
    ]
    table(console, (), rows, styled=0, indent=2)
    more = digest.more + len(digest.troubles) - len(shown)
    if more:
        say(console, f"  and {more} more")


def print_groups(console: Console, title: str, groups: Sequence[Group]) -> None:
    """Cells that share the reason why they have no answer, one line per reason; nothing for none."""
    if not groups:
        return
    say(console, title, "bold")
    for group in groups:
        names = ", ".join(terminal(name, 60) for name in group.agents)
        more = group.agents_total - len(group.agents)
        rest = f" and {more} more" if more else ""
        say(console, f"  {terminal(group.reason, 200)}: {many(group.cells, 'cell')}, {names}{rest}")


def _print_unknown(console: Console, tests: Sequence[TestRecord]) -> None:
    if not tests:
        return
    say(console, "Creations whose outcome is unknown; they were not repeated", "bold yellow")
    shown = tests[:_UNKNOWN]
    table(
        console,
        (),
        [(terminal(test.name or test.spec.key), terminal(test.spec.target)) for test in shown],
        indent=2,
    )
    if len(tests) > len(shown):
        say(console, f"  and {len(tests) - len(shown)} more")


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
