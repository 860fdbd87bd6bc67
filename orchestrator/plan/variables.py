"""``${name}``, ``${env:NAME}`` and ``$${`` in the strings of a plan; ``${row.column}`` waits for its row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from orchestrator.plan.problems import Place, Problems, listing, nearest, quoted
from orchestrator.plan.source import (
    Column,
    Entries,
    Items,
    Node,
    Scalar,
    Templated,
    Untyped,
    Value,
    scalar_value,
    sound,
)
from orchestrator.settings import TOKEN

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
# The API's token goes to the API only; a test would carry it to whatever is tested, and into the journal.
_CREDENTIALS = TOKEN.variables[-1:]
_ROW = "row."
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def read_vars(
    node: Node | None, sets: Mapping[str, str], environ: Mapping[str, str], problems: Problems
) -> dict[str, Value]:
    """The variables of a plan: its own defaults, which may use the environment, overridden by ``--set``."""
    found: dict[str, Value] = {}
    if isinstance(node, Entries):
        for name, value in node.entries.items():
            if not _NAME.fullmatch(name):
                problems.add(node.keys[name], f"{quoted(name)} cannot be the name of a variable")
            if isinstance(value, Scalar):
                # A default that is overridden need not be found in the environment.
                read = value.value if name in sets else _text(value, {}, environ, problems)
                if isinstance(read, Templated):
                    message = f"{quoted(read)}: a variable is the same for every row of a CSV file"
                    problems.add(value.place, message, settles=True)
                    read = None
                found[name] = read
            else:
                problems.add(value.place, f"variable {quoted(name)} must be a single value")
                found[name] = None
    elif node is not None and not (isinstance(node, Scalar) and node.value is None):
        problems.add(node.place, "'vars' must be a mapping of names to values")
    for name, text in sets.items():
        if sound(text) is None:
            problems.add(Place("--set"), f"the value of {quoted(name)} is not UTF-8 text")
        elif name in found:
            found[name] = scalar_value(text)
        else:
            has = f"; the plan has {listing(sorted(found))}" if found else "; the plan has no vars"
            problems.add(Place("--set"), f"unknown variable {quoted(name)}{nearest(name, found) or has}")
    return found


def substitute(
    node: Node, known: Mapping[str, Value], environ: Mapping[str, str], problems: Problems
) -> Node:
    """The same tree with every reference replaced. One reference alone takes the variable's type."""
    seen: dict[int, Node] = {}  # a node that aliases share is replaced once and stays shared

    def walk(one: Node) -> Node:
        if id(one) not in seen:
            seen[id(one)] = build(one)
        return seen[id(one)]

    def build(one: Node) -> Node:
        if isinstance(one, Scalar):
            return Scalar(_text(one, known, environ, problems), one.place)
        if isinstance(one, Items):
            return Items(tuple(walk(item) for item in one.items), one.place, one.size)
        entries = {key: walk(value) for key, value in one.entries.items()}
        return Entries(entries, one.keys, one.place, one.size)

    return walk(node)


def _text(
    scalar: Scalar, known: Mapping[str, Value], environ: Mapping[str, str], problems: Problems
) -> Value:
    text = scalar.value
    if not isinstance(text, str) or "${" not in text:
        return text

    def look_up(reference: str) -> Value:
        if reference.startswith("env:"):
            return _from_environment(reference[4:], environ, scalar.place, problems)
        if reference in known:
            return known[reference]
        has = f"; vars has {listing(sorted(known))}" if known else "; the plan has no such vars"
        message = f"unknown variable {quoted(reference)}{nearest(reference, known) or has}"
        problems.add(scalar.place, message, settles=True)
        return ""

    def replace(match: re.Match[str]) -> str:
        if match.group() == "$${":
            return "${"
        if match.group(1) is None:
            message = "'${' without its '}'; write '$${' for the two characters themselves"
            problems.add(scalar.place, message, settles=True)
            return ""
        return _shown(look_up(match.group(1).strip()))

    whole = _REFERENCE.fullmatch(text)
    if whole is not None and whole.group(1) is not None and not _is_row(whole):
        return look_up(whole.group(1).strip())
    if not any(_is_row(match) for match in _REFERENCE.finditer(text)):
        return _REFERENCE.sub(replace, text)
    waiting = Templated(text)
    waiting.parts = tuple(_parts(text, replace))
    return waiting


def _is_row(match: re.Match[str]) -> bool:
    return match.group(1) is not None and match.group(1).strip().startswith(_ROW)


def _parts(text: str, replace: Callable[[re.Match[str]], str]) -> Iterator[str | Column]:
    """The text with everything replaced but the columns of a row."""
    end = 0
    for match in _REFERENCE.finditer(text):
        yield text[end : match.start()]
        yield Column(match.group(1).strip()[len(_ROW) :]) if _is_row(match) else replace(match)
        end = match.end()
    yield text[end:]


def _from_environment(name: str, environ: Mapping[str, str], place: Place, problems: Problems) -> Value:
    if name in _CREDENTIALS:
        message = f"{quoted(name)} is the API's token: it goes to the API only, never into a test"
        problems.add(place, message, settles=True)
        return ""
    text = sound(environ.get(name, ""))
    if name in environ and text is not None:
        return Untyped(text)
    what = "is not UTF-8 text" if text is None else "is not there"
    problems.add(place, f"{quoted(name)} in the environment {what}", settles=True)
    return ""


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
