"""What a run came to, in numbers: the summary document and the exit code. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from orchestrator.records import BudgetSeen, Counts, RunRecord
from orchestrator.report.times import duration, utc
from orchestrator.verdict.counts import cells_group, exit_code, must_hold, tests_group, verdicts_group

SCHEMA = 1


def summary(run: RunRecord, counts: Counts, *, now: float | None = None) -> dict[str, object]:
    """The summary document, keys as documented and stable.

    ``now`` (epoch seconds) gives the duration of a run that has not ended; the exit code of such a run is the
    one that it would have if it stopped here. A budget that was never seen has nulls. Raises
    ``AssertionError`` if a group does not add up: a defect of ours, not to be reported as a result.
    """
    tests, cells, verdicts = tests_group(counts), cells_group(counts), verdicts_group(counts)
    _check_sums(run, tests, cells, verdicts)
    seconds = duration(run, now)
    return {
        "schema": SCHEMA,
        "run": run.id,
        "plan": run.plan,
        "state": run.state.value,
        "exit_code": int(exit_code(counts, run.settings.allow_missing))
        if run.exit_code is None
        else run.exit_code,
        "started": utc(run.started),
        "finished": utc(run.finished),
        "seconds": None if seconds is None else round(seconds, 3),
        "tests": tests,
        "cells": cells,
        "allow_missing": run.settings.allow_missing,
        "verdicts": verdicts,
        "requests": asdict(run.facts.requests),
        "budgets": {name: _budget(seen) for name, seen in run.facts.budgets.items()},
        "units": {
            "estimated": run.facts.units,
            **({} if run.facts.counted is None else {"counted": asdict(run.facts.counted)}),
        },
        "paths": asdict(counts.paths),
        "raw_pruned": utc(run.raw_pruned),
        "answers_pruned": utc(run.answers_pruned),
        "silent_agents": [asdict(one) for one in run.facts.silent_agents],
    }


def units_told(run: RunRecord) -> str:
    """What the run took by our estimate and, beside it, what the vendor had counted of it when it ended."""
    text, counted = f"about {run.facts.units:g} units", run.facts.counted
    if counted is None:
        return text
    if counted.tests == 0:
        return f"{text} (the vendor had counted none of its tests yet)"
    seen = f"the vendor had counted {counted.units:g}, of {counted.tests} tests"
    return f"{text} ({seen}; its count may be late)"


def number(value: object) -> float | None:
    """A number from a fact, or ``None`` where there is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _budget(seen: BudgetSeen | None) -> dict[str, object]:
    seen = seen or BudgetSeen()
    return {"limit": seen.limit, "remaining": seen.remaining, "reset": utc(seen.reset)}


def _check_sums(
    run: RunRecord, tests: Mapping[str, int], cells: Mapping[str, int], verdicts: Mapping[str, int]
) -> None:
    planned = run.facts.planned
    for group, counted in (("tests", tests["planned"]), ("cells", cells["planned"])):
        expected = counted if planned is None else getattr(planned, group)
        must_hold(counted == expected, f"{counted} {group} have an end, but {expected} were planned")
    judged = sum(verdicts.values())
    must_hold(judged == cells["planned"], f"{judged} verdicts for {cells['planned']} planned cells")
