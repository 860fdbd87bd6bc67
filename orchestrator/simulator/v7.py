"""The API's version 7: paths, parameters, pages and errors."""

from __future__ import annotations

import base64
import json
import re
import uuid
from typing import Final
from urllib.parse import urlencode

from orchestrator.simulator.billing import breakdowns, usage
from orchestrator.simulator.catalog import ERROR_FIELDS, LAYERS
from orchestrator.simulator.definitions import define
from orchestrator.simulator.draws import number
from orchestrator.simulator.fields import FIELDS, READ_ONLY, Rule
from orchestrator.simulator.messages import Json, JsonObject, Made, Refusal, SimRequest
from orchestrator.simulator.routes import Call, Context, span_of
from orchestrator.simulator.sharing import asked_snapshot
from orchestrator.simulator.v7_shapes import (
    agent_body,
    detail_body,
    iso,
    row_body,
    snapshot_body,
    test_shape,
)
from orchestrator.simulator.validate import Wire, check, unknown_fields

HAL: Final = "application/hal+json"
PROBLEM: Final = "application/problem+json"
_UNAUTHORIZED: Final = 401
_TITLES: Final = {
    400: "Request validation failed. There are invalid or missing fields",
    403: "Forbidden",
    404: "URI Resource Not Found",
    405: "Method Not Allowed",
    415: "Unsupported Media Type",
    429: "Too Many Requests",
    500: "Internal server error",
    503: "Service Unavailable",
}
_DETAIL: Final = re.compile(
    r"test-results/([^/]+)/(path-vis|page-load|web-transactions|api)/agent/([^/]+)/round/([^/]+)"
)
_DIRECTIONS: Final = ("to-target", "from-target", "bidirectional")
_INTERVALS: Final = (60, 120, 300, 600, 900, 1800, 3600)
# The fields that a scheduled test has beside those of an instant one.
_SCHEDULING: Final = frozenset(
    {
        *("interval", "subinterval", "httpInterval", "enabled"),
        *("alertsEnabled", "alertRules", "bgpMeasurements", "monitors", "usePublicBgp"),
    }
)
_TYPES: Final = ("cloud", "enterprise", "enterprise-cluster")


def _choice(_path: str, value: Json, rule: Rule) -> str | None:
    return value if isinstance(value, str) and value in rule.choices else None


def _is_id(value: Json) -> bool:
    return isinstance(value, str) and len(value) < 19 and value.isascii() and value.isdigit()


WIRE: Final = Wire(
    is_flag=lambda value: isinstance(value, bool),
    is_id=_is_id,
    is_item=_is_id,
    choice=_choice,
    flag_name="a boolean",
    id_name="a string of digits",
)


