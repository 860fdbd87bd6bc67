"""Everything that can go wrong, at once and for a long time, in virtual time; then the books are checked.

The witnesses share nothing with the product's reading: the simulated world knows what was created, and a
recorder between world and client notes each row that reached the client whole.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from scenarios import Scenario
from virtual_time import run_virtual
from virtual_world import Ran, run_in_virtual_time

from orchestrator.simulator.service import Service
from orchestrator.simulator.settings import Fault, Settings
from orchestrator.thousandeyes.protocol import Reply, Request, Transport

DEADLINE = 300.0
# Pairs of agents in turn, so that a silent one spoils some tests and not all.
AGENTS = tuple(str(number) for number in range(1, 41))

FAULTS = (
    *(Fault(kind, "any", probability=0.004) for kind in ("reset-before", "reset-after", "truncated")),
    *(Fault(kind, "any", probability=0.001) for kind in ("silent-before", "silent-after", "endless-body")),
    Fault("slow-headers", "any", probability=0.02, value=8.0),
    Fault("slow-body", "any", probability=0.01, value=8.0),
    *(
        Fault(kind, "any", probability=0.003)
        for kind in ("truncated-json", "invalid-json", "html", "empty-body")
    ),
    *(
        Fault(kind, "any", probability=0.002)
        for kind in ("500", "502", "503", "504", "500-taken", "503-taken")
    ),
    *(Fault(kind, "any", probability=0.0005) for kind in ("429", "429-no-headers")),
    Fault("retry-after", "any", probability=0.0005, value=5.0),
    *(
        Fault(kind, "read", probability=0.001)
        for kind in ("403", "404", "redirect", "foreign-pages", "looping-pages")
    ),
    *(
        Fault(kind, "any", probability=0.01)
        for kind in ("wrong-content-type", "unknown-fields", "numbers-as-strings", "no-date")
    ),
    *(
        Fault(kind, "read", probability=0.005)
        for kind in ("missing-fields", "null-fields", "unknown-agents", "duplicate-rows", "odd-rows")
    ),
    *(
        Fault(kind, "any", probability=0.003)
        for kind in ("absurd-limits", "malformed-limits", "no-limits", "clock-jump")
    ),
    Fault("huge", "read", probability=0.0005, value=1_000_000.0),
    Fault("404-fresh", value=1.0),
    Fault("silent-agent", target="7"),
    Fault("hostile"),
)

_CLIENT, _WORLD = f"{os.sep}orchestrator{os.sep}", f"{os.sep}simulator{os.sep}"
Place = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True)
class Soaked:
    """The books of a soak. ``memory`` is MiB at each quarter of the tests created."""

    tests: int
    seconds: float
    requests: int
    created: int
    twice: int
    forgotten: int
    unknown: int
    planned: int
    ends: dict[str, int]
    cells_planned: int
    cell_ends: dict[str, int]
    served: int
    lost: int
    own_429: int
    memory: tuple[float, ...]
    real: float

    @property
    def sound(self) -> bool:
        """Nothing twice, nothing forgotten, nothing lost, everything counted."""
        counted = (
            sum(self.ends.values()) == self.planned and sum(self.cell_ends.values()) == self.cells_planned
        )
        open_ends = {"planned", "creating", "waiting"} & self.ends.keys()
        return counted and not (self.twice or self.forgotten or self.lost or open_ends)


class _Recorder:
    """Notes the rows that reached the client, and the process's memory while the run goes on."""

    def __init__(self, inner: Transport, every: int, gauge: Callable[[], float]) -> None:
        self._within = inner
        self._every = every
        self._gauge = gauge
        self._sent = 0
        self.served: set[Place] = set()
        self.memory: list[float] = []

    async def send(self, request: Request) -> Reply:
        if request.instant:
            if self._sent % self._every == 0:
                self.memory.append(self._gauge())
            self._sent += 1
        reply = await self._within.send(request)
        if "/test-results/" in request.path and 200 <= reply.status < 300:
            self.served.update(_rows(request.path, reply.body))
        return reply


