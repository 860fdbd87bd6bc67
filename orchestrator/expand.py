"""From a plan and the agents that are there to specs: what will be created, and what is left out. Pure.

All cells that differ in the agent only are one spec, because creations are the scarce call; a block's
``agents_per_test`` splits it again. The same plan over the same agents gives the same specs with the same
keys, whatever the order of the listing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.model import Agent, AgentType, Json, NotRun, Spec, Target
from orchestrator.near import folded
from orchestrator.plan.fields import merged
from orchestrator.plan.model import AgentsRef, Plan, TestBlock
from orchestrator.plan.problems import Place, Problems, nearest, quoted
from orchestrator.plan.selectors import Selection, Selector, by_id, explain_nothing, select, uses_labels
from orchestrator.plan.targets import completed
from orchestrator.testtypes import TEST_TYPES
from orchestrator.testtypes.lasting import must_be_over
from orchestrator.testtypes.layers import rows_for_each

_KEY_LENGTH = 12  # hex digits


@dataclass(frozen=True, slots=True)
class Expansion:
    """What will be created, in the order of the plan, and the cells that are left out, with reasons.

    ``notes`` say what of a selector matches nothing, where the rest of it matches something.
    """

    specs: tuple[Spec, ...]
    not_run: tuple[NotRun, ...]
    notes: tuple[str, ...] = ()

    @property
    def cells(self) -> int:
        """Cells that will be tested; those left out are not among them."""
        return sum(len(spec.agents) for spec in self.specs)


def needs_labels(plan: Plan) -> bool:
    """Whether any selector that the plan's tests use needs the agents' labels."""
    return any(uses_labels(ref.selector) for test in plan.tests for ref in test.agents)


def expand(plan: Plan, agents: Sequence[Agent], *, seed: int = 0) -> Expansion:
    """Resolve selectors and target agents, and pack the cells into specs.

    ``seed`` draws the samples of selectors that name none. Raises :class:`orchestrator.errors.PlanInvalid`
    for selectors, ids and names of agents that match nothing, each with its place in the plan.
    """
    problems = Problems()
    world = _World(agents, seed, problems)
    resolved = [(block, world.sources(block)) for block in plan.tests]
    blocks = [(block, sources, world.targets(block)) for block, sources in resolved]
    problems.raise_if_any()
    specs: list[Spec] = []
    not_run: list[NotRun] = []
    keys: set[str] = set()
    for block, sources, targets in blocks:
        packed = _Packed(block, sources, keys)
        for target in targets:
            specs.extend(packed.specs(target))
            not_run.extend(packed.left_out(target))
    return Expansion(tuple(specs), tuple(not_run), tuple(world.notes))


@dataclass(frozen=True, slots=True)
class _Sources:
    """The agents of a block by id, in the order of ids, and those left out with the reason."""

    agents: tuple[Agent, ...]
    left_out: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Resolved:
    """A target with its whole body, and the agent that it is, if it is one."""

    name: str
    fields: Mapping[str, Json]
    agent: Agent | None
    expect: tuple[str, ...]
    warn: tuple[str, ...]


def _resolved(
    block: TestBlock, target: Target, name: str, fields: Mapping[str, Json], agent: Agent | None = None
) -> _Resolved:
    """Its expectations are those of the block and its own, each once."""
    expect, warn = (*block.expect, *target.expect), (*block.warn, *target.warn)
    return _Resolved(name, fields, agent, tuple(dict.fromkeys(expect)), tuple(dict.fromkeys(warn)))


class _World:
    """The agents as listed, asked by selector, id and name."""

    def __init__(self, agents: Sequence[Agent], seed: int, problems: Problems) -> None:
        self._agents = agents
        self._seed = seed
        self._problems = problems
        self._selections: dict[Selector, Selection] = {}
        self.notes: dict[str, None] = {}
        self._by_id = {agent.id: agent for agent in agents}
        self._by_name: dict[str, list[Agent]] = {}
        for agent in agents:
            self._by_name.setdefault(folded(agent.name), []).append(agent)

    def sources(self, block: TestBlock) -> _Sources:
        """Agents of all selectors of the block, each once."""
        found: dict[str, Agent] = {}
        out: dict[str, str] = {}
        for ref in block.agents:
            selection = self._select(ref)
            found.update((agent.id, agent) for agent in selection.agents)
            out.update((agent.id, reason) for agent, reason in selection.left_out)
        used = sorted(found.values(), key=by_id)
        left_out = [(name, reason) for name, reason in out.items() if name not in found]
        return _Sources(tuple(used), tuple(left_out))

    def _select(self, ref: AgentsRef) -> Selection:
        if ref.selector not in self._selections:
            self._selections[ref.selector] = select(ref.selector, self._agents, self._seed)
        selection = self._selections[ref.selector]
        for one in selection.missing:
            known = self._by_id if one.isdecimal() else [agent.name for agent in self._agents]
            what = "id" if one.isdecimal() else "name"
            message = f"{ref.name}: no agent has the {what} {quoted(one)}{nearest(one, known)}"
            self._problems.add(ref.selector.places.get(one, ref.place), message)
        if selection.agents or selection.left_out:
            self.notes.update((f"{ref.name}: no agent is in {one}", None) for one in selection.nowhere)
        for one, (name, place) in ref.selector.called.items():
            agent = self._by_id.get(one)
            if agent is not None and folded(agent.name) != folded(name):
                message = f"{ref.name}: the agent {one} is {quoted(agent.name)}, not {quoted(name)}"
                self._problems.add(place, message)
        if not selection.agents and not selection.left_out and not selection.missing:
            why = explain_nothing(ref.selector, self._agents)
            self._problems.add(ref.place, f"{ref.name} matches no agent: {why}")
        return selection

    def targets(self, block: TestBlock) -> list[_Resolved]:
        """The block's targets with their bodies; agents as targets by id or name."""
        kind = TEST_TYPES[block.type]
        pairs = zip(block.targets, block.places, strict=True)
        if kind.bare != "targetAgentId":
            bodies = ((target, merged(block.fields, target.fields)) for target, _ in pairs)
            return [_resolved(block, one, one.name, completed(kind, fields)) for one, fields in bodies]
        found: dict[str, _Resolved] = {}
        for target, place in pairs:
            fields = merged(block.fields, target.fields)
            agent = self._target_agent(str(fields["targetAgentId"]), place)
            if agent is None or not self._throughput_allowed(block, fields, agent, place):
                continue
            name = self._shown(target, agent)
            one = _resolved(block, target, name, {**fields, "targetAgentId": agent.id}, agent)
            if found.setdefault(name, one) != one:
                self._problems.add(place, f"test {quoted(block.name)} has two targets called {quoted(name)}")
        return list(found.values())

    def _shown(self, target: Target, agent: Agent) -> str:
        """An agent that is named by its bare id is shown by its name, with the id where that repeats."""
        if target.name != agent.id or not agent.name:
            return target.name
        alone = len(self._by_name.get(folded(agent.name), [])) == 1
        return agent.name if alone else f"{agent.name} ({agent.id})"

    def _target_agent(self, text: str, place: Place) -> Agent | None:
        if text in self._by_id:
            return self._by_id[text]
        named = self._by_name.get(folded(text), [])
        if len(named) == 1:
            return named[0]
        if named:
            ids = ", ".join(agent.id for agent in sorted(named, key=by_id)[:5])
            self._problems.add(place, f"{len(named)} agents are called {quoted(text)}; give the id: {ids}")
            return None
        near = nearest(text, [agent.name for agent in self._agents])
        self._problems.add(place, f"the target {quoted(text)} is neither id nor name of an agent{near}")
        return None

    def _throughput_allowed(
        self, block: TestBlock, fields: Mapping[str, Json], target: Agent, place: Place
    ) -> bool:
        """The API refuses throughput measurements with a cloud agent on either side (api-facts 1.3)."""
        if fields.get("throughputMeasurements") is not True or target.type is not AgentType.CLOUD:
            return True
        message = (
            f"throughput cannot be measured to the cloud agent {quoted(target.name)} in {quoted(block.name)}"
        )
        self._problems.add(place, message)
        return False


