"""A request to a hook, from its proof to what is begun for it: one decision, in the order that tells
strangers least."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.alerts.allowance import Past, decided
from orchestrator.alerts.allowed import is_allowed
from orchestrator.alerts.proof import refusal
from orchestrator.alerts.reading import Unreadable, alerts
from orchestrator.alerts.values import Hook, Received, Verdict

MOST_BYTES = 256 * 1024


def taken(hook: Hook, secrets: Sequence[bytes], received: Received, past: Past, now: float) -> Verdict:
    """What is answered, and what is begun."""
    if len(received.body) > MOST_BYTES:
        return Verdict(413, f"a body of more than {MOST_BYTES} bytes")
    why = refusal(hook.proof, secrets, received)
    if why is not None:
        return Verdict(403, why)
    try:
        found = alerts(hook.finding, received.body)
    except Unreadable as problem:
        return Verdict(400, str(problem))
    if not found:
        return Verdict(200, "nothing that goes off")
    allowed = [one for one in found if is_allowed(one.target, hook.allow)]
    if not allowed:
        return Verdict(422, f"not allowed: {', '.join(one.target for one in found)[:200]}")
    return decided(hook, allowed, past, now)