class V7:
    """Answers calls of version 7."""

    prefix = "v7"

    def problem(self, refusal: Refusal, path: str) -> Made:
        """An error in the API's own form."""
        if refusal.status == _UNAUTHORIZED:
            body: JsonObject = {"error": "invalid_token", "error_description": refusal.detail}
        else:
            body = {
                "type": "about:blank",
                "title": _TITLES.get(refusal.status, "Error"),
                "status": refusal.status,
                "detail": refusal.detail,
                "instance": path,
            }
            if refusal.errors:
                body["errors"] = [
                    {"code": "invalid-field", "field": field, "message": message}
                    for field, message in refusal.errors
                ]
        headers = {"Allow": refusal.allow} if refusal.allow else {}
        return Made(refusal.status, body, headers, PROBLEM)

    def classify(self, path: str, method: str) -> tuple[Call, str] | None:
        """The call behind a path and the method that it wants; None is a 404."""
        parts = path.split("/")
        match parts:
            case ["tests", kind] if method == "POST" and kind in LAYERS:
                return Call("schedule", self._schedule, (kind,), type_name=kind), "POST"
            case ["tests", *rest] if len(rest) <= 2:
                return self._classify_tests(rest)
            case ["test-results", test_id, layer, *rest] if layer in ERROR_FIELDS:
                return self._classify_results(path, test_id, layer, rest)
            case ["agents", *rest] if len(rest) <= 1:
                return Call("agents", self._agents, tuple(rest)), "GET"
        bills = {"usage": self._usage, "usage/units/tests": self._units_of_tests, "quotas": self._quotas}
        if path in bills:
            return Call("usage", bills[path]), "GET"
        lists = {"tags": self._tags, "account-groups": self._account_groups}
        return (Call("agents", lists[path]), "GET") if path in lists else None

    def _classify_tests(self, parts: list[str]) -> tuple[Call, str] | None:
        match parts:
            case [kind, "instant"]:
                return (
                    (Call("create", self._create, (kind,), type_name=kind), "POST")
                    if kind in LAYERS
                    else None
                )
            case [test_id, "run"]:
                return Call("rerun", self._rerun, (test_id,), test_id=test_id), "POST"
            case [test_id, "snapshot"]:
                return Call("snapshot", self._snapshot, (test_id,), test_id=test_id), "POST"
        return Call("other", self._tests, tuple(parts)), "GET"

    def _classify_results(
        self, path: str, test_id: str, layer: str, rest: list[str]
    ) -> tuple[Call, str] | None:
        if not rest or (layer == "dns-server" and len(rest) == 1):
            args = (test_id, layer, *rest)
            return Call("read", self._results, args, layer=layer, test_id=test_id), "GET"
        detail = _DETAIL.fullmatch(path)
        if detail is None:
            return None
        return Call("read", self._detail, detail.groups(), layer=f"{layer}-detail", test_id=test_id), "GET"

    # --- agents and what belongs to them

    def _agents(self, context: Context, request: SimRequest, *agent_id: str) -> Made:
        members = "cluster-member" in request.query.get("expand", "").split(",")
        if agent_id:
            agent = context.world.agent(agent_id[0])
            body = agent_body(agent, context, members=True)
            body["_links"] = {"self": {"href": context.href(f"agents/{agent.id}")}}
            return Made(200, body, content_type=HAL)
        types = [part for part in request.query.get("agentTypes", "").split(",") if part]
        unknown = next((part for part in types if part not in _TYPES), None)
        if unknown is not None:
            raise Refusal(400, "Invalid parameters.", (("agentTypes", f"unknown type {unknown[:40]}"),))
        agents: list[Json] = [
            agent_body(agent, context, members=members)
            for agent in context.world.agents.values()
            if not types or agent.type in types
        ]
        body = {"agents": agents, "_links": {"self": {"href": context.href("agents")}}}
        return Made(200, body, content_type=HAL, rows=agents)

    def _tags(self, context: Context, request: SimRequest) -> Made:
        expanded = "assignments" in request.query.get("expand", "").split(",")
        tags: list[Json] = []
        for key, value in context.tag_pairs():
            tag_id = str(uuid.UUID(int=number(0, "tag", key, value) << 64 | number(1, "tag", key, value)))
            tag: JsonObject = {
                "id": tag_id,
                "aid": context.settings.account_groups[0].aid,
                "objectType": "v-agent",
                "key": key,
                "value": value,
                "color": "#FF0000",
                "accessType": "all",
                "builtIn": False,
                "createDate": "2025-01-15T09:00:00Z",
                "_links": {"self": {"href": context.href(f"tags/{tag_id}")}},
            }
            if expanded:
                tag["assignments"] = [
                    {"id": str(agent.id), "type": "v-agent"}
                    for agent in context.world.agents.values()
                    if (key, value) in agent.tags
                ]
            tags.append(tag)
        return Made(200, {"tags": tags, "_links": {"self": {"href": context.href("tags")}}})

    def _account_groups(self, context: Context, _request: SimRequest) -> Made:
        settings = context.settings
        groups = [
            {
                "aid": str(group.aid),
                "accountGroupName": group.name,
                "isCurrentAccountGroup": str(group.aid) == context.aid,
                "isDefaultAccountGroup": index == 0,
                "organizationName": settings.organization,
                "orgId": str(settings.organization_id),
            }
            for index, group in enumerate(settings.account_groups)
        ]
        links = {"self": {"href": context.href("account-groups")}}
        return Made(200, {"accountGroups": groups, "_links": links}, content_type=HAL)

    # --- units

    def _usage(self, context: Context, _request: SimRequest) -> Made:
        links = {"self": {"href": context.href("usage")}}
        return Made(200, {"usage": usage(context.world, context.now), "_links": links}, content_type=HAL)

    def _quotas(self, context: Context, _request: SimRequest) -> Made:
        settings = context.settings
        groups: list[Json] = [
            {"aid": str(group.aid), "value": settings.units_included} for group in settings.account_groups
        ]
        quota: JsonObject = {
            "organizationQuota": {"orgId": str(settings.organization_id), "value": settings.units_included},
            "accountGroupQuotas": groups,
        }
        links = {"self": {"href": context.href("quotas")}}
        return Made(200, {"quotas": [quota], "_links": links}, content_type=HAL)

    def _units_of_tests(self, context: Context, request: SimRequest) -> Made:
        span = span_of(request.query, context.now, "startDate", "endDate") or (0.0, context.now)
        rows = breakdowns(context.world, context.aid, context.now, *span)
        links = {"self": {"href": context.href("usage/units/tests")}}
        return Made(200, {"breakdowns": rows, "_links": links}, content_type=HAL, rows=rows)

    # --- tests

    def _create(self, context: Context, request: SimRequest, type_name: str) -> Made:
        body = context.json_body(request)
        settings = context.settings
        agent_ids = check(
            type_name,
            body,
            WIRE,
            context.world.agents,
            read_only=True,
            refuse_unknown=settings.refuse_unknown_fields,
            refuse_disabled=settings.refuse_disabled,
        )
        context.note_unknown(unknown_fields(type_name, body))
        echo = _echo(type_name, body)
        test = context.create(define(type_name, body, agent_ids, api=self.prefix, echo=echo))
        agents = "agent" in request.query.get("expand", "").split(",")
        location = context.href(f"tests/{type_name}/{test.id}")
        return Made(201, test_shape(context, test, agents=agents), {"Location": location}, HAL)

    def _schedule(self, context: Context, request: SimRequest, type_name: str) -> Made:
        """A scheduled test: the fields of an instant one, and when it runs."""
        body = context.json_body(request)
        wrong = [(name, f"{name} is required") for name in ("interval",) if name not in body]
        if "interval" in body and body["interval"] not in _INTERVALS:
            wrong.append(("interval", "unknown interval"))
        wrong += [
            (name, "must be a boolean")
            for name in ("alertsEnabled", "enabled")
            if not isinstance(body.get(name, True), bool)
        ]
        if wrong:
            raise Refusal(400, "Your request object contains invalid fields.", tuple(wrong))
        of_instant = {name: value for name, value in body.items() if name not in _SCHEDULING}
        settings = context.settings
        check(
            type_name,
            of_instant,
            WIRE,
            context.world.agents,
            read_only=True,
            refuse_unknown=settings.refuse_unknown_fields,
            refuse_disabled=settings.refuse_disabled,
        )
        test_id = context.schedule(type_name, body)
        location = context.href(f"tests/{type_name}/{test_id}")
        shown: JsonObject = {
            **_echo(type_name, of_instant),
            **{name: body[name] for name in _SCHEDULING if name in body},
            "testId": str(test_id),
            "testName": body.get("testName"),
            "type": type_name,
            "_links": {"self": {"href": location}},
        }
        return Made(201, shown, {"Location": location}, HAL)

    def _rerun(self, context: Context, _request: SimRequest, test_id: str) -> Made:
        context.rerun(test_id)
        return Made(200)

    def _snapshot(self, context: Context, request: SimRequest, test_id: str) -> Made:
        test = context.world.test(test_id)
        asked = asked_snapshot(context.json_body(request), context.now)
        made = context.snapshot(test, asked)
        return Made(201, snapshot_body(context, test, asked, made), content_type=HAL)

    def _tests(self, context: Context, request: SimRequest, *parts: str) -> Made:
        if parts and parts[0] not in LAYERS:
            raise Refusal(404, f"There is no test type {parts[0][:40]}")
        if len(parts) > 1:
            test = context.world.test(parts[1])
            if test.definition.type != parts[0]:
                raise Refusal(404, f"Test {test.id} is no {parts[0]} test")
            agents = "agent" in request.query.get("expand", "").split(",")
            return Made(200, test_shape(context, test, agents=agents), content_type=HAL)
        # The documents speak of configured tests and saved events here, not of instant tests.
        tests = [
            test_shape(context, test, agents=False)
            for test in (context.world.tests.values() if context.settings.listed else ())
            if not parts or test.definition.type == parts[0]
        ]
        links = {"self": {"href": context.href("tests")}}
        return Made(200, {"tests": tests, "_links": links}, content_type=HAL)

    # --- results

    def _results(
        self, context: Context, request: SimRequest, test_id: str, layer: str, server_id: str = ""
    ) -> Made:
        test = context.look(test_id)
        span = span_of(request.query, context.now, "startDate", "endDate")
        direction = request.query.get("direction")
        if direction is not None and direction not in _DIRECTIONS:
            raise Refusal(400, "Invalid parameters.", (("direction", "unknown direction"),))
        rows = context.rows(test, layer, span, direction)
        if server_id:
            rows = [row for row in rows if str(row.measured.server_id) == server_id]
        start, size = _read_cursor(request.query.get("cursor")), context.settings.page_size
        page = rows[start : start + size]
        path = f"test-results/{test.id}/{layer}" + (f"/{server_id}" if server_id else "")
        kept = {name: value for name, value in request.query.items() if name != "cursor"}
        links: JsonObject = {"self": {"href": context.href(path)}}
        if start + len(page) < len(rows):
            more = urlencode(kept | {"cursor": _write_cursor(start + len(page))})
            links["next"] = {"href": context.data_href(f"{path}?{more}")}
        if start > 0:
            before = urlencode(kept | {"cursor": _write_cursor(max(0, start - size))})
            links["previous"] = {"href": context.data_href(f"{path}?{before}")}
        shown: list[Json] = [row_body(context, test, row) for row in page]
        body: JsonObject = {
            "results": shown,
            "test": test_shape(context, test, agents=False),
            "_links": links,
        }
        if span is not None:
            body |= {"startDate": iso(span[0]), "endDate": iso(span[1])}
        return Made(200, body, content_type=HAL, rows=shown, links=links, next_is_object=True)

    def _detail(
        self, context: Context, request: SimRequest, test_id: str, layer: str, agent_id: str, round_id: str
    ) -> Made:
        test = context.look(test_id)
        rows = context.rows_of_agent(test, layer, agent_id, round_id)
        shown: list[Json] = [detail_body(context, test, row) for row in rows]
        links = {"self": {"href": context.href(request.path.strip("/").partition("/")[2])}}
        body: JsonObject = {
            "results": shown,
            "test": test_shape(context, test, agents=False),
            "_links": links,
        }
        return Made(200, body, content_type=HAL, rows=shown)


