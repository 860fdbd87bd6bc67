"""The documents of a simulated run as the commands print them. The one place that knows who makes them.

Recorded texts are compared with what is made here, so this module follows where the product's functions move,
and changes nothing of what they make: only what is random by design gets a fixed word.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from recorded_scenarios import SCENARIOS, VERSIONS, Scenario
from simulated_run import Simulated, in_process
from virtual_time import run_virtual

from orchestrator.actions.prepare import prepare
from orchestrator.actions.reading import summed_up
from orchestrator.actions.source import source_of
from orchestrator.model import Api
from orchestrator.plan.load import parse_plan
from orchestrator.records import RunRecord
from orchestrator.report.check import check_document
from orchestrator.report.formats import REPORTS
from orchestrator.report.junit import write_junit
from orchestrator.report.results import write_csv, write_jsonl
from orchestrator.simulator.scenario import read_scenario
from orchestrator.simulator.settings import Settings as World

DOCUMENTS = ("show.json", "results.jsonl", "results.csv", "report.md", "junit.xml", "check.json")
# What stands in the documents for the ids of a run and of the run before it, which are drawn at random.
RUN, PARENT = "RUN", "PARENT"


def run_names() -> list[str]:
    """The names of all runs: scenario and version."""
    return [f"{scenario}-{version}" for scenario in SCENARIOS for version in VERSIONS]


def documents_of(name: str) -> Mapping[str, bytes]:
    """Make a run and return its documents by their file names. Not from inside a running loop."""
    scenario, _, version = name.rpartition("-")
    return run_virtual(lambda: _documents(SCENARIOS[scenario], Api(version)))


async def _documents(scenario: Scenario, api: Api) -> dict[str, bytes]:
    world = read_scenario(dict(scenario.world))
    plan = f"api: {api.value}{scenario.plan}"
    with tempfile.TemporaryDirectory() as folder:
        checked = await _checked(plan, world, Path(folder))
        async with in_process(world, store=Path(folder) / "run.db") as simulated:
            simulated.session = replace(simulated.session, simulated=not scenario.told_as_real)
            ran = await simulated.run(plan, path=f"plans/{scenario.name}.yaml")
            if scenario.rerun:
                ran = await simulated.rerun(ran.outcome.run.id)
            made = await _made(simulated, ran.outcome.run.id)
            record = ran.outcome.run
    return {
        name: _without_chance(content, record) for name, content in {**made, "check.json": checked}.items()
    }


async def _checked(plan: str, world: World, folder: Path) -> bytes:
    """As `check --json` prints it, which has a session of its own."""
    loaded = parse_plan(plan, "plan.yaml", folder, environ={})
    async with in_process(world, store=folder / "check.db") as simulated:
        prepared = await prepare(simulated.session, loaded)
    expansion, worth = prepared.expansion, prepared.estimate
    return _printed(check_document(loaded.name, loaded.api, expansion.specs, expansion.not_run, worth))


async def _made(simulated: Simulated, run: str) -> dict[str, bytes]:
    """As `show --json`, `results --format` and `report --format` print them, from what is in the store."""
    store, now = simulated.session.doors.store, simulated.session.doors.clock.wall()
    record = await store.run(run)
    lines: list[str] = []
    rows: list[str] = []
    await write_jsonl(run, lambda: store.results(run), lines.append)
    await write_csv(run, lambda: store.results(run), rows.append)
    ticket: list[str] = []
    await REPORTS["markdown"].write(source_of(store, record, now), ticket.append)
    xml: list[str] = []
    await write_junit(record, lambda: store.cells(run), xml.append, tests=await store.tests(run), now=now)
    return {
        "show.json": _printed((await summed_up(store, record, now=now)).document()),
        "results.jsonl": "".join(lines).encode(),
        "results.csv": "".join(rows).encode(),
        "report.md": "".join(ticket).encode("utf-8", "backslashreplace"),
        "junit.xml": "".join(xml).encode(),
    }


def _printed(document: object) -> bytes:
    """As the command line prints a JSON document."""
    return (json.dumps(document, indent=2) + "\n").encode()


def _without_chance(content: bytes, run: RunRecord) -> bytes:
    """The document with fixed words for the ids of the run and of its parent, and for its tests' markers."""
    for chosen, word in ((run.id, RUN), (run.parent, PARENT)):
        if chosen is not None:
            # A marker has the last six digits of the id.
            marker = f"orc-{chosen[-6:]}-"
            content = content.replace(marker.encode(), f"orc-{word}-".encode())
            content = content.replace(chosen.encode(), word.encode())
    return content
