"""A v7 request body in the words of v6: integers, 0/1, upper-case enums, objects (api-facts 7.2 to 7.7).

What a field is called in v6, and how its value is written, is in the table of test types; here are only the
differences that are not about one field alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from orchestrator.model import Json, JsonObject, Spec
from orchestrator.testtypes import TEST_TYPES, Option, V6Form

_PORT = re.compile(r"(?P<host>\[[^\]]+\]|[^:\[\]]+):(?P<port>[0-9]{1,5})\Z", re.ASCII)


def v6_body(spec: Spec, name: str) -> JsonObject:
    """Return the body of a v6 creation; ``raw`` has the last word and goes as it stands.

    Fields that v6 does not have are left out; plans refuse them.
    """
    kind = TEST_TYPES[spec.type]
    body: JsonObject = {"testName": name, "agents": [{"agentId": _integer(agent)} for agent in spec.agents]}
    body |= _translated(kind.options, spec.fields)
    for option in kind.options.values():
        if option.v6 is not None and option.v6_default is not None:
            body.setdefault(option.v6, option.v6_default)
    if kind.v6_port_in is not None:
        _split_port(body, kind.v6_port_in)
    if kind.nested is not None:
        _repeat(body, kind.nested, kind.v6_repeated)
    return {**body, **spec.raw}


def _translated(options: Mapping[str, Option], fields: Mapping[str, Json]) -> JsonObject:
    body: JsonObject = {}
    for name, value in fields.items():
        option = options.get(name)
        if option is not None and option.v6 is not None and value is not None:
            body[option.v6] = _written(option, value)
    return body


def _written(option: Option, value: Json) -> Json:  # noqa: PLR0911 - one line per form
    form = option.v6_form
    if isinstance(value, list):
        return [_item(option, item) for item in value]
    if form is V6Form.FLAG and isinstance(value, bool):
        return int(value)
    if form in {V6Form.INTEGER, V6Form.INTEGERS}:
        return _integer(value)
    if form is V6Form.NESTED and isinstance(value, dict):
        return _translated(option.fields, value)
    if not isinstance(value, str):
        return value
    if form is V6Form.UPPER:
        return value.upper().replace("-", "_")
    if form is V6Form.CAPITALIZED:
        return value.capitalize()
    if form is V6Form.CAMEL:
        head, *rest = value.split("-")
        return head + "".join(part.capitalize() for part in rest)
    return value


def _item(option: Option, item: Json) -> Json:
    objects = {V6Form.SERVERS: "serverName", V6Form.GROUPS: "groupId", V6Form.ACCOUNTS: "aid"}
    key = objects.get(option.v6_form)
    if key is None:
        return _written(option, item)
    return {key: item if key == "serverName" else _integer(item)}


def _split_port(body: JsonObject, name: str) -> None:
    """v6 has a field for the port, and refuses a port together with ICMP."""
    server = body.get(name)
    found = _PORT.match(server) if isinstance(server, str) else None
    if found is not None:
        body[name] = found["host"].strip("[]")
        if body.get("protocol") != "ICMP":
            body["port"] = int(found["port"])


def _repeat(body: JsonObject, nested: str, names: Iterable[str]) -> None:
    inside = body.get(nested)
    if isinstance(inside, dict):
        for name in names:
            if name in inside:
                body.setdefault(name, inside[name])


def _integer(value: Json) -> Json:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value
