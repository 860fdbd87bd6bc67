"""Test blocks: what their options, targets, agents, layers and expectations come to together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from orchestrator.model import Api, Json, Target
from orchestrator.near import near
from orchestrator.plan.agentrefs import read_refs
from orchestrator.plan.document import TestDocument, check
from orchestrator.plan.expectations import Judged, texts
from orchestrator.plan.fields import FieldReader, conflict, merged
from orchestrator.plan.model import TestBlock
from orchestrator.plan.problems import Place, Problems, nearest, quoted
from orchestrator.plan.rows import CsvFiles, filled, waits
from orchestrator.plan.selectors import Selector
from orchestrator.plan.source import Entries, Items, Node, Scalar, find, plain
from orchestrator.plan.targets import Groups, Written, choose, completed, lacking, missing_fields, resolve
from orchestrator.plan.untyped import check_without_type
from orchestrator.testtypes import PATHS, TEST_TYPES, TestType, layers_of

# How alike a misspelt type and a real one must be to read the block as that: 'dns' may be any of three.
_SURELY = 0.8


def read_tests(
    node: Node | None,
    api: Api,
    named: Mapping[str, Selector | None],
    groups: Groups,
    csv: CsvFiles,
    problems: Problems,
) -> tuple[TestBlock, ...]:
    """The test blocks of a plan; those with problems are left out, the problems noted."""
    blocks: list[TestBlock] = []
    names: dict[str, Place] = {}
    judged = Judged(problems)
    for item in node.items if isinstance(node, Items) else ():
        block = _Block(item, api, problems, judged).read(named, groups, csv)
        name = _text_at(item, "name")
        if name is not None and name in names:
            message = f"two tests are called {quoted(name)}, the first in line {names[name].line}"
            problems.add(find(item, ("name",)), message)
        elif name is not None:
            names[name] = find(item, ("name",))
        if block is not None:
            blocks.append(block)
    judged.report()
    return tuple(blocks)


def _text_at(node: Node, key: str) -> str | None:
    value = node.entries.get(key) if isinstance(node, Entries) else None
    return value.value if isinstance(value, Scalar) and isinstance(value.value, str) else None


def _is_nothing(node: Node) -> bool:
    return plain(node) in (None, "", [], {})


@dataclass(frozen=True, slots=True)
class _Options:
    """The options of a block: those of all targets, and those that wait for the row of each."""

    same: dict[str, Json]
    by_row: Entries | None
    reader: FieldReader

    def given_to(self, target: Target, written: Written, problems: Problems) -> Target:
        """The target with the options that its row fills; its own fields win."""
        if self.by_row is None:
            return target
        node = filled(self.by_row, written.row, f"target {quoted(target.name)}", problems)
        return replace(target, fields=merged(self.reader.options(node), target.fields))


@dataclass(frozen=True, slots=True)
class _Block:
    node: Node
    api: Api
    problems: Problems
    judged: Judged

    def read(self, named: Mapping[str, Selector | None], groups: Groups, csv: CsvFiles) -> TestBlock | None:
        """The block, or ``None``; everything in it is looked at either way, to report it all."""
        before = len(self.problems)
        name = _text_at(self.node, "name") or "without a name"
        document = check(TestDocument, self.node, f"test {quoted(name)}", self.problems)
        if not isinstance(self.node, Entries):
            return None
        agents = read_refs(self.node.entries.get("agents"), name, named, csv, self.problems)
        kind = self._kind()
        if kind is None:
            self.judged.unread = True
            check_without_type(self.node, groups, csv, self.problems)
            return None
        reader = FieldReader(kind, self.api if self._exists(kind) else Api.V7, self.problems)
        same, by_row = self._options_apart()
        options = reader.options(same)
        raw = reader.raw(self.node.entries.get("raw"))
        layers = self._layers(kind, options)
        self.judged.of_block(self.node, kind, layers)
        targets, places = self._targets(name, kind, layers, _Options(options, by_row, reader), groups, csv)
        hops = None if document is None else document.path_details
        if hops is None:
            hops = "auto" if PATHS.name in layers else False
        elif hops and PATHS.name not in layers:
            self.problems.add(self._place("path_details"), f"path_details needs the layer {PATHS.name}")
        if document is None or len(self.problems) > before:
            return None
        return TestBlock(
            name=document.name,
            type=kind.name,
            targets=targets,
            agents=agents,
            fields=options,
            raw=raw,
            layers=layers,
            deadline=document.deadline,
            expect=document.expect,
            warn=document.warn,
            path_details=hops,
            agents_per_test=document.agents_per_test,
            place=self.node.place,
            places=places,
        )

    def _options_apart(self) -> tuple[Node | None, Entries | None]:
        """The options that are the same for every target, and those that take columns of the target's row."""
        node = self.node.entries.get("options") if isinstance(self.node, Entries) else None
        if not isinstance(node, Entries) or not waits(node):
            return node, None
        by_row = {key: value for key, value in node.entries.items() if waits(value)}
        if "networkMeasurements" in by_row:
            message = "networkMeasurements decides on the layers of the test, so it is the same for every row"
            self.problems.add(by_row["networkMeasurements"].place, message, settles=True)
        same = {key: value for key, value in node.entries.items() if key not in by_row}
        return Entries(same, node.keys, node.place), Entries(by_row, node.keys, node.place)

    def _place(self, *path: str | int) -> Place:
        return find(self.node, path)

    def _kind(self) -> TestType | None:
        """The type, or the one surely meant where it is misspelt, so that the rest of the block is read."""
        name = _text_at(self.node, "type") or ""
        return TEST_TYPES.get(name) or TEST_TYPES.get(near(name, TEST_TYPES, at_least=_SURELY) or "")

    def _exists(self, kind: TestType) -> bool:
        if self.api is Api.V6 and kind.v6_name is None:
            self.problems.add(self._place("type"), f"API v6 has no {kind.name} tests")
            return False
        return True

    def _layers(self, kind: TestType, options: Mapping[str, Json]) -> tuple[str, ...]:
        """The layers asked for in the type's own order, the primary one first; by default all."""
        available = layers_of(kind.name, options)
        asked: list[str] = []
        node = self.node.entries.get("layers") if isinstance(self.node, Entries) else None
        for layer, place in texts(node):
            if layer in available:
                asked.append(layer)
            elif layer in kind.layers:
                self.problems.add(place, f"there is no layer {quoted(layer)} with networkMeasurements: false")
            else:
                near = nearest(layer, kind.layers) or f"; it has {', '.join(kind.layers)}"
                self.problems.add(place, f"{kind.name} has no layer {quoted(layer)}{near}")
        return tuple(layer for layer in available if layer in asked) or available

    def _targets(
        self,
        name: str,
        kind: TestType,
        layers: tuple[str, ...],
        options: _Options,
        groups: Groups,
        csv: CsvFiles,
    ) -> tuple[tuple[Target, ...], tuple[Place, ...]]:
        node = self.node.entries.get("targets") if isinstance(self.node, Entries) else None
        if node is None:
            return (), ()
        written = choose(node, name, kind, groups, csv, self.problems)
        found: dict[str, tuple[Target, Place]] = {}
        missing: list[tuple[Written, list[str]]] = []
        for one in written:
            before = len(self.problems)
            expect = self.judged.of_target("expect", one, kind, layers)
            warn = self.judged.of_target("warn", one, kind, layers)
            target = resolve(kind, one, options.reader, self.problems)
            if target is None:
                continue
            target = options.given_to(replace(target, expect=expect, warn=warn), one, self.problems)
            fields = completed(kind, merged(options.same, target.fields))
            absent = missing_fields(kind, fields)
            if absent and len(self.problems) == before:
                missing.append((one, absent))
            if absent:
                continue
            self._check_conflict(kind, fields, target, one)
            self._keep(found, target, one.place, name)
        self._report_missing(kind, missing, len(written))
        return tuple(target for target, _ in found.values()), tuple(place for _, place in found.values())

    def _keep(self, found: dict[str, tuple[Target, Place]], target: Target, place: Place, test: str) -> None:
        """A target that comes from two groups is one, unless the two differ."""
        if target.name not in found:
            found[target.name] = (target, place)
        elif found[target.name][0] != target:
            at = found[target.name][1]
            where = f"{at.file}, line {at.line}"
            message = (
                f"test {quoted(test)} has two targets called {quoted(target.name)}, the first in {where}"
            )
            self.problems.add(place, message)

    def _check_conflict(
        self, kind: TestType, fields: Mapping[str, Json], target: Target, one: Written
    ) -> None:
        wrong = conflict(kind, fields)
        if wrong is not None:
            own = any(key in target.fields for key in wrong.replace("(", " ").split())
            self.problems.add(one.place if own else self._place("options"), wrong)

    def _report_missing(self, kind: TestType, missing: list[tuple[Written, list[str]]], count: int) -> None:
        """A field that no target has is missing in the options; otherwise in the targets that lack it."""
        given = self.node.entries.get("options") if isinstance(self.node, Entries) else None
        options = given.entries if isinstance(given, Entries) else {}
        # What is there for all targets, and yet missing, was wrong and is reported already.
        wrong = {name for name, node in options.items() if not waits(node) and not _is_nothing(node)}
        for field in sorted({name for _, absent in missing for name in absent} - wrong):
            without = [one for one, absent in missing if field in absent]
            everywhere = len(without) == count and field not in {kind.bare, "targetSipCredentials"}
            if everywhere and (field not in options or not waits(options[field])):
                message = f"{kind.name} needs {quoted(field)}, in options or in each target"
                self.problems.add(self._place("options"), message)
                continue
            for one in without:
                if field in options:
                    message = f"{quoted(field)} is empty for {one.called}, and {kind.name} needs it"
                    self.problems.add(one.place, message)
                else:
                    self.problems.add(*lacking(kind, one, field))
