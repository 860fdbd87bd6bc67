"""Which agents a selector means, and why some that it means are left out. Pure.

An agent that is known to be offline or disabled costs units and never answers, so it is left out unless the
selector asks for that state; it is then reported as not run, with the reason. Samples are drawn among the
agents that can be used, by a hash of seed and id: the same seed gives the same agents, whatever the order
of the listing, and a new agent in the listing changes the sample by itself only.
"""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.model import Agent, AgentState, AgentType
from orchestrator.near import folded, near
from orchestrator.plan.problems import Place

_SAMPLED_BY: Mapping[str, Callable[[Agent], str]] = {
    "country": lambda agent: agent.country or "",
    "location": lambda agent: agent.location or "",
    "": lambda _agent: "",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """``count`` agents of each country or location (``per``), or of all (``per`` empty)."""

    count: int
    per: str = ""
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Selector:
    """What agents are wanted. Keys that are given must all match; within a key any value may.

    Names, locations and labels are patterns (``*``, ``?``, ``[..]``), blind to case. Without ``states``
    agents that are offline or disabled are left out; with ``states`` only those states match, and an agent
    whose state the API does not tell (cloud agents) counts as online. ``listed`` has ids or whole names, each
    of which must be there; ``places`` says where each is written, and ``called`` has the names that are
    written beside ids, each with its place.
    """

    types: tuple[AgentType, ...] = ()
    names: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    states: tuple[AgentState, ...] = ()
    ids: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    exclude: tuple[Selector, ...] = ()
    sample: Sample | None = None
    places: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)
    called: Mapping[str, tuple[str, Place]] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a selector came to. ``missing`` has the ids and listed names that the listing does not know,
    ``nowhere`` the countries in which no agent is."""

    agents: tuple[Agent, ...]
    left_out: tuple[tuple[Agent, str], ...] = ()
    missing: tuple[str, ...] = ()
    nowhere: tuple[str, ...] = ()


def select(selector: Selector, agents: Iterable[Agent], seed: int = 0) -> Selection:
    """The agents that ``selector`` means, in the order of ids. ``seed`` is for a sample that has none."""
    matching = _Matching(selector)
    known = sorted({agent.id: agent for agent in agents}.values(), key=by_id)
    matched = [agent for agent in known if matching(agent)]
    reasons = {agent.id: reason_left_out(agent, selector.states) for agent in matched}
    usable = [agent for agent in matched if reasons[agent.id] is None]
    unusable = [agent for agent in matched if reasons[agent.id] is not None]
    if selector.sample is not None:
        usable, unusable = _sampled(selector.sample, usable, unusable, seed)
    ids = {agent.id for agent in known}
    names = {folded(agent.name) for agent in known} if selector.listed else set()
    countries = {(agent.country or "").upper() for agent in known} if selector.countries else set()
    return Selection(
        agents=tuple(usable),
        left_out=tuple((agent, reasons[agent.id] or "") for agent in unusable),
        missing=(
            *(one for one in selector.ids if one not in ids),
            *(one for one in selector.listed if one not in ids and folded(one) not in names),
        ),
        nowhere=tuple(one for one in selector.countries if one not in countries),
    )


def reason_left_out(agent: Agent, states: Sequence[AgentState] = ()) -> str | None:
    """Why an agent cannot be used as a source, or ``None`` if it can."""
    if agent.target_only:
        return "the agent can only be a target"
    if states:
        return None
    if agent.state is AgentState.OFFLINE:
        return "the agent is offline"
    if agent.state is AgentState.DISABLED:
        return "the agent is disabled"
    return None


def by_id(agent: Agent) -> tuple[int, int, str]:
    """A sort key: ids that are numbers in the order of the numbers, then the others."""
    return (0, int(agent.id), "") if agent.id.isdecimal() and len(agent.id) < 40 else (1, 0, agent.id)


def uses_labels(selector: Selector) -> bool:
    """Whether the selector needs the agents' labels, which the API lists apart from the agents."""
    return bool(selector.labels) or any(uses_labels(one) for one in selector.exclude)


