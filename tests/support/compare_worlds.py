"""Worlds for comparisons: a fleet, targets, and values that move by themselves from run to run.

Noise is log-normal: each cell's own, what all cells of an agent or of a target have in common in one run,
spikes of a factor, and cells that lose packets. What is planted multiplies parts of chosen cells in the run
that is judged.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from insight_worlds import FLEET, cell

from orchestrator.compare.cells import Past
from orchestrator.compare.look import Comparison, Now, compare
from orchestrator.compare.values import Sample, Which
from orchestrator.insight.values import CellKey, Phase, Seen
from orchestrator.insight.words import Names
from orchestrator.model import Agent, Verdict
from orchestrator.testtypes.layers import HTTP, PACKETS

HTTP_TIMES = ("dnsTime", "connectTime", "sslTime", "waitTime", "receiveTime")
NAMES = Names(agents={agent.id: agent.name for agent in FLEET})


@dataclass(frozen=True, slots=True)
class Weather:
    """``common`` and ``own`` are standard deviations of the logarithm, ``spikes`` a share of the cells."""

    common: float
    own: float
    spikes: float
    losses: float = 0.01


CALM = Weather(0.02, 0.04, 0.002)
ROUGH = Weather(0.05, 0.08, 0.01)
WILD = Weather(0.10, 0.12, 0.03)

# Factor of one part ("waitTime", "latency") of a cell in the run that is judged.
Planted = Callable[[Agent, str, str], float]


def unchanged(_agent: Agent, _target: str, _part: str) -> float:
    """Nothing is planted."""
    return 1.0


class Site:
    """What the cells of one world are like, the same in every run."""

    def __init__(self, lot: random.Random, weather: Weather, targets: int = 8) -> None:
        self.lot = lot
        self.weather = weather
        self.targets = [f"t{number}" for number in range(1, targets + 1)]
        self.far = {agent.id: lot.uniform(20.0, 150.0) for agent in FLEET}
        self.waits = {target: lot.uniform(40.0, 300.0) for target in self.targets}
        self.bodies = {target: lot.uniform(2.0, 60.0) for target in self.targets}

    def run(
        self, planted: Planted = unchanged, fails: Callable[[Agent, str], Phase | None] | None = None
    ) -> dict[Which, Sample]:
        """One run."""
        lot, common = self.lot, self.weather.common
        of_agent = {agent.id: math.exp(lot.gauss(0.0, common)) for agent in FLEET}
        of_target = {target: math.exp(lot.gauss(0.0, common)) for target in self.targets}
        found = {}
        for target in self.targets:
            for agent in FLEET:
                phase = fails(agent, target) if fails is not None else None
                which = Which("web", HTTP.name, target, agent.id)
                if phase is not None:
                    found[which] = Sample(Verdict.FAIL, phase=phase)
                    continue
                numbers = self._numbers(agent, target, of_agent[agent.id], of_target[target], planted)
                found[which] = Sample(Verdict.PASS, numbers=numbers, marks={f"{HTTP.name}.responseCode": 200})
        return found

    def _numbers(
        self, agent: Agent, target: str, of_agent: float, of_target: float, planted: Planted
    ) -> dict[str, float]:
        lot, weather = self.lot, self.weather

        def noisy(value: float, part: str, common: float) -> float:
            factor = math.exp(lot.gauss(0.0, weather.own)) * common * planted(agent, target, part)
            if lot.random() < weather.spikes:
                factor *= lot.uniform(1.5, 8.0)
            return value * factor

        latency = noisy(self.far[agent.id], "latency", of_agent)
        times = {
            "dnsTime": noisy(12.0, "dnsTime", 1.0),
            "connectTime": noisy(latency, "connectTime", 1.0),
            "sslTime": noisy(2 * latency, "sslTime", 1.0),
            "waitTime": noisy(latency + self.waits[target] * of_target, "waitTime", 1.0),
            "receiveTime": noisy(self.bodies[target] + latency / 2, "receiveTime", 1.0),
        }
        loss = lot.uniform(3.0, 30.0) if lot.random() < weather.losses else 0.0
        return {
            **{f"{HTTP.name}.{name}": value for name, value in times.items()},
            f"{HTTP.name}.totalTime": sum(times.values()),
            f"{PACKETS.name}.avgLatency": latency,
            f"{PACKETS.name}.loss": loss,
        }


def seen_of(samples: Mapping[Which, Sample]) -> dict[Which, Seen]:
    """The cells of a run as the engine of causes takes them."""
    agents = {agent.id: agent for agent in FLEET}
    return {
        which: cell(agents[which.agent_id], which.target, sample.phase, test=which.test)._replace(
            key=CellKey(which.test, which.target, which.agent_id),
            metrics=sample.numbers,
        )
        for which, sample in samples.items()
    }


def held(now: Mapping[Which, Sample], past: Past, again: Mapping[Which, Sample] | None = None) -> Comparison:
    """A run held against its past."""
    return compare(Now(now, seen_of(now), again or {}), past, NAMES)


def compared_once(
    lot: random.Random,
    weather: Weather,
    history: int,
    planted: Planted = unchanged,
    *,
    confirm: bool = False,
) -> Comparison:
    """A world with ``history`` runs before it, the base among them, and one run that is judged."""
    site = Site(lot, weather)
    runs = [site.run() for _ in range(history)]
    now = site.run(planted)
    return held(now, Past(runs[0], runs[1:]), site.run(planted) if confirm else None)
