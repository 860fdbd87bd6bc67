"""Which rows of a poll are answers to what was asked, and what is still missing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.model import Answer, Spec
from orchestrator.testtypes.layers import expected_rows

# In a baseline, beside the agents' ids: the server's second when the newest rounds were read, less a little.
FLOOR = ""


@dataclass(frozen=True, slots=True)
class Harvest:
    """What one page of a layer brought: answers to keep, and how many rows were not for us."""

    kept: tuple[Answer, ...]
    fresh: int
    strangers: int
    stale: int


class Progress:
    """Which agents have answered in which layer of one test.

    A layer is complete when every agent of the spec has all its rows of an accepted round. An instant run's
    round id is the second of its start, and whether all agents of a run share one is unknown, so rounds are
    compared per agent: after a re-run only rounds newer than the agent's baseline count. An agent without a
    baseline of its own is held to the newest round that any agent had, and to :data:`FLOOR`.
    """

    def __init__(self, spec: Spec, baseline: Mapping[str, int] | None = None) -> None:
        self.spec = spec
        self._agents = frozenset(spec.agents)
        self._baseline = dict(baseline or {})
        self._floor = max(self._baseline.values(), default=-1)
        self._seen: dict[str, dict[str, set[str]]] = {layer: {} for layer in spec.layers}

    def accept(self, layer: str, rows: Iterable[Answer]) -> Harvest:
        """Take note of the rows and sort out those of strangers and of earlier rounds."""
        kept: list[Answer] = []
        fresh = strangers = stale = 0
        seen = self._seen.setdefault(layer, {})
        for row in rows:
            if row.agent_id not in self._agents:
                strangers += 1
            elif row.round_id <= self._baseline.get(row.agent_id, self._floor):
                stale += 1
            else:
                kept.append(row)
                places = seen.setdefault(row.agent_id, set())
                place = f"{row.server or ''}\n{row.direction or ''}"
                fresh += place not in places
                places.add(place)
        return Harvest(tuple(kept), fresh, strangers, stale)

    def complete(self, layer: str) -> bool:
        """Whether every agent has all its rows in this layer."""
        return self.answered(layer) == len(self._agents)

    def answered(self, layer: str) -> int:
        """How many agents have all their rows in this layer."""
        need = expected_rows(self.spec, layer)
        return sum(1 for places in self._seen.get(layer, {}).values() if len(places) >= need)

    def missing(self) -> tuple[str, ...]:
        """Layers that are not complete, in the order of the spec."""
        return tuple(layer for layer in self.spec.layers if not self.complete(layer))

    @property
    def anything(self) -> bool:
        """Whether any answer came at all."""
        return any(self._seen[layer] for layer in self.spec.layers)
