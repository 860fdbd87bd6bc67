"""Groups of targets, and what a target means to a type of test."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from orchestrator.model import Json, Target
from orchestrator.near import folded
from orchestrator.plan import hosts
from orchestrator.plan.csvfile import Row
from orchestrator.plan.fields import FieldReader, merged
from orchestrator.plan.problems import Place, Problems, listing, nearest, quoted
from orchestrator.plan.rows import CsvFiles, filled, waits
from orchestrator.plan.source import Entries, Items, Node, Scalar, Untyped
from orchestrator.safe import hide_userinfo
from orchestrator.testtypes import TEST_TYPES, TestType

# A shared group may carry what each of several types needs: these are ignored where they mean nothing.
_SHARED = frozenset({kind.bare for kind in TEST_TYPES.values()} | {"dnsServers"})
_SIP = "targetSipCredentials"
_SIP_FIELDS = next(kind for kind in TEST_TYPES.values() if kind.nested == _SIP).options[_SIP].fields
# What a target may expect for itself; none of it is a field of the API.
EXPECTATIONS = ("expect", "warn")
# What may stand beside ``csv``, for every row: the name, and the fields of any type.
_BESIDE_CSV = frozenset(
    {"csv", "name", *EXPECTATIONS, *_SIP_FIELDS}
    | {one for kind in TEST_TYPES.values() for one in kind.options}
)
_NAME_LIMIT = 200
_SIP_PORTS: Mapping[str, int] = {"tcp": 5060, "udp": 5060, "tls": 5061}  # RFC 3261, section 19.1.2
# What can be the name of a group, and can hardly be an address.
_GROUP_LIKE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
# How people call the column that a type needs.
_ALSO_CALLED: Mapping[str, tuple[str, ...]] = {
    "url": ("link", "uri", "address", "website", "site", "host", "hostname", "target"),
    "server": ("host", "hostname", "address", "ip", "fqdn", "target", "domain", "url"),
    "domain": ("host", "hostname", "fqdn", "record", "zone", "target"),
    "sipRegistrar": ("registrar", "server", "host", "hostname", "address", "ip", "target"),
    "targetAgentId": ("agent", "agentid", "agent_id", "id", "target", "targetagent"),
}


@dataclass(frozen=True, slots=True)
class Written:
    """A target as it was written: its name if it has one, and its fields; a bare text has no fields.

    Of a row in a CSV file ``entries`` has what stands beside ``csv``, which wins over the row's own cells.
    """

    name: str | None
    bare: str | None
    entries: Entries | None
    place: Place
    row: Row | None = None

    @property
    def called(self) -> str:
        """The target in a message."""
        return f"target {quoted(self.name)}" if self.name else "this target"


Groups: TypeAlias = Mapping[str, tuple[Written, ...]]


def read_groups(node: Node | None, csv: CsvFiles, problems: Problems) -> dict[str, tuple[Written, ...]]:
    """The named groups of targets."""
    if not isinstance(node, Entries):
        return {}
    groups = {}
    for name, value in node.entries.items():
        written = read_group(value, csv, problems)
        if not written and isinstance(value, Items):
            problems.add(value.place, f"group {quoted(name)} has no targets")
        groups[name] = _without_twins(written, f"group {quoted(name)}", problems)
    return groups


def read_group(node: Node, csv: CsvFiles, problems: Problems) -> tuple[Written, ...]:
    """Targets from a list, from one text, or from a CSV file."""
    if isinstance(node, Items):
        return tuple(one for item in node.items for one in read_group(item, csv, problems))
    if isinstance(node, Entries):
        return _from_csv(node, csv, problems) if "csv" in node.entries else _from_mapping(node, problems)
    if isinstance(node.value, str) and node.value.strip():
        text = node.value.strip()
        _check_name(text, node.place, problems)
        return (Written(hide_userinfo(text), text, None, node.place),)
    if isinstance(node.value, int) and not isinstance(node.value, bool):
        return (Written(str(node.value), str(node.value), None, node.place),)
    problems.add(node.place, "a target is a text, or a mapping with a name and fields")
    return ()


def choose(
    node: Node,
    test: str,
    kind: TestType,
    groups: Mapping[str, tuple[Written, ...]],
    csv: CsvFiles,
    problems: Problems,
) -> tuple[Written, ...]:
    """The targets of a test: a group, a list of groups, or targets in place."""
    items = node.items if isinstance(node, Items) else (node,)
    if not items:
        problems.add(node.place, f"test {quoted(test)} has no targets")
    found: list[Written] = []
    for item in items:
        name = item.value if isinstance(item, Scalar) else None
        if isinstance(name, str) and name in groups:
            found.extend(groups[name])
        elif isinstance(name, str) and _means_group(name, kind, groups):
            problems.add(item.place, _no_group(name, kind, groups))
        else:
            found.extend(read_group(item, csv, problems))
    return tuple(found)


def _means_group(text: str, kind: TestType, groups: Groups) -> bool:
    """Whether a bare word was meant as a group. An agent's name may be a bare word, if no group is near."""
    if not _GROUP_LIKE.fullmatch(text):
        return False
    return kind.bare != "targetAgentId" or bool(nearest(text, groups))