def _echo(type_name: str, body: JsonObject) -> JsonObject:
    """What the answer shows of the body: defaults filled in, secrets and write-only fields left out."""
    shown: JsonObject = {}
    for name, rule in FIELDS[type_name].items():
        value = body.get(name)
        if value is None:
            value = rule.default
        if rule.write_only or value is None or name in {"agents", "dnsServers"} or name in READ_ONLY:
            continue
        shown[name] = _without_secrets(value, rule)
    if type_name == "sip-server":
        # Answers have the credentials at the top level (7.0.110; 7.0.85 shows them nested).
        shown |= shown.pop("targetSipCredentials")
    return shown


def _without_secrets(value: Json, rule: Rule) -> Json:
    if rule.inner is None:
        return value
    if rule.kind == "objs":
        return [_without_secrets(item, Rule("obj", inner=rule.inner)) for item in value]
    secret = {name for name, inner in rule.inner.items() if inner.write_only}
    return {name: item for name, item in value.items() if name not in secret}


def _write_cursor(offset: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"offset": offset}).encode()).decode().rstrip("=")


def _read_cursor(text: str | None) -> int:
    if text is None:
        return 0
    try:
        return max(0, int(json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))["offset"]))
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal(400, "The cursor is not one of ours.", (("cursor", "invalid"),)) from error
