"""Reads YAML 1.2 text into a tree in which every key and value knows its line and column.

The tree is built from the parser's events, not by its object constructor, because a plan comes from
people: no tag makes an object, a duplicate key is a problem and not a silent loss, ``NO`` is a country and
not ``False``, and depth, size and the growth through aliases are bounded before memory is spent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from orchestrator.model import Json
from orchestrator.plan.problems import Place, Problems, quoted
from orchestrator.plan.text import MAX_BYTES

MAX_DEPTH = 50
# An anchor used again counts with everything inside it, so nine lines cannot stand for a billion values.
MAX_NODES = 300_000
_SHORT = 1_000  # digits: an integer longer than this is not a number that a plan means

Value: TypeAlias = "str | int | float | bool | None"


class Untyped(str):
    """Text from the environment or a CSV file: it may stand for a number or a truth value."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a CSV file, by name, where a text waits for the row."""

    name: str


class Templated(str):
    """Text with columns in it, as it was written; ``parts`` are to be joined once the row is known."""

    parts: tuple[str | Column, ...] = ()


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value."""

    value: Value
    place: Place
    size: int = 1


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Node, ...]
    place: Place
    size: int = 1


@dataclass(frozen=True, slots=True)
class Entries:
    """A mapping; ``keys`` has the place of each key."""

    entries: dict[str, Node]
    keys: dict[str, Place]
    place: Place
    size: int = 1


Node: TypeAlias = "Scalar | Items | Entries"


class NotReadable(Exception):
    """The text cannot be read any further; the problem is noted."""


def read_yaml(text: str, file: str, problems: Problems) -> Node | None:
    """The tree of a YAML text, or ``None`` when it cannot be read; what is wrong goes to ``problems``."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        problems.add(Place(file), f"the file is larger than {MAX_BYTES // 1024 // 1024} MiB")
        return None
    try:
        return _Builder(file, problems).build(text)
    except NotReadable:
        return None
    except YAMLError as error:
        problems.add(*_yaml_problem(file, text, error))
        return None


def plain(node: Node) -> Json:
    """The tree without its places."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, value in node.entries.items()}


def find(node: Node, path: tuple[object, ...], *, key: bool = False) -> Place:
    """The place of what ``path`` leads to, or of the last part that exists; of the key itself if asked."""
    place = node.place
    for step in path:
        if isinstance(node, Entries) and step in node.entries:
            place = node.keys[str(step)]
            node = node.entries[str(step)]
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            place = node.place
        else:
            return node.place
    return place if key else node.place


def sound(text: str) -> str | None:
    """The text with surrogate pairs joined, as JSON means them; ``None`` if a half is left over."""
    if not any("\ud800" <= one <= "\udfff" for one in text):
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        return None


# --- values by the rules of the YAML 1.2 core schema ---------------------------------------------

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def scalar_value(text: str) -> Value:
    """What an unquoted scalar means. Infinity and not-a-number stay texts: no field of a plan wants them."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    return text if len(text) > _SHORT else _number(text)


def _number(text: str) -> Value:
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text) or _HEX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text) and abs(float(text)) != float("inf"):
        return float(text)
    return text