def _no_group(name: str, kind: TestType, groups: Groups) -> str:
    """What a bare word is not, and how it is written where it is a short host name."""
    near = nearest(name, groups)
    has = f"; there are {listing(groups)}" if groups else "; the plan has no groups"
    message = f"no group of targets is called {quoted(name)}{near or has}"
    if near or kind.bare == "targetAgentId":
        return message
    address = f"{kind.schemes[0]}://{name}/" if kind.bare == "url" else name
    return f"{message}; a short host name is written as {{{kind.bare}: {quoted(address)}}}"


def resolve(kind: TestType, written: Written, reader: FieldReader, problems: Problems) -> Target | None:
    """The target for one type of test; ``None`` with the problem noted when it cannot be one."""
    before = len(problems)
    fields = _fields(kind, written, reader, problems)
    bare = written.name or written.bare or _address_as_written(kind, written)
    if not bare and len(problems) == before:
        if written.row is not None:
            problems.add(*lacking(kind, written, kind.bare))
        else:
            problems.add(written.place, f"a target for {kind.name} needs a name or {quoted(kind.bare)}")
    if not bare or len(problems) > before:
        return None
    return Target(written.name or hide_userinfo(bare), fields)


def lacking(kind: TestType, written: Written, field: str) -> tuple[Place, str]:
    """The place and the words for a field that a target must have and has not."""
    row = written.row
    if row is None:
        return written.place, f"{written.called} has no {quoted(field)}, which {kind.name} needs"
    column = kind.bare if field == _SIP else field
    if folded(column) in row.empty:
        place = row.empty[folded(column)]
        return place, f"column {quoted(column)} is empty here, and {kind.name} needs it"
    names = row.table.names
    also = next((one for one in names if one.lower() in _ALSO_CALLED.get(column, ())), None)
    near = f"; if that is {quoted(also)}, call it so" if also else nearest(column, names)
    has = near or f"; it has {listing(names)}{row.table.doubt()}"
    message = f"{row.table.file} has no column {quoted(column)}, which {kind.name} needs{has}"
    return row.table.place, message


def completed(kind: TestType, fields: dict[str, Json]) -> dict[str, Json]:
    """Fields with what the type knows by itself: the port of SIP."""
    credentials = fields.get(_SIP)
    if kind.nested != _SIP or not isinstance(credentials, dict) or "port" in credentials:
        return fields
    port = _SIP_PORTS[str(credentials.get("protocol", "tcp"))] if credentials.get("sipRegistrar") else None
    return fields if port is None else {**fields, _SIP: {**credentials, "port": port}}


def missing_fields(kind: TestType, fields: Mapping[str, Json]) -> list[str]:
    """Required fields that are absent or empty."""
    missing = [name for name in kind.target_fields if fields.get(name) in (None, "", [], {})]
    if kind.nested == _SIP and not missing:
        credentials = fields[_SIP]
        inside = credentials if isinstance(credentials, dict) else {}
        missing = [name for name in ("sipRegistrar", "port") if not inside.get(name)]
    return missing


def _from_mapping(node: Entries, problems: Problems) -> tuple[Written, ...]:
    name = node.entries.get("name")
    text = name.value if isinstance(name, Scalar) else None
    if isinstance(text, int) and not isinstance(text, bool):
        text = str(text)
    if name is not None and (not isinstance(text, str) or not text.strip()):
        problems.add(name.place, "the name of a target is a text")
        return ()
    if name is not None and isinstance(text, str):
        _check_name(text, name.place, problems)
    return (Written(text if isinstance(text, str) else None, None, node, node.place),)


def _from_csv(node: Entries, csv: CsvFiles, problems: Problems) -> tuple[Written, ...]:
    for key in node.entries:
        if key not in _BESIDE_CSV:
            near = nearest(key, sorted(_BESIDE_CSV))
            problems.add(node.keys[key], f"{quoted(key)} cannot stand beside 'csv'{near}")
    name = node.entries.get("name")
    if name is not None and not waits(name):
        message = "'name' beside 'csv' would be the same for every row; use columns, such as '${row.name}'"
        problems.add(node.keys["name"], message)
        return ()
    table = csv.table(node.entries["csv"])
    beside = {key: value for key, value in node.entries.items() if key != "csv"}
    written = [_from_row(row, beside, node, problems) for row in ([] if table is None else table.rows)]
    return tuple(one for one in written if one is not None)


def _from_row(row: Row, beside: Mapping[str, Node], node: Entries, problems: Problems) -> Written | None:
    cell = row.take("name")
    entries = {}
    for key, value in beside.items():
        one = filled(value, row, "this row", problems)
        if one is not None:
            entries[key] = one
    given = entries.pop("name", None)
    name, place = (cell.text, cell.place) if cell is not None else (None, row.place)
    if isinstance(given, Scalar) and str(given.value).strip():
        name, place = str(given.value).strip(), given.place
    if name is not None:
        _check_name(name, place, problems)
    return Written(name, None, Entries(entries, node.keys, node.place), row.place, row)


