"""A summary for a ticket: what was asked, what came of it, what is wrong, and the commands to go on.

Everything that comes from the API or the plan stands in code spans, where it is neither link nor mention.
The size is bounded whatever the size of the run.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.records import Counts, RunRecord, TestRecord
from orchestrator.report.commands import next_commands, repeat_command
from orchestrator.report.digest import Digest, Group
from orchestrator.report.headline import ends, groups, headline, many
from orchestrator.report.summary import summary
from orchestrator.report.times import people, span
from orchestrator.safe import markdown, markdown_link

UNKNOWN_LIMIT = 20
_WHAT_LIMIT = 300


def ticket(
    run: RunRecord,
    counts: Counts,
    digest: Digest,
    unknown: Sequence[TestRecord] = (),
    *,
    now: float | None = None,
) -> str:
    """Markdown with a final line break. ``unknown`` are the tests whose creation's answer was lost."""
    document = summary(run, counts, now=now)
    seconds = document["seconds"]
    parts = [
        f"# {markdown(run.plan)}, {people(run.started)}{' (simulated)' if run.simulated else ''}",
        f"**{headline(run, counts)}** ({span(seconds if isinstance(seconds, float) else None)})",
        _counts(counts),
        _troubles(digest),
        _groups("Left out before the start", digest.left_out),
        _groups("Not run", digest.not_run),
        _unknown(unknown),
        _commands(run, counts, unknown),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _counts(counts: Counts) -> str:
    lines = ["| what | planned | came to |", "| --- | ---: | --- |"]
    for name, group in groups(counts).items():
        planned = group.get("planned", sum(group.values()))
        lines.append(f"| {name} | {planned} | {ends(group) or '-'} |")
    return "\n".join(lines)


def _troubles(digest: Digest) -> str:
    if not digest.troubles:
        return ""
    lines = [
        "## What is wrong",
        "",
        "| | target | agent | test | what | link |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for trouble in digest.troubles:
        cell = trouble.cell
        data = [markdown(text) for text in (cell.target, cell.agent or cell.agent_id, cell.test)]
        row = [trouble.kind, *data, markdown(trouble.what, _WHAT_LIMIT), markdown_link(trouble.link)]
        lines.append(f"| {' | '.join(row)} |")
    if digest.more:
        lines += ["", f"and {digest.more} more"]
    return "\n".join(lines)


def _groups(title: str, groups: Sequence[Group]) -> str:
    if not groups:
        return ""
    lines = [f"## {title}", ""]
    for group in groups:
        names = ", ".join(markdown(name) for name in group.agents)
        more = group.agents_total - len(group.agents)
        rest = f" and {more} more" if more else ""
        lines.append(f"- {markdown(group.reason)}: {many(group.cells, 'cell')}, {names}{rest}")
    return "\n".join(lines)


def _unknown(tests: Sequence[TestRecord]) -> str:
    if not tests:
        return ""
    lines = [
        "## Creations whose outcome is unknown",
        "",
        "Their answers were lost: they may exist and may have been paid for, so they were not repeated.",
        "Look for these names in the product:",
        "",
    ]
    shown = tests[:UNKNOWN_LIMIT]
    lines += [f"- {markdown(test.name or test.spec.key)} ({markdown(test.spec.target)})" for test in shown]
    if len(tests) > len(shown):
        lines.append(f"- and {len(tests) - len(shown)} more")
    return "\n".join(lines)


def _commands(run: RunRecord, counts: Counts, unknown: Sequence[TestRecord]) -> str:
    lines = [f"Run {markdown(run.id)} of {markdown(run.origin)}", ""]
    repeat = repeat_command(run)
    if repeat:
        lines.append(f"- again: {markdown(repeat, 1000)}")
    lines += [
        f"- {what}: {markdown(command, 1000)}" for what, command in next_commands(run, counts, bool(unknown))
    ]
    return "\n".join(lines)
