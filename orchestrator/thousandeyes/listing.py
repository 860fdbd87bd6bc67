"""Agents, their labels and account groups: bodies -> values, for both API versions.

v6 writes ``Enterprise Cluster``, ``Online``, 0/1 and integers where v7 writes ``enterprise-cluster``,
``online``, booleans and strings; nothing else differs, so one reading serves both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestrator.model import Agent, AgentState, AgentType, Json, JsonObject
from orchestrator.thousandeyes.protocol import AccountGroup, BadAnswer
from orchestrator.thousandeyes.scalars import (
    excerpt,
    flag,
    identifier,
    items,
    mapping,
    number,
    parse_object,
    text,
)

_TYPES = {kind.value: kind for kind in AgentType}
_STATES = {state.value: state for state in AgentState}
# Tags name an agent by this assignment type; "agent" is what the texts of the vendor's documents call it.
_AGENT_ASSIGNMENTS = {"v-agent", "agent"}


def read_agents(body: bytes) -> tuple[Agent, ...]:
    """Return the agents as listed; entries without an id or of an unknown type are left out."""
    found = (_agent(mapping(entry)) for entry in _list(body, "agents"))
    return tuple(agent for agent in found if agent is not None)


def read_tags(body: bytes) -> Mapping[str, frozenset[str]]:
    """v7: agent ids by ``key:value`` and by ``value``, so that a label's name from v6 times still works."""
    found: dict[str, set[str]] = {}
    for entry in _list(body, "tags"):
        tag = mapping(entry)
        assigned = (mapping(item) for item in items(tag.get("assignments")))
        ids = _ids(item.get("id") for item in assigned if _of_agent(item, tag))
        for name in _tag_names(tag):
            found.setdefault(name, set()).update(ids)
    return {name: frozenset(ids) for name, ids in found.items()}


def read_groups(body: bytes) -> Mapping[str, frozenset[str]]:
    """v6: agent ids by label name. The list may name labels without their agents; those are empty here."""
    found: dict[str, set[str]] = {}
    for entry in _list(body, "groups"):
        group = mapping(entry)
        name = text(group.get("name"))
        if name is not None and text(group.get("type")) in {None, "agents"}:
            members = (mapping(item).get("agentId") for item in items(group.get("agents")))
            found.setdefault(name, set()).update(_ids(members))
    return {name: frozenset(ids) for name, ids in found.items()}


def read_account_groups(body: bytes) -> tuple[AccountGroup, ...]:
    """Return the account groups that have an id."""
    found = []
    for entry in _list(body, "accountGroups"):
        group = mapping(entry)
        aid = identifier(group.get("aid"))
        if aid is not None:
            current = flag(group.get("isCurrentAccountGroup", group.get("current")))
            name = text(group.get("accountGroupName")) or aid
            found.append(AccountGroup(aid, name, text(group.get("organizationName")), bool(current)))
    return tuple(found)


def _list(body: bytes, key: str) -> list[Json]:
    listing = parse_object(body, f"a list of {key}").get(key)
    if not isinstance(listing, list):
        raise BadAnswer(f"expected a list of {key}, got none: {excerpt(body)}")
    return listing


def _agent(entry: JsonObject) -> Agent | None:
    agent_id = identifier(entry.get("agentId"))
    kind = _TYPES.get(_word(entry.get("agentType")))
    if agent_id is None or kind is None:
        return None
    return Agent(
        id=agent_id,
        name=text(entry.get("agentName")) or agent_id,
        type=kind,
        country=text(entry.get("countryId")),
        location=text(entry.get("location")),
        state=_state(entry, kind),
        labels=_labels(entry),
        target_only=bool(flag(entry.get("targetOnly"))),
        network=text(entry.get("network")),
        prefix=text(entry.get("prefix")),
        latitude=_degrees(entry, "latitude", 90.0),
        longitude=_degrees(entry, "longitude", 180.0),
    )


def _degrees(entry: JsonObject, name: str, most: float) -> float | None:
    """In v7 within ``coordinates``; v6 documents none, and is read where an object would have them."""
    found = number(mapping(entry.get("coordinates")).get(name, entry.get(name)))
    return float(found) if found is not None and -most <= found <= most else None


def _state(entry: JsonObject, kind: AgentType) -> AgentState:
    """Cloud agents carry no state. A cluster answers as long as one of its members does (api-facts 4.1)."""
    if flag(entry.get("enabled")) is False:
        return AgentState.DISABLED
    own = _STATES.get(_word(entry.get("agentState")), AgentState.UNKNOWN)
    members = [mapping(member) for member in items(entry.get("clusterMembers"))]
    if kind is not AgentType.CLUSTER or not members:
        return own
    states = {_STATES.get(_word(member.get("agentState")), AgentState.UNKNOWN) for member in members}
    best_first = (AgentState.ONLINE, AgentState.UNKNOWN, AgentState.OFFLINE, AgentState.DISABLED)
    return next(state for state in best_first if state in states)


def _labels(entry: JsonObject) -> tuple[str, ...]:
    """Labels that the listing shows: v6 ``groups``, v7 ``labels`` and ``tags``, as objects or names."""
    names: dict[str, None] = {}
    for key in ("groups", "labels", "tags"):
        for item in items(entry.get(key)):
            told = mapping(item)
            plain = text(told.get("name")) or (text(item) if not told else None)
            for name in (*([plain] if plain else ()), *_tag_names(told)):
                names[name] = None
    return tuple(names)


def _tag_names(tag: JsonObject) -> tuple[str, ...]:
    key, value = text(tag.get("key")), text(tag.get("value"))
    if key is None or value is None:
        return tuple(name for name in (key, value) if name is not None)
    return (f"{key}:{value}", value)


def _of_agent(assignment: JsonObject, tag: JsonObject) -> bool:
    return (text(assignment.get("type")) or text(tag.get("objectType"))) in _AGENT_ASSIGNMENTS


def _ids(values: Iterable[Json]) -> set[str]:
    return {found for value in values if (found := identifier(value)) is not None}


def _word(value: Json) -> str:
    return (text(value) or "").strip().lower().replace(" ", "-").replace("_", "-")
