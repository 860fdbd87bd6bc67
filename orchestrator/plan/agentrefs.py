"""Selectors as a plan writes them: named, in place, or as lists of ids."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.plan.document import SelectorDocument, check
from orchestrator.plan.model import AgentsRef
from orchestrator.plan.problems import Place, Problems, listing, nearest, quoted
from orchestrator.plan.rows import CsvFiles
from orchestrator.plan.selectors import Sample, Selector
from orchestrator.plan.source import Entries, Items, Node, Scalar

# How a listing of agents calls its columns; an id is surer than a name.
_ID_COLUMNS = ("id", "agentid", "agent_id", "agent id")
_NAME_COLUMNS = ("name", "agentname", "agent_name", "agent name", "agent")


def read_selectors(node: Node | None, csv: CsvFiles, problems: Problems) -> dict[str, Selector | None]:
    """The named selectors; one that is wrong is ``None``, so that its name is still known."""
    if not isinstance(node, Entries):
        return {}
    return {
        name: read_selector(value, f"selector {quoted(name)}", csv, problems)
        for name, value in node.entries.items()
    }


def read_selector(node: Node, what: str, csv: CsvFiles, problems: Problems) -> Selector | None:
    """A selector from a mapping, an id, a list of ids, or a CSV file of ids or names."""
    if isinstance(node, Scalar):
        one = _agent_id(node, what, problems)
        return None if one is None else Selector(ids=(one,))
    if isinstance(node, Items):
        return _ids(node, what, problems)
    if "csv" in node.entries:
        return _from_csv(node, what, csv, problems)
    document = check(SelectorDocument, node, what, problems)
    excluded = _read_exclude(node.entries.get("exclude"), what, csv, problems)
    if document is None or excluded is None:
        return None
    sample = document.sample
    selector = Selector(
        types=document.type,
        names=document.name,
        countries=document.country,
        locations=document.location,
        labels=(*document.label, *document.tag),
        states=document.state,
        ids=document.id,
        exclude=excluded,
        sample=None if sample is None else Sample(sample.count, sample.per or "", sample.seed),
    )
    if selector == Selector(exclude=selector.exclude, sample=None):
        problems.add(node.place, f"{what} would take every agent; write name: '*' if that is meant")
        return None
    return selector


def read_refs(
    node: Node | None, test: str, named: Mapping[str, Selector | None], csv: CsvFiles, problems: Problems
) -> tuple[AgentsRef, ...]:
    """The agents of a test: names of selectors, ids, and selectors in place, in a list or alone."""
    if node is None:
        return ()
    items = node.items if isinstance(node, Items) else (node,)
    if not items:
        problems.add(node.place, f"test {quoted(test)} names no agents")
    refs: list[AgentsRef] = []
    ids: list[str] = []
    ids_place: Place | None = None
    for item in items:
        if isinstance(item, Scalar):
            found = _named(item, named, problems)
            if isinstance(found, AgentsRef):
                refs.append(found)
            elif found is not None:
                ids.append(found)
                ids_place = ids_place or item.place
        else:
            selector = read_selector(item, "the selector", csv, problems)
            if selector is not None:
                refs.append(AgentsRef(f"selector in line {item.place.line}", selector, item.place))
    if ids_place is not None:
        refs.append(AgentsRef(f"ids in line {ids_place.line}", Selector(ids=tuple(ids)), ids_place))
    return tuple(refs)


def _named(item: Scalar, named: Mapping[str, Selector | None], problems: Problems) -> AgentsRef | str | None:
    """A reference to a named selector, or an id; ``None`` where that is wrong, with the problem noted."""
    name = str(item.value) if isinstance(item.value, str | int) and not isinstance(item.value, bool) else ""
    if name in named:
        selector = named[name]
        return None if selector is None else AgentsRef(name, selector, item.place)
    if name.isascii() and name.isdecimal():
        return name
    has = f"; there are {listing(named)}" if named else "; the plan has no named selectors"
    shown = quoted(item.value)
    problems.add(item.place, f"no selector is called {shown}{nearest(str(item.value), named) or has}")
    return None


def _read_exclude(
    node: Node | None, what: str, csv: CsvFiles, problems: Problems
) -> tuple[Selector, ...] | None:
    """What is excluded: a mapping, an id, a list of either; ``None`` with a problem noted."""
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return ()
    items = node.items if isinstance(node, Items) else (node,)
    found = [read_selector(item, f"what {what} excludes", csv, problems) for item in items]
    whole = tuple(one for one in found if one is not None)
    return whole if len(whole) == len(found) else None


def _from_csv(node: Entries, what: str, csv: CsvFiles, problems: Problems) -> Selector | None:
    """Agents row by row, by id where there is one, else by name; each of them must be there."""
    for key in node.entries:
        if key != "csv":
            problems.add(node.keys[key], f"{quoted(key)} cannot stand beside 'csv'")
    table = csv.table(node.entries["csv"])
    if table is None:
        return None
    if not any(column in table.columns for column in (*_ID_COLUMNS, *_NAME_COLUMNS)):
        has = f"it has {listing(table.names)}"
        problems.add(table.place, f"{table.file} has no column 'id' or 'name' of agents for {what}; {has}")
        return None
    places: dict[str, Place] = {}
    called: dict[str, tuple[str, Place]] = {}
    for row in table.rows:
        ids, names = (
            [cell for column in columns if column in table.columns and (cell := row.take(column)) is not None]
            for columns in (_ID_COLUMNS, _NAME_COLUMNS)
        )
        cell = next(iter((*ids, *names)), None)
        if cell is None:
            problems.add(row.place, "this row has neither id nor name of an agent")
        elif cell.text in places:
            first = places[cell.text].line
            problems.add(cell.place, f"{what} has the agent {quoted(cell.text)} twice, first in line {first}")
        else:
            places[cell.text] = cell.place
            if ids and names:
                called[cell.text] = (names[0].text, names[0].place)
    return Selector(listed=tuple(places), places=places, called=called) if places else None


def _ids(node: Items, what: str, problems: Problems) -> Selector | None:
    if not node.items:
        problems.add(node.place, f"{what} is an empty list")
        return None
    found: list[str] = []
    for item in node.items:
        one = _agent_id(item, what, problems)
        if one in found:
            problems.add(item.place, f"{what} has the id {quoted(one)} twice")
        elif one is not None:
            found.append(one)
    return Selector(ids=tuple(found)) if found else None


def _agent_id(node: Node, what: str, problems: Problems) -> str | None:
    value = node.value if isinstance(node, Scalar) else None
    text = "" if isinstance(value, bool) or not isinstance(value, str | int) else str(value)
    if not (text.isascii() and text.isdecimal()):
        problems.add(node.place, f"{what} takes agent ids, such as '1001', or keys to match")
        return None
    return text