def explain_nothing(selector: Selector, agents: Sequence[Agent]) -> str:
    """Why a selector matches no agent: how far each of its keys goes by itself, and what came near."""
    if not agents:
        return "the account group has no agents"
    parts = []
    for key, values, test in _Matching(selector).parts:
        count = sum(1 for agent in agents if test(agent))
        wanted = ", ".join(values[:3]) + (", ..." if len(values) > 3 else "")
        parts.append(f"{key} {wanted} matches {count}")
    if not parts:
        return f"of {len(agents)} agents all are excluded"
    near = _near(selector, agents)
    excluded = (
        "; the exclusions take the rest" if selector.exclude and _without_exclusions(selector, agents) else ""
    )
    return f"of {len(agents)} agents {', '.join(parts)}{excluded}{near}"


def _without_exclusions(selector: Selector, agents: Sequence[Agent]) -> bool:
    parts = _Matching(selector).parts
    return any(all(test(agent) for _, _, test in parts) for agent in agents)


def _near(selector: Selector, agents: Sequence[Agent]) -> str:
    """The nearest name, country or label for a key that matches nothing by itself."""
    offers: tuple[tuple[tuple[str, ...], set[str]], ...] = (
        (selector.names, {agent.name for agent in agents}),
        (selector.locations, {agent.location for agent in agents if agent.location}),
        (selector.labels, {label for agent in agents for label in agent.labels}),
        (selector.ids, {agent.id for agent in agents}),
    )
    for wanted, known in offers:
        for pattern in wanted:
            if any(_glob(pattern, one) for one in known):
                continue
            found = near(pattern.strip("*"), sorted(known), at_least=0.5)
            if found is not None:
                return f"; nearest to '{pattern}' is '{found}'"
    return ""


Test = Callable[[Agent], bool]


class _Matching:
    """A selector as one test per key, compiled once for many agents."""

    def __init__(self, selector: Selector) -> None:
        self._exclude = tuple(_Matching(one) for one in selector.exclude)
        listed = frozenset(folded(one) for one in selector.listed)
        offers: tuple[tuple[str, Sequence[str], Test], ...] = (
            ("type", selector.types, lambda agent: agent.type in selector.types),
            ("name", selector.names, _globs(selector.names, lambda agent: (agent.name,))),
            (
                "country",
                selector.countries,
                lambda agent: (agent.country or "").upper() in selector.countries,
            ),
            (
                "location",
                selector.locations,
                _globs(selector.locations, lambda agent: (agent.location or "",)),
            ),
            ("label", selector.labels, _globs(selector.labels, lambda agent: agent.labels)),
            ("state", selector.states, lambda agent: _state(agent) in selector.states),
            ("id", selector.ids, lambda agent: agent.id in selector.ids),
            ("agent", selector.listed, lambda agent: agent.id in listed or folded(agent.name) in listed),
        )
        self.parts = tuple(part for part in offers if part[1])

    def __call__(self, agent: Agent) -> bool:
        if not all(test(agent) for _, _, test in self.parts):
            return False
        return not any(one(agent) for one in self._exclude)


def _state(agent: Agent) -> AgentState:
    return AgentState.ONLINE if agent.state is AgentState.UNKNOWN else agent.state


def _globs(patterns: Sequence[str], texts: Callable[[Agent], Sequence[str]]) -> Test:
    wanted = tuple(folded(pattern) for pattern in patterns)

    def test(agent: Agent) -> bool:
        return any(fnmatch.fnmatchcase(folded(text), pattern) for text in texts(agent) for pattern in wanted)

    return test


def _glob(pattern: str, text: str) -> bool:
    return fnmatch.fnmatchcase(folded(text), folded(pattern))


def _sampled(
    sample: Sample, usable: Sequence[Agent], unusable: Sequence[Agent], seed: int
) -> tuple[list[Agent], list[Agent]]:
    """The sample, and the unusable agents of groups that could not give as many as were wanted.

    Where a group gives its full count, an offline agent in it was not planned for and is not reported.
    """
    group_of = _SAMPLED_BY[sample.per]
    used_seed = seed if sample.seed is None else sample.seed
    groups: dict[str, list[Agent]] = {}
    for agent in usable:
        groups.setdefault(group_of(agent), []).append(agent)
    chosen = {
        agent.id
        for members in groups.values()
        for agent in sorted(members, key=lambda one: _rank(used_seed, one))[: sample.count]
    }
    short = [agent for agent in unusable if len(groups.get(group_of(agent), ())) < sample.count]
    return [agent for agent in usable if agent.id in chosen], short


def _rank(seed: int, agent: Agent) -> str:
    return hashlib.sha256(f"{seed}:{agent.id}".encode("utf-8", "surrogatepass")).hexdigest()
