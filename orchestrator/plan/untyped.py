"""What can be told of a test block whose type cannot be guessed: what would be wrong in every type."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.plan.problems import Problems, listing, nearest, quoted
from orchestrator.plan.rows import CsvFiles
from orchestrator.plan.source import Entries, Items, Node, Scalar
from orchestrator.plan.targets import Groups, read_group
from orchestrator.testtypes import METRICS, OURS, READ_ONLY, SCHEDULED_ONLY, TEST_TYPES
from orchestrator.verdict.expect import ExpectationInvalid, parse_expectation


def check_without_type(node: Entries, groups: Groups, csv: CsvFiles, problems: Problems) -> None:
    """Note the options, layers, expectations and targets that no type of test has."""
    options = node.entries.get("options")
    known = sorted({name for kind in TEST_TYPES.values() for name in kind.options})
    for name, place in options.keys.items() if isinstance(options, Entries) else ():
        if name not in known and name not in OURS | READ_ONLY | SCHEDULED_ONLY:
            message = f"no type of test has an option {quoted(name)}{nearest(name, known)}"
            problems.add(place, message)
    for one in _texts(node.entries.get("layers")):
        layer = str(one.value)
        if layer not in METRICS:
            near = nearest(layer, METRICS) or f"; there are {listing(METRICS, 20)}"
            problems.add(one.place, f"no type of test has a layer {quoted(layer)}{near}")
    for key in ("expect", "warn"):
        for one in _texts(node.entries.get(key)):
            wrong = _wrong_everywhere(str(one.value))
            if wrong is not None:
                problems.add(one.place, wrong)
    _check_targets(node.entries.get("targets"), groups, csv, problems)


def _texts(node: Node | None) -> Iterator[Scalar]:
    for item in node.items if isinstance(node, Items) else (node,):
        if isinstance(item, Scalar) and isinstance(item.value, str):
            yield item


def _wrong_everywhere(text: str) -> str | None:
    """What is wrong with an expectation in all types, as one that has its layer says it; else ``None``."""
    layer = text.partition(".")[0].strip()
    kinds = [kind.name for kind in TEST_TYPES.values() if layer in kind.layers] or list(TEST_TYPES)
    first = None
    for kind in kinds:
        try:
            parse_expectation(text, kind)
        except ExpectationInvalid as error:
            first = first or error
        else:
            return None
    if layer not in METRICS and str(first).startswith(kinds[0]):
        return f"no type of test has a layer {quoted(layer)}{nearest(layer, METRICS)}"
    return str(first)


def _check_targets(node: Node | None, groups: Groups, csv: CsvFiles, problems: Problems) -> None:
    """Names that are almost those of groups, files and mappings that cannot be read."""
    for item in node.items if isinstance(node, Items) else (node,):
        text = item.value if isinstance(item, Scalar) else None
        near = nearest(text, groups) if isinstance(text, str) and text not in groups else ""
        if item is None or (isinstance(text, str) and text in groups):
            continue
        if isinstance(text, str) and near:
            problems.add(item.place, f"no group of targets is called {quoted(text)}{near}")
        else:
            read_group(item, csv, problems)
