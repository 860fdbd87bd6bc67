"""What a plan says of settings, each with its place."""

from __future__ import annotations

from orchestrator.plan.model import Plan
from orchestrator.plan.problems import Problems
from orchestrator.plan.source import Entries, read_yaml
from orchestrator.settings import AID, NOTIFY, Written

_KEYS = {AID.key: "account_group", NOTIFY.key: "notify"}


def said_by_plan(plan: Plan) -> dict[str, Written]:
    """The settings that a plan has, by key."""
    root = read_yaml(plan.source_text, plan.file, Problems())
    places = root.keys if isinstance(root, Entries) else {}
    values = {AID.key: plan.account_group, NOTIFY.key: tuple(one.to for one in plan.notify)}
    return {
        key: Written(value, plan.file, places[_KEYS[key]].line, places[_KEYS[key]].column)
        for key, value in values.items()
        if value and _KEYS[key] in places
    }
