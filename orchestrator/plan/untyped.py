"""What can be told of a test block whose type cannot be guessed: what would be wrong in every type."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model import Api
from orchestrator.near import near
from orchestrator.plan.fields import FieldReader
from orchestrator.plan.problems import Problems, listing, nearest, quoted
from orchestrator.plan.rows import CsvFiles, waits
from orchestrator.plan.source import Entries, Items, Node, Scalar
from orchestrator.plan.targets import Groups, Written, read_group, resolve
from orchestrator.testtypes import HOST_TYPE, METRICS, OURS, READ_ONLY, SCHEDULED_ONLY, TEST_TYPES, WEB_TYPE
from orchestrator.verdict.expect import ExpectationInvalid, parse_expectation


def check_without_type(node: Entries, groups: Groups, csv: CsvFiles, problems: Problems) -> None:
    """Note the options, layers, expectations and targets that no type of test has."""
    options = node.entries.get("options")
    known = sorted({name for kind in TEST_TYPES.values() for name in kind.options})
    for name, place in options.keys.items() if isinstance(options, Entries) else ():
        if name not in known and name not in OURS | READ_ONLY | SCHEDULED_ONLY:
            message = f"no type of test has an option {quoted(name)}{nearest(name, known)}"
            problems.add(place, message)
        elif name in known and isinstance(options, Entries) and not waits(options.entries[name]):
            _check_option(name, options.entries[name], problems)
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
    kind = next((str(one.value) for one in _texts(node.entries.get("type"))), "")
    _check_targets(node.entries.get("targets"), kind, groups, csv, problems)


def _check_option(name: str, node: Node, problems: Problems) -> None:
    """Note what is wrong with a value in each type that has the option."""
    found = []
    for kind in TEST_TYPES.values():
        if name in kind.options:
            found.append(Problems())
            FieldReader(kind, Api.V7, found[-1]).field(name, node, node.place)
    problems.add_common(found)


def _check_address(written: Written, type_name: str, problems: Problems) -> None:
    """Note what is wrong with a target in each type, in the words of the one that was probably meant."""
    if written.row is not None:
        return  # which columns are needed depends on the type
    text = written.bare or ""
    # Any text may be the name of an agent; one like this hardly is.
    no_agent = any(one in text for one in ".:/")
    usual = WEB_TYPE if "://" in text else near(type_name, TEST_TYPES, at_least=0.3) or HOST_TYPE
    kinds = [kind for kind in TEST_TYPES.values() if not (no_agent and kind.bare == "targetAgentId")]
    found = []
    fields = written.entries.entries if written.entries is not None else {}
    for kind in sorted(kinds, key=lambda one: (one.bare not in fields, one.name != usual)):
        found.append(Problems())
        resolve(kind, written, FieldReader(kind, Api.V7, found[-1]), found[-1])
    problems.add_common(found)


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


def _check_targets(
    node: Node | None, type_name: str, groups: Groups, csv: CsvFiles, problems: Problems
) -> None:
    """Names that are almost those of groups, files and mappings that cannot be read, impossible addresses."""
    for item in node.items if isinstance(node, Items) else (node,):
        text = item.value if isinstance(item, Scalar) else None
        meant = nearest(text, groups) if isinstance(text, str) and text not in groups else ""
        if item is None:
            continue
        if isinstance(text, str) and meant:
            problems.add(item.place, f"no group of targets is called {quoted(text)}{meant}")
            continue
        written = groups.get(text) if isinstance(text, str) else None
        for one in read_group(item, csv, problems) if written is None else written:
            _check_address(one, type_name, problems)
