"""Rows of CSV files in a plan: the files themselves, and texts that wait for the columns of a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.near import folded
from orchestrator.plan.csvfile import Row, Table, read_csv_file, read_table
from orchestrator.plan.problems import Place, Problems, listing, nearest, quoted
from orchestrator.plan.source import Column, Entries, Items, Node, Scalar, Templated, Untyped
from orchestrator.testtypes import TEST_TYPES


@dataclass(slots=True)
class CsvFiles:
    """The CSV files of a plan, each read once: from ``attachments`` if there are, else from ``folder``.

    ``texts`` has what was read, by the name that the plan gives it.
    """

    folder: Path | None
    attachments: Mapping[str, str] | None
    problems: Problems
    texts: dict[str, str] = field(default_factory=dict)
    _tables: dict[str, Table | None] = field(default_factory=dict)

    def table(self, node: Node) -> Table | None:
        """The table that the value of ``csv`` names; ``None`` with the problem noted."""
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            self.problems.add(node.place, "the name of a CSV file is a text")
            return None
        name = str(node.value)
        if name not in self._tables:
            text = self._text(name, node.place)
            if text is not None:
                self.texts[name] = text
            self._tables[name] = None if text is None else read_table(text, name, self.problems)
        return self._tables[name]

    def notes(self) -> tuple[str, ...]:
        """What nobody asked for, one line for each file."""
        found = []
        for table in self._tables.values():
            unused = [] if table is None else table.unused()
            if table is None or not unused:
                continue
            names = listing((quoted(cell.text) for cell in unused), 6)
            what = f"column {names} is" if len(unused) == 1 else f"columns {names} are"
            near = "".join(_meant(cell.text) for cell in unused[:6])
            place = unused[0].place
            found.append(
                f"{place.file}:{place.line}:{place.column}: {what} not used{near};"
                f" ${{row.{unused[0].text}}} in a name or an option uses one"
            )
        return tuple(found)

    def _text(self, name: str, at: Place) -> str | None:
        if self.attachments is not None:
            text = self.attachments.get(name)
            if text is None:
                self.problems.add(at, f"the CSV file '{name[:60]}' is not among those stored with the plan")
            return text
        if self.folder is None:
            self.problems.add(at, "a CSV file cannot be read here, the plan has no folder")
            return None
        return read_csv_file(name, self.folder, at, self.problems)


def _meant(column: str) -> str:
    """A proposal for a column whose name is almost that of an option."""
    options = {name for kind in TEST_TYPES.values() for name in kind.options}
    near = "" if column in options else nearest(column, sorted(options), at_least=0.85)
    return f" ({quoted(column)}{near})" if near else ""


def waits(node: Node) -> bool:
    """Whether anything in the node waits for a row."""
    return next(_waiting(node), None) is not None


def _waiting(node: Node) -> Iterator[Scalar]:
    if isinstance(node, Scalar):
        if isinstance(node.value, Templated):
            yield node
        return
    for one in node.items if isinstance(node, Items) else node.entries.values():
        yield from _waiting(one)


def filled(node: Node, row: Row | None, what: str, problems: Problems) -> Node | None:
    """The node with its columns filled from a row; ``None`` where an empty cell leaves nothing.

    A text that is nothing but one column takes the cell as it would stand in its own column; ``what`` names
    the target, for the problem of one that has no row.
    """
    if isinstance(node, Scalar):
        return (
            _filled_text(node, node.value, row, what, problems) if isinstance(node.value, Templated) else node
        )
    if isinstance(node, Items):
        items = [filled(item, row, what, problems) for item in node.items]
        return Items(tuple(item for item in items if item is not None), node.place, node.size)
    entries = {key: filled(value, row, what, problems) for key, value in node.entries.items()}
    kept = {key: value for key, value in entries.items() if value is not None}
    return Entries(kept, node.keys, node.place, node.size)


def _filled_text(
    node: Scalar, text: Templated, row: Row | None, what: str, problems: Problems
) -> Scalar | None:
    columns = [part for part in text.parts if isinstance(part, Column)]
    if row is None:
        message = f"{quoted(text)}: {what} is no row of a CSV file, so it has no columns"
        problems.add(node.place, message, settles=True)
        return None
    for column in columns:
        if folded(column.name) not in row.table.columns:
            has = nearest(column.name, row.table.names) or f"; it has {listing(row.table.names)}"
            message = f"{row.table.file} has no column {quoted(column.name)}{has}"
            problems.add(node.place, message, settles=True)
            return None
    cells = [row.take(column.name) for column in columns]
    place = cells[0].place if len(cells) == 1 and cells[0] is not None else row.place
    if [part for part in text.parts if part] == columns and len(columns) == 1:
        return None if cells[0] is None else Scalar(Untyped(cells[0].text), place)
    texts = iter("" if cell is None else cell.text for cell in cells)
    return Scalar("".join(next(texts) if isinstance(part, Column) else part for part in text.parts), place)


def refuse_misplaced(root: Node, problems: Problems) -> None:
    """Note the columns of a row where no row can be meant: not in options, nor beside ``csv``."""
    if not isinstance(root, Entries):
        return
    for key, node in root.entries.items():
        inside = node.items if key == "tests" and isinstance(node, Items) else (node,)
        for one in inside:
            _refuse(one, problems, test=key == "tests")


def _refuse(node: Node, problems: Problems, *, test: bool = False) -> None:
    if isinstance(node, Scalar):
        if isinstance(node.value, Templated):
            message = (
                f"{quoted(node.value)}: columns stand in the options of a test, or beside 'csv' in targets"
            )
            problems.add(node.place, message, settles=True)
    elif isinstance(node, Items):
        for item in node.items:
            _refuse(item, problems)
    else:
        rows = "csv" in node.entries
        for key, value in node.entries.items():
            if not (rows and key != "csv") and not (test and key == "options"):
                _refuse(value, problems)
