"""Which rows of a poll are answers to what was asked, and what is still missing. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from orchestrator.model import Answer, Spec
from orchestrator.testtypes.expected import expected

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

    A layer is complete when every agent of the spec has all rows of an accepted round that it can give. Where
    their number is not known, and every agent has a row, the quiet time decides when the layer is read
    (:mod:`orchestrator.schedule.quiet`); rows that tell what they are about tell also what is missing.

    An instant run's round id is the second of its start, and whether all agents of a run share one is
    unknown, so rounds are compared per agent: after a re-run only rounds newer than the agent's baseline
    count. An agent without a baseline of its own is held to the newest round that any agent had, and to
    :data:`FLOOR`.
    """

    def __init__(self, spec: Spec, baseline: Mapping[str, int] | None = None) -> None:
        self.spec = spec
        self._agents = frozenset(spec.agents)
        self._baseline = dict(baseline or {})
        self._floor = max(self._baseline.values(), default=-1)
        self._expected = {layer: expected(spec, layer) for layer in spec.layers}
        self._seen: dict[str, dict[str, set[str]]] = {layer: {} for layer in spec.layers}

    def accept(self, layer: str, rows: Iterable[Answer]) -> Harvest:
        """Take note of the rows and sort out those of strangers and of earlier rounds."""
        kept: list[Answer] = []
        fresh = strangers = stale = 0
        seen, wanted = self._seen[layer], self._expected[layer]
        for row in rows:
            if row.agent_id not in self._agents:
                strangers += 1
            elif row.round_id <= self._baseline.get(row.agent_id, self._floor):
                stale += 1
            else:
                kept.append(row)
                places = seen.setdefault(row.agent_id, set())
                about = wanted.about(row)
                fresh += about not in places
                places.add(about)
        return Harvest(tuple(kept), fresh, strangers, stale)

    def complete(self, layer: str, but: Collection[str] = ()) -> bool:
        """Whether every agent has all rows that it can give in this layer.

        ``but`` are agents that are not waited for; there must be others.
        """
        there = self._expected[layer].all_there
        if not but:
            return self._all(layer, there)
        others, seen = self._agents.difference(but), self._seen[layer]
        return bool(others) and all(agent in seen and there(seen[agent]) for agent in others)

    def quiet(self) -> frozenset[str]:
        """Agents that have given no row at all, in any layer."""
        return self._agents.difference(*self._seen.values())

    def everyone(self, layer: str) -> bool:
        """Whether every agent has the rows that are certain to come in this layer; more may come."""
        wanted = self._expected[layer]
        return self._all(layer, wanted.enough)

    def _all(self, layer: str, there: Callable[[set[str]], bool]) -> bool:
        seen = self._seen[layer]
        return len(seen) == len(self._agents) and all(map(there, seen.values()))

    def answered(self, layer: str) -> int:
        """How many agents lack no row in this layer, as far as it is known."""
        lacks = self._expected[layer].lacks
        return sum(not lacks(told) for told in self._seen[layer].values())

    def missing(self) -> tuple[str, ...]:
        """Layers in which an agent lacks a row, in the order of the spec."""
        return tuple(layer for layer in self.spec.layers if self.answered(layer) < len(self._agents))

    def absent(self, layer: str) -> tuple[str, ...]:
        """Servers or directions of which an agent that answered lacks a row, in the order of the plan."""
        wanted = self._expected[layer]
        found = {name for told in self._seen[layer].values() for name in wanted.missing(told)}
        return tuple(name for name in dict.fromkeys(wanted.names) if name in found)

    @property
    def anything(self) -> bool:
        """Whether any answer came at all."""
        return any(self._seen[layer] for layer in self.spec.layers)
