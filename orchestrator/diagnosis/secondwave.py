"""What is asked next, only of what the first wave left open: agents on both sides of where it splits, the way
there with its hops, name servers where their answers differ."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial

from orchestrator.diagnosis.blocks import Block, Extras, path_block, with_servers
from orchestrator.diagnosis.found import Asked, Found, key_of
from orchestrator.diagnosis.subjects import Subject
from orchestrator.diagnosis.vantage import is_outside, more
from orchestrator.insight.values import PATH_LEVELS, Observed
from orchestrator.model import Agent, AgentType, Verdict

# On each side of where the first wave split.
EACH_SIDE = 4
# In the place of each mute agent.
INSTEAD = 2
# Causes that are looked into, and agents that failed alone.
MOST_SPLITS, MOST_ALONE = 2, 3
# Agents whose ways are looked at, of those that fail and of those that do not.
MOST_WAYS = 8
_SIDE = {"country", "network", "location", "agent-type"}


Holds = Callable[[Agent], bool]


def second_wave(
    found: Found, blocks: Sequence[Block], agents: Sequence[Agent], extras: Extras, seed: int, most: int
) -> tuple[Block, ...]:
    """At most ``most`` tests for what is not told apart yet; ``agents`` are all that there are."""
    asked = found.asked
    made = [
        *_elsewhere(found, blocks, agents, seed),
        *_ways(found, asked),
        *_servers(found, asked, extras),
    ]
    kept: list[Block] = []
    for block in made:
        if sum(len(one.targets) for one in (*kept, block)) <= most:
            kept.append(block)
    return tuple(kept)


def stand_ins(
    found: Found, blocks: Sequence[Block], agents: Sequence[Agent], seed: int, most: int
) -> tuple[Block, ...]:
    """The tests that mute agents do not answer, from others near them; none where nobody is near."""
    near: dict[str, Agent] = {}
    for mute in found.mute:
        known, taken = [*found.asked.agents, *near.values()], list[Agent]()
        for holds in _nearest(mute):
            taken += more(agents, [*known, *taken], INSTEAD - len(taken), seed, holds)
        near.update((one.id, one) for one in taken)
    quiet = {one.id for one in found.mute}
    made = [
        block.asked(block.targets, whom)
        for block in blocks
        if block.main and quiet & {*block.agents}
        if (whom := [one for one in near.values() if not _resolves_only(block) or is_outside(one)])
    ]
    return tuple(made) if sum(len(one.targets) for one in made) <= most else ()


def _nearest(mute: Agent) -> Iterator[Holds]:
    """First who shares both a country and a network with it, then who shares one of them."""
    there, way = mute.country, mute.network
    if there and way:
        yield lambda agent: agent.country == there and agent.network == way
    if there:
        yield lambda agent: agent.country == there
    if way:
        yield lambda agent: agent.network == way


def _elsewhere(found: Found, blocks: Sequence[Block], agents: Sequence[Agent], seed: int) -> Iterator[Block]:
    """The same tests of what fails from more agents, inside and outside of what the bad ones share."""
    further: dict[str, Agent] = {}
    for side in _sides(found):
        known = [*found.asked.agents, *further.values()]
        further.update((one.id, one) for one in more(agents, known, EACH_SIDE, seed, side))
    if not further:
        return
    bad = {(one.record.test, one.record.target) for one in found.bad}
    for block in blocks:
        targets = [target for target in block.targets if (block.name, target) in bad]
        from_whom = [one for one in further.values() if not _resolves_only(block) or is_outside(one)]
        if block.main and targets and from_whom:
            yield block.asked(targets, from_whom)


def _resolves_only(block: Block) -> bool:
    """Names are resolved from outside; inside they may well be others."""
    return block.type in {"dns-trace", "dnssec", "dns-server"}


def _sides(found: Found) -> Iterator[Holds]:
    """Of each cause who is inside of it and who is not; of who fails alone who is near."""
    for cause in found.causes[:MOST_SPLITS]:
        kind, value = cause.group.kind.removesuffix("*target"), cause.group.value[0]
        if kind in _SIDE:
            yield partial(_is_on, kind, value)
            yield partial(_is_off, kind, value)
        else:
            keys = frozenset(cause.cells)
            yield from _near([one for one in found.bad if key_of(one) in keys])
    covered = {key for cause in found.causes for key in cause.cells}
    alone = {one.record.agent_id: one for one in found.bad if key_of(one) not in covered}
    yield from _near(list(alone.values())[:MOST_ALONE])


def _near(cells: Sequence[Observed]) -> Iterator[Holds]:
    """Who shares a country with these, then who shares a network."""
    there = [one.agent for one in cells if one.agent is not None]
    countries = {one.country for one in there} - {None}
    networks = {one.network for one in there} - {None}
    if countries:
        yield lambda agent: agent.country in countries
    if networks:
        yield lambda agent: agent.network in networks


def _is_on(kind: str, value: str, agent: Agent) -> bool:
    return _value_of(agent, kind) == value


def _is_off(kind: str, value: str, agent: Agent) -> bool:
    return _value_of(agent, kind) != value


def _value_of(agent: Agent, kind: str) -> str | None:
    if kind == "country":
        return agent.country
    if kind == "network":
        return agent.network
    if kind == "location":
        return agent.location
    # A cluster looks from inside like any other agent there.
    return (AgentType.CLOUD if is_outside(agent) else AgentType.ENTERPRISE).value


def _ways(found: Found, asked: Asked) -> Iterator[Block]:
    """Where a path may be to blame: the ways of bad agents and of as many good ones, with their hops."""
    bad = [one for one in found.main if one.record.verdict is Verdict.FAIL]
    if not any((phase := found.phase(one)) is not None and phase.level in PATH_LEVELS for one in bad):
        return
    good = [one for one in found.main if one.record.verdict in {Verdict.PASS, Verdict.WARN}]
    fails = _agents_of(bad)
    passes = _agents_of(good, but={agent.id for agent in fails})
    block = path_block(
        _behind(asked, {one.record.target for one in bad}), (*fails[:MOST_WAYS], *passes[:MOST_WAYS])
    )
    # Hops of bad ways alone say nothing.
    if block is not None and passes:
        yield block


def _behind(asked: Asked, targets: Collection[str]) -> list[Subject]:
    return [one for one in asked.subjects if one.text in targets] or list(asked.subjects)[:1]


def _agents_of(cells: Sequence[Observed], but: Collection[str] = ()) -> list[Agent]:
    known = {one.agent.id: one.agent for one in cells if one.agent is not None}
    return [agent for agent in known.values() if agent.id not in but]


def _servers(found: Found, asked: Asked, extras: Extras) -> Iterator[Block]:
    failing, _ = found.names_failing
    differ = len({*found.answers_of_names}) > 1
    names = [f"{one.host} A" for one in asked.subjects if one.resolves]
    if extras.dns_servers and names and (failing or differ):
        outside = [agent for agent in asked.agents if is_outside(agent)][:EACH_SIDE]
        if outside:
            yield with_servers(extras.dns_servers).asked(tuple(dict.fromkeys(names)), outside)
