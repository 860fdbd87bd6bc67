"""The API's version 6 (legacy): paths, parameters, pages and errors."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlencode

from orchestrator.simulator.catalog import LAYERS
from orchestrator.simulator.definitions import define
from orchestrator.simulator.fields import FIELDS, Rule
from orchestrator.simulator.messages import Json, JsonObject, Made, Refusal, SimRequest
from orchestrator.simulator.routes import Call, Context, span_of
from orchestrator.simulator.v6_shapes import (
    DATA,
    TYPE_NAMES,
    agent_body,
    date,
    detail_body,
    group_body,
    listed_agent,
    row_body,
    test_shape,
)
from orchestrator.simulator.validate import Wire, check, is_whole, unknown_fields

# Types by their names in this version; there is no api type.
_TYPES: Final = MappingProxyType({TYPE_NAMES.get(name, name): name for name in LAYERS if name != "api"})
_LAYERS: Final = MappingProxyType({path: layer for layer, (path, _, _) in DATA.items()})
_AGENT_TYPES: Final = {
    "CLOUD": "cloud",
    "ENTERPRISE": "enterprise",
    "ENTERPRISE_CLUSTER": "enterprise-cluster",
}
# Accepted and ignored, or named otherwise than in version 7.
_KNOWN: Final = frozenset(
    {
        *("interval", "subinterval", "alertsEnabled", "alertRules", "bgpMeasurements", "bgpMonitors"),
        *("usePublicBgp", "enabled", "groups", "sharedWithAccounts", "port", "sipRegistrar", "server"),
    }
)


def _choice(path: str, value: Json, rule: Rule) -> str | None:
    """The v7 value of an upper-case choice; ids are integers; two fields have a spelling of their own."""
    if rule.number_in_v6:
        return str(value) if is_whole(value) and str(value) in rule.choices else None
    if not isinstance(value, str):
        return None
    if path == "pathTraceMode":
        # The documents show "classic" in lower case; the other value is written in camel case there.
        meant = {"classic": "classic", "insession": "in-session"}
        return meant.get(value.replace("_", "").replace("-", "").lower())
    if path == "requestType":
        return value.lower() if value in {"Download", "Upload", "List"} else None
    for choice in rule.choices:
        if value == choice.upper().replace("-", "_"):
            return choice
    return None


WIRE: Final = Wire(
    is_flag=lambda value: is_whole(value) and value in {0, 1},
    is_id=lambda value: is_whole(value) and 0 <= value < 10**18,
    is_item=lambda value: is_whole(value) or isinstance(value, dict),
    choice=_choice,
    flag_name="0 or 1",
    id_name="an integer",
)


class V6:
    """Answers calls of version 6."""

    prefix = "v6"

    def problem(self, refusal: Refusal, path: str) -> Made:
        """An error in this version's form."""
        del path
        details = "; ".join(f"{field}: {message}" for field, message in refusal.errors)
        message = f"{refusal.detail} {details}".strip()
        headers = {"Allow": refusal.allow} if refusal.allow else {}
        return Made(refusal.status, {"errorMessage": message}, headers)

    def classify(self, path: str, method: str) -> tuple[Call, str] | None:
        """The call behind a path and the method that it wants; None is a 404."""
        parts = path.removesuffix(".json").split("/")
        match parts:
            case ["instant", name] if name in _TYPES:
                kind = _TYPES[name]
                return Call("create", self._create, (kind,), type_name=kind), "POST"
            case ["instant", test_id, "rerun"]:
                return Call("rerun", self._rerun, (test_id,), test_id=test_id), "POST"
            case ["tests"] | ["tests", _]:
                return Call("other", self._tests, tuple(parts[1:])), "GET"
            case ["voice", "metrics", *rest] if rest:
                return Call("read", self._renamed, ("/".join(rest),)), "GET"
            case [group, name, test_id, *rest] if f"{group}/{name}" in _LAYERS:
                return self._classify_data(_LAYERS[f"{group}/{name}"], test_id, rest)
        return self._classify_lists(parts)

    def _classify_lists(self, parts: list[str]) -> tuple[Call, str] | None:
        match parts:
            case ["agents"]:
                return Call("agents", self._agents), "GET"
            case ["account-groups"]:
                return Call("agents", self._account_groups), "GET"
            case ["groups"] | ["groups", "agents"]:
                return Call("agents", self._groups, tuple(parts[1:])), "GET"
            case ["groups", "agents", group_id] | ["groups", group_id]:
                return Call("agents", self._groups, ("agents", group_id)), "GET"
        return None

    def _classify_data(self, layer: str, test_id: str, rest: list[str]) -> tuple[Call, str] | None:
        if not rest or (layer == "dns-server" and len(rest) == 1):
            args = (test_id, layer, *rest)
            return Call("read", self._data, args, layer=layer, test_id=test_id), "GET"
        if len(rest) == 2:
            args = (test_id, layer, *rest)
            return Call("read", self._detail, args, layer=f"{layer}-detail", test_id=test_id), "GET"
        return None

    # --- agents and what belongs to them

    def _agents(self, context: Context, request: SimRequest) -> Made:
        names = [part for part in request.query.get("agentTypes", "").split(",") if part]
        if any(name not in _AGENT_TYPES for name in names):
            raise Refusal(400, "Unknown agent type.")
        types = {_AGENT_TYPES[name] for name in names}
        agents: list[Json] = [
            listed_agent(agent, context)
            for agent in context.world.agents.values()
            if not types or agent.type in types
        ]
        return Made(200, {"agents": agents}, rows=agents)

    def _groups(self, context: Context, _request: SimRequest, kind: str = "", group_id: str = "") -> Made:
        groups: list[Json] = []
        for _, value in context.tag_pairs():
            group = group_body(context, value)
            if group_id and str(group["groupId"]) != group_id:
                continue
            if kind:
                group["agents"] = [
                    agent_body(agent, context)
                    for agent in context.world.agents.values()
                    if any(name == value for _, name in agent.tags)
                ]
            groups.append(group)
        if group_id and not groups:
            raise Refusal(404, f"Label {group_id[:40]} was not found")
        return Made(200, {"groups": groups})

    def _account_groups(self, context: Context, _request: SimRequest) -> Made:
        settings = context.settings
        groups = [
            {
                "aid": group.aid,
                "accountGroupName": group.name,
                "organizationName": settings.organization,
                "current": int(str(group.aid) == context.aid),
                "default": int(index == 0),
            }
            for index, group in enumerate(settings.account_groups)
        ]
        return Made(200, {"accountGroups": groups})

    # --- tests

    def _create(self, context: Context, request: SimRequest, type_name: str) -> Made:
        body = context.json_body(request)
        settings = context.settings
        agent_ids = check(
            type_name,
            body,
            WIRE,
            context.world.agents,
            read_only=False,
            refuse_unknown=settings.refuse_unknown_fields,
            refuse_disabled=settings.refuse_disabled,
        )
        _check_own_rules(type_name, body)
        known = {name: value for name, value in body.items() if name not in _KNOWN}
        context.note_unknown(unknown_fields(type_name, known))
        meant = _in_v7_words(type_name, body)
        echo = _echo(type_name, body)
        test = context.create(define(type_name, meant, agent_ids, api=self.prefix, echo=echo))
        location = context.href(f"tests/{test.id}")
        return Made(201, {"test": [test_shape(context, test)]}, {"Location": location})

    def _rerun(self, context: Context, _request: SimRequest, test_id: str) -> Made:
        context.rerun(test_id)
        return Made(200)

    def _tests(self, context: Context, _request: SimRequest, test_id: str = "") -> Made:
        if test_id:
            return Made(200, {"test": [test_shape(context, context.world.test(test_id))]})
        listed = context.world.tests.values() if context.settings.listed else ()
        return Made(200, {"test": [test_shape(context, test) for test in listed]})

    # --- results

    def _data(
        self, context: Context, request: SimRequest, test_id: str, layer: str, server_id: str = ""
    ) -> Made:
        test = context.look(test_id)
        span = span_of(request.query, context.now, "from", "to")
        rows = context.rows(test, layer, span, _direction(request.query.get("direction")))
        if server_id:
            rows = [row for row in rows if str(row.measured.server_id) == server_id]
        number, size = _page_number(request.query.get("page")), context.settings.page_size
        page = rows[(number - 1) * size : number * size]
        path, group, key = DATA[layer]
        pages: JsonObject = {"current": number}
        if number * size < len(rows):
            more = {name: value for name, value in request.query.items() if name != "page"}
            more |= {"page": str(number + 1), "lastRoundId": str(page[-1].round_id)}
            tail = f"/{server_id}" if server_id else ""
            pages["next"] = context.data_href(f"{path}/{test.id}{tail}?{urlencode(more)}")
        shown: list[Json] = [row_body(context, test, row) for row in page]
        body: JsonObject = {group: {"test": test_shape(context, test)}, "pages": pages}
        if shown:
            # Not ready is a missing key in this version (observed), never an empty list.
            body[group][key] = shown
        if span is not None:
            body |= {"from": date(span[0]), "to": date(span[1])}
        return Made(200, body, rows=shown, links=pages)

    def _renamed(self, context: Context, _request: SimRequest, rest: str) -> Made:
        """The path of RTP streams until 2018; it answers with a redirection (documented)."""
        return Made(301, headers={"Location": context.href(f"voice/rtp-stream/{rest}")})

    def _detail(
        self, context: Context, _request: SimRequest, test_id: str, layer: str, agent_id: str, round_id: str
    ) -> Made:
        test = context.look(test_id)
        rows = context.rows_of_agent(test, layer, agent_id, round_id)
        shown: list[Json] = [detail_body(context, test, row) for row in rows]
        _, group, key = DATA[layer]
        body: JsonObject = {group: {"test": test_shape(context, test)}, "pages": {"current": 1}}
        if shown:
            body[group][key] = shown
        return Made(200, body, rows=shown)


