"""What was added to a document since it was recorded is taken out again; what then differs is told readably.

How an addition is named depends on the kind of document, which its file name tells:

- ``.json`` and ``.jsonl``: the way to a key of an object, ``budgets.organization.spent``; lists are passed
  through, so ``specs.openings`` is a key of each spec.
- ``.csv``: the name of a column.
- ``.md`` and ``.xml``: a regular expression for a piece of text, with its line break where a whole line goes.
  ``^`` and ``$`` are the ends of a line.

A document is only rewritten if that alone would change no byte of it, so that taking out a key hides nothing.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

# A test that prints a megabyte is read by nobody.
_SHOWN_LINES, _SHOWN_WIDTH = 60, 400


def without(document: str, content: bytes, added: Iterable[str]) -> bytes:
    """The document without what was added. Raises ``ValueError`` if it is not written in the known way."""
    names = sorted(added)
    if not names:
        return content
    kind = document.rpartition(".")[2]
    if kind in {"md", "xml"}:
        text = content.decode()
        for name in names:
            text = re.sub(name, "", text, flags=re.MULTILINE)
        return text.encode()
    read, write, remove = _FORMS[kind]
    data = read(content.decode())
    if write(data).encode() != content:
        raise ValueError(f"{document} is not written as usual, so nothing can be taken out of it unseen")
    for name in names:
        remove(data, name)
    return write(data).encode()


def difference(document: str, before: bytes, now: bytes) -> str:
    """What differs, as lines for a person; empty if nothing does."""
    if before == now:
        return ""
    old, new = _lines(document, before), _lines(document, now)
    told = [
        line if len(line) <= _SHOWN_WIDTH else f"{line[:_SHOWN_WIDTH]}…"
        for line in difflib.unified_diff(old, new, "recorded", "made now", n=2, lineterm="")
    ]
    if not told:
        # The same lines: blanks, line breaks, quotes or escapes.
        at = next(
            (n for n, (a, b) in enumerate(zip(before, now, strict=False)) if a != b),
            min(len(before), len(now)),
        )
        around = slice(max(0, at - 30), at + 30)
        told = [f"byte {at}: recorded {before[around]!r}, made now {now[around]!r}"]
    more = len(told) - _SHOWN_LINES
    return "\n".join([*told[:_SHOWN_LINES], *([f"and {more} more lines"] if more > 0 else [])])


# -- the kinds of documents --------------------------------------------------------------------------------


def _read_lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def _write_lines(objects: Sequence[Any]) -> str:
    return "".join(f"{json.dumps(one, separators=(',', ':'))}\n" for one in objects)


def _write_json(document: Any) -> str:
    return json.dumps(document, indent=2) + "\n"


def _remove_key(data: Any, name: str) -> None:
    if isinstance(data, list):
        for one in data:
            _remove_key(one, name)
    elif isinstance(data, dict):
        first, _, rest = name.partition(".")
        if rest:
            _remove_key(data.get(first), rest)
        else:
            data.pop(first, None)


def _read_csv(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def _write_csv(rows: Iterable[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _remove_column(rows: list[list[str]], name: str) -> None:
    while rows and name in rows[0]:
        at = rows[0].index(name)
        for row in rows:
            del row[at]


_Form = tuple[Callable[[str], Any], Callable[[Any], str], Callable[[Any, str], None]]
_FORMS: Mapping[str, _Form] = {
    "json": (json.loads, _write_json, _remove_key),
    "jsonl": (_read_lines, _write_lines, _remove_key),
    "csv": (_read_csv, _write_csv, _remove_column),
}


def _lines(document: str, content: bytes) -> list[str]:
    """Short lines that each say one thing, for a comparison by lines."""
    text = content.decode("utf-8", "backslashreplace")
    kind = document.rpartition(".")[2]
    try:
        if kind == "jsonl":
            return [f"{n}: {line}" for n, one in enumerate(_read_lines(text), 1) for line in _flat(one)]
        if kind == "csv":
            header, *rows = _read_csv(text)
            cells = [
                f"{n}: {name}={cell}" for n, row in enumerate(rows, 2) for name, cell in _named(header, row)
            ]
            return [f"1: {name}" for name in header] + cells
    except ValueError:  # no such document at all: then as text
        pass
    return (text.replace("><", ">\n<") if kind == "xml" else text).splitlines()


def _flat(one: object, way: str = "") -> list[str]:
    if isinstance(one, dict) and one:
        return [line for name, inner in one.items() for line in _flat(inner, f"{way}.{name}".lstrip("."))]
    return [f"{way}={json.dumps(one)}"]


def _named(header: Sequence[str], row: Sequence[str]) -> list[tuple[str, str]]:
    names = [*header, *("?" for _ in row[len(header) :])]
    return list(zip(names, row, strict=False))
