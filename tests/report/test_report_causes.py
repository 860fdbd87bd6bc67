"""What the bad cells of a run share: in JUnit, in ``report --format json`` and in the library."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from junitparser import JUnitXml
from simulated_run import in_process
from virtual_time import run_virtual

from orchestrator import Explanation, Insight, run_plan, show
from orchestrator.actions import reading
from orchestrator.insight.document import document
from orchestrator.plan.load import parse_plan
from orchestrator.simulator.culprits import broken_world

AGENTS = '["3", "5", "8", "13", "21", "34"]'
PLAN = f"""
version: 1
name: broken
tests:
  - name: web
    type: http-server
    targets: ["https://a.example.com", "https://b.example.com", "https://c.example.com", "https://d.example.com"]
    agents: {AGENTS}
    layers: [http-server, network]
    expect: http-server.responseCode == 200
  - {{name: reach, type: agent-to-server, targets: ["gate.example.net:443"], agents: {AGENTS}}}
"""


class Told(NamedTuple):
    """The documents of one run."""

    junit: bytes
    json: dict[str, Any]
    show: dict[str, Any]
    insight: dict[str, Any]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Of a run in a world where one target is dead."""
    world = broken_world(1, ["target=b.example.com:dead"], None)

    async def work() -> Told:
        async with in_process(world, store=tmp_path_factory.mktemp("causes") / "s.db") as simulated:
            ran = await simulated.run(PLAN)
            opened, now = simulated.session.opened, ran.outcome.run.started + 900.0
            shown = await reading.show(opened, "last", now=now)
            return Told(
                await reading.report(opened, "last", "junit", now=now),
                json.loads(await reading.report(opened, "last", "json", now=now)),
                shown.document(),
                document(shown.insight),
            )

    return run_virtual(work)


def properties(suite: ET.Element) -> dict[str, str]:
    return {one.get("name", ""): one.get("value", "") for one in suite.iterfind("properties/property")}


def test_a_suite_has_the_causes_that_it_is_about_as_properties(told: Told) -> None:
    web, reach = ET.fromstring(told.junit).iter("testsuite")  # noqa: S314 - our own output
    cause = told.insight["explanations"][0]
    assert properties(web) == {
        "run": told.insight["run"],
        "cause.1.rank": "1",
        "cause.1.kind": "target",
        "cause.1.value": "web / https://b.example.com",
        "cause.1.certainty": cause["sure"],
        "cause.1.text": cause["text"].removesuffix("."),
    }
    assert "fails from every agent" in cause["text"]
    assert properties(reach) == {"run": told.insight["run"]}, "nothing is wrong there"


def test_properties_come_first_in_a_suite_and_readers_take_them(told: Told) -> None:
    for suite in ET.fromstring(told.junit).iter("testsuite"):  # noqa: S314 - our own output
        tags = [one.tag for one in suite]
        assert tags[0] == "properties"
        assert set(tags[1:]) == {"testcase"}
        for one in suite.iterfind("properties/property"):
            assert set(one.attrib) == {"name", "value"}
            assert not list(one)
    parsed = JUnitXml.fromstring(told.junit)
    names = [one.name for suite in parsed for one in suite.properties()]  # type: ignore[no-untyped-call] # the library's own lack
    assert "cause.1.text" in names


def test_the_json_report_is_the_document_of_show(told: Told) -> None:
    assert told.json == told.show
    assert told.json["insight"]["explanations"][0]["kind"] == "target"


async def test_the_library_has_explanations_as_values_and_in_the_summary(tmp_path: Path) -> None:
    own = '{name: x, url: "https://x.example.com", expect: http-server.responseCode == 999}'
    text = PLAN.replace('"https://d.example.com"', own)
    run = await run_plan(
        parse_plan(text, "plan.yaml", None, environ={}), store=tmp_path / "s.db", simulated=True
    )
    assert isinstance(run.insight, Insight)
    (cause,) = run.insight.explanations
    assert isinstance(cause, Explanation)
    assert (cause.group.value, cause.bad, len(cause.cells)) == (("web", "x"), 6, 6)
    shown = await show(run.id, store=run.store)
    assert run.summary == shown.document()
    assert shown.insight.explanations == run.insight.explanations
