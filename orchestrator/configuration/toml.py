"""TOML as a flat list of values, each with its line and column.

The standard library reads TOML and forgets where things stood. So the text is read twice by it: as a whole,
which finds what is wrong, and one statement after the other, which tells where each begins.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.plan.problems import Place, Problems

_WHERE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")
# A statement of more lines than this is none that a file of settings needs, and each line is read anew.
_LONGEST = 200
# Characters.
MOST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that is no table, under all its keys. An empty table is a leaf, too."""

    path: tuple[str, ...]
    value: object
    place: Place


def read_toml(text: str, file: str, problems: Problems) -> list[Leaf]:
    """All values of a text, in their order; what is wrong with it goes to ``problems``."""
    # As the reader itself does, so that lines are counted alike.
    text = text.replace("\r\n", "\n")
    if len(text) > MOST:
        problems.add(Place(file), f"the file has more than {MOST // 1024} KiB, far more than settings need")
        return []
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problems.add(*_problem(str(error), file, text))
        return []
    except RecursionError:
        problems.add(Place(file), "nested too deep")
        return []
    return list(_leaves(text, file, problems))


def _problem(said: str, file: str, text: str) -> tuple[Place, str]:
    found = _WHERE.search(said)
    words = _WHERE.sub("", said)
    words = f"not TOML: {words[:1].lower()}{words[1:]}"
    if found is None:
        return Place(file), words
    if found[1] is None:
        return Place(file, text.rstrip("\n").count("\n") + 1), f"{words}, at the end of the file"
    return Place(file, int(found[1]), int(found[2])), words


def _leaves(text: str, file: str, problems: Problems) -> Iterator[Leaf]:
    table: tuple[str, ...] = ()
    for line, statement in _statements(text, file, problems):
        read = tomllib.loads(statement)
        place = Place(file, line, len(statement) - len(statement.lstrip()) + 1)
        if statement.lstrip().startswith("["):
            table = _only_path(read)
            if statement.lstrip().startswith("[["):
                problems.add(place, "lists of tables, [[...]], have no meaning here", settles=True)
            else:
                yield Leaf(table, {}, place)
        else:
            yield from _flat(table, read, place)


def _statements(text: str, file: str, problems: Problems) -> Iterator[tuple[int, str]]:
    """Each statement with the number of its first line: the fewest lines that are TOML for themselves."""
    begun, lines = 0, text.split("\n")
    while begun < len(lines):
        for end in range(begun + 1, min(len(lines), begun + _LONGEST) + 1):
            statement = "\n".join(lines[begun:end])
            if _is_toml(statement):
                break
        else:
            problems.add(Place(file, begun + 1), f"a value of more than {_LONGEST} lines")
            return
        if tomllib.loads(statement):
            yield begun + 1, statement
        begun = end


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _only_path(read: Mapping[str, object]) -> tuple[str, ...]:
    path: list[str] = []
    inner: object = read
    while isinstance(inner, Mapping) and inner:
        key = next(iter(inner))
        path.append(key)
        inner = inner[key]
    return tuple(path)


def _flat(path: tuple[str, ...], value: object, place: Place) -> Iterator[Leaf]:
    if not isinstance(value, Mapping) or not value:
        yield Leaf(path, value, place)
        return
    for key, inner in value.items():
        yield from _flat((*path, key), inner, place)
