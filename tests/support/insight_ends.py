"""Plans run by the real orchestrator in broken worlds with a faulty API, held against the world's witness.

Each world is run twice: whole first, so that the ways of a good run are known, then broken and with faults.
The truth is what the witness tells: which culprit broke which cells. What the API loses is not the network's.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from simulated_run import Ran, in_process
from virtual_time import run_virtual
from virtual_world import EPOCH

from orchestrator.actions.insight import insight
from orchestrator.insight.look import Insight
from orchestrator.insight.values import CellKey, Group
from orchestrator.model import Verdict
from orchestrator.records import TestRecord
from orchestrator.simulator.catalog import Definition
from orchestrator.simulator.culprits import is_agent, is_router, parse_culprit
from orchestrator.simulator.fleet import SimAgent, fleet
from orchestrator.simulator.scene import Scene
from orchestrator.simulator.settings import Culprit, Fault, Noise
from orchestrator.simulator.settings import Settings as World
from orchestrator.simulator.topology import addresses, given, routers, way

_NAMES = "api crm files intranet login mail payroll portal shop tickets video wiki pos stores identity meet"
HOSTS = tuple(f"{name}.example.com" for name in _NAMES.split())
KINDS = (
    *("target", "host", "agent", "country", "network", "agent-type", "server-ip", "hop", "hop-network"),
    *("block", "country*target", "network*target", "agent-type*target"),
)
# Answers that do not come, come late, or are refused: never the network's doing.
FAULTS: tuple[tuple[Fault, ...], ...] = (
    (),
    (Fault("429", "read", first=3), Fault("429", "create", nth=2)),
    (Fault("silent-layer", layer="path-vis", type="agent-to-server"),),
    (Fault("reset-after", "create", nth=3),),
    (Fault("silent-agent", target="1005"), Fault("503", "read", probability=0.1)),
    (Fault("reset-after", "read", probability=0.1),),
    (Fault("silent-layer", layer="dns-trace", type="dns-trace"), Fault("429", "read", nth=20)),
)
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Case:
    """A broken world, the plan that looks at it, and how that went; ``truth`` has each culprit's cells."""

    number: int
    culprit: Culprit
    faults: tuple[Fault, ...]
    api: str
    found: Insight
    truth: frozenset[CellKey]
    judged_bad: frozenset[CellKey]
    accepted: frozenset[Group]
    ran: Ran

    @property
    def named(self) -> bool:
        """Whether the first explanation names the culprit, or what it says it cannot tell from it."""
        first = self.found.explanations[:1]
        return any(self.accepted & {one.group, *(same.group for same in one.same)} for one in first)

    @property
    def near(self) -> bool:
        """Whether the culprit is at least among what the first explanation cannot be told from."""
        first = self.found.explanations[:1]
        return self.named or any(self.accepted & {near.group for near in one.near} for one in first)

    @property
    def blamed_wrongly(self) -> frozenset[CellKey]:
        """Cells in an explanation that nothing had broken."""
        return frozenset(key for one in self.found.explanations for key in one.cells) - self.truth

    @property
    def visible(self) -> bool:
        """Whether it left enough bad cells to be told from a flake: three that were judged."""
        return len(self.truth & self.judged_bad) >= 3

    def __str__(self) -> str:
        first = [(one.group, one.bad, one.known, round(one.bits, 1)) for one in self.found.explanations[:2]]
        culprit = f"{self.culprit.kind}={','.join(self.culprit.value)}:{self.culprit.effect}"
        faults = ", ".join(one.kind for one in self.faults) or "no fault"
        return f"{self.number} {self.api} {culprit} ({faults}): {len(self.truth)} cells -> {first}"


