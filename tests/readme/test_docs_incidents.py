"""docs/incidents.md as it is lived through: alert, diagnose, ticket, fix, `rerun --failed`, `diff`.

That its commands exist and run is held by ``test_readme_commands``; here is the story with something broken
in it, which is mended in the middle, in virtual time.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from documentation import ROOT, blocks
from simulated_run import Simulated, in_process
from virtual_time import run_virtual

from orchestrator.actions.compare import LAST_GOOD, Terms, hold
from orchestrator.actions.diagnose import Diagnosed, Question, diagnose
from orchestrator.diagnosis.ticket import MOST
from orchestrator.errors import Exit
from orchestrator.simulator.culprits import parse_culprit
from orchestrator.simulator.settings import Settings

PAGE = ROOT / "docs" / "incidents.md"
URL = "https://shop.example.com"
# From ten minutes after the first test of the world on, for ten minutes.
BROKEN = "agent-type=enterprise,target=shop.example.com:dead,from=10m,until=20m"


def test_the_runbook_from_the_alert_to_the_proof_of_the_fix(tmp_path: Path) -> None:
    async def live(opened: Simulated) -> tuple[Diagnosed, Diagnosed, Any, Any]:
        session = opened.session
        before = await diagnose(session, Question((URL,)))
        await session.doors.clock.sleep(600.0)
        incident = await diagnose(session, Question((URL,), against=LAST_GOOD))
        await session.doors.clock.sleep(900.0)
        again = await opened.rerun(incident.runs[0], failed=True)
        held = await hold(session.doors.store, again.outcome.run, LAST_GOOD, Terms(min_cover=0.2))
        return before, incident, again, held

    async def work() -> tuple[Diagnosed, Diagnosed, Any, Any]:
        world = Settings(seed=7, topology="shared", culprits=(parse_culprit(BROKEN),))
        async with in_process(world, store=tmp_path / "o.db") as opened:
            return await live(opened)

    before, incident, again, held = run_virtual(work)
    assert before.exit_code is Exit.OK
    assert incident.exit_code is Exit.EXPECTATION_FAILED
    assert "fails from inside only" in incident.sentence
    assert "Last good: " in incident.ticket
    assert before.runs[0] in incident.ticket
    assert "Worse than before: " in incident.ticket
    assert len(incident.ticket) <= MOST
    assert again.code == 0
    assert held.base.id == before.runs[0]
    assert held.comparison.judgement.exit_code == 0


def test_the_page_tells_the_story_in_that_order() -> None:
    told = "\n".join(block.text for block in blocks(PAGE, "sh"))
    steps = (
        "diagnose https",
        "--against last-good -o ticket.md",
        "show last",
        "rerun last --failed",
        "diff last",
    )
    places = [told.index(step) for step in steps]
    assert places == sorted(places)


def test_the_page_names_every_preset_that_there_is() -> None:
    table = PAGE.read_text("utf-8").partition("| preset |")[2]
    named = set(re.findall(r"`([a-z-]+)`", table.partition("\n\n")[0]))
    assert named == {
        *("diagnose-url", "diagnose-dns", "diagnose-tcp", "diagnose-agent", "vpn-edge", "saas-suite", "voice")
    }
    assert all((ROOT / "plans" / f"{name}.yaml").is_file() for name in named)