def _check_own_rules(type_name: str, body: Mapping[str, Json]) -> None:
    """What this version refuses beyond the common rules; raises a 400 refusal."""
    port = body.get("port")
    if type_name == "agent-to-server":
        if port is not None and body.get("protocol") == "ICMP":
            raise Refusal(400, "port cannot be used with protocol ICMP")
        if port is not None and not (is_whole(port) and 1 <= port <= 65535):
            raise Refusal(400, "port must be an integer between 1 and 65535")
    sip = body.get("targetSipCredentials")
    if type_name == "sip-server" and isinstance(sip, dict) and not sip.get("sipRegistrar"):
        raise Refusal(400, "targetSipCredentials.sipRegistrar is required")


def _in_v7_words(type_name: str, body: Mapping[str, Json]) -> JsonObject:
    """The checked body with booleans, string ids and lower-case choices."""
    meant: JsonObject = {"port": body.get("port")}
    for name, rule in FIELDS[type_name].items():
        value = body.get(name)
        if value is None:
            continue
        if rule.kind == "bool":
            value = bool(value)
        elif rule.kind == "enum":
            value = _choice(name, value, rule)
        elif rule.number_in_v6:
            value = str(value)
        elif name == "dnsServers":
            value = [server["serverName"] for server in value]
        elif name == "targetSipCredentials":
            value = value | {"protocol": str(value.get("protocol", "")).lower()}
        meant[name] = value
    return meant


def _echo(type_name: str, body: Mapping[str, Json]) -> JsonObject:
    rules = FIELDS[type_name]
    hidden = {"agents", "dnsServers", "targetSipCredentials"}
    hidden |= {name for name, rule in rules.items() if rule.write_only}
    return {name: value for name, value in body.items() if name in rules and name not in hidden}


def _direction(value: str | None) -> str | None:
    if value is None:
        return None
    meant = value.lower().replace("_", "-")
    if meant not in {"to-target", "from-target", "bidirectional"}:
        raise Refusal(400, "unknown direction")
    return meant


def _page_number(text: str | None) -> int:
    if text is None:
        return 1
    if not (text.isascii() and text.isdigit() and len(text) < 7) or int(text) < 1:
        raise Refusal(400, "page must be a positive integer")
    return int(text)
