"""Settings and facts of a run as JSON values, the same in every store.

What was stored by another version, or damaged, gives what can be read: a missing or odd value is as if it had
never been told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, fields

from orchestrator.allotment import Counted
from orchestrator.courtesy import Courtesy
from orchestrator.model import Json, JsonObject
from orchestrator.outbox import CHANNEL, Channel, On
from orchestrator.records import BudgetSeen, Planned, Requests, RunFacts, RunSettings, SilentAgent


def dump_settings(settings: RunSettings) -> JsonObject:
    """As JSON values."""
    notify: list[Json] = [{"to": one.to, "on": one.on.value} for one in settings.notify]
    courtesy: JsonObject = {**asdict(settings.courtesy), "allow": list(settings.courtesy.allow)}
    found = {**asdict(settings), "sets": dict(settings.sets), "notify": notify, "courtesy": courtesy}
    if settings.question is None:
        del found["question"]
    return found


def load_settings(data: Mapping[str, Json]) -> RunSettings:
    """What :func:`dump_settings` gave."""
    known = RunSettings()
    sets, keep = data.get("sets"), data.get("keep")
    return RunSettings(
        deadline=_number(data.get("deadline"), known.deadline),
        reserve=_number(data.get("reserve"), known.reserve),
        in_order=data.get("in_order") is True,
        urgent=data.get("urgent") is True,
        simulated=data.get("simulated") is True,
        boxed=data.get("boxed") is True,
        allow_missing=_number(data.get("allow_missing"), known.allow_missing),
        sets={name: str(value) for name, value in sets.items()} if isinstance(sets, dict) else {},
        partial=data.get("partial") is True,
        confirms=data.get("confirms") is True,
        keep=keep if isinstance(keep, int) and keep > 0 else None,
        notify=_channels(data.get("notify")),
        courtesy=_courtesy(_object(data.get("courtesy"))),
        question=_object(data.get("question")) or None,
    )


def _courtesy(data: Mapping[str, Json]) -> Courtesy:
    per_host, per_agent, allow = data.get("per_host"), data.get("per_agent"), data.get("allow")
    return Courtesy(
        per_host=_count(per_host) or None,
        per_agent=_count(per_agent) or None,
        spacing=_number(data.get("spacing"), 0.0),
        allow=tuple(str(one) for one in allow) if isinstance(allow, list) else (),
    )


def _channels(data: Json) -> tuple[Channel, ...]:
    told = [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []
    return tuple(
        Channel(name, On(when))
        for one in told
        if isinstance(name := one.get("to"), str) and CHANNEL.fullmatch(name)
        if isinstance(when := one.get("on"), str) and when in [*On]
    )


def dump_facts(facts: RunFacts) -> JsonObject:
    """As JSON values; what was never told is left out."""
    budgets: JsonObject = {
        name: dict(asdict(seen)) for name, seen in facts.budgets.items() if seen is not None
    }
    found: JsonObject = {
        "requests": dict(asdict(facts.requests)),
        "budgets": budgets,
        "waits": dict(facts.waits),
        "units": {"estimated": facts.units},
    }
    if facts.planned is not None:
        found["planned"] = dict(asdict(facts.planned))
    if facts.stopped is not None:
        found["stopped"] = facts.stopped
    if facts.seconds is not None:
        found["seconds"] = facts.seconds
    if facts.headline is not None:
        found["headline"] = facts.headline
    if facts.counted is not None:
        found["units"] = {"estimated": facts.units, "counted": dict(asdict(facts.counted))}
    if facts.silent_agents:
        found["silent_agents"] = [dict(asdict(one)) for one in facts.silent_agents]
    return found


def load_facts(data: Mapping[str, Json]) -> RunFacts:
    """What :func:`dump_facts` gave."""
    planned, requests = _object(data.get("planned")), _object(data.get("requests"))
    budgets, stopped = _object(data.get("budgets")), data.get("stopped")
    headline = data.get("headline")
    waits = {name: _number(seconds, 0.0) for name, seconds in _object(data.get("waits")).items()}
    return RunFacts(
        planned=Planned(_count(planned.get("tests")), _count(planned.get("cells"))) if planned else None,
        units=_number(_object(data.get("units")).get("estimated"), 0.0),
        requests=Requests(**{one.name: _count(requests.get(one.name)) for one in fields(Requests)}),
        organization=_budget(budgets.get("organization")),
        instant_test=_budget(budgets.get("instant_test")),
        waits=waits,
        stopped=stopped if isinstance(stopped, str) else None,
        seconds=_maybe(data.get("seconds")),
        headline=headline if isinstance(headline, str) else None,
        silent_agents=_silent(data.get("silent_agents")),
        counted=_counted(_object(data.get("units")).get("counted")),
    )


def _counted(data: Json) -> Counted | None:
    told = _object(data)
    return Counted(_number(told.get("units"), 0.0), _count(told.get("tests"))) if told else None


def _silent(data: Json) -> tuple[SilentAgent, ...]:
    told = [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []
    return tuple(
        SilentAgent(str(one.get("agent_id")), str(one.get("agent")), _count(one.get("tests"))) for one in told
    )


def _budget(data: Json) -> BudgetSeen | None:
    told = _object(data)
    if not told:
        return None
    limit, remaining = _maybe(told.get("limit")), _maybe(told.get("remaining"))
    return BudgetSeen(
        limit=None if limit is None else int(limit),
        remaining=None if remaining is None else int(remaining),
        reset=_maybe(told.get("reset")),
        others=_maybe(told.get("others")),
    )


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _maybe(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _number(value: Json, default: float) -> float:
    found = _maybe(value)
    return default if found is None else found


def _count(value: Json) -> int:
    return int(_number(value, 0.0))
