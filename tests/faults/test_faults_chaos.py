"""Many faults at once, drawn by lot: whatever happens, the promises hold and the run ends."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from fault_cases import PLAN
from simulated_run import Ran, check_promises, in_process
from virtual_time import run_virtual

from orchestrator.simulator.faults import KINDS, When
from orchestrator.simulator.settings import Fault
from orchestrator.simulator.settings import Settings as World

LARGER = (
    PLAN.replace('["https://a.example", "https://b.example"]', "sites")
    + "targets:\n  sites: ["
    + ", ".join(f'"https://site-{number}.example"' for number in range(12))
    + "]\n"
)
# A refusal ends the run, which would hide all that could have come after it; they have cases of their own.
KINDS_BY_LOT = sorted(
    kind for kind, (when, _) in KINDS.items() if when is not When.WORLD and kind not in {"401", "403", "huge"}
)


def drawn(seed: int) -> World:
    lot = Random(seed)
    faults = [
        Fault(kind, lot.choice(("create", "read")), probability=lot.uniform(0.02, 0.25))
        for kind in lot.sample(KINDS_BY_LOT, 12)
    ]
    faults.append(Fault("404-fresh", value=lot.randrange(4)))
    faults.append(Fault("silent-agent", probability=0.2))
    return World(
        seed=seed,
        faults=tuple(faults),
        page_size=lot.choice((1, 2, 1000)),
        aligned=lot.random() < 0.5,
        others=lot.choice((0.0, 0.3)),
        links=lot.choice(("documented", "complete", "missing")),
        error_rate=0.1,
    )


@pytest.mark.parametrize("seed", range(9))
def test_the_promises_hold_in_a_world_of_faults(seed: int, tmp_path: Path) -> None:
    async def work() -> list[Ran]:
        async with in_process(drawn(seed), store=tmp_path / "store.db") as simulated:
            api = "v6" if seed % 4 == 3 else "v7"
            first = await simulated.run(f"{LARGER}api: {api}\n")
            return [first, await simulated.resume(first.outcome.run.id)]

    first, resumed = run_virtual(work)
    assert len(first.tests) == 13
    check_promises(first)
    check_promises(resumed)
    assert first.code in {0, 1, 3}
    lost = {one.answer.raw for one in first.answers} - {one.answer.raw for one in resumed.answers}
    assert not lost, "an answer of the first session was lost"
    posts = [request for request in resumed.requests if request.method == "POST"]
    # A refused creation was not paid for either, and a resume asks again.
    not_run = first.states().get("not_run", 0) + first.states().get("failed", 0)
    limited = resumed.summary["requests"]["refused_429"]
    assert len(posts) <= not_run + limited, "a resume creates only what was certainly never created"