class _Packed:
    """Specs and left-out cells of one block."""

    def __init__(self, block: TestBlock, sources: _Sources, keys: set[str]) -> None:
        self._block = block
        self._sources = sources
        self._keys = keys
        self._ids = tuple(agent.id for agent in sources.agents)
        self._size = block.agents_per_test or max(1, len(self._ids))

    def specs(self, target: _Resolved) -> Iterator[Spec]:
        block = self._block
        refused = self._refused(target)
        ids = tuple(one for one in self._ids if one not in refused) if refused else self._ids
        servers = rows_for_each(block.type, target.fields)
        for start in range(0, len(ids), self._size):
            agents = ids[start : start + self._size]
            yield Spec(
                key=self._key(target, agents),
                test=block.name,
                type=block.type,
                target=target.name,
                fields=target.fields,
                agents=agents,
                layers=block.layers,
                deadline=block.deadline or must_be_over(block.type, target.fields),
                raw=block.raw,
                expect=target.expect,
                warn=target.warn,
                servers=servers,
                path_details=block.path_details,
            )

    def left_out(self, target: _Resolved) -> Iterator[NotRun]:
        block = self._block
        for agent, reason in (*self._sources.left_out, *self._refused(target).items()):
            yield NotRun(block.name, block.type, target.name, agent, reason)

    def _refused(self, target: _Resolved) -> dict[str, str]:
        """Agents that cannot test this target."""
        if target.agent is None:
            return {}
        refused = {}
        if target.fields.get("throughputMeasurements") is True:
            refused = {
                agent.id: "throughput cannot be measured from a cloud agent"
                for agent in self._sources.agents
                if agent.type is AgentType.CLOUD
            }
        if target.agent.id in self._ids:
            refused[target.agent.id] = "the agent is its own target"
        return refused

    def _key(self, target: _Resolved, agents: tuple[str, ...]) -> str:
        """A key from the content. Two contents with one key (very rare) are told apart by a count."""
        block = self._block
        content = {
            "test": block.name,
            "type": block.type,
            "target": target.name,
            "fields": target.fields,
            "raw": block.raw,
            "layers": block.layers,
            "agents": agents,
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        key = hashlib.sha256(text.encode()).hexdigest()[:_KEY_LENGTH]
        count = 0
        while key in self._keys:
            count += 1
            key = hashlib.sha256(f"{text}#{count}".encode()).hexdigest()[:_KEY_LENGTH]
        self._keys.add(key)
        return key
