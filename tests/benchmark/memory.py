"""Peak memory of a run by the number of its cells. As a script with that number it prints a JSON object.

The whole way of the product, each size in a process of its own: the text of a plan is read and checked, its
agents are listed, its cells expanded and packed, the run is stored and conducted in virtual time under the
default limits. The simulated world is in the same process, because virtual time needs it there; it keeps
every test that it ever created, so the figure is an upper bound.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from secrets import token_hex

from virtual_time import run_virtual
from virtual_world import EPOCH, ORIGIN, VirtualTransport

from orchestrator.actions.prepare import Wishes, prepare, store_run
from orchestrator.actions.session import Session
from orchestrator.budget.ledger import LocalLedger
from orchestrator.clock import LoopClock
from orchestrator.listeners.telling import Telling
from orchestrator.plan.load import parse_plan
from orchestrator.records import RunRecord
from orchestrator.runner.conductor import Conductor
from orchestrator.runner.doors import Doors, Pacing
from orchestrator.runner.wire import Wire
from orchestrator.settings import Settings
from orchestrator.simulator.service import Service
from orchestrator.simulator.settings import Settings as World
from orchestrator.store.opening import open_store

AGENTS = 20  # in one test
PLAN = """\
version: 1
name: memory
agents:
  all: {{type: cloud, sample: {{count: {agents}}}}}
targets:
  sites:
{sites}
tests:
  - {{name: web, type: http-server, targets: sites, agents: all}}
"""


@dataclass(frozen=True, slots=True)
class Memory:
    """MiB of one process: with everything imported, with the plan stored, at the peak of the run."""

    cells: int
    tests: int
    requests: int
    imported: float
    stored: float
    peak: float


def peak_mebibytes() -> float:
    """The most that this process ever had in memory."""
    try:
        # ru_maxrss would count what the parent had when it started us.
        status = Path("/proc/self/status").read_text("ascii")
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        pass  # no Linux
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024 * 1024 if sys.platform == "darwin" else 1024)  # bytes there, KiB elsewhere


def measure_here(cells: int) -> Memory:
    """Run a plan of so many cells in this process."""
    imported = peak_mebibytes()
    with tempfile.TemporaryDirectory() as folder:
        stored, requests = run_virtual(lambda: _run(cells // AGENTS, Path(folder) / "o.db"))
    return Memory(cells, cells // AGENTS, requests, imported, stored, peak_mebibytes())


async def _run(tests: int, path: Path) -> tuple[float, int]:
    clock = LoopClock(epoch=EPOCH)
    clock.wall()
    rng = Random(1)
    service = Service(World(seed=1, all_online=True, base_url=ORIGIN))
    async with open_store(str(path), virtual=True) as opened:
        ledger, telling = LocalLedger(rng=rng), Telling(clock.wall)
        wire = Wire(VirtualTransport(service, clock, clock), ledger, clock, telling)
        doors = Doors(opened.store, wire, ledger, clock, rng, telling)
        settings = Settings(origin=ORIGIN, store=opened.url)
        session = Session(settings, opened, doors, Pacing(), token_hex, simulated=True)
        record = await _stored(session, tests)
        stored = peak_mebibytes()
        speaks = session.dialect(record.api)
        conductor = Conductor(doors, speaks, record, pacing=Pacing())
        outcome = await conductor.run()
        assert outcome.exit_code == 0, f"the run ended with {outcome.exit_code!r}: {outcome.counts}"
    return stored, telling.statistics.creations + telling.statistics.reads


async def _stored(session: Session, tests: int) -> RunRecord:
    """In a function of its own: the plan is not kept while the run goes on, nor is it by the command line."""
    sites = "\n".join(f'    - "https://site-{n}.example.com"' for n in range(tests))
    plan = parse_plan(PLAN.format(agents=AGENTS, sites=sites), "plan.yaml", None, environ={})
    return await store_run(session, await prepare(session, plan), Wishes())


def measure_apart(cells: int) -> Memory:
    """The same in a process of its own, so that nothing else counts."""
    done = subprocess.run(
        [sys.executable, __file__, str(cells)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Memory(**json.loads(done.stdout))


if __name__ == "__main__":
    print(json.dumps(asdict(measure_here(int(sys.argv[1])))))  # noqa: T201 - read by the parent