def _rows(path: str, body: bytes) -> Iterator[Place]:
    """Test, layer, agent and round of every row that has them; none of the product's code."""
    _, _, test_id, layer = path.strip("/").split("/")[:4]
    try:
        rows = json.loads(body)["results"]
    except (ValueError, KeyError, TypeError):
        return
    for row in rows if isinstance(rows, list) else ():
        agent = row.get("agent") if isinstance(row, dict) else None
        if isinstance(agent, dict) and agent.get("agentId") and str(row.get("roundId", "")).isdigit():
            yield test_id, layer, str(agent["agentId"]), int(row["roundId"])


def resident_mebibytes() -> float:
    """What this process has in memory now; its peak so far where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        import resource  # noqa: PLC0415 - only where there is no /proc

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / (1024 * 1024 if sys.platform == "darwin" else 1024)
    return pages * os.sysconf("SC_PAGE_SIZE") / (1024 * 1024)


def client_mebibytes() -> float:
    """What was allocated by the orchestrator without its simulator, and is still there, as traced."""
    held = 0
    for found in tracemalloc.take_snapshot().statistics("traceback"):
        # The innermost file of ours owns it, whichever library it called.
        owner = next((frame.filename for frame in reversed(found.traceback) if _ours(frame.filename)), "")
        held += found.size * (_CLIENT in owner and _WORLD not in owner)
    return held / (1024 * 1024)


def _ours(filename: str) -> bool:
    return _CLIENT in filename or f"{os.sep}tests{os.sep}" in filename


def traced_soak(tests: int) -> Soaked:
    """A soak whose memory is that of the client alone; four times slower."""
    tracemalloc.start(8)
    try:
        return soak(tests, gauge=client_mebibytes)
    finally:
        tracemalloc.stop()


def soak(
    tests: int, *, seed: int = 1, layers: int = 3, gauge: Callable[[], float] = resident_mebibytes
) -> Soaked:
    """Run so many tests through every fault at once and check the books."""
    specs = [
        replace(spec, agents=(AGENTS[2 * n % 40], AGENTS[(2 * n + 1) % 40]), deadline=DEADLINE)
        for n, spec in enumerate(Scenario("soak", tests, layers).specs())
    ]
    service = Service(
        Settings(seed=seed, all_online=True, others=0.1, error_rate=0.02, trouble=0.1, faults=FAULTS)
    )
    recorders: list[_Recorder] = []

    def recording(inner: Transport) -> Transport:
        recorders.append(_Recorder(inner, max(1, tests // 4), gauge))
        return recorders[0]

    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:

        async def work() -> Soaked:
            ran = await run_in_virtual_time(
                specs, service, Path(folder) / "o.db", phase=23.0, seed=seed, transport=recording
            )
            recorders[0].memory.append(gauge())
            return await _books(ran, recorders[0], tests, time.process_time() - began)

        return run_virtual(work)


async def _books(ran: Ran, recorder: _Recorder, tests: int, real: float) -> Soaked:
    run = ran.outcome.run.id
    records = await ran.store.tests(run)
    stored = {
        (one.test_id or "", one.answer.layer, one.answer.agent_id, one.answer.round_id)
        async for one in ran.store.results(run)
    }
    agents = {test.test_id: test.spec.agents for test in records if test.test_id is not None}
    served = {place for place in recorder.served if place[2] in agents.get(place[0], ())}
    witness = ran.service.witness()
    names = Counter(str(made["name"]) for made in witness["creations"])
    unknown = {test.name for test in records if test.state.value == "unknown"}
    known = {str(made["test_id"]) for made in witness["creations"]} & agents.keys()
    return Soaked(
        tests=tests,
        seconds=ran.ended - ran.began,
        requests=sum(witness["requests"].values()),
        created=len(witness["creations"]),
        twice=sum(times - 1 for times in names.values()),
        forgotten=sum(
            str(made["test_id"]) not in known and made["name"] not in unknown for made in witness["creations"]
        ),
        unknown=len(unknown),
        planned=len(records),
        ends=dict(Counter(test.state.value for test in records)),
        cells_planned=sum(len(test.spec.agents) for test in records),
        cell_ends={state.value: count for state, count in ran.outcome.counts.cells.items() if count},
        served=len(served),
        lost=len(served - stored),
        own_429=witness["refused_429"]["own"],
        memory=tuple(recorder.memory),
        real=real,
    )
