"""The JSON document of a notice: what a web hook is sent. Keys are stable, texts may change."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.insight.document import document as insight_document
from orchestrator.model import Json, JsonObject
from orchestrator.notices.text import Told, text, title
from orchestrator.notices.values import Track
from orchestrator.outbox import Notice
from orchestrator.report.times import utc

SCHEMA = 1
# Of cells that fail alone and of causes so many are sent; the report has all.
MOST = 20


def document(told: Told) -> JsonObject:
    """The notice without its id, which it gets when it is stored."""
    change, run = told.change, told.run
    return {
        "event": told.event.value,
        "plan": told.mask(told.plan),
        "run": None if run is None else run.id,
        "simulated": run is not None and run.simulated,
        "exit_code": told.seen.code,
        "at": utc(told.seen.at),
        "state_since": utc(told.begun),
        "title": title(told),
        "text": text(told),
        "new": _tracks(told, (*change.new, *change.stayed)),
        "over": _tracks(told, change.over),
        "still": _tracks(told, change.still),
        "flapping": _tracks(told, (one for one in change.after.tracks if one.flapping)),
        "insight": _insight(told),
    }


def delivered(notice: Notice) -> JsonObject:
    """What is sent: with the id, and which try this is (``doubtful``: an earlier one may have arrived)."""
    return {
        "schema": SCHEMA,
        "id": notice.id,
        **notice.draft.document,
        "attempt": notice.tries,
        "doubtful": notice.doubtful,
    }


def _tracks(told: Told, tracks: Iterable[Track]) -> list[Json]:
    return [
        {
            "kind": one.key.kind,
            "value": _value(told, one.key.value),
            "level": one.key.level or None,
            "label": told.mask(one.label),
            "since": utc(one.since),
        }
        for one in [*tracks][:MOST]
    ]


def _value(told: Told, parts: tuple[str, ...]) -> Json:
    masked: list[Json] = [told.mask(one) for one in parts]
    return masked[0] if len(masked) == 1 else masked


def _insight(told: Told) -> JsonObject | None:
    if told.insight is None:
        return None
    whole: JsonObject = dict(insight_document(told.insight, told.mask))  # type: ignore[arg-type] # JSON values
    for key in ("explanations", "silences"):
        listed = whole[key]
        whole[key] = listed[:MOST] if isinstance(listed, list) else listed
    isolated = whole["isolated"]
    if isinstance(isolated, dict) and isinstance(isolated["cells"], list):
        whole["isolated"] = {**isolated, "cells": isolated["cells"][:MOST]}
    return whole
