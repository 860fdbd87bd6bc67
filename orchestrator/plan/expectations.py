"""Expectations of test blocks and of their targets, each checked at its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.plan.problems import Place, Problems
from orchestrator.plan.source import Entries, Items, Node, Scalar, Untyped
from orchestrator.plan.targets import EXPECTATIONS, Written
from orchestrator.testtypes import METRICS, TestType
from orchestrator.verdict.expect import ExpectationInvalid, parse_expectation


@dataclass(slots=True)
class Judged:
    """Reads the expectations of a plan.

    A target of a shared group may carry what several blocks judge, each by its own layers. So one that a
    block cannot judge is a problem only if no block can (:meth:`report`), and if all could be read.
    """

    problems: Problems
    unread: bool = False
    _fit: set[tuple[Place, str]] = field(default_factory=set)
    _unfit: dict[tuple[Place, str], str] = field(default_factory=dict)

    def of_block(self, node: Entries, kind: TestType, layers: tuple[str, ...]) -> None:
        """Note what is wrong with the expectations of a block."""
        for key in EXPECTATIONS:
            for text, place in texts(node.entries.get(key)):
                wrong = _wrong(text, kind, layers)
                if wrong is not None:
                    self.problems.add(place, wrong)

    def of_target(
        self, key: str, written: Written, kind: TestType, layers: tuple[str, ...]
    ) -> tuple[str, ...]:
        """What a target brings under ``key``, as far as a block of these layers can judge it."""
        return tuple(self._kept(_given(written, key), kind, layers))

    def _kept(self, nodes: list[Node], kind: TestType, layers: tuple[str, ...]) -> Iterator[str]:
        for node in nodes:
            for item in node.items if isinstance(node, Items) else (node,):
                if not isinstance(item, Scalar) or not isinstance(item.value, str) or not item.value.strip():
                    self.problems.add(
                        item.place, "an expectation is a text, such as 'network.loss <= 1', or a list of them"
                    )
            for text, place in _several(node):
                wrong = _wrong(text, kind, layers)
                if wrong is None:
                    self._fit.add((place, text))
                    yield text
                elif _layer(text) in METRICS and _layer(text) not in layers:
                    self._unfit.setdefault((place, text), wrong)
                else:
                    self.problems.add(place, wrong)

    def report(self) -> None:
        """Note the expectations of targets that no block judges. Call it when all blocks were read."""
        for (place, text), wrong in self._unfit.items():
            if not self.unread and (place, text) not in self._fit:
                self.problems.add(place, wrong)


def texts(node: Node | None) -> Iterator[tuple[str, Place]]:
    """The texts of a value that is one or a list."""
    for item in node.items if isinstance(node, Items) else (node,):
        if isinstance(item, Scalar) and isinstance(item.value, str):
            yield item.value, item.place


def _several(node: Node) -> Iterator[tuple[str, Place]]:
    """Likewise; a CSV cell is one text that may hold several, separated by ``;``."""
    for item in node.items if isinstance(node, Items) else (node,):
        parts = item.value.split(";") if isinstance(item, Scalar) and isinstance(item.value, Untyped) else ()
        yield from ((part.strip(), item.place) for part in parts if part.strip())
        if not parts:
            yield from ((text.strip(), place) for text, place in texts(item) if text.strip())


def _given(written: Written, key: str) -> list[Node]:
    """Of a row in a CSV file its own cell, and what stands beside ``csv`` for every row."""
    cell = None if written.row is None else written.row.take(key)
    beside = None if written.entries is None else written.entries.entries.get(key)
    own = None if cell is None else Scalar(Untyped(cell.text), cell.place)
    return [node for node in (own, beside) if node is not None]


def _layer(text: str) -> str:
    return text.partition(".")[0].strip()


def _wrong(text: str, kind: TestType, layers: tuple[str, ...]) -> str | None:
    try:
        expectation = parse_expectation(text, kind.name)
    except ExpectationInvalid as error:
        return str(error)
    if expectation.layer not in layers:
        return f"layer {expectation.layer} is not among the test's layers"
    return None
