"""The commands that a person may want next. Ready to paste into a shell."""

from __future__ import annotations

import re
import shlex

from orchestrator.model import Verdict
from orchestrator.records import Counts, RunRecord, RunState
from orchestrator.testtypes.secrets import mask_secrets
from orchestrator.verdict.counts import lacking, tests_group

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


def next_commands(
    run: RunRecord, counts: Counts, unknown: bool, *, reported: bool = False
) -> list[tuple[str, str]]:
    """What for, and the command; the most useful first. The world of a simulated run ended with it.

    ``reported``: whoever reads it has a report already.
    """
    name = shlex.quote(run.id)
    tests, verdicts = tests_group(counts), counts.verdicts
    commands = []
    unfinished = tests["not_run"] + tests["partial"] + tests["timed_out"] + tests["failed"]
    if not run.simulated:
        if run.state in (RunState.INTERRUPTED, RunState.INCOMPLETE, RunState.REFUSED) and unfinished:
            commands.append(("go on", f"{PROGRAM} resume {name}"))
        if unknown:
            commands.append(("find the lost creations", f"{PROGRAM} reconcile {name}"))
    bad = next((one for one in _BAD if verdicts.get(one, 0)), None)
    if bad is not None:
        # What fails and what is silent are bad alike: the headline counts both.
        alike = [one for one in (Verdict.FAIL, Verdict.NO_ANSWER) if verdicts.get(one, 0)] or [bad]
        asked = " ".join(f"--verdict {one.value}" for one in alike)
        commands.append((f"every {_BAD[bad]} cell", f"{PROGRAM} results {name} {asked}"))
    if not reported:
        commands.append(("see it", f"{PROGRAM} report {name} --format html -o {_file_name(run.plan)}.html"))
        commands.append(("for a ticket", f"{PROGRAM} report {name}"))
    ended = run.state is not RunState.RUNNING
    if not run.simulated and ended and counts.created and (verdicts.get(Verdict.FAIL, 0) or lacking(counts)):
        commands.append(("try again", f"{PROGRAM} rerun {name} --failed"))
    if bad is None:
        commands.append(("all answers", f"{PROGRAM} results {name}"))
    return commands


# What is asked for first, and how people call the cells.
_BAD = {Verdict.FAIL: "bad", Verdict.NO_ANSWER: "silent", Verdict.PARTIAL: "partial"}
_UNUSUAL = re.compile(r"[^A-Za-z0-9._-]+")


def _file_name(plan: str) -> str:
    """A plan's name as a file's, whatever it is: no blank, no quote, no folder, no option."""
    return _UNUSUAL.sub("-", plan).strip("-.")[:60] or "report"
