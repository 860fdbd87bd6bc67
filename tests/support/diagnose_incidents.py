"""Incidents of eight shapes, planted in simulated networks, and what a diagnosis made of them.

The truth is what was planted: the first sentence is right if it names that, and nothing else.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from insight_ends import HOSTS
from simulated_run import in_process
from virtual_time import run_virtual

from orchestrator.actions.diagnose import Diagnosed, Question, diagnose
from orchestrator.diagnosis.vantage import chosen
from orchestrator.insight.look import Explanation
from orchestrator.insight.values import Phase
from orchestrator.model import Agent, AgentState, AgentType
from orchestrator.simulator.catalog import Definition
from orchestrator.simulator.culprits import parse_culprit
from orchestrator.simulator.fleet import SimAgent, fleet
from orchestrator.simulator.scene import Scene
from orchestrator.simulator.settings import Noise
from orchestrator.simulator.settings import Settings as World
from orchestrator.simulator.topology import addresses

SHAPES = ("dead", "country", "inside", "dns", "certificate", "slow", "healthy", "silent")
WHOLE = frozenset({"healthy", "silent"})
_WIDE = frozenset({"target", "host", "block", "run", "server-ip"})


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident, and how its diagnosis went. ``creations`` counts re-runs too; seconds are simulated."""

    number: int
    shape: str
    culprits: tuple[str, ...]
    right: bool
    seconds: float
    creations: int
    exit_code: int
    sentence: str
    sure: str
    stopped: str
    ticket: str

    @property
    def falsely_healthy(self) -> bool:
        """Whether nothing was found where something is broken."""
        return self.shape not in WHOLE and self.exit_code == 0

    def __str__(self) -> str:
        return (
            f"{self.number} {self.shape} {' '.join(self.culprits)}: exit {self.exit_code}, {self.stopped}, "
            f"{self.seconds:.0f} s, {self.creations} creations: {self.sentence} ({self.sure})"
        )


def incident(number: int, folder: Path, **world: Any) -> Incident:
    """Incident ``number``: always the same one. Not from inside a running loop.

    ``world`` are settings of the world besides (``others=0.7``).
    """
    lot = random.Random(f"incident {number}")
    shape = SHAPES[number % len(SHAPES)]
    whole = World(seed=number + 1, topology="shared", noise=Noise(number + 1), **world)
    host = lot.choice(HOSTS)
    if shape == "dns" and number % 16 >= 8:
        host = lot.choice([one for one in HOSTS if addresses(one) == 2])
    url = f"https://{host}"
    culprits = _culprits(shape, number, lot, whole, host)
    broken = replace(whole, culprits=tuple(map(parse_culprit, culprits)))

    async def work() -> tuple[Diagnosed, int]:
        async with in_process(broken, store=folder / f"{number}.db") as simulated:
            found = await diagnose(simulated.session, Question((url,), seed=number))
            witness: Mapping[str, Any] = simulated.service.witness()
            return found, len(witness["creations"]) + found.account.reruns

    found, creations = run_virtual(work)
    return Incident(
        number,
        shape,
        culprits,
        _RIGHT[shape](found, culprits),
        found.account.seconds,
        creations,
        int(found.exit_code),
        found.sentence,
        found.found.first.sure if found.found.first is not None else "",
        found.account.stopped,
        found.ticket,
    )


def listed(world: World) -> list[Agent]:
    """The agents of a world as the API lists them, as far as a choice among them needs it."""
    return [_listed(one) for one in fleet(world)]


def _listed(one: SimAgent) -> Agent:
    state = AgentState(one.state) if one.state else AgentState.UNKNOWN
    if one.members and not one.answers:
        state = AgentState.OFFLINE
    return Agent(
        str(one.id), one.name, AgentType(one.type), one.country, one.location, state, network=one.network
    )


def _culprits(shape: str, number: int, lot: random.Random, world: World, host: str) -> tuple[str, ...]:
    effect = ("dead", "tls", "http=503")[number // 8 % 3]
    if shape == "country":
        there = Counter(one.country for one in listed(world) if one.state is not AgentState.OFFLINE)
        asked = {one.country for one in chosen(listed(world), 12, number)}
        country = lot.choice(sorted(one for one in asked if one and there[one] >= 3))
        return (f"country={country},target={host}:{effect}",)
    if shape == "inside":
        return tuple(
            f"agent-type={kind},target={host}:{effect}" for kind in ("enterprise", "enterprise-cluster")
        )
    if shape == "dns":
        if number % 16 < 8:
            return (f"host={host}:dns",)
        return (f"server-ip={_address(lot, world, host)}:{effect}",)
    if shape == "silent":
        agent = lot.choice(chosen(listed(world), 12, number))
        return (f"agent={agent.name}:silent",)
    effects = {"dead": "dead", "certificate": "tls", "slow": "slow=6000ms"}
    return (f"host={host}:{effects[shape]}",) if shape in effects else ()


def _address(lot: random.Random, world: World, host: str) -> str:
    """One of the addresses that a host's name is resolved to."""
    definition = Definition("http-server", "", "v7", (), host, (host,))
    return lot.choice(sorted({Scene(world, definition, one, None, 1).server_ip for one in fleet(world)}))


# -- what is right ------------------------------------------------------------------------------------------


def _first(found: Diagnosed) -> Explanation | None:
    return found.found.first


def _from_all(*phases: Phase) -> Callable[[Diagnosed, Sequence[str]], bool]:
    """Every agent is named, and the layer."""

    def right(found: Diagnosed, _: Sequence[str]) -> bool:
        first = _first(found)
        if first is None or first.group.kind not in _WIDE or first.bad != first.known:
            return False
        return max(first.phases, key=lambda phase: first.phases[phase]) in phases

    return right


def _of_group(*kinds: str) -> Callable[[Diagnosed, Sequence[str]], bool]:
    """The planted group is named, or is what the sentence says it cannot be told from."""

    def right(found: Diagnosed, culprits: Sequence[str]) -> bool:
        value = culprits[0].partition("=")[2].rpartition(":")[0].partition(",")[0]
        first = _first(found)
        if first is None:
            return False
        named = [first.group, *(one.group for one in first.same)]
        return any(one.kind in kinds and value in one.value for one in named)

    return right


def _names(found: Diagnosed, culprits: Sequence[str]) -> bool:
    if culprits[0].startswith("server-ip"):
        return _of_group("server-ip", "dns-answer")(found, culprits)
    return _from_all(Phase.DNS)(found, culprits)


def _healthy(found: Diagnosed, _: Sequence[str]) -> bool:
    return found.found.first is None and int(found.exit_code) == 0


def _silent(found: Diagnosed, culprits: Sequence[str]) -> bool:
    name = culprits[0].removeprefix("agent=").removesuffix(":silent")
    return found.found.first is None and f"no answer from {name}" in found.sentence


_RIGHT: Mapping[str, Callable[[Diagnosed, Sequence[str]], bool]] = {
    "dead": _from_all(Phase.CONNECT),
    "country": _of_group("country*target", "country"),
    "inside": _of_group("agent-type*target", "agent-type"),
    "dns": _names,
    "certificate": _from_all(Phase.TLS),
    "slow": _from_all(Phase.WAIT, Phase.SLOW),
    "healthy": _healthy,
    "silent": _silent,
}
