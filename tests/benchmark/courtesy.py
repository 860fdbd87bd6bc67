"""Worlds in which courtesy to targets binds: how close to its bound a run gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bounds import courtesy_bound
from scenarios import AGENTS, Scenario
from tables import Table
from virtual_time import run_virtual
from virtual_world import Ran, run_in_virtual_time

from orchestrator.courtesy import Courtesy
from orchestrator.model import Json, Spec
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
    bound = _bound(ran, polite.courtesy, specs)
    witness = world.witness()
    reads, layers = witness["requests"].get("read", 0), sum(len(spec.layers) for spec in specs)
    return Measured(
        ran.ended - ran.began, bound, crowd(world.world), reads / layers, witness["refused_429"]["own"]
    )


def _bound(ran: Ran, courtesy: Courtesy, specs: Sequence[Spec]) -> float:
    """By what each test really took until all its agents could be seen to have measured."""
    world, by_url = ran.service.world, {str(spec.fields["url"]): spec for spec in specs}
    hosts: dict[str, list[float]] = {}
    agents: dict[str, list[float]] = {}
    for test in world.tests.values():
        spec = by_url[test.definition.subject[0]]
        ends = [end for layer in spec.layers if (end := world.complete_at(test, layer, 1)) is not None]
        hosts.setdefault(test.definition.host, []).append(min(ends) - test.created)
        for agent in spec.agents:
            agents.setdefault(agent, []).append(min(ends) - test.created)
    return max(
        courtesy_bound(hosts, at_once=courtesy.per_host, spacing=courtesy.spacing),
        courtesy_bound(agents, at_once=courtesy.per_agent),
    )


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
    Polite(
        "one host, 4 at once, 3 layers, usual limits",
        Courtesy(per_host=4),
        layers=3,
        instant=24,
        organization=240,
    ),
)

HEAD = (
    *("world", "tests", "bound s", "makespan s", "makespan / bound", "at once toward a host", "on an agent"),
    *("shortest gap s", "looks / layer", "own 429"),
)


def row(polite: Polite, folder: Path) -> tuple[str, ...]:
    """What the simulator saw, beside the bound."""
    got = measured(polite, folder)
    gaps = [one["gap"] for one in got.crowd["hosts"].values() if one["gap"] is not None]
    return (
        *(polite.name, str(polite.tests), f"{got.bound:.0f}", f"{got.makespan:.0f}", f"{got.ratio:.3f}"),
        str(max(one["at_once"] for one in got.crowd["hosts"].values())),
        str(max(one["at_once"] for one in got.crowd["agents"].values())),
        f"{min(gaps):.1f}" if gaps else "-",
        f"{got.looks:.2f}",
        str(got.refused),
    )


def polite_runs() -> list[Table]:
    """The worlds of this part, as a table."""
    with TemporaryDirectory() as folder:
        rows = tuple(row(polite, Path(folder)) for polite in WORLDS)
    about = (
        "One kind of test, median 30 s; 2,400 calls and 240 creations a minute unless it says usual. "
        "At once and gap: what the simulated world saw."
    )
    return [Table("Courtesy to targets", about, HEAD, rows)]
