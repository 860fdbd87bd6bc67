"""From a source to the text of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from orchestrator.insight.look import Insight
from orchestrator.insight.values import CellKey, Observed
from orchestrator.model import Answer
from orchestrator.report.html.cells import Cell, cell_of
from orchestrator.report.html.graph import drawn
from orchestrator.report.html.layout import Layout, Parts
from orchestrator.report.html.material import Material, Traces
from orchestrator.report.html.page import page
from orchestrator.report.html.render import render
from orchestrator.report.overview import overview
from orchestrator.report.source import Source
from orchestrator.testtypes import DETAILS

# Where the product is; besides it a page links to nothing but the host that the run talked to.
PRODUCT = "app.thousandeyes.com"


async def html(source: Source, layout: Layout) -> str:
    """The report of a run as one HTML document."""
    hosts = frozenset({PRODUCT, (urlsplit(source.run.origin).hostname or PRODUCT).lower()})
    seen: list[Cell] = []

    def keep(one: Observed) -> None:
        seen.append(cell_of(one, hosts))

    insight = await source.watched(keep)
    material = Material(
        overview=await overview(source, most=10),
        cells=_with_phases(seen, insight),
        agents=await source.agents(),
        names=await source.names(),
        layout=layout,
    )
    if layout.part is Parts.ALL:
        material = replace(material, traces=await _traces(source, drawn(material)))
    return render(page(material), layout)


def _with_phases(cells: Sequence[Cell], insight: Insight) -> list[Cell]:
    return [
        cell if (phase := insight.phases.get(cell.key)) is None else replace(cell, phase=phase)
        for cell in cells
    ]


async def _traces(source: Source, rows: Sequence[tuple[str, str]]) -> Mapping[CellKey, Traces]:
    """The newest paths of the cells of these targets."""
    found: dict[CellKey, Traces] = {}
    wanted = set(rows)
    for test in await source.tests():
        if (test.spec.test, test.spec.target) in wanted:
            for answer in sorted(await source.answers(test.spec.key), key=_round):
                if answer.layer == DETAILS and answer.paths:
                    key = CellKey(test.spec.test, test.spec.target, answer.agent_id)
                    found[key] = tuple(path.hops for path in answer.paths)
    return found


def _round(answer: Answer) -> int:
    return answer.round_id
