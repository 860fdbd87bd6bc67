"""Runs in the text format of Prometheus, for node_exporter's textfile collector or a push gateway.

The last run of each plan is there, told apart by the label ``plan``: the one that is asked for, and of every
other plan the newest that has ended, diagnoses left out. Names, units and types follow Prometheus'
conventions: base units, gauges for what a run came to (it does not grow), ``_info`` for what is text. Cells
are bounded, and how many are not told is a metric itself. Needs an extra, ``[metrics]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.errors import MissingExtra
from orchestrator.insight.values import Observed
from orchestrator.model import Answer, Verdict
from orchestrator.records import CellRecord
from orchestrator.report.source import Source
from orchestrator.report.summary import number, summary
from orchestrator.safe import clip
from orchestrator.testtypes.layers import LAYERS, PACKETS
from orchestrator.testtypes.table import TEST_TYPES

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import Collector

# Cells of one plan that have series of their own: bad ones first, then in the order of the plan.
MOST_CELLS = 1000
# Those of all plans together, and plans that are told, where somebody scrapes all of them for ever.
MOST_OF_ALL, MOST_PLANS = 5000, 50
# Characters of a label: a scraper may drop everything for one that is longer than it takes.
LONGEST = 200
_CELL = ("plan", "test", "type", "target", "agent", "agent_id", "country")
# Sums of the others of their group.
_TOTALS = frozenset({"planned", "created"})
_GOOD = frozenset({Verdict.PASS, Verdict.WARN})


@dataclass(slots=True)
class _Told:
    """What is told of one run. ``cells`` are labels, verdict, seconds that the test took, share of packets
    lost; those beyond a number are only counted."""

    source: Source
    document: dict[str, object]
    causes: Sequence[tuple[tuple[str, ...], int]]
    cells: list[tuple[tuple[str, ...], Verdict | None, float | None, float | None]]
    untold: int

    @property
    def plan(self) -> str:
        """Whose last run it is."""
        return clip(self.source.run.plan, LONGEST)

    def group(self, name: str) -> dict[str, float]:
        """The numbers of a group of the summary."""
        found = self.document[name]
        numbers = found.items() if isinstance(found, dict) else ()
        return {str(key): value for key, one in numbers if (value := number(one)) is not None}


async def prometheus(source: Source) -> str:
    """The text. Raises ``MissingExtra`` where prometheus-client is not installed."""
    others = () if source.others is None else await source.others()
    return await _text((source, *others), MOST_CELLS, None)


async def scraped(sources: Sequence[Source]) -> str:
    """The text of the last runs of plans, bounded as a whole: of too many plans the newest runs are told, of
    their cells as many as is fair. Raises as :func:`prometheus`."""
    newest = sorted(sources, key=lambda one: one.run.started, reverse=True)[:MOST_PLANS]
    chosen = sorted(newest, key=lambda one: one.run.plan)
    most = min(MOST_CELLS, MOST_OF_ALL // max(1, len(chosen)))
    return await _text(chosen, most, len(sources) - len(chosen))


async def _text(sources: Sequence[Source], most: int, untold: int | None) -> str:
    try:
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise MissingExtra("the format of Prometheus", "metrics") from error
    told = [await _told(one, most) for one in sources]
    registry = CollectorRegistry()
    registry.register(_collector(told, untold))
    return generate_latest(registry).decode("utf-8", "backslashreplace")


def _collector(told: Sequence[_Told], untold: int | None) -> Collector:
    from prometheus_client.registry import Collector  # noqa: PLC0415 - an extra

    class Runs(Collector):
        def collect(self) -> Iterable[Metric]:
            families = [*_of_runs(told), *_of_budgets(told), *_of_cells(told)]
            if untold is not None:
                plans = _gauge("plans_untold", "Plans whose last runs are not told.", ())
                plans.add_metric((), untold)
                families.append(plans)
            return families

    return Runs()


async def _told(source: Source, most: int) -> _Told:
    run = source.run
    seen: list[Observed] = []
    insight = await source.watched(seen.append)
    numbers = {id(one): n for n, one in enumerate(insight.points, 1)}
    causes = [
        (
            (
                run.plan,
                str(numbers[id(one)]),
                one.group.kind,
                clip(" ".join(one.group.value), LONGEST),
                one.level,
                one.sure,
            ),
            one.bad,
        )
        for one in insight.explanations
    ]
    seen.sort(key=lambda one: one.record.verdict in _GOOD)
    cells = [
        (_labels(run.plan, one.record), one.record.verdict, _seconds(one), _lost(one)) for one in seen[:most]
    ]
    document = summary(run, await source.counts(), now=source.now)
    return _Told(source, document, causes, cells, max(0, len(seen) - most))


def _labels(plan: str, cell: CellRecord) -> tuple[str, ...]:
    return _cut(plan, cell.test, cell.type, cell.target, cell.agent, cell.agent_id, cell.country or "")


def _cut(*texts: str) -> tuple[str, ...]:
    return tuple(clip(text, LONGEST) for text in texts)


def _seconds(one: Observed) -> float | None:
    """How long the test's own layer took, from its newest row that tells."""
    kind = TEST_TYPES.get(one.record.type)
    layer = None if kind is None else LAYERS[kind.layers[0]]
    value = None if layer is None or layer.whole is None else _metric(one.rows, layer.name, layer.whole)
    return None if value is None else value / 1000


