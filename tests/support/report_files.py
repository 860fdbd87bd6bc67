"""HTML reports of made-up runs, each written once for all workers of a session: large ones take seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import anyio
import report_since as before
import report_worlds as worlds
from filelock import FileLock

from orchestrator.insight.values import Observed
from orchestrator.model import Verdict
from orchestrator.records import RunState
from orchestrator.report.comparison import Held, chosen
from orchestrator.report.html.compared import compared_html
from orchestrator.report.html.layout import Layout
from orchestrator.report.html.write import html
from orchestrator.report.source import Source

DONE: dict[str, Any] = {"state": RunState.INCOMPLETE, "exit_code": 3}


def source(name: str) -> Source:
    """The run of this name: ``demo``, ``good``, ``hostile``, or targets x agents; ``changed`` and
    ``attacked`` are the first and the third with what was before them."""
    if "x" in name:
        rows, columns = (int(number) for number in name.split("x"))
        fleet = worlds.agents(columns)
        cells = list(worlds.large_cells(rows, fleet, 0.16))
        run = worlds.source(cells, fleet, **DONE)
        return before.known(run, before.cheap(run.run, cells))
    if name in ("changed", "attacked"):
        run, held = held_world(name)
        return before.known(run, before.since(held, earlier_runs(name)))
    made = {"demo": worlds.demo, "hostile": worlds.hostile}
    return made[name](**DONE) if name in made else worlds.good(state=RunState.COMPLETE, exit_code=0)


def held_world(name: str) -> tuple[Source, Held]:
    """A run that is held against a better one: everything that can be wrong, and the wiki is slower."""
    if name == "attacked":
        fleet, cells = worlds.hostile_cells()
        run = worlds.source(cells, fleet, plan=worlds.ATTACKS[0], **DONE)
        good = [one._replace(record=one.record._replace(verdict=Verdict.PASS)) for one in cells]
        return run, before.held(
            run.run,
            cells,
            good,
            fleet,
            name=worlds.ATTACKS[1],
            options=(worlds.ATTACKS[2], worlds.ATTACKS[9]),
        )
    run, cells = worlds.demo(**DONE), list(worlds.demo_cells())
    return run, before.held(run.run, cells, worlds.calm_cells(), worlds.agents())


def earlier_runs(name: str) -> list[list[Observed]]:
    """What was before: good runs, and one as bad as the run itself."""
    if name == "attacked":
        cells = worlds.hostile_cells()[1]
        bad = [one._replace(record=one.record._replace(verdict=Verdict.FAIL)) for one in cells]
        return [cells, bad]
    good = worlds.calm_cells()
    return [good] * 6 + [list(worlds.demo_cells())]


@dataclass(frozen=True)
class Written:
    """A report in a file, and the CPU seconds that it took once the run was there."""

    file: Path
    seconds: float

    @property
    def text(self) -> str:
        """The document."""
        return self.file.read_text("utf-8")


def written(name: str, folder: Path) -> Written:
    """The report of a run, in a folder that workers share."""
    folder.mkdir(exist_ok=True)
    file, cost = folder / f"{name}.html", folder / f"{name}.seconds"
    with FileLock(folder / f"{name}.lock"):
        if not cost.exists():
            write = _writer(name)
            begun = time.process_time()
            text = write()
            cost.write_text(str(time.process_time() - begun), "utf-8")
            file.write_text(text, "utf-8")
    return Written(file, float(cost.read_text("utf-8")))


def _writer(name: str) -> Callable[[], str]:
    """What writes a page; those of comparisons are called ``diff-`` and the run's name."""
    if name.startswith("diff-"):
        held = held_world(name.removeprefix("diff-"))[1]
        return lambda: compared_html(held, [*chosen(held, everything=True)])
    run = source(name)
    return lambda: anyio.run(html, run, Layout())


# What a report may be made of, by element. Nothing else may ever be in one, whatever a run's data are.
_DRAWN = {"class", "fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "x", "y", "width"}
ELEMENTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "html": frozenset({"lang"}),
        "head": frozenset(),
        "meta": frozenset({"charset", "http-equiv", "content", "name"}),
        "title": frozenset({"id"}),
        "style": frozenset(),
        **dict.fromkeys(("body", "header", "main", "footer", "thead", "tbody", "dt", "dd", "br",
                         "summary"), frozenset[str]()),
        "b": frozenset({"class"}),
        "caption": frozenset({"class"}),
        "dl": frozenset({"class"}),
        "table": frozenset({"class"}),
        "div": frozenset({"class", "tabindex", "role", "aria-label"}),
        "section": frozenset({"class", "id", "aria-labelledby"}),
        "h1": frozenset(),
        "h2": frozenset({"class", "id"}),
        "h3": frozenset(),
        "p": frozenset({"class"}),
        "span": frozenset({"class", "role", "aria-label", "aria-hidden"}),
        "code": frozenset(),
        "a": frozenset({"class", "href", "rel", "aria-label"}),
        "ul": frozenset({"class"}),
        "ol": frozenset({"class"}),
        "li": frozenset({"class", "id"}),
        "details": frozenset({"open"}),
        "input": frozenset({"type", "name", "id", "class", "checked"}),
        "label": frozenset({"for"}),
        "tr": frozenset({"class", "id"}),
        "th": frozenset({"scope", "class", "colspan"}),
        "td": frozenset({"class", "colspan", "title"}),
        "svg": frozenset({"class", "viewbox", "width", "height", "fill", "stroke", "stroke-width",
                          "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "aria-hidden", "role",
                          "aria-label", "aria-labelledby", "preserveaspectratio", "shape-rendering",
                          "font-size", "font-family"}),
        "desc": frozenset({"id"}),
        "g": frozenset(),
        "rect": frozenset(_DRAWN | {"height", "rx"}),
        "path": frozenset(_DRAWN | {"d"}),
        "circle": frozenset(_DRAWN | {"cx", "cy", "r"}),
        "text": frozenset(_DRAWN | {"text-anchor", "font-weight"}),
    }
)  # fmt: skip
