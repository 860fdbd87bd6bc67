"""Random worlds with planted culprits, and what the engine makes of them: precision and recall.

The truth is what was planted here. A claim is right if it names a planted group, or one that covers the same
cells as far as the world can tell (``same``); it is exact if the first name is the planted one.
"""

from __future__ import annotations

import random
from collections import Counter
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
    """A world and what was planted in it; ``whole`` are its cells before hops of ``cells`` were hidden."""

    cells: tuple[Seen, ...]
    planted: tuple[Planted, ...]
    whole: tuple[Seen, ...] = ()


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of some worlds.

    ``right`` claims name a planted group, or one that covers the same cells; ``fair`` are those, and claims
    that say themselves that they cannot be told from a planted group. ``firsts`` are worlds with a claim,
    ``exact`` those whose first one is right. ``found`` of ``culprits`` were named, also by the least number
    of bad cells that they left. ``sure`` has right, fair and all claims by their word.
    """

    claims: int
    right: int
    fair: int
    firsts: int
    exact: int
    culprits: int
    found: int
    by_size: Mapping[int, tuple[int, int]]
    sure: Mapping[str, tuple[int, int, int]]
    worlds: int = 0
    claiming: int = 0
    blind_hops: int = 0

    @property
    def precision(self) -> float:
        return self.right / max(1, self.claims)

    @property
    def fairness(self) -> float:
        return self.fair / max(1, self.claims)

    @property
    def exactness(self) -> float:
        return self.exact / max(1, self.firsts)

    @property
    def recall(self) -> float:
        return self.found / max(1, self.culprits)

    def recall_of(self, size: int) -> float:
        """Recall of culprits that left so many bad cells and more."""
        found, number = self.by_size[size]
        return found / max(1, number)

    @property
    def recall_six(self) -> float:
        return self.recall_of(6)

    @property
    def large(self) -> int:
        return self.by_size[6][1]


def world(
    lot: random.Random, culprits: int, kinds: Sequence[str] = KINDS, hide: float = 0.0, good_hops: bool = True
) -> Made:
    """6 to 40 agents, 2 to 20 targets, one or two blocks; flakes to 3 %, missing cells to 20 %.

    Of a share ``hide`` of the cells the hops are not known, nor, without ``good_hops``, of those that pass.
    """
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
    made = _broken(lot, cells, chosen, flakes)
    if not hide and good_hops:
        return made
    shown = (
        _without_path(one) if lot.random() < hide or not (good_hops or one.phase) else one
        for one in made.cells
    )
    return replace(made, cells=tuple(shown), whole=made.cells)


def _without_path(seen: Seen) -> Seen:
    groups = tuple(group for group in seen.groups if group.kind != "hop")
    return seen._replace(groups=groups, hops_known=False, hops_now=False)


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
    return seen._replace(groups=(*seen.groups, *more), hops_known=True, hops_now=True)


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
        made.append(one._replace(phase=phase, verdict=Verdict.FAIL) if phase is not None else one)
    return Made(tuple(made), tuple(replace(by, bad=n) for by, n in zip(chosen, left, strict=True)))


def names_of(cause: Cause) -> tuple[Group, ...]:
    """Everything that a cause says it may be."""
    return (cause.group, *cause.same)


def alike(world: World, group: Group, cause: Cause) -> bool:
    """Whether a planted group covers, of the cells that the cause knows, just those that it names."""
    of_cause = world.masks.get(cause.group, 0)
    return group in names_of(cause) or (world.masks.get(group, -1) == of_cause)


def measured(
    worlds: int,
    culprits: int,
    seed: int = 0,
    kinds: Sequence[str] = KINDS,
    hide: float = 0.0,
    good_hops: bool = True,
) -> Figures:
    """What the engine found in so many worlds."""
    lot = random.Random(seed)
    told: Counter[str] = Counter()
    sizes: dict[int, list[int]] = {size: [0, 0] for size in (2, 3, 6)}
    sure: dict[str, list[int]] = {word: [0, 0, 0] for word in ("clear", "likely", "possible")}
    for _ in range(worlds):
        made = world(lot, culprits, kinds, hide, good_hops)
        seen = World.of(made.cells)
        causes = blame(seen).causes
        truth = World.of(made.whole or made.cells)
        told["claiming"] += bool(causes)
        for number, cause in enumerate(causes):
            hit = any(alike(truth, by.group, cause) for by in made.planted)
            fair = hit or any(near.group == by.group for near in cause.near for by in made.planted)
            told.update(claims=1, right=hit, fair=fair, blind=_blind(seen, cause))
            told.update(firsts=not number, exact=hit and not number)
            sure[cause.sure] = [a + b for a, b in zip(sure[cause.sure], (hit, fair, 1), strict=True)]
        for by in _that_left_bad(made.planted):
            named = any(alike(truth, by.group, cause) for cause in causes)
            for size, counted in sizes.items():
                if by.bad >= size:
                    counted[0], counted[1] = counted[0] + named, counted[1] + 1
    return Figures(
        told["claims"],
        told["right"],
        told["fair"],
        told["firsts"],
        told["exact"],
        culprits=sizes[2][1],
        found=sizes[2][0],
        by_size={size: (found, number) for size, (found, number) in sizes.items()},
        sure={word: (right, fair, every) for word, (right, fair, every) in sure.items()},
        worlds=worlds,
        claiming=told["claiming"],
        blind_hops=told["blind"],
    )


def _blind(seen: World, cause: Cause) -> bool:
    """Whether a hop is named though of no cell that got past its level the hops are known."""
    level = max(phase.level for phase in cause.phases)
    past = (one for one in seen.cells if one.phase is None or one.phase.level > level)
    return cause.group.kind == "hop" and not any(one.hops_known for one in past)


def _that_left_bad(planted: Sequence[Planted]) -> Iterator[Planted]:
    """A culprit that left less than two bad cells cannot be told from a flake by anybody."""
    return (one for one in planted if one.bad >= 2)


def big(lot: random.Random, size: int) -> tuple[Seen, ...]:
    """A world of so many cells: a hundred agents, their hops, and a dead target, site and router."""
    agents = [_agent(lot, number) for number in range(100)]
    cells = tuple(
        _with_path(cell(agent, f"t{n}"), agent, f"t{n}")
        for n in range(max(1, size // 100))
        for agent in agents
    )
    chosen = [Planted(Group(kind, value), Phase.CONNECT, 1.0) for kind, value in (
        ("target", ("web", "t1")), ("agent", ("a07",)), ("hop", ("transit 3",)),
    )]  # fmt: skip
    return _broken(lot, cells, chosen, 0.01).cells
