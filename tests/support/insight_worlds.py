"""Worlds of cells for the engine's tests: 18 agents in nine countries, targets t1 to tN, and what is bad."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from orchestrator.insight.groups import EVERYTHING
from orchestrator.insight.levels import Blame, Cause, World, blame
from orchestrator.insight.values import CellKey, Group, Phase, Seen
from orchestrator.model import Agent, AgentType, Verdict

_CLOUD, _ENTERPRISE = AgentType.CLOUD, AgentType.ENTERPRISE
_FLEET: Mapping[str, tuple[AgentType, ...]] = {
    "US": (_CLOUD, _CLOUD, _ENTERPRISE, _ENTERPRISE),
    "FR": (_CLOUD, _ENTERPRISE, _ENTERPRISE),
    "GB": (_CLOUD, _ENTERPRISE, _ENTERPRISE),
    "DE": (_CLOUD, _ENTERPRISE),
    "JP": (_CLOUD, _ENTERPRISE),
    "NO": (_ENTERPRISE,),
    "BR": (_ENTERPRISE,),
    "SG": (_ENTERPRISE,),
    "AU": (_CLOUD,),
}


def fleet() -> tuple[Agent, ...]:
    """Ids a01 to a18, by country; that of Norway is branch-09-oslo."""
    agents: list[Agent] = []
    for country, kinds in _FLEET.items():
        for kind in kinds:
            number = len(agents) + 1
            name = "branch-09-oslo" if country == "NO" else f"agent {number:02}"
            agents.append(Agent(f"a{number:02}", name, kind, country))
    return tuple(agents)


FLEET = fleet()
OSLO = next(agent.id for agent in FLEET if agent.country == "NO")

# How a cell broke, or nothing: of an agent and the name of a target.
Breaks = Callable[[Agent, str], Phase | None]


def cell(
    agent: Agent,
    target: str,
    phase: Phase | None = None,
    *,
    verdict: Verdict = Verdict.FAIL,
    test: str = "web",
    more: Iterable[Group] = (),
) -> Seen:
    """A cell as the engine takes it; it passes unless it broke in a phase."""
    pair = (test, target)
    groups = [
        EVERYTHING,
        Group("target", pair),
        Group("agent", (agent.id,)),
        Group("block", (test,)),
        Group("host", (target,)),
        Group("agent-type", (agent.type.value,)),
        Group("agent-type*target", (agent.type.value, *pair)),
    ]
    if agent.country:
        groups += [
            Group("country", (agent.country,)),
            Group("country*target", (agent.country, *pair)),
        ]
    return Seen(
        key=CellKey(test, target, agent.id),
        verdict=Verdict.PASS if phase is None else verdict,
        phase=phase,
        groups=(*groups, *more),
        country=agent.country,
    )


def cells(breaks: Breaks, *, targets: int = 8, agents: Sequence[Agent] = FLEET) -> list[Seen]:
    """Every agent to every target."""
    names = [f"t{number}" for number in range(1, targets + 1)]
    return [cell(agent, name, breaks(agent, name)) for name in names for agent in agents]


def found(seen: Iterable[Seen]) -> Blame:
    """What the engine makes of them."""
    return blame(World.of(seen))


def counted(cause: Cause) -> tuple[str, tuple[str, ...], int, int]:
    """Kind, value, bad and known cells of a cause."""
    return cause.group.kind, cause.group.value, cause.bad.bit_count(), cause.known.bit_count()


def with_groups(seen: Seen, *groups: Group) -> Seen:
    """The cell with more in common; a path of it is known if a hop is among that."""
    path = any(group.kind == "hop" for group in groups)
    return seen._replace(groups=(*seen.groups, *groups), hops_known=seen.hops_known or path, hops_now=path)
