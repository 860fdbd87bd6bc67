"""Scheduled tests of version 7, made of instant ones: the same fields, an interval, whether to alert.

Every field of an instant test is one of its scheduled twin, in all twelve types (api-facts 1.1; the vendor's
models of both, which the tests read).
"""

from __future__ import annotations

from orchestrator.model import JsonObject, Spec
from orchestrator.testtypes import TEST_TYPES
from orchestrator.testtypes.layers import HTTP
from orchestrator.thousandeyes.common import quoted, with_aid
from orchestrator.thousandeyes.protocol import Request
from orchestrator.thousandeyes.v7 import body_of

# Seconds between two rounds, as the vendor lists them.
INTERVALS = (60, 120, 300, 600, 900, 1800, 3600)


def scheduled_body(spec: Spec, name: str, interval: int, *, alerts: bool, enabled: bool) -> JsonObject:
    """What the API is sent to create the scheduled test. ``interval`` is one of :data:`INTERVALS`."""
    # A type that runs HTTP below itself has an interval of its own for that.
    runs_http = HTTP.name in TEST_TYPES[spec.type].layers[1:]
    below: JsonObject = {"httpInterval": interval} if runs_http else {}
    terms: JsonObject = {"interval": interval, "alertsEnabled": alerts, "enabled": enabled}
    return {**terms, **below, **body_of(spec, name)}


def create_scheduled(type_name: str, body: JsonObject, aid: str | None) -> Request:
    """Create it. Counted by the organization's limit only."""
    return Request("POST", f"/v7/tests/{quoted(type_name)}", with_aid(aid), body)
