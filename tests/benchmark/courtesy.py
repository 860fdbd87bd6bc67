"""Worlds in which courtesy to targets binds: how close to its bound a run gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scenarios import AGENTS, Scenario
from virtual_time import run_virtual
from virtual_world import Ran, run_in_virtual_time

from orchestrator.courtesy import Courtesy
from orchestrator.model import Json, Spec
from orchestrator.schedule.least import least_seconds
from orchestrator.simulator.crowd import crowd


@dataclass(frozen=True, slots=True)
class Polite:
    """``tests`` toward ``hosts`` hosts in turn, each from ``each`` of ``agents`` agents."""

    name: str
    courtesy: Courtesy
    tests: int = 60
    hosts: int = 1
    agents: int = 1
    each: int = 1
    layers: int = 1
    seed: int = 1
    instant: int = 240
    organization: int = 2400

    def scenario(self) -> Scenario:
        """The world, without anybody else in it."""
        return Scenario(
            self.name, self.tests, self.layers, seed=self.seed, instant=self.instant,
            organization=self.organization,
        )  # fmt: skip

    def specs(self) -> list[Spec]:
        """All of one type, with another path each, so that each has a latency of its own."""
        scenario = replace(self.scenario(), tests=3 * self.tests)
        found = [one for one in scenario.specs() if one.type == "http-server"]
        return [self._toward(n, one) for n, one in enumerate(found)]

    def _toward(self, n: int, spec: Spec) -> Spec:
        fields: dict[str, Json] = {"url": f"https://h{n % self.hosts}.example.com/{n}"}
        first = n * self.each
        agents = tuple(AGENTS[(first + k) % self.agents] for k in range(self.each))
        return replace(spec, fields=fields, agents=agents, deadline=600.0)


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds; ``crowd`` is what the world saw at once."""

    makespan: float
    bound: float
    crowd: Mapping[str, Any]
    looks: float
    refused: int

    @property
    def ratio(self) -> float:
        """Makespan over what no scheduler can beat under this courtesy."""
        return self.makespan / self.bound


def measured(polite: Polite, folder: Path) -> Measured:
    """Run it in virtual time."""
    world, specs = polite.scenario().world(), polite.specs()
    path = folder / f"{polite.name.replace(' ', '-')}-{polite.seed}.db"

    async def work() -> Ran:
        return await run_in_virtual_time(specs, world, path, seed=polite.seed, courtesy=polite.courtesy)

    ran = run_virtual(work)
    bound = least_seconds(specs, polite.courtesy, _lasted(ran, specs).__getitem__)
    witness = world.witness()
    reads, layers = witness["requests"].get("read", 0), sum(len(spec.layers) for spec in specs)
    return Measured(
        ran.ended - ran.began, bound, crowd(world.world), reads / layers, witness["refused_429"]["own"]
    )


class _ByKey(dict[str, float]):
    def __getitem__(self, spec: Spec | str) -> float:
        return super().__getitem__(spec if isinstance(spec, str) else spec.key)


def _lasted(ran: Ran, specs: Sequence[Spec]) -> _ByKey:
    """Seconds of each test from its creation until all its agents could be seen to have measured."""
    by_url = {str(spec.fields["url"]): spec for spec in specs}
    world, found = ran.service.world, _ByKey()
    for test in world.tests.values():
        spec = by_url[str(test.definition.subject[0])]
        ends = [end for layer in spec.layers if (end := world.complete_at(test, layer, 1)) is not None]
        found[spec.key] = min(ends) - test.created
    return found


WORLDS = (
    Polite("one host, 4 at once", Courtesy(per_host=4)),
    Polite("one host, 1 at once", Courtesy(per_host=1), tests=20),
    Polite("five hosts, 2 at once", Courtesy(per_host=2), hosts=5),
    Polite("one host, every 10 s", Courtesy(spacing=10.0)),
    Polite("4 agents, 3 at once", Courtesy(per_agent=3), hosts=60, agents=4),
    Polite("8 agents by 3, 2 at once", Courtesy(per_agent=2), hosts=60, agents=8, each=3),
    Polite("hosts and agents", Courtesy(per_host=4, per_agent=6, spacing=2.0), hosts=4, agents=4, each=2),
    Polite("one host, 4 at once, 3 layers", Courtesy(per_host=4), layers=3),
    Polite("one host, 4 at once, usual limits", Courtesy(per_host=4), instant=24, organization=240),
    Polite("one host, 4 at once, 3 layers, usual limits", Courtesy(per_host=4), layers=3, instant=24, organization=240),
)

if __name__ == "__main__":
    import sys
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for polite in WORLDS:
            got = measured(polite, Path(folder))
            hosts = max(one["at_once"] for one in got.crowd["hosts"].values())
            agents = max(one["at_once"] for one in got.crowd["agents"].values())
            gaps = [one["gap"] for one in got.crowd["hosts"].values() if one["gap"] is not None]
            gap = min(gaps, default=None)
            sys.stdout.write(
                f"| {polite.name} | {polite.tests} | {got.bound:.0f} | {got.makespan:.0f} | {got.ratio:.3f} | "
                f"{hosts} | {agents} | {gap} | {got.looks:.2f} | {got.refused} |\n"
            )
