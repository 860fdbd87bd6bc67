"""Is this creation one that the API would take? Both versions, by the same table, each in its own types."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from orchestrator.simulator.fields import FIELDS, READ_ONLY, Rule
from orchestrator.simulator.fleet import SimAgent
from orchestrator.simulator.messages import Json, JsonObject, Refusal

Problem = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Wire:
    """How one version writes values: what is an id, a flag, a choice on the wire."""

    is_flag: Callable[[Json], bool]
    is_id: Callable[[Json], bool]
    is_item: Callable[[Json], bool]  # what stands for a string in a list of references
    choice: Callable[[str, Json, Rule], str | None]  # the v7 value that is meant, or None
    flag_name: str
    id_name: str


def is_whole(value: Json) -> bool:
    """JSON true is no number, although Python thinks so."""
    return isinstance(value, int) and not isinstance(value, bool)


def check(
    type_name: str,
    body: JsonObject,
    wire: Wire,
    agents: Mapping[int, SimAgent],
    *,
    read_only: bool,
    refuse_unknown: bool,
    refuse_disabled: bool,
) -> tuple[int, ...]:
    """Return the ids of the test's agents; raises a 400 refusal with every problem found."""
    rules = FIELDS[type_name]
    problems = list(_fields("", body, rules, wire, refuse_unknown=refuse_unknown))
    if read_only:
        problems += [(name, f"{name} is read-only") for name in body if name in READ_ONLY]
    named, troubles = _agents(body.get("agents"), wire, agents, refuse_disabled=refuse_disabled)
    problems += troubles
    problems += _together(type_name, body, named, wire, agents)
    if problems:
        raise Refusal(400, "Your request object contains invalid fields.", tuple(problems))
    return tuple(agent.id for agent in named)


def unknown_fields(type_name: str, body: JsonObject) -> list[str]:
    """Fields that no document knows for this type, as ``type.field``."""
    known = FIELDS[type_name].keys() | READ_ONLY
    return sorted(f"{type_name}.{name}" for name in body.keys() - known)


def _fields(
    path: str, body: JsonObject, rules: Mapping[str, Rule], wire: Wire, *, refuse_unknown: bool
) -> Iterator[Problem]:
    for name, rule in rules.items():
        value = body.get(name)
        if value is None:
            if rule.required:
                yield path + name, f"{name} is required"
            continue
        yield from _value(path + name, value, rule, wire)
    if refuse_unknown:
        for name in body:
            if name not in rules and name not in READ_ONLY:
                yield path + name, f"Unrecognized field {name[:100]}"


def _value(path: str, value: Json, rule: Rule, wire: Wire) -> Iterator[Problem]:
    kind = rule.kind
    if kind == "bool" and not wire.is_flag(value):
        yield path, f"must be {wire.flag_name}"
    elif kind == "int":
        yield from _number(path, value, rule)
    elif kind == "str":
        yield from _text(path, value, rule, wire)
    elif kind == "enum" and wire.choice(path, value, rule) is None:
        yield path, f"must be one of {', '.join(rule.choices)}"
    elif kind == "strs":
        yield from _texts(path, value, rule, wire)
    elif kind in {"obj", "objs"}:
        yield from _objects(path, value, rule, wire)


def _number(path: str, value: Json, rule: Rule) -> Iterator[Problem]:
    if not is_whole(value):
        yield path, "must be an integer"
    elif rule.low is not None and value < rule.low:
        yield path, f"must be at least {rule.low}"
    elif rule.high is not None and value > rule.high:
        yield path, f"must be at most {rule.high}"


def _text(path: str, value: Json, rule: Rule, wire: Wire) -> Iterator[Problem]:
    if rule.number_in_v6:
        if not wire.is_id(value):
            yield path, f"must be {wire.id_name}"
    elif not isinstance(value, str):
        yield path, "must be a string"
    elif rule.required and not value.strip():
        yield path, "must not be blank"


def _texts(path: str, value: Json, rule: Rule, wire: Wire) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield path, "must be an array"
        return
    if rule.required and not value:
        yield path, "must not be empty"
    for index, item in enumerate(value):
        if path == "dnsServers" and wire.id_name == "an integer":
            # v6 names DNS servers by objects.
            if not (isinstance(item, dict) and isinstance(item.get("serverName"), str)):
                yield f"{path}[{index}]", "must be an object with serverName"
        elif not isinstance(item, str) and not wire.is_item(item):
            yield f"{path}[{index}]", "must be a string"


def _objects(path: str, value: Json, rule: Rule, wire: Wire) -> Iterator[Problem]:
    if rule.kind == "obj":
        items = [(path, value)]
    elif isinstance(value, list):
        items = [(f"{path}[{index}]", item) for index, item in enumerate(value)]
        if rule.required and not value:
            yield path, "must not be empty"
    else:
        yield path, "must be an array"
        return
    for place, item in items:
        if not isinstance(item, dict):
            yield place, "must be an object"
        elif rule.inner is not None:
            yield from _fields(f"{place}.", item, rule.inner, wire, refuse_unknown=False)


def _agents(
    listed: Json, wire: Wire, agents: Mapping[int, SimAgent], *, refuse_disabled: bool
) -> tuple[list[SimAgent], list[Problem]]:
    """The agents that are named, each once, and what is wrong with the others."""
    if listed is None:
        return [], []  # that it is missing was said already
    if not isinstance(listed, list) or not listed:
        return [], [("agents", "must be a non-empty array")]
    found: dict[int, SimAgent] = {}
    problems: list[Problem] = []
    for index, item in enumerate(listed):
        place = f"agents[{index}].agentId"
        agent_id = item.get("agentId") if isinstance(item, dict) else None
        if not wire.is_id(agent_id):
            problems.append((place, f"must be {wire.id_name}"))
            continue
        agent = agents.get(int(str(agent_id)))
        if agent is None:
            problems.append((place, f"Agent {agent_id} does not exist in this account group"))
        elif agent.target_only:
            problems.append((place, f"Agent {agent_id} can be used as a target only"))
        elif refuse_disabled and agent.disabled:
            problems.append((place, f"Agent {agent_id} is disabled"))
        else:
            found[agent.id] = agent
    return list(found.values()), problems


def _together(
    type_name: str, body: JsonObject, named: list[SimAgent], wire: Wire, agents: Mapping[int, SimAgent]
) -> Iterator[Problem]:
    """Rules between fields."""
    target_id = body.get("targetAgentId")
    if type_name in {"agent-to-agent", "voice"} and wire.is_id(target_id):
        target = agents.get(int(str(target_id)))
        if target is None:
            yield "targetAgentId", f"Agent {target_id} does not exist"
        else:
            if any(agent.id == target.id for agent in named):
                yield "agents", "The target agent cannot be a source too"
            if body.get("throughputMeasurements") and any(a.type == "cloud" for a in (target, *named)):
                yield "throughputMeasurements", "not available with Cloud Agents"
    url = body.get("url")
    if "url" in FIELDS[type_name] and isinstance(url, str) and url.strip() and not _is_url(url):
        yield "url", "is no URL"
    if type_name == "page-load":
        page, http = body.get("pageLoadTimeLimit", 10), body.get("httpTimeLimit", 5)
        if is_whole(page) and is_whole(http) and page <= http:
            yield "pageLoadTimeLimit", "must be greater than httpTimeLimit"


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        return bool(parts.hostname) and not re.search(r"\s", text)
    except ValueError:
        return False
