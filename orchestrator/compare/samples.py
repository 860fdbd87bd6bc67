"""A cell as a comparison takes it, made from its rows: numbers, marks, its route."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.compare.routes import route_of
from orchestrator.compare.values import Sample
from orchestrator.insight.groups import normalised
from orchestrator.insight.values import Phase
from orchestrator.model import Answer, AnswerStatus, Metric, Verdict
from orchestrator.testtypes.norms import MARKS, NORMS, Norm

_NOTHING: Mapping[str, tuple[str, bool]] = {}


class Sampling:
    """Makes samples of rows, for metrics that have such norms."""

    def __init__(self, norms: Mapping[str, Norm] = NORMS) -> None:
        # By layer and metric: its name in a sample, and whether less of it is worse.
        self._wanted: dict[str, dict[str, tuple[str, bool]]] = {}
        for key, norm in norms.items():
            layer, _, name = key.partition(".")
            self._wanted.setdefault(layer, {})[name] = (key, norm.falls)

    def of(self, verdict: Verdict | None, rows: Sequence[Answer], phase: Phase | None = None) -> Sample:
        """The cell with these newest rows. Of several rows of one layer the worst number counts."""
        numbers: dict[str, float] = {}
        marks: dict[str, Metric] = {}
        for row in rows:
            if row.status is not AnswerStatus.OK:
                continue
            wanted = self._wanted.get(row.layer, _NOTHING)
            for name, told in row.metrics.items():
                norm = wanted.get(name)
                if norm is not None and isinstance(told, int | float) and not isinstance(told, bool):
                    key, falls = norm
                    known = numbers.get(key)
                    if known is None or (told < known if falls else told > known):
                        numbers[key] = float(told)
                elif name in MARKS:
                    key = f"{row.layer}.{name}"
                    marks[f"{key} {row.server}" if row.server else key] = _plain(name, told)
        return Sample(verdict, numbers, marks, phase, route_of(rows))


def _plain(name: str, told: Metric) -> Metric:
    """What a name was resolved to comes in any order and with times to live."""
    return normalised(told) if name == "mappings" and isinstance(told, str) else told