def _lost(one: Observed) -> float | None:
    value = _metric(one.rows, PACKETS.name, "loss")
    return None if value is None else value / 100


def _metric(rows: Sequence[Answer], layer: str, name: str) -> float | None:
    values = [number(row.metrics.get(name)) for row in rows if row.layer == layer]
    return max((one for one in values if one is not None), default=None)


def _gauge(name: str, text: str, labels: Sequence[str], unit: str = "") -> GaugeMetricFamily:
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - an extra

    return GaugeMetricFamily(f"orchestrator_{name}", text, labels=labels, unit=unit)


def _of_runs(told: Sequence[_Told]) -> Iterator[Metric]:
    info = _gauge("run_info", "The last run of a plan.", ("plan", "run", "state", "api", "simulated"))
    code = _gauge("run_exit_code", "Exit code of the last run, see the documentation.", ("plan",))
    started = _gauge("run_start_timestamp_seconds", "When the last run began.", ("plan",))
    ended = _gauge("run_end_timestamp_seconds", "When the last run ended.", ("plan",))
    took = _gauge("run_duration_seconds", "What the sessions of the last run took.", ("plan",))
    units = _gauge("run_estimated_units", "Units that the last run takes, by our estimate.", ("plan",))
    tests = _gauge("run_tests", "Tests of the last run by what they came to.", ("plan", "state"))
    cells = _gauge("run_cells", "Cells of the last run by what they came to.", ("plan", "state"))
    verdicts = _gauge("run_verdicts", "Cells of the last run by verdict.", ("plan", "verdict"))
    requests = _gauge("run_requests", "Requests of the last run by kind.", ("plan", "kind"))
    waited = _gauge("run_waited_seconds", "What creations of the last run waited for.", ("plan", "reason"))
    for one in told:
        run = one.source.run
        info.add_metric((one.plan, run.id, run.state.value, run.api.value, str(run.simulated).lower()), 1)
        code.add_metric((one.plan,), number(one.document["exit_code"]) or 0.0)
        started.add_metric((one.plan,), run.started)
        if run.finished is not None:
            ended.add_metric((one.plan,), run.finished)
        if (seconds := number(one.document["seconds"])) is not None:
            took.add_metric((one.plan,), seconds)
        units.add_metric((one.plan,), run.facts.units)
        for family, group in (
            (tests, "tests"),
            (cells, "cells"),
            (verdicts, "verdicts"),
            (requests, "requests"),
        ):
            for name, value in one.group(group).items():
                if name not in _TOTALS:
                    family.add_metric((one.plan, name), value)
        for reason, seconds in run.facts.waits.items():
            waited.add_metric((one.plan, reason), seconds)
    yield from (info, code, started, ended, took, units, tests, cells, verdicts, requests, waited)


def _of_budgets(told: Sequence[_Told]) -> Iterator[Metric]:
    limit = _gauge("run_budget_limit", "Calls a window, as the last run saw them.", ("plan", "budget"))
    left = _gauge(
        "run_budget_remaining", "Calls that were left when the last run looked last.", ("plan", "budget")
    )
    for one in told:
        for name, seen in one.source.run.facts.budgets.items():
            if seen is not None and seen.limit is not None:
                limit.add_metric((one.plan, name), seen.limit)
            if seen is not None and seen.remaining is not None:
                left.add_metric((one.plan, name), seen.remaining)
    yield from (limit, left)


def _of_cells(told: Sequence[_Told]) -> Iterator[Metric]:
    labels = ("plan", "number", "kind", "value", "level", "certainty")
    cause = _gauge("cause_bad_cells", "Bad cells that an explanation of the last run explains.", labels)
    passing = _gauge(
        "cell_passing", "1 where every expectation of the cell holds, else 0.", (*_CELL, "verdict")
    )
    took = _gauge("cell_duration_seconds", "What the test of the cell measured as its whole time.", _CELL)
    lost = _gauge("cell_packet_loss_ratio", "Share of the packets of the cell that were lost.", _CELL)
    untold = _gauge("cells_untold", "Cells of the last run that have no series of their own.", ("plan",))
    for one in told:
        for place, bad in one.causes:
            cause.add_metric(place, bad)
        for place, verdict, seconds, share in one.cells:
            passing.add_metric((*place, "" if verdict is None else verdict.value), float(verdict in _GOOD))
            if seconds is not None:
                took.add_metric(place, seconds)
            if share is not None:
                lost.add_metric(place, share)
        untold.add_metric((one.plan,), one.untold)
    yield from (cause, passing, took, lost, untold)
