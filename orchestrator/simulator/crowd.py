"""How much was under way at once toward each host and on each agent: what the world itself knows of it.

An agent measures from the start of a round until its first row is there. One that never answers measures
nothing that anybody would see.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from orchestrator.simulator.messages import JsonObject
from orchestrator.simulator.world import Round, SimTest, World

_Span = tuple[float, float]


def crowd(world: World) -> JsonObject:
    """By host and by agent: rounds of tests, the most of them ``at_once``, and the shortest ``gap``.

    That is seconds from one beginning to the next, ``None`` for one round.

    A test that asks name servers is one toward those; an agent as a target is the host ``agent-ID``.
    """
    hosts: defaultdict[str, list[_Span]] = defaultdict(list)
    agents: defaultdict[str, list[_Span]] = defaultdict(list)
    for test in world.tests.values():
        places = test.definition.dns_servers or (test.definition.host,)
        for executed in test.rounds:
            spans = dict(_spans(world, test, executed))
            for agent, span in spans.items():
                agents[agent].append(span)
            over = max((end for _, end in spans.values()), default=executed.started)
            for host in dict.fromkeys(places):
                hosts[host.lower()].append((executed.started, over))
    return {
        "hosts": {host: _told(spans) for host, spans in hosts.items()},
        "agents": {agent: _told(spans) for agent, spans in agents.items()},
    }


def _spans(world: World, test: SimTest, executed: Round) -> Iterator[tuple[str, _Span]]:
    first: dict[int, float] = {}
    for layer in test.definition.layers:
        for at, agent in world.arrivals(test, executed, layer):
            first[agent.id] = min(at, first.get(agent.id, at))
    for agent_id, at in first.items():
        yield str(agent_id), (executed.started, at)


def _told(spans: Sequence[_Span]) -> JsonObject:
    # At one moment who is over goes before who begins.
    moments = sorted([(begun, 1) for begun, _ in spans] + [(over, -1) for _, over in spans])
    here = most = 0
    for _, change in moments:
        here += change
        most = max(most, here)
    begun = sorted(begun for begun, _ in spans)
    gap = min((later - earlier for earlier, later in pairwise(begun)), default=None)
    return {"rounds": len(spans), "at_once": most, "gap": None if gap is None else round(gap, 3)}