# --- events to tree ------------------------------------------------------------------------------


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet."""

    place: Place
    mapping: bool
    anchor: str | None
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Place] = field(default_factory=dict)
    key: str | None = None  # read, its value not yet
    size: int = 1

    def close(self) -> Node:
        if self.mapping:
            return Entries(self.entries, self.keys, self.place, self.size)
        return Items(tuple(self.items), self.place, self.size)


class _Builder:
    def __init__(self, file: str, problems: Problems) -> None:
        self._file = file
        self._problems = problems
        self._open: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self._root: Node | None = None
        self._documents = 0
        self._nodes = 0

    def build(self, text: str) -> Node | None:
        events: Iterator[Event] = YAML(typ="safe", pure=True).parse(text)
        for event in events:
            self._take(event)
        if self._root is None:
            self._problems.add(Place(self._file), "the file is empty")
        return self._root

    def _stop(self, place: Place, message: str) -> NotReadable:
        self._problems.add(place, message)
        return NotReadable()

    def _take(self, event: Event) -> None:
        place = Place(self._file, event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise self._stop(place, "a plan is one document, and a second one begins here")
        elif isinstance(event, AliasEvent):
            self._add(self._aliased(str(event.anchor), place), place)
        elif isinstance(event, ScalarEvent):
            self._check(event, place)
            text = self._sound(str(event.value), place)
            scalar = Scalar(scalar_value(text) if event.style is None and event.tag is None else text, place)
            self._anchor(event.anchor, scalar)
            self._add(scalar, place)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._check(event, place)
            self._begin(_Open(place, isinstance(event, MappingStartEvent), event.anchor))
        elif isinstance(event, CollectionEndEvent):
            opened = self._open.pop()
            node = opened.close()
            self._anchor(opened.anchor, node)
            self._add(node, opened.place)

    def _check(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent, place: Place) -> None:
        tag = event.tag
        if tag is not None and tag not in {"!", "tag:yaml.org,2002:str"}:
            self._problems.add(place, f"tags such as {quoted(tag)} have no meaning in a plan", settles=True)

    def _sound(self, text: str, place: Place) -> str:
        whole = sound(text)
        if whole is None:
            self._problems.add(place, "half of a surrogate pair is not a character", settles=True)
        return whole or ""

    def _begin(self, opened: _Open) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise self._stop(opened.place, f"nested more than {MAX_DEPTH} levels deep")
        if opened.anchor is not None:
            self._anchors[opened.anchor] = None
        self._open.append(opened)

    def _anchor(self, anchor: str | None, node: Node) -> None:
        if anchor is not None:
            self._anchors[anchor] = node

    def _aliased(self, anchor: str, place: Place) -> Node:
        if anchor not in self._anchors:
            raise self._stop(place, f"*{anchor} stands for nothing: there is no &{anchor} before it")
        node = self._anchors[anchor]
        if node is None:
            raise self._stop(place, f"*{anchor} stands inside what it stands for")
        return node

    def _count(self, size: int, place: Place) -> None:
        self._nodes += size
        if self._nodes > MAX_NODES:
            raise self._stop(place, f"more than {MAX_NODES} values, counting what aliases stand for")

    def _add(self, node: Node, place: Place) -> None:
        # A collection's inside was counted as it came; an alias brings its whole inside at once.
        self._count(1 if isinstance(node, Scalar) or node.place == place else node.size, place)
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        parent.size += node.size
        if not parent.mapping:
            parent.items.append(node)
        elif parent.key is None:
            parent.key = self._key(parent, node, place)
        else:
            parent.entries[parent.key] = node
            parent.key = None

    def _key(self, parent: _Open, node: Node, place: Place) -> str:
        if not isinstance(node, Scalar):
            raise self._stop(place, "a key must be a single text")
        if node.value == "<<":
            self._problems.add(
                place, "merge keys ('<<') are not part of YAML 1.2; write the keys out", settles=True
            )
        key = str(node.value) if isinstance(node.value, str) else _as_written(node.value)
        if key in parent.keys:
            first = parent.keys[key]
            self._problems.add(place, f"duplicate key {quoted(key)}, first given in line {first.line}")
        else:
            parent.keys[key] = place
        return key


def _as_written(value: Value) -> str:
    """A key that YAML reads as a number or truth value, as text; all our keys are texts."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _yaml_problem(file: str, text: str, error: YAMLError) -> tuple[Place, str]:
    """The parser's own complaint in our form."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    message = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML")
    if mark is not None:
        lines = text.split("\n")
        before = lines[mark.line][: mark.column] if mark.line < len(lines) else ""
        if before.endswith("$"):
            message += "; inside [] and {}, a ${...} must be in quotes"
        return Place(file, mark.line + 1, mark.column + 1), f"not YAML: {message}"
    position = getattr(error, "position", None)
    if isinstance(position, int):
        before = text[:position]
        column = position - (before.rfind("\n") + 1) + 1
        return Place(file, before.count("\n") + 1, column), f"not YAML: {message}"
    return Place(file), f"not YAML: {message}"
