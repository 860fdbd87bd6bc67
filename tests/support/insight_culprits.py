"""Random worlds with planted culprits, and what the engine makes of them: precision and recall.

The truth is what was planted here. A claim is right if it names a planted group, or one that covers the same
cells as far as the world can tell (``same``); it is exact if the first name is the planted one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from insight_worlds import cell

from orchestrator.insight.levels import Cause, World, blame
from orchestrator.insight.values import Group, Phase, Seen
from orchestrator.model import Agent, AgentType, Verdict

KINDS = ("target", "agent", "country", "network", "agent-type*target", "country*target", "hop", "block")
_COUNTRIES = ("US", "US", "US", "GB", "DE", "FR", "JP", "NO", "BR", "SG", "AU", "IN")
_PHASES = (Phase.CONNECT, Phase.LOSS, Phase.TLS, Phase.WAIT, Phase.SLOW)


@dataclass(frozen=True, slots=True)
class Planted:
    """A group that breaks a share of what it touches, in one phase; ``bad`` cells were left by it."""

    group: Group
    phase: Phase
    share: float
    bad: int = 0


@dataclass(frozen=True, slots=True)
class Made:
    """A world and what was planted in it."""

    cells: tuple[Seen, ...]
    planted: tuple[Planted, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """``large`` are culprits that left six bad cells and more; ``sure`` has right and all claims by word."""

    claims: int
    right: int
    culprits: int
    found: int
    large: int
    large_found: int
    sure: Mapping[str, tuple[int, int]]

    @property
    def precision(self) -> float:
        return self.right / max(1, self.claims)

    @property
    def recall(self) -> float:
        return self.found / max(1, self.culprits)

    @property
    def recall_six(self) -> float:
        return self.large_found / max(1, self.large)


def world(lot: random.Random, culprits: int, kinds: Sequence[str] = KINDS) -> Made:
    """6 to 40 agents, 2 to 20 targets, one or two blocks; flakes to 3 %, missing cells to 20 %."""
    agents = [_agent(lot, number) for number in range(lot.randint(6, 40))]
    targets = [f"t{n}" for n in range(lot.randint(2, 20))]
    blocks = ["web", "deep"][: lot.randint(1, 2)]
    missing, flakes = lot.uniform(0, 0.2), lot.uniform(0, 0.03)
    cells = [
        _with_path(cell(agent, target, test=block), agent, target)
        for block in blocks
        for target in targets
        for agent in agents
        if lot.random() >= missing
    ]
    chosen = tuple(_planted(lot, cells, kinds) for _ in range(culprits))
    return _broken(lot, cells, chosen, flakes)


def _agent(lot: random.Random, number: int) -> Agent:
    kind = lot.choice([AgentType.CLOUD, AgentType.ENTERPRISE])
    country = lot.choice(_COUNTRIES)
    return Agent(f"a{number:02}", f"agent {number}", kind, country, network=f"AS{lot.randint(1, 6)}")


def _with_path(seen: Seen, agent: Agent, target: str) -> Seen:
    """Access by network, transit by country and target, an edge by target: shared as in life."""
    network = agent.network or ""
    spread = random.Random(f"{agent.country} {target}")
    hops = (f"access {network}", f"transit {spread.randint(1, 5)}", f"edge {target}")
    path = [Group("hop", (one,)) for one in hops]
    more = [Group("network", (network,)), Group("network*target", (network, *seen.key[:2])), *path]
    return replace(seen, groups=(*seen.groups, *more), hops_known=True, hops_now=True)


def _planted(lot: random.Random, cells: Sequence[Seen], kinds: Sequence[str]) -> Planted:
    # The one block there is would be the run itself.
    blocks = len({one.key.test for one in cells})
    kind = lot.choice([one for one in kinds if one != "block" or blocks > 1])
    groups = sorted({group for one in cells for group in one.groups if group.kind == kind})
    path = kind == "hop"
    phases = [phase for phase in _PHASES if not path or phase.level in (2, 5)]
    return Planted(lot.choice(groups), lot.choice(phases), lot.uniform(0.6, 1.0))


def _broken(lot: random.Random, cells: Sequence[Seen], chosen: Sequence[Planted], flakes: float) -> Made:
    left = [0] * len(chosen)
    made = []
    for one in cells:
        hits = [n for n, by in enumerate(chosen) if by.group in one.groups and lot.random() < by.share]
        phases = [chosen[n].phase for n in hits]
        if lot.random() < flakes:
            phases.append(lot.choice(_PHASES))
        phase = min(phases, key=lambda phase: phase.level, default=None)
        for n in hits:
            left[n] += chosen[n].phase is phase
        made.append(replace(one, phase=phase, verdict=Verdict.FAIL) if phase is not None else one)
    return Made(tuple(made), tuple(replace(by, bad=n) for by, n in zip(chosen, left, strict=True)))


def names_of(cause: Cause) -> tuple[Group, ...]:
    """Everything that a cause says it may be."""
    return (cause.group, *cause.same)


def alike(world: World, group: Group, cause: Cause) -> bool:
    """Whether a planted group covers, of the cells that the cause knows, just those that it names."""
    of_cause = world.masks.get(cause.group, 0)
    return group in names_of(cause) or (world.masks.get(group, -1) == of_cause)


def measured(worlds: int, culprits: int, seed: int = 0, kinds: Sequence[str] = KINDS) -> Figures:
    """What the engine found in so many worlds."""
    lot = random.Random(seed)
    claims = right = number = found = large = large_found = 0
    sure: dict[str, list[int]] = {"clear": [0, 0], "likely": [0, 0], "possible": [0, 0]}
    for _ in range(worlds):
        made = world(lot, culprits, kinds)
        seen = World.of(made.cells)
        causes = blame(seen).causes
        for cause in causes:
            hit = any(alike(seen, by.group, cause) for by in made.planted)
            claims, right = claims + 1, right + hit
            sure[cause.sure][0] += hit
            sure[cause.sure][1] += 1
        for by in _that_left_bad(made.planted):
            named = any(alike(seen, by.group, cause) for cause in causes)
            number, found = number + 1, found + named
            large, large_found = large + (by.bad >= 6), large_found + (named and by.bad >= 6)
    return Figures(
        claims,
        right,
        number,
        found,
        large,
        large_found,
        {name: (a, b) for name, (a, b) in sure.items()},
    )


def _that_left_bad(planted: Sequence[Planted]) -> Iterator[Planted]:
    """A culprit that left less than two bad cells cannot be told from a flake by anybody."""
    return (one for one in planted if one.bad >= 2)
