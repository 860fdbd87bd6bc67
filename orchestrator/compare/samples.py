"""A cell as a comparison takes it, made from its rows: numbers, marks, its route."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestrator.compare.routes import route_of
from orchestrator.compare.values import Sample
from orchestrator.insight.groups import normalised
from orchestrator.insight.values import Phase
from orchestrator.model import Answer, AnswerStatus, Metric, Verdict
from orchestrator.testtypes.norms import MARKS, NORMS, Norm


def sample_of(
    verdict: Verdict | None,
    rows: Iterable[Answer],
    phase: Phase | None = None,
    norms: Mapping[str, Norm] = NORMS,
) -> Sample:
    """The cell with these newest rows. Of several rows of one layer the worst number counts."""
    rows = list(rows)
    numbers: dict[str, float] = {}
    marks: dict[str, Metric] = {}
    for row in rows:
        if row.status is not AnswerStatus.OK:
            continue
        for name, told in row.metrics.items():
            key = f"{row.layer}.{name}"
            norm = norms.get(key)
            if norm is not None and isinstance(told, int | float) and not isinstance(told, bool):
                worse = min if norm.falls else max
                numbers[key] = worse(numbers.get(key, float(told)), float(told))
            elif name in MARKS:
                marks[f"{key} {row.server}" if row.server else key] = _plain(name, told)
    return Sample(verdict, numbers, marks, phase, route_of(rows))


def _plain(name: str, told: Metric) -> Metric:
    """What a name was resolved to comes in any order and with times to live."""
    return normalised(told) if name == "mappings" and isinstance(told, str) else told