def plan_of(lot: random.Random, api: str) -> tuple[str, list[str]]:
    """Web pages from everybody, ports of some of the same hosts, and some names; and the hosts."""
    hosts = lot.sample(HOSTS, lot.randint(5, 6))
    reach = [*hosts[:2], *lot.sample(sorted(set(HOSTS) - set(hosts)), 1)]
    return (
        f"""
version: 1
name: ends
api: {api}
agents:
  cloud: {{type: cloud, sample: {{count: {lot.randint(6, 9)}}}}}
  branches: {{type: enterprise, name: "branch-??-*", state: online, sample: {{count: 9}}}}
tests:
  - name: web
    type: http-server
    targets: [{", ".join(f"https://{host}" for host in hosts)}]
    agents: [cloud, branches]
    path_details: true
    expect:
      - http-server.responseCode == 200
      - http-server.totalTime < 4s
      - network.loss < 5
  - name: reach
    type: agent-to-server
    targets: [{", ".join(f"{host}:443" for host in reach)}]
    agents: [cloud, branches]
    path_details: true
    expect: [network.loss < 5, network.avgLatency < 1500 ms]
  - name: names
    type: dns-trace
    targets: [{", ".join(f"{host} A" for host in hosts[:2])}]
    agents: cloud
budget: {{max_tests: 100, max_units: 100}}
""",
        hosts,
    )


def run_case(number: int, folder: Path, kinds: Sequence[str] = KINDS) -> Case:
    """World ``number``: always the same one. Not from inside a running loop."""
    lot = random.Random(f"ends {number}")
    api = ("v7", "v6")[number % 2]
    text, hosts = plan_of(lot, api)
    whole = World(seed=number + 1, topology="shared", noise=Noise(number + 1, spikes=0.0))
    kind = kinds[number % len(kinds)]
    faults = FAULTS[number % len(FAULTS)]
    path = folder / f"{number}.db"

    async def good() -> Ran:
        async with in_process(
            replace(whole, noise=Noise(number + 1001, spikes=0.0)), store=path
        ) as simulated:
            ran = await simulated.run(text)
            assert ran.code == 0, ran.text
            return ran

    before = run_virtual(good)
    asked = {agent for test in before.tests for agent in test.spec.agents}
    agents = [one for one in fleet(whole) if str(one.id) in asked]
    culprit = parse_culprit(_line(lot, kind, whole, agents, hosts))
    broken = replace(whole, culprits=(culprit,), faults=faults)

    async def bad() -> tuple[Ran, Insight]:
        async with in_process(broken, store=path, epoch=EPOCH + DAY) as simulated:
            ran = await simulated.run(text)
            store, run = simulated.session.doors.store, ran.outcome.run
            return ran, await insight(store, run)

    ran, found = run_virtual(bad)
    return Case(
        number,
        culprit,
        faults,
        api,
        found,
        truth_of(ran),
        frozenset(
            CellKey(one.test, one.target, one.agent_id) for one in ran.cells if one.verdict is Verdict.FAIL
        ),
        frozenset(accepted(culprit, agents, ran.tests)),
        ran,
    )


def truth_of(ran: Ran, culprit: int | None = None) -> frozenset[CellKey]:
    """The cells that the witness tells: of one culprit, or of all."""
    return frozenset(key for key, index in truths(ran) if culprit in {None, index})


def truths(ran: Ran) -> list[tuple[CellKey, int]]:
    """Each cell that was broken on purpose, with the position of its culprit."""
    specs = {test.test_id: test.spec for test in ran.tests if test.test_id is not None}
    cells: list[Mapping[str, Any]] = ran.witness["planted"]["cells"]
    found = []
    for cell in cells:
        spec = specs.get(cell["test_id"])
        # A test whose creation was lost is none of this run's.
        if spec is not None and set(cell["layers"]) & set(spec.layers):
            found.append((CellKey(spec.test, spec.target, cell["agent_id"]), int(cell["culprit"])))
    return found


