"""What the orchestrator costs in CPU, beside a bare aiohttp loop that does the same requests.

Real time, real sockets, no limits that bind. The simulated API is a process of its own, so that its CPU is
nobody's; the clock of both runs 20 times faster than life, which shortens the waiting and costs no CPU. The
store is in memory where there is such a file system: what a disk needs to sync is not CPU, and not ours.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import aiohttp
import anyio
from process_clock import VARIABLE, Pace
from scenarios import Scenario

from orchestrator.budget.ledger import LocalLedger
from orchestrator.budget.permits import Ledger
from orchestrator.clock import LoopClock
from orchestrator.credentials import Credentials
from orchestrator.events import untold
from orchestrator.lifecycle import SpecState
from orchestrator.listeners.telling import Telling
from orchestrator.model import Api, Spec
from orchestrator.records import RunRecord, RunSettings, TestRecord
from orchestrator.runner.conductor import Conductor
from orchestrator.runner.doors import Doors, Pacing
from orchestrator.runner.naming import test_name
from orchestrator.runner.pacer import Gaps
from orchestrator.runner.wire import Wire
from orchestrator.store.opening import open_store
from orchestrator.thousandeyes.client import HttpTransport
from orchestrator.thousandeyes.dialects import dialect
from orchestrator.thousandeyes.protocol import Request

SPEED = 20.0
LAYERS = 3
AT_ONCE = 64
TOKEN = "benchmark-0123456789abcdef-01234567"
SIMULATOR = Path(__file__).resolve().parents[1] / "support" / "process_simulator.py"
# Everything is there at once, and no limit is ever near.
WORLD = {
    "organization_limit": 100_000,
    "instant_limit": 50_000,
    "sigma": 0.0,
    "shortest": 0.0,
    "latency": 0.001,
    "network_delay": 0.0,
    "all_online": True,
}


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of one client for its requests: creations and looks."""

    client: str
    creations: int
    looks: int
    cpu: float
    wall: float

    @property
    def requests(self) -> int:
        return self.creations + self.looks

    @property
    def micros(self) -> float:
        """Microseconds of CPU per request."""
        return self.cpu / self.requests * 1e6


@contextmanager
def memory_folder() -> Iterator[Path]:
    """A folder in memory, or an ordinary one where the system has none."""
    shared = Path("/dev/shm")  # noqa: S108 - a fresh folder with a random name is made in it
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as folder:
        yield Path(folder)


@contextmanager
def simulator() -> Iterator[str]:
    """The simulated API as a process; gives its origin."""
    environment = {
        **os.environ,
        VARIABLE: str(Pace.from_now(SPEED)),
        "PYTHONPATH": os.pathsep.join([str(SIMULATOR.parent), *sys.path]),
    }
    command = [sys.executable, str(SIMULATOR), json.dumps(WORLD)]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


async def bare(origin: str, specs: Sequence[Spec]) -> tuple[int, int]:
    """The same requests with nothing around them: send, read, decode. Returns creations and looks."""
    speaks = dialect(Api.V7)
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}
    todo = iter(specs)
    sent = [0, 0]

    async def fetch(session: aiohttp.ClientSession, request: Request) -> dict[str, object]:
        sent[not request.instant] += 1
        url = f"{origin}{request.path}"
        async with session.request(
            request.method, url, json=request.body, params=dict(request.query), headers=headers
        ) as answer:
            found: dict[str, object] = json.loads(await answer.read())
            return found

    async def worker(session: aiohttp.ClientSession) -> None:
        for spec in todo:
            made = await fetch(session, speaks.create(spec, test_name("bench", "1", spec), None))
            for layer in spec.layers:
                while True:
                    look = speaks.poll(spec, str(made["testId"]), layer, None, origin, None)
                    if (await fetch(session, look))["results"]:
                        break
                    await anyio.sleep(0.05)

    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(AT_ONCE):
            tasks.start_soon(worker, session)
    return sent[0], sent[1]


async def ours(origin: str, specs: Sequence[Spec], folder: Path, *, shared: bool) -> tuple[int, int]:
    """The orchestrator's own path: journal, budgets, dispatcher, transport, answers, verdicts."""
    clock = LoopClock(speed=SPEED)
    rng = Random(1)
    telling = Telling(clock.wall)
    async with open_store(str(folder / "o.db")) as opened:
        store = opened.store
        # The types are known already; how a first run learns them is another table's business.
        await store.save_latencies(origin, {kind: [0.5] * 30 for kind in {spec.type for spec in specs}})
        ledger: Ledger = LocalLedger(rng=rng, expiry=90.0 * SPEED)
        if shared:
            ledger = opened.ledger(origin, "", rng=rng, reserve=0.1, urgent=False, tell=untold)
        async with HttpTransport(origin, Credentials(TOKEN), now=clock.now) as transport:
            run = RunRecord(
                id="6500000000000001", plan="bench", plan_path=None, plan_text="", plan_hash="", api=Api.V7,
                origin=origin, account=None, parent=None, started=clock.wall(),
                settings=RunSettings(deadline=1e6),
            )  # fmt: skip
            tests = [TestRecord(run.id, n, spec, SpecState.PLANNED) for n, spec in enumerate(specs)]
            await store.create_run(run, tests, (), ())
            doors = Doors(store, Wire(transport, ledger, clock, telling), ledger, clock, rng, telling)
            pacing = Pacing(Gaps(wire=0.0, creation=0.0), SPEED)
            conductor = Conductor(doors, dialect(Api.V7), run, pacing=pacing)
            outcome = await conductor.run()
            assert outcome.exit_code == 0, f"the run ended with {outcome.exit_code!r}: {outcome.counts}"
        ledger.close()
        counted = (await store.run(run.id)).facts.requests
    return counted.creations, counted.reads


def measured(client: str, work: Callable[[], Awaitable[tuple[int, int]]]) -> Cost:
    """CPU of all threads of this process, and of nothing else."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    creations, looks = asyncio.run(_awaited(work))
    return Cost(client, creations, looks, time.process_time() - cpu, time.perf_counter() - wall)


async def _awaited(work: Callable[[], Awaitable[tuple[int, int]]]) -> tuple[int, int]:
    return await work()


def overhead(tests: int, rounds: int) -> list[Cost]:
    """The clients in turn, ``rounds`` times; of each the round with the least CPU (others share the host)."""
    specs = Scenario("overhead", tests, LAYERS).specs()
    best: dict[str, Cost] = {}
    with simulator() as origin:
        for _ in range(rounds):
            for client, work in _clients(origin, specs).items():
                cost = work(client)
                if client not in best or cost.cpu < best[client].cpu:
                    best[client] = cost
    return list(best.values())


def _clients(origin: str, specs: Sequence[Spec]) -> dict[str, Callable[[str], Cost]]:
    def run(client: str, *, shared: bool) -> Cost:
        with memory_folder() as folder:
            return measured(client, lambda: ours(origin, specs, folder, shared=shared))

    return {
        "bare aiohttp loop": lambda client: measured(client, lambda: bare(origin, specs)),
        "orchestrator": lambda client: run(client, shared=False),
        "orchestrator, budgets shared with other processes": lambda client: run(client, shared=True),
    }
