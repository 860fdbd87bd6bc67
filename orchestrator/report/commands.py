"""The commands that a person may want next. Ready to paste into a shell."""

from __future__ import annotations

import shlex

from orchestrator.errors import Exit
from orchestrator.records import Counts, RunRecord, RunState
from orchestrator.testtypes.secrets import mask_secrets
from orchestrator.verdict.counts import exit_code, lacking, tests_group

PROGRAM = "orchestrator"


def repeat_command(run: RunRecord) -> str | None:
    """The command that does the same once more; ``None`` for a plan that was not read from a file.

    Variables that were set on the command line are repeated where the run's settings have them (``sets``).
    """
    if run.parent is not None:
        return f"{PROGRAM} rerun {shlex.quote(run.parent)}"
    if not run.plan_path:
        return None
    words = [PROGRAM, "run", run.plan_path]
    for name, value in mask_secrets("", run.settings.sets).items():
        words += ["--set", f"{name}={value}"]
    if run.simulated:
        words.append("--simulate")
    return shlex.join(words)


def next_commands(run: RunRecord, counts: Counts, unknown: bool) -> list[tuple[str, str]]:
    """What for, and the command; the most useful first. The world of a simulated run ended with it."""
    name = shlex.quote(run.id)
    commands = []
    if not run.simulated:
        tests = tests_group(counts)
        unfinished = tests["not_run"] + tests["partial"] + tests["timed_out"]
        unfinished += tests["failed"]
        if run.state in (RunState.INTERRUPTED, RunState.INCOMPLETE, RunState.REFUSED) and unfinished:
            commands.append(("go on", f"{PROGRAM} resume {name}"))
        if unknown:
            commands.append(("find the lost creations", f"{PROGRAM} reconcile {name}"))
        code = exit_code(counts, run.settings.allow_missing)
        if code == Exit.EXPECTATION_FAILED or (code == Exit.OK and lacking(counts)):
            commands.append(("run the failed tests again", f"{PROGRAM} rerun {name} --failed"))
    commands.append(("all answers", f"{PROGRAM} results {name}"))
    return commands