def _check_name(name: str, place: Place, problems: Problems) -> None:
    if len(name) > _NAME_LIMIT:
        message = f"a target's name has at most {_NAME_LIMIT} characters; use a mapping with a short name"
        problems.add(place, message)
    elif not name.isprintable():
        problems.add(place, "a target's name has control characters in it")


def _without_twins(written: tuple[Written, ...], what: str, problems: Problems) -> tuple[Written, ...]:
    first: dict[str, Place] = {}
    kept: list[Written] = []
    for one in written:
        if one.name is None or one.name not in first:
            kept.append(one)
        if one.name is None:
            continue
        if one.name in first:
            at = first[one.name]
            where = f"line {at.line}" if at.file == one.place.file else f"{at.file}, line {at.line}"
            problems.add(one.place, f"{what} has the target {quoted(one.name)} twice, first in {where}")
        else:
            first[one.name] = one.place
    return tuple(kept)


def _fields(kind: TestType, written: Written, reader: FieldReader, problems: Problems) -> dict[str, Json]:
    if written.bare is not None:
        return _bare_fields(kind, written.bare, written.place, reader, problems)
    nodes = _nodes(kind, written)
    fields: dict[str, Json] = {}
    flat: dict[str, Json] = {}
    for name, (value, key) in nodes.items():
        if kind.nested == _SIP and name in _SIP_FIELDS:
            flat[name] = reader.sip_field(name, value, key)
        elif name in kind.options or (written.row is None and name not in _SHARED):
            fields[name] = reader.field(name, value, key)
    if flat:
        fields = merged({_SIP: flat}, fields)
    return {name: value for name, value in fields.items() if value is not None}


def _nodes(kind: TestType, written: Written) -> dict[str, tuple[Node, Place]]:
    """The fields as they are written, each with the place of its name; of a row with its cells."""
    entries = written.entries or Entries({}, {}, written.place)
    given = {name: value for name, value in entries.entries.items() if name not in {"name", *EXPECTATIONS}}
    nodes = {name: (value, entries.keys[name]) for name, value in given.items()}
    row = written.row
    if row is None:
        return nodes
    nodes = {**_cells(kind, row), **nodes}
    server, port = nodes.get("server"), nodes.pop("port", None) if kind.bare == "server" else None
    if port is None and kind.bare == "server" and (cell := row.take("port")) is not None:
        port = (Scalar(Untyped(cell.text), cell.place), cell.place)
    if (
        server is not None
        and port is not None
        and isinstance(server[0], Scalar)
        and isinstance(port[0], Scalar)
    ):
        text = _with_port(str(server[0].value), str(port[0].value))
        nodes["server"] = (Scalar(text, server[0].place), server[1])
    return nodes


def _with_port(server: str, port: str) -> str:
    """``host:port``; a server that has this port already keeps it."""
    if server.count(":") > 1 and not server.startswith("["):
        return f"[{server}]:{port}"
    return server if server.endswith(f":{port}") else f"{server}:{port}"


@functools.cache
def _by_column(type_name: str) -> Mapping[str, str]:
    """The fields that a column can fill, by what the column is called in lower case."""
    kind = TEST_TYPES[type_name]
    own = _SIP_FIELDS if kind.nested == _SIP else ()
    return {name.lower(): name for name in (*own, *kind.options)}


def _cells(kind: TestType, row: Row) -> dict[str, tuple[Node, Place]]:
    """The cells of a row that are fields of the type; other columns are data that the plan may use."""
    known = _by_column(kind.name)
    found: dict[str, tuple[Node, Place]] = {}
    for column in row.table.columns:
        cell = row.take(column) if column in known else None
        if cell is not None:
            found[known[column]] = (Scalar(Untyped(cell.text), cell.place), cell.place)
    return found


def _bare_fields(
    kind: TestType, text: str, place: Place, reader: FieldReader, problems: Problems
) -> dict[str, Json]:
    """The fields that a bare text fills; ``host:port`` for SIP fills two."""
    if kind.nested != _SIP:
        return {kind.bare: reader.field(kind.bare, Scalar(text, place), place)}
    try:
        host, port = hosts.host_and_port(text, kind.bare)
    except hosts.AddressInvalid as error:
        problems.add(place, str(error))
        return {}
    credentials: dict[str, Json] = {"sipRegistrar": host}
    return {_SIP: credentials if port is None else {**credentials, "port": port}}


def _address_as_written(kind: TestType, written: Written) -> str | None:
    """The address of a target without a name, which is what it is called then."""
    nodes = _nodes(kind, written)
    node, _ = nodes.get(kind.bare, (None, None))
    inside, _ = nodes.get(_SIP, (None, None))
    if node is None and kind.nested == _SIP and isinstance(inside, Entries):
        node = inside.entries.get(kind.bare)
    value = node.value if isinstance(node, Scalar) else None
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
