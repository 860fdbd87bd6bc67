"""CSV files beside the plan, every cell with its line and column.

The standard reader does not tell columns, and it forgives what a person would want to hear about (a stray
quote, a row that is short), so this reads RFC 4180 itself, and what spreadsheets make of it: commas,
semicolons or tabs, a ``sep=`` line, columns at the end that are empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from orchestrator.near import folded
from orchestrator.plan.problems import Place, Problems, nearest, quoted
from orchestrator.plan.text import MAX_BYTES, decode


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell as text, blanks around it removed."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its cells with text, and the places of those without, by column in lower case."""

    cells: Mapping[str, Cell]
    empty: Mapping[str, Place]
    place: Place
    table: Table = field(compare=False, repr=False)

    def take(self, column: str) -> Cell | None:
        """The cell of a column, blind to case, or ``None`` without text; the column counts as used."""
        self.table.used.add(folded(column))
        return self.cells.get(folded(column))


@dataclass(slots=True)
class Table:
    """A whole file. ``columns`` has the header's cells by their names in lower case; ``used`` grows."""

    file: str
    columns: dict[str, Cell]
    rows: list[Row] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    @property
    def names(self) -> list[str]:
        """The columns as the header writes them."""
        return [cell.text for cell in self.columns.values()]

    @property
    def place(self) -> Place:
        """Where the header begins."""
        return next(iter(self.columns.values())).place

    def doubt(self) -> str:
        """What a header that names no field seems to be, if that can be told."""
        if any(_ADDRESS_LIKE.fullmatch(name) for name in self.names):
            return "; the first row names the columns, and this one seems to be a target already"
        odd = re.search(r"[|:]", self.names[0]) if len(self.names) == 1 else None
        if odd is None:
            return ""
        return f"; a file separated by {quoted(odd.group())} begins with the line 'sep={odd.group()}'"

    def unused(self) -> list[Cell]:
        """Columns that nothing has asked for."""
        return [cell for name, cell in self.columns.items() if name not in self.used]


_ADDRESS_LIKE = re.compile(r"(?:[\w-]+\.)+[\w-]+\.?(?::[0-9]+)?")
_BREAK = re.compile(r"\r\n|\n|\r")
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[ \t]*(\r\n|\n|\r|\Z)', re.IGNORECASE)
_QUOTED_TEXT = re.compile(r'"(?:[^"]|"")*"')
_WORDS = {",": "','", ";": "';'", "\t": "a tab"}


def read_table(text: str, file: str, problems: Problems) -> Table | None:
    """Rows under a header row. Short and long rows, repeated columns and stray quotes are problems."""
    separator, start = _separator(text)
    lines = _split(text, file, separator, start, problems)
    if not lines:
        problems.add(Place(file), "the file has no header row")
        return None
    columns = _columns(lines[0], lines[1:], problems)
    if columns is None:
        return None
    names = list(columns)
    table = Table(file, {name: cell for name, cell in columns.items() if cell.text})
    for cells in lines[1:]:
        row = _row(names, cells, table, separator, problems)
        if row is not None:
            table.rows.append(row)
    if len(lines) == 1:
        problems.add(lines[0][0].place, "the file has a header row and no other rows")
    return table


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
        near = nearest(path.name, _beside(folder / path.parent))
        problems.add(at, f"there is no CSV file {quoted(name)} in the plan's folder{near}")
        return None
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        problems.add(at, f"the CSV file {quoted(name)} cannot be read: {reason}")
        return None
    return decode(data, name, problems)


def _beside(folder: Path) -> list[str]:
    try:
        return sorted(one.name for one in folder.iterdir() if one.suffix.lower() in {".csv", ".tsv", ".txt"})
    except OSError:
        return []


def _separator(text: str) -> tuple[str, int]:
    """What stands between cells, by a ``sep=`` line or by the header, and where the header begins."""
    told = _SEPARATOR_LINE.match(text)
    if told is not None:
        return told.group(1), told.end()
    header = next((line for line in _BREAK.split(text) if line.strip()), "")
    bare = _QUOTED_TEXT.sub("", header)
    return next((one for one in _WORDS if one in bare), ","), 0


def _split(text: str, file: str, separator: str, start: int, problems: Problems) -> list[list[Cell]]:
    """Cells by line; lines without any text are left out."""
    between = re.escape(separator)
    quoted_cell = re.compile(rf'[ ]*"((?:[^"]|"")*)"[ \t]*(?={between}|\r?\n|\r|\Z)')
    bare_cell = re.compile(rf"[^{between}\r\n]*")
    rows: list[list[Cell]] = []
    cells: list[Cell] = []
    position, line = start, 1 + len(_BREAK.findall(text, 0, start))
    while position <= len(text):
        place = Place(file, line, position - start + 1)
        match = quoted_cell.match(text, position)
        if match is not None:
            cells.append(Cell(match.group(1).replace('""', '"').strip(), place))
            for found in _BREAK.finditer(text, match.start(), match.end()):
                line, start = line + 1, found.end()
        else:
            match = bare_cell.match(text, position)
            assert match is not None  # noqa: S101 - the pattern matches the empty text
            if '"' in match.group():
                message = "a quote that is not closed, or that does not surround the whole cell"
                problems.add(place, message, settles=True)
            cells.append(Cell(match.group().strip(), place))
        position = match.end()
        if text.startswith(separator, position):
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


def _columns(header: list[Cell], rows: list[list[Cell]], problems: Problems) -> dict[str, Cell] | None:
    """The header's cells by name, those at the end without a name left out; ``None`` if it is no header.

    A column without a name that is empty in every row is kept under a name that nobody can write.
    """
    if any("://" in cell.text for cell in header):
        message = "the first row names the columns, such as name,url; this one seems to be a target already"
        problems.add(header[0].place, message)
        return None
    while len(header) > 1 and not header[-1].text:
        header = header[:-1]
    columns: dict[str, Cell] = {}
    for position, cell in enumerate(header):
        name = folded(cell.text)
        if not name:
            if any(len(row) > position and row[position].text for row in rows):
                problems.add(cell.place, "a column without a name")
            name = f"\0{position}"
        elif name in columns:
            problems.add(cell.place, f"column {quoted(cell.text)} is there twice")
            name = f"\0{position}"
        columns[name] = cell
    return columns


def _row(names: list[str], cells: list[Cell], table: Table, separator: str, problems: Problems) -> Row | None:
    place = cells[0].place
    while len(cells) > len(names) and not cells[-1].text:
        cells = cells[:-1]
    if len(cells) != len(names):
        wants = f"{len(names)} column" + ("s" if len(names) != 1 else "")
        at = cells[len(names)].place if len(cells) > len(names) else place
        message = f"this row has {len(cells)} cells, the header has {wants}{_why(cells, names, separator)}"
        problems.add(at, message)
        return None
    pairs = list(zip(names, cells, strict=True))
    return Row(
        {name: cell for name, cell in pairs if cell.text},
        {name: cell.place for name, cell in pairs if not cell.text},
        place,
        table,
    )


def _why(cells: list[Cell], names: list[str], separator: str) -> str:
    """What a row of the wrong length seems to be, if that can be told."""
    if len(names) == 1 < len(cells):
        return "; is the first row, which names the columns, something else?"
    if len(cells) > len(names):
        return f"; a text with {_WORDS.get(separator, quoted(separator))} in it stands in quotes"
    other = next((one for one in _WORDS if one != separator and one in cells[0].text), None)
    if len(cells) == 1 and other is not None:
        return (
            f"; it seems to be separated by {_WORDS[other]}, the header by {_WORDS.get(separator, separator)}"
        )
    return ""
