"""Groups of targets, and what a target means to a type of test."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from orchestrator.model import Json, Target
from orchestrator.plan.csvfile import read_rows
from orchestrator.plan.fields import FieldReader, merged
from orchestrator.plan.problems import Place, Problems, listing, nearest, quoted
from orchestrator.plan.source import Entries, Items, Node, Scalar, Untyped
from orchestrator.safe import hide_userinfo
from orchestrator.testtypes import TEST_TYPES, TestType

# A shared group may carry what each of several types needs: these are ignored where they mean nothing.
_SHARED = frozenset({kind.bare for kind in TEST_TYPES.values()} | {"dnsServers"})
_NAME_LIMIT = 200
_ADDRESS_LIMIT = 2_000
_SIP_PORTS: Mapping[str, int] = {"tcp": 5060, "udp": 5060, "tls": 5061}  # RFC 3261, section 19.1.2
# A user and a password inside a URL: the address needs them, the name is shown and sent everywhere.
# What can be the name of a group, and can hardly be an address.
_GROUP_LIKE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Written:
    """A target as it was written: its name if it has one, and its fields; a bare text has no fields."""

    name: str | None
    bare: str | None
    entries: Entries | None
    place: Place


ReadCsv: TypeAlias = Callable[[str, Place], "str | None"]
Groups: TypeAlias = Mapping[str, tuple[Written, ...]]


def read_groups(node: Node | None, csv: ReadCsv, problems: Problems) -> dict[str, tuple[Written, ...]]:
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


def read_group(node: Node, csv: ReadCsv, problems: Problems) -> tuple[Written, ...]:
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
    csv: ReadCsv,
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
            has = f"; there are {listing(groups)}" if groups else "; the plan has no groups"
            message = f"no group of targets is called {quoted(name)}{nearest(name, groups) or has}"
            problems.add(item.place, message)
        else:
            found.extend(read_group(item, csv, problems))
    return tuple(found)


def _means_group(text: str, kind: TestType, groups: Groups) -> bool:
    """Whether a bare word was meant as a group. An agent's name may be a bare word, if no group is near."""
    if not _GROUP_LIKE.fullmatch(text):
        return False
    return kind.bare != "targetAgentId" or bool(nearest(text, groups))


def resolve(kind: TestType, written: Written, reader: FieldReader, problems: Problems) -> Target | None:
    """The target for one type of test; ``None`` with the problem noted when it cannot be one."""
    before = len(problems)
    fields = _fields(kind, written, reader)
    bare = _bare_value(kind, fields)
    name = written.name or (None if bare is None else hide_userinfo(bare))
    if name is None:
        problems.add(written.place, f"a target for {kind.name} needs a name or {quoted(kind.bare)}")
        return None
    wrong = None if bare is None else _address_problem(kind, bare)
    if wrong is not None:
        problems.add(written.place, wrong)
    return Target(name, fields) if len(problems) == before else None


def completed(kind: TestType, fields: dict[str, Json]) -> dict[str, Json]:
    """Fields with what the type knows by itself: the port of SIP."""
    credentials = fields.get("targetSipCredentials")
    if kind.name != "sip-server" or not isinstance(credentials, dict) or "port" in credentials:
        return fields
    port = _SIP_PORTS[str(credentials.get("protocol", "tcp"))] if credentials.get("sipRegistrar") else None
    return fields if port is None else {**fields, "targetSipCredentials": {**credentials, "port": port}}


def missing_fields(kind: TestType, fields: Mapping[str, Json]) -> list[str]:
    """Required fields that are absent or empty."""
    missing = [name for name in kind.target_fields if fields.get(name) in (None, "", [], {})]
    if kind.name == "sip-server" and not missing:
        credentials = fields["targetSipCredentials"]
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


def _from_csv(node: Entries, csv: ReadCsv, problems: Problems) -> tuple[Written, ...]:
    for key in node.entries:
        if key != "csv":
            problems.add(node.keys[key], f"{quoted(key)} cannot stand beside 'csv'")
    file = node.entries["csv"]
    if not isinstance(file, Scalar) or not isinstance(file.value, str):
        problems.add(file.place, "the name of a CSV file is a text")
        return ()
    text = csv(file.value, file.place)
    if text is None:
        return ()
    found: list[Written] = []
    for row in read_rows(text, file.value, problems):
        entries: dict[str, Node] = {
            column: Scalar(Untyped(cell.text), cell.place) for column, cell in row.cells.items()
        }
        keys = {column: cell.place for column, cell in row.cells.items()}
        found.extend(_from_mapping(Entries(entries, keys, row.place), problems))
    return tuple(found)


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


def _fields(kind: TestType, written: Written, reader: FieldReader) -> dict[str, Json]:
    if written.bare is not None:
        return _bare_fields(kind, written.bare)
    entries = written.entries or Entries({}, {}, written.place)
    fields: dict[str, Json] = {}
    flat: dict[str, Json] = {}
    for name, value in entries.entries.items():
        if name == "name":
            continue
        if kind.name == "sip-server" and name in kind.options["targetSipCredentials"].fields:
            flat[name] = reader.sip_field(name, value, entries.keys[name])
        elif name in kind.options or name not in _SHARED:
            fields[name] = reader.field(name, value, entries.keys[name])
    if flat:
        fields = merged({"targetSipCredentials": flat}, fields)
    return {name: value for name, value in fields.items() if value is not None}


def _bare_fields(kind: TestType, text: str) -> dict[str, Json]:
    """The fields that a bare text fills; ``host:port`` for SIP fills two."""
    if kind.name != "sip-server":
        return {kind.bare: text}
    match = re.fullmatch(r"([^:\s]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})", text)
    if match is None:
        return {"targetSipCredentials": {"sipRegistrar": text}}
    return {"targetSipCredentials": {"sipRegistrar": match.group(1), "port": int(match.group(2))}}


def _bare_value(kind: TestType, fields: Mapping[str, Json]) -> str | None:
    inside = fields.get("targetSipCredentials") if kind.name == "sip-server" else fields
    value = inside.get(kind.bare) if isinstance(inside, Mapping) else None
    return value if isinstance(value, str) else None


def _address_problem(kind: TestType, text: str) -> str | None:
    """Why a text cannot be the address that the type wants. The API itself decides the rest."""
    if len(text) > _ADDRESS_LIMIT:
        return f"{kind.bare} is longer than {_ADDRESS_LIMIT} characters"
    if not text.isprintable() or not text.strip():
        return f"{kind.bare} is empty or has control characters in it"
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", text)
    if kind.bare == "url":
        return _url_problem(kind, text, scheme)
    if kind.bare in {"server", "domain", "sipRegistrar"} and scheme is not None:
        host = scheme.group(2).split("/")[0]
        return f"{kind.bare} is a name, not a URL: {quoted(text)}, did you mean {quoted(host)}?"
    if kind.bare in {"server", "sipRegistrar"} and re.search(r"\s", text):
        return f"{kind.bare} has a blank in it: {quoted(text)}"
    return None


def _url_problem(kind: TestType, text: str, scheme: re.Match[str] | None) -> str | None:
    if re.search(r"\s", text):
        return f"url has a blank in it: {quoted(text)}"
    schemes = ("ftp", "ftps", "sftp") if kind.name == "ftp-server" else ("http", "https")
    if scheme is not None and scheme.group(1).lower() not in schemes:
        return f"url of {kind.name} begins with {'://, '.join(schemes)}://, not {quoted(scheme.group(1) + '://')}"
    if scheme is not None and not scheme.group(2):
        return f"url has no host: {quoted(text)}"
    return None
