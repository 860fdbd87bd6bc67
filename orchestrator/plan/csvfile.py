"""Targets from a CSV file beside the plan, every cell with its line and column.

The standard reader does not tell columns, and it forgives what a person would want to hear about (a stray
quote, a row that is short), so this reads RFC 4180 itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchestrator.plan.problems import Place, Problems, quoted
from orchestrator.plan.source import MAX_BYTES, decode


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell as text, blanks around it removed."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Row:
    """One row by column name."""

    cells: dict[str, Cell]
    place: Place


_QUOTED = re.compile(r'"((?:[^"]|"")*)"[ \t]*(?=,|\r?\n|\r|\Z)')
_BARE = re.compile(r"[^,\r\n]*")
_BREAK = re.compile(r"\r\n|\n|\r")


def read_rows(text: str, file: str, problems: Problems) -> list[Row]:
    """Rows under a header row. Holes, short and long rows, and repeated columns are problems."""
    lines = _split(text, file, problems)
    if not lines:
        problems.add(Place(file), "the file has no header row")
        return []
    header = lines[0]
    names: list[str] = []
    for cell in header:
        if not cell.text:
            problems.add(cell.place, "a column without a name")
        elif cell.text in names:
            problems.add(cell.place, f"column {quoted(cell.text)} is there twice")
        names.append(cell.text)
    if len(header) == 1 and ";" in header[0].text:
        problems.add(header[0].place, "columns are separated by ',', this file seems to use ';'")
        return []
    rows = []
    for cells in lines[1:]:
        row = _row(names, cells, problems)
        if row is not None:
            rows.append(row)
    if len(lines) == 1:
        problems.add(header[0].place, "the file has a header row and no targets")
    return rows


def read_csv_file(name: str, folder: Path, at: Place, problems: Problems) -> str | None:
    """The text of a CSV file named in a plan, which must lie in the plan's folder, links followed."""
    path = PurePosixPath(name)
    if not name or "\\" in name or path.is_absolute() or ".." in path.parts or "\0" in name:
        problems.add(at, f"the CSV file {quoted(name)} must lie in the plan's folder, named relative to it")
        return None
    try:
        real = (folder / path).resolve(strict=True)
        if not real.is_relative_to(folder.resolve(strict=True)):
            problems.add(at, f"the CSV file {quoted(name)} leads out of the plan's folder")
            return None
        if not real.is_file():
            problems.add(at, f"the CSV file {quoted(name)} is not a file")
            return None
        with real.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        problems.add(at, f"there is no CSV file {quoted(name)} in the plan's folder")
        return None
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        problems.add(at, f"the CSV file {quoted(name)} cannot be read: {reason}")
        return None
    return decode(data, name, problems)


def _split(text: str, file: str, problems: Problems) -> list[list[Cell]]:
    """Cells by line; lines without any text are left out."""
    rows: list[list[Cell]] = []
    cells: list[Cell] = []
    position, line, start = 0, 1, 0
    while position <= len(text):
        place = Place(file, line, position - start + 1)
        match = _QUOTED.match(text, position)
        if match is not None:
            cells.append(Cell(match.group(1).replace('""', '"').strip(), place))
            for found in _BREAK.finditer(text, match.start(), match.end()):
                line, start = line + 1, found.end()
        else:
            match = _BARE.match(text, position)
            assert match is not None  # noqa: S101 - the pattern matches the empty text
            if '"' in match.group():
                problems.add(place, "a quote that is not closed, or that does not surround the whole cell")
            cells.append(Cell(match.group().strip(), place))
        position = match.end()
        if text.startswith(",", position):
            position += 1
            continue
        if any(cell.text for cell in cells):
            rows.append(cells)
        cells = []
        ended = _BREAK.match(text, position)
        if ended is None:
            break
        position, line, start = ended.end(), line + 1, ended.end()
    return rows


def _row(names: list[str], cells: list[Cell], problems: Problems) -> Row | None:
    place = cells[0].place
    if len(cells) != len(names):
        wants = f"{len(names)} column" + ("s" if len(names) != 1 else "")
        at = cells[len(names)].place if len(cells) > len(names) else place
        problems.add(at, f"this row has {len(cells)} cells, the header has {wants}")
        return None
    whole = True
    for name, cell in zip(names, cells, strict=True):
        if not cell.text:
            problems.add(cell.place, f"column {quoted(name)} is empty here")
            whole = False
    return Row(dict(zip(names, cells, strict=True)), place) if whole else None
