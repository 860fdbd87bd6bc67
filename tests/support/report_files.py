"""HTML reports of made-up runs, each written once for all workers of a session: large ones take seconds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import anyio
import report_worlds as worlds
from filelock import FileLock

from orchestrator.records import RunState
from orchestrator.report.html.layout import Layout
from orchestrator.report.html.write import html
from orchestrator.report.source import Source

DONE: dict[str, Any] = {"state": RunState.INCOMPLETE, "exit_code": 3}


def source(name: str) -> Source:
    """The run of this name: ``demo``, ``good``, ``hostile``, or targets x agents."""
    if "x" in name:
        rows, columns = (int(number) for number in name.split("x"))
        return worlds.large(rows, columns, **DONE)
    made = {"demo": worlds.demo, "hostile": worlds.hostile}
    return made[name](**DONE) if name in made else worlds.good(state=RunState.COMPLETE, exit_code=0)


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
            run = source(name)
            before = time.process_time()
            text = anyio.run(html, run, Layout())
            cost.write_text(str(time.process_time() - before), "utf-8")
            file.write_text(text, "utf-8")
    return Written(file, float(cost.read_text("utf-8")))


# What a report may be made of, by element. Nothing else may ever be in one, whatever a run's data are.
_DRAWN = {"class", "fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "x", "y", "width"}
ELEMENTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "html": frozenset({"lang"}),
        "head": frozenset(),
        "meta": frozenset({"charset", "http-equiv", "content", "name"}),
        "title": frozenset({"id"}),
        "style": frozenset(),
        **dict.fromkeys(("body", "header", "main", "footer", "thead", "tbody", "dt", "dd", "b", "br",
                         "summary"), frozenset[str]()),
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
                          "stroke-linecap", "stroke-linejoin", "aria-hidden", "role", "aria-label",
                          "aria-labelledby", "preserveaspectratio", "shape-rendering", "font-size",
                          "font-family"}),
        "desc": frozenset({"id"}),
        "g": frozenset(),
        "rect": frozenset(_DRAWN | {"height", "rx"}),
        "path": frozenset(_DRAWN | {"d"}),
        "circle": frozenset(_DRAWN | {"cx", "cy", "r"}),
        "text": frozenset(_DRAWN | {"text-anchor", "font-weight"}),
    }
)  # fmt: skip
