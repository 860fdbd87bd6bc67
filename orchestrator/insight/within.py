"""Which part of a slow cell holds what is too much; whether a cause is of the network or the application.

The reference of a target is how other targets answer the same agents, that of everything else how other
agents see the same targets. Parts that grow with distance are the network's if the round trip grew too.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.insight.facts import CLEAN_LOSS, Facts, median
from orchestrator.insight.values import Phase, Seen
from orchestrator.model import Verdict
from orchestrator.testtypes.layers import LAYERS

# Parts that add up to the whole, by layer, each with its word.
_PARTS = {layer.name: layer.parts for layer in LAYERS.values() if layer.parts}
_WITH_DISTANCE = frozenset({"connectTime", "sslTime"})
_MOST = 0.6  # the share of what is too much that names a part
_GREW = 1.2
_TARGETS = frozenset({"target", "host", "server-ip", "block"})


def level_word(facts: Facts) -> str:
    """dns, network, application, both, or slow. What is only slow is never the network's for that alone."""
    levels = {phase.level for phase in facts.cause.phases}
    application = bool(levels & {3, 4})
    losses = facts.losses()
    lossy = bool(losses) and median(losses) > CLEAN_LOSS
    if application:
        return "both" if 2 in levels or lossy else "application"
    if 2 in levels:
        return "network"
    return "dns" if 1 in levels else "slow"


def excess_of(facts: Facts) -> str | None:
    """Where most of what is too much is, in words; ``None`` where nothing can be compared."""
    covered = [cell for cell in facts.bad_cells if cell.phase is Phase.SLOW]
    reference = _reference(facts, covered)
    for layer, parts in _PARTS.items():
        excess = {}
        for name in parts:
            now, usual = _medians(covered, reference, f"{layer}.{name}")
            if now is not None and usual is not None:
                excess[name] = max(0.0, now - usual)
        whole = sum(excess.values())
        if whole > 0:
            name = max(excess, key=lambda one: (excess[one], one))
            if excess[name] < _MOST * whole:
                return "in several phases"
            named = "network" if name in _WITH_DISTANCE and _farther(covered, reference) else parts[name]
            return f"most of it {named}"
    return None


def _reference(facts: Facts, covered: Iterable[Seen]) -> list[Seen]:
    """Passing cells of the same agents to other targets for a target, else of the same targets."""
    by_agent = facts.cause.group.kind in _TARGETS
    wanted = {_side(cell, by_agent) for cell in covered}
    passing = (cell for cell in facts.outside if cell.verdict is Verdict.PASS)
    return [cell for cell in passing if _side(cell, by_agent) in wanted]


def _side(cell: Seen, by_agent: bool) -> tuple[str, ...]:
    return (cell.key.agent_id,) if by_agent else cell.key[:2]


def _medians(
    covered: Iterable[Seen], reference: Iterable[Seen], metric: str
) -> tuple[float | None, float | None]:
    now = [cell.metrics[metric] for cell in covered if metric in cell.metrics]
    usual = [cell.metrics[metric] for cell in reference if metric in cell.metrics]
    return (median(now) if now else None), (median(usual) if usual else None)


def _farther(covered: Iterable[Seen], reference: Iterable[Seen]) -> bool:
    now, usual = _medians(covered, reference, "network.avgLatency")
    return now is not None and usual is not None and now >= _GREW * usual
