"""Path traces: which routers answer, after how long, and where a trace ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.simulator.culprits import AGENT_KINDS, is_router
from orchestrator.simulator.draws import number, share
from orchestrator.simulator.effects import HOP_KINDS, Change, change_of
from orchestrator.simulator.messages import JsonObject
from orchestrator.simulator.paths import hops, traces
from orchestrator.simulator.scene import Scene
from orchestrator.simulator.topology import Router

# A router in the middle that answers most traces leaves some out: it limits how many it answers.
_UNANSWERED = 0.08


@dataclass(frozen=True, slots=True)
class Traced:
    """One trace: its number of hops, and milliseconds to the target, ``None`` where it does not get there."""

    id: str
    length: int
    milliseconds: int | None


def traced(scene: Scene, *, reached: bool) -> list[Traced]:
    """The traces of one look at a target, ``reached`` or not unless something on the way is broken."""
    if not scene.settings.shared:
        return [
            Traced(trace.id, trace.hops, round(scene.round_trip * trace.stretch) if reached else None)
            for trace in traces(scene.settings.seed, scene.definition, scene.agent, scene.target)
        ]
    found = []
    for flow, way in enumerate(scene.ways):
        end = _end(scene, way, reached=reached)
        arrives = end > len(way)
        length = len(way) + 1 if arrives else end
        found.append(
            Traced(_id(scene, flow), length, round(_after(scene, way, len(way))) if arrives else None)
        )
    return found


def detailed(scene: Scene, *, reached: bool) -> list[tuple[str, list[JsonObject]]]:
    """The id and the hops of each trace; a number that is missing did not answer."""
    if not scene.settings.shared:
        seed, agent = scene.settings.seed, scene.agent
        return [
            (trace.id, hops(seed, trace, agent, scene.server_ip, scene.round_trip))
            for trace in traces(seed, scene.definition, agent, scene.target)
        ]
    return [
        (_id(scene, flow), list(_hops(scene, way, _id(scene, flow), reached=reached)))
        for flow, way in enumerate(scene.ways)
    ]


def _id(scene: Scene, flow: int) -> str:
    return str(number(scene.settings.seed, "path", scene.reached, scene.agent.id) // 1000 * 1000 + flow)


def _end(scene: Scene, way: tuple[Router, ...], *, reached: bool) -> int:
    """How many of its hops a trace can see, the target among them."""
    ends = [len(way) + 1 if reached else len(way)]
    for hit in scene.broken.hits:
        if hit.culprit.effect != "dead" or hit.names:
            continue
        kind, value = hit.culprit.parts()[0]
        if kind in HOP_KINDS:
            ends += [place for place, one in enumerate(way) if place and is_router(kind, value, one)][:1]
        else:
            # Behind its own way out a dead agent reaches nothing; what is dead at a target ends before it.
            ends.append(1 if hit.culprit.kind in AGENT_KINDS else len(way))
    return min(ends)


def _hops(scene: Scene, way: tuple[Router, ...], trace: str, *, reached: bool) -> Iterator[JsonObject]:
    seed = scene.settings.seed
    for place in range(_end(scene, way, reached=reached)):
        if place == len(way):
            address, name, network, location = (
                scene.server_ip,
                scene.reached,
                way[-1].network,
                way[-1].location,
            )
        else:
            one = way[place]
            address, name, network, location = one.address, one.name, one.network, one.location
            if place and share(seed, "unanswered", trace, one.name, scene.round_number) < _UNANSWERED:
                continue
        yield {
            "hop": place + 1,
            "ipAddress": address,
            "prefix": address.rpartition(".")[0] + ".0/24",
            "rdns": name,
            "network": network,
            "responseTime": round(_after(scene, way, place)),
            "location": location,
        }


def _after(scene: Scene, way: tuple[Router, ...], place: int) -> float:
    """Milliseconds to a place of a way. What a slow hop adds is there from that hop on."""
    part = way[place].share if place < len(way) else 1.0
    whole = Change()
    for hit in scene.broken.hits:
        culprit = hit.culprit
        if culprit.effect != "slow":
            continue
        kind, value = culprit.parts()[0]
        if kind in AGENT_KINDS and len(culprit.value) == 1:
            whole = whole.then(change_of(culprit))
        elif kind in HOP_KINDS and any(is_router(kind, value, one) for one in way[1 : place + 1]):
            grown = change_of(culprit).of(scene.usual_trip) - scene.usual_trip
            whole = whole.then(Change(plus=grown / part))
    return whole.of(scene.usual_trip) * part
