"""Two commands of one host that share an organization's limits: who is in a hurry goes first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
from shared_row_processes import process
from simulated_run import in_process
from virtual_time import run_virtual

from orchestrator.actions import run as running
from orchestrator.actions.diagnose import Question, diagnose
from orchestrator.errors import Exit
from orchestrator.lifecycle import SpecState
from orchestrator.plan.load import parse_plan
from orchestrator.simulator.culprits import parse_culprit
from orchestrator.simulator.settings import Settings as World

URL = "https://shop.example.com"
OTHERS = tuple(f"https://{name}.example.com" for name in ("mail", "wiki", "www"))
# Of each target a test of the page and one of its name.
FIRST_WAVE = 2 * (1 + len(OTHERS))
# Windows of creations, and each test waits for its turn at all times.
SITES = 60
SWEEP = f"""
version: 1
name: sweep
tests:
  - name: web
    type: http-server
    targets: [{", ".join(f'"https://site-{n}.example"' for n in range(SITES))}]
    agents: ["3"]
budget: {{reserve: 0%}}
deadline: 20m
"""


def test_a_diagnosis_overtakes_a_sweep_that_goes_on_and_the_sweep_still_ends(tmp_path: Path) -> None:
    world = World(seed=7, topology="shared", culprits=(parse_culprit(f"target={URL}:dead"),))
    came: dict[str, Any] = {}

    async def work() -> None:
        async with in_process(world, store=tmp_path / "o.db") as simulated:
            clock, store = simulated.session.doors.clock, simulated.session.doors.store
            sweeping, asking = (process(simulated, n, urgent=n == 2) for n in (1, 2))
            plan = parse_plan(SWEEP, "plan.yaml", None, environ={})

            async def sweep() -> None:
                outcome = await running.run(sweeping, plan)
                came["sweep"] = (clock.now(), outcome, len(simulated.service.witness()["creations"]))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(sweep)
                # In the middle of a window of which nothing is left.
                await clock.sleep(30.0)
                came["before"] = len(simulated.service.witness()["creations"])
                found = await diagnose(asking, Question((URL, *OTHERS)))
                came["diagnosis"] = (clock.now(), found)
            came["witness"] = simulated.service.witness()
            came["tests"] = await store.tests(came["sweep"][1].run.id)

    run_virtual(work)
    at, found = came["diagnosis"]
    assert found.sentence == f"{URL} fails from every agent: 12 of 12"
    ended, outcome, _ = came["sweep"]
    assert at < ended
    names = [str(creation["name"]) for creation in came["witness"]["creations"]]
    asked = [place for place, name in enumerate(names) if not name.startswith("sweep")]
    # Whoever is in a hurry goes first, and leaves every fifth to the others.
    beside = asked[FIRST_WAVE - 1] - came["before"] - (FIRST_WAVE - 1)
    assert beside <= FIRST_WAVE // 4, names
    assert outcome.exit_code is Exit.OK
    assert {test.state for test in came["tests"]} == {SpecState.COMPLETE}
    assert len(names) == SITES + len(asked)
    assert came["witness"]["refused_429"]["own"] == 0
