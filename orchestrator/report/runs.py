"""The runs in a store as a document."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from orchestrator.records import RunRecord
from orchestrator.report.summary import SCHEMA
from orchestrator.report.times import utc


def runs_document(runs: Iterable[RunRecord], mask: Callable[[str], str] = str) -> dict[str, object]:
    """The document of ``runs --json``, in the order of ``runs``; ``mask`` takes a token out of headlines."""
    return {"schema": SCHEMA, "runs": [_row(run, mask) for run in runs]}


def _row(run: RunRecord, mask: Callable[[str], str]) -> dict[str, object]:
    return {
        "run": run.id,
        "plan": run.plan,
        "state": run.state.value,
        "exit_code": run.exit_code,
        "started": utc(run.started),
        "finished": utc(run.finished),
        "api": run.api.value,
        "rerun_of": run.parent,
        "headline": None if run.facts.headline is None else mask(run.facts.headline),
    }
