"""The worlds of the benchmark and the specs that are run in them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestrator.model import Json, Spec
from orchestrator.simulator.service import Service
from orchestrator.simulator.settings import Fault, Settings

# Three types with three layers or more, quick, middling and slow: medians of 18, 30 and 50 s, which are the
# simulator's defaults and our priors. In the scenario "prior wrong" they are turned round.
LAYERS = {
    "dns-server": ("dns-server", "network", "path-vis"),
    "http-server": ("http-server", "network", "path-vis"),
    "page-load": ("page-load", "network", "path-vis"),
}
MEDIANS = {"dns-server": 18.0, "http-server": 30.0, "page-load": 50.0}
TURNED = {"dns-server": 50.0, "http-server": 30.0, "page-load": 18.0}
# Cloud agents of the simulator, all of which answer.
AGENTS = tuple(str(n) for n in range(3, 39))
AGENT = AGENTS[0]


@dataclass(frozen=True, slots=True)
class Scenario:
    """N tests with k layers in a world. ``clock_off`` is the error of the client's clock in seconds.

    ``latency`` is how many times slower than expected answers are; the first ``silent`` of ``agents`` never
    answer.
    """

    name: str
    tests: int
    layers: int
    aligned: bool = True
    others: float = 0.0
    organization: int = 240
    instant: int = 24
    clock_off: float = 0.0
    faults: tuple[Fault, ...] = ()
    phase: float = 23.0
    seed: int = 1
    prior_wrong: bool = False
    window: float = 60.0
    latency: float = 1.0
    silent: int = 0
    agents: int = 1
    deadline: float = 3600.0

    def world(self) -> Service:
        """A fresh world of this scenario."""
        settings = Settings(
            seed=self.seed,
            organization_limit=self.organization,
            instant_limit=self.instant,
            aligned=self.aligned,
            window=self.window,
            others=self.others,
            spread=0.0,
            faults=(*self.faults, *(Fault("silent-agent", target=one) for one in AGENTS[: self.silent])),
            all_online=True,
            latency=self.latency,
        )
        return Service(
            replace(settings, medians={**settings.medians, **(TURNED if self.prior_wrong else MEDIANS)})
        )

    def specs(self) -> list[Spec]:
        """One agent each; the types in turn, so that the plan's order says nothing about latency."""
        kinds = list(LAYERS)
        agents = AGENTS[: self.agents]
        return [
            replace(_spec(n, kinds[n % len(kinds)], self.layers), agents=agents, deadline=self.deadline)
            for n in range(self.tests)
        ]


def _spec(n: int, kind: str, layers: int) -> Spec:
    host = f"t{n}.example.com"
    fields: dict[str, dict[str, Json]] = {
        "dns-server": {"domain": f"{host} A", "dnsServers": ["ns1.example.com"]},
        "http-server": {"url": f"https://{host}"},
        "page-load": {"url": f"https://{host}"},
    }
    return Spec(
        key=f"{n:08x}0000",
        test="bench",
        type=kind,
        target=f"t{n}",
        fields=fields[kind],
        agents=(AGENT,),
        layers=LAYERS[kind][:layers],
        deadline=3600.0,
    )
