"""The commands that a person may want next. Ready to paste into a shell."""

from __future__ import annotations

import shlex

from orchestrator.report.summary import exit_code, tests_group
from orchestrator.store.base import Counts, RunRecord, RunState

PROGRAM = "orchestrator"


def repeat_command(run: RunRecord) -> str | None:
    """The command that does the same once more; ``None`` for a plan that was not read from a file."""
    if run.parent is not None:
        return f"{PROGRAM} rerun {shlex.quote(run.parent)}"
    return f"{PROGRAM} run {shlex.quote(run.plan_path)}" if run.plan_path else None


def next_commands(run: RunRecord, counts: Counts, unknown: bool) -> list[tuple[str, str]]:
    """What for, and the command; the most useful first."""
    name = shlex.quote(run.id)
    commands = []
    tests = tests_group(counts)
    waits = tests["not_run"] + tests["partial"] + tests["timed_out"]
    if run.state in (RunState.INTERRUPTED, RunState.INCOMPLETE, RunState.REFUSED) and waits:
        commands.append(("go on", f"{PROGRAM} resume {name}"))
    if unknown:
        commands.append(("find the lost creations", f"{PROGRAM} reconcile {name}"))
    if exit_code(counts) == 1:
        commands.append(("run the failed tests again", f"{PROGRAM} rerun {name} --failed"))
    commands.append(("all answers", f"{PROGRAM} results {name}"))
    return commands
