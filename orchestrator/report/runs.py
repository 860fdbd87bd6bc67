"""The runs in a store as a document."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.records import RunRecord
from orchestrator.report.summary import SCHEMA
from orchestrator.report.times import utc


def runs_document(runs: Iterable[RunRecord]) -> dict[str, object]:
    """The document of ``runs --json``, in the order of ``runs``."""
    return {"schema": SCHEMA, "runs": [_row(run) for run in runs]}


def _row(run: RunRecord) -> dict[str, object]:
    return {
        "run": run.id,
        "plan": run.plan,
        "state": run.state.value,
        "exit_code": run.exit_code,
        "started": utc(run.started),
        "finished": utc(run.finished),
        "api": run.api.value,
        "rerun_of": run.parent,
    }