def accepted(culprit: Culprit, agents: Iterable[SimAgent], tests: Sequence[TestRecord]) -> set[Group]:
    """The groups that are the culprit, in the engine's words."""
    parts = dict(culprit.parts())
    targets = [
        (test.spec.test, test.spec.target)
        for test in tests
        if parts.get("target", parts.get("host")) in {_host(test.spec.target), test.spec.target}
    ]
    sides = [
        (kind, value)
        for kind, asked in culprit.parts()
        for agent in agents
        if is_agent(kind, asked, agent)
        for value in [{"agent": str(agent.id), "country": agent.country, "network": agent.network,
                       "agent-type": agent.type, "location": agent.location}[kind]]
    ]  # fmt: skip
    if len(parts) == 2:
        return {Group(culprit.kind, (value, *target)) for _, value in sides for target in targets}
    ((kind, value),) = culprit.parts()
    found = {Group(kind, (one,)) for _, one in sides}
    if kind in {"target", "host"}:
        found |= {*(Group("target", target) for target in targets), Group("host", (value,))}
    elif kind in {"hop", "hop-network"}:
        through = [one for one in routers(agents) if is_router(kind, value, one)]
        found |= {Group(kind, (one.address if kind == "hop" else one.network,)) for one in through}
    elif kind == "block":
        tests = [test for test in tests if value in {test.spec.type, test.spec.test}]
        found |= {Group("block", (test.spec.test,)) for test in tests}
    elif kind == "server-ip":
        found.add(Group(kind, (value,)))
    return found


def _host(target: str) -> str:
    return target.removeprefix("https://").partition(":")[0].partition(" ")[0]


# -- what to break -----------------------------------------------------------------------------------------


def _line(
    lot: random.Random, kind: str, world: World, agents: Sequence[SimAgent], hosts: Sequence[str]
) -> str:
    path = ["dead", "loss=40%", "slow=2000ms"]
    web = ["tls", "http=503", "receive", "slow=5000ms", "dead", "dns"]
    if kind.endswith("*target"):
        side = kind.removesuffix("*target")
        return f"{side}={_several(lot, side, agents, 4)},target=https://{lot.choice(hosts)}:{lot.choice(web[:5])}"
    if kind in {"country", "network", "agent-type"}:
        return f"{kind}={_several(lot, kind, agents, 2)}:{lot.choice(path[:2])}"
    lines: Mapping[str, Callable[[], str]] = {
        "target": lambda: f"https://{lot.choice(hosts)}:{lot.choice(web)}",
        "host": lambda: f"{lot.choice(hosts[:2])}:{lot.choice(web[4:])}",
        "agent": lambda: f"{lot.choice(agents).name}:{lot.choice(path)}",
        "server-ip": lambda: f"{_address(lot, world, agents, hosts)}:{lot.choice(web[:2])}",
        "hop": lambda: f"{_hop(lot, world, agents, hosts)}:{lot.choice(path)}",
        "hop-network": lambda: f"AS 6460{lot.randrange(4)}:{lot.choice(path[:2])}",
        "block": lambda: f"{lot.choice(['reach', 'web'])}:{lot.choice(path[:2])}",
    }
    return f"{kind}={lines[kind]()}"


def _several(lot: random.Random, kind: str, agents: Sequence[SimAgent], least: int) -> str:
    """A value that at least so many agents have, as far as there is one."""
    told = Counter(
        {"country": one.country, "network": one.network, "agent-type": one.type}[kind] for one in agents
    )
    many = sorted(value for value, number in told.items() if number >= least)
    return lot.choice(many or [told.most_common(1)[0][0]])


def _address(lot: random.Random, world: World, agents: Sequence[SimAgent], hosts: Sequence[str]) -> str:
    """One of the two addresses of a host that has two."""
    host = lot.choice([one for one in hosts if addresses(one) == 2] or list(hosts))
    definition = Definition("http-server", "", "v7", (), host, (host,))
    return lot.choice(sorted({Scene(world, definition, one, None, 1).server_ip for one in agents}))


def _hop(lot: random.Random, world: World, agents: Sequence[SimAgent], hosts: Sequence[str]) -> str:
    """A router on the ways of six cells and more, but not of all."""
    used: Counter[str] = Counter()
    for agent in agents:
        for host in hosts:
            for one in way(world.seed, agent, host, None, 0, given(agent, host))[2:]:
                used[one.name] += 1
    return lot.choice(sorted(name for name, number in used.items() if number >= 6))
