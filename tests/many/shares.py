"""How processes share an organization's limits, in virtual time: what a second one and a hurried one cost.

``python tests/many/shares.py`` prints

* the makespan of a sweep whose halves two processes run at once, against one process that runs all of it
* how long a hurried run takes beside a sweep that uses up the limits, against its time alone

No clock of this machine is in it. The row of the budgets is that of a file (``budget/shared.py``): the same
arithmetic as over PostgreSQL, where ``budgets.py`` beside this has real processes.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import fmean

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

import anyio
from shared_row_processes import process
from simulated_run import Simulated, in_process
from virtual_time import run_virtual

from orchestrator.actions import run as running
from orchestrator.actions.prepare import Wishes
from orchestrator.actions.session import Session
from orchestrator.plan.load import parse_plan
from orchestrator.plan.model import Plan
from orchestrator.simulator.settings import Settings as World

SITES, HURRIED = 192, 72
# The sweep has the limits to itself until then (seconds): anywhere in its window.
BEGUN = (5.0, 15.0, 25.0, 35.0, 45.0, 55.0)


def plan_of(name: str, sites: int) -> Plan:
    """A plan with so many creations."""
    targets = ", ".join(f'"https://{name}-{n}.example"' for n in range(sites))
    test = f'{{name: web, type: http-server, targets: [{targets}], agents: ["3"]}}'
    text = f"version: 1\nname: {name}\ntests: [{test}]\nbudget: {{reserve: 0%}}\ndeadline: 30m\n"
    return parse_plan(text, "plan.yaml", None, environ={})


def measured(work: Callable[[Simulated], Awaitable[float]]) -> tuple[float, int]:
    """What some work in a world of its own gives, and how many of its requests met a limit."""

    async def inside() -> tuple[float, int]:
        with tempfile.TemporaryDirectory() as folder:
            async with in_process(World(seed=7), store=Path(folder) / "o.db") as simulated:
                seconds = await work(simulated)
                return seconds, simulated.service.witness()["refused_429"]["own"]

    return run_virtual(inside)


async def timed(simulated: Simulated, session: Session, plan: Plan, *, urgent: bool = False) -> float:
    """Seconds that a run takes."""
    began = simulated.session.doors.clock.now()
    await running.run(session, plan, wishes=Wishes(urgent=urgent))
    return simulated.session.doors.clock.now() - began


async def alone(simulated: Simulated) -> float:
    """All of it by one process."""
    return await timed(simulated, process(simulated, 1), plan_of("sweep", SITES))


async def halved(simulated: Simulated) -> float:
    """Its halves by two."""
    began = simulated.session.doors.clock.now()
    async with anyio.create_task_group() as tasks:
        for number in (1, 2):
            half = plan_of(f"half-{number}", SITES // 2)
            tasks.start_soon(running.run, process(simulated, number), half)
    return simulated.session.doors.clock.now() - began


async def hurried_alone(simulated: Simulated) -> float:
    """The hurried one by itself."""
    return await timed(
        simulated, process(simulated, 2, urgent=True), plan_of("hurried", HURRIED), urgent=True
    )


def beside(begun: float, *, urgent: bool) -> Callable[[Simulated], Awaitable[float]]:
    """The same beside a sweep that has begun so many seconds before."""

    async def work(simulated: Simulated) -> float:
        found: list[float] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(running.run, process(simulated, 1), plan_of("sweep", SITES))
            await simulated.session.doors.clock.sleep(begun)
            session = process(simulated, 2, urgent=urgent)
            found.append(await timed(simulated, session, plan_of("hurried", HURRIED), urgent=urgent))
        return found[0]

    return work


def _times(found: Sequence[tuple[float, int]], own: float) -> str:
    times = [seconds / own for seconds, _ in found]
    return f"{min(times):.2f} to {max(times):.2f} times that, {fmean(times):.2f} on average"


def main() -> None:
    """Print the table."""
    one, two = measured(alone), measured(halved)
    own = measured(hurried_alone)
    fast = [measured(beside(begun, urgent=True)) for begun in BEGUN]
    slow = [measured(beside(begun, urgent=False)) for begun in BEGUN]
    told = [
        f"{SITES} creations by one process: {one[0]:.0f} s; by two: {two[0]:.0f} s, {two[0] / one[0]:.2f}",
        f"{HURRIED} hurried creations alone: {own[0]:.0f} s",
        f"beside a sweep with --priority: {_times(fast, own[0])}",
        f"without: {_times(slow, own[0])}",
        f"own 429: {sum(found[1] for found in (one, two, own, *fast, *slow))}",
    ]
    sys.stdout.write("\n".join(told) + "\n")


if __name__ == "__main__":
    main()
