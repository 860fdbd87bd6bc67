"""The plans that are shipped, over the agents of the simulated world."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from orchestrator.estimate import estimate
from orchestrator.expand import Expansion, expand
from orchestrator.model import Agent, AgentState, AgentType, Api
from orchestrator.plan.load import load_plan
from orchestrator.plan.model import Plan
from orchestrator.plan.problems import Problems
from orchestrator.plan.schema import schema
from orchestrator.plan.source import plain, read_yaml
from orchestrator.simulator.fleet import fleet
from orchestrator.simulator.settings import Settings
from orchestrator.testtypes import TEST_TYPES

ROOT = Path(__file__).parents[2]
PLANS = sorted((ROOT / "plans").glob("*.yaml"))
SCHEMA_FILE = ROOT / "orchestrator" / "plan" / "plan.schema.json"


def _world() -> list[Agent]:
    """The simulated agents as they are listed: clusters with the state of their members."""
    agents = []
    for one in fleet(Settings()):
        state = AgentState(one.state) if one.state else AgentState.UNKNOWN
        if one.members:
            state = AgentState.ONLINE if one.answers else AgentState.OFFLINE
        labels = tuple(f"{key}:{value}" for key, value in one.tags) + tuple(value for _, value in one.tags)
        agents.append(
            Agent(
                str(one.id),
                one.name,
                AgentType(one.type),
                one.country,
                one.location,
                state,
                labels,
                one.target_only,
            )
        )
    return agents


def _expanded(path: Path) -> tuple[Plan, Expansion]:
    plan = load_plan(path, environ={})
    return plan, expand(plan, _world())


def test_they_are_the_ones_that_the_documentation_names() -> None:
    assert {path.stem for path in PLANS} >= {
        "quickstart",
        "branch-sweep",
        "dns-health",
        "web-and-page-load",
        "voice-readiness",
        "incident-runbook",
    }


def test_together_they_use_every_kind_of_test() -> None:
    assert {test.type for path in PLANS for test in load_plan(path, environ={}).tests} == set(TEST_TYPES)


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
class TestEachPlan:
    def test_every_cell_can_answer_and_there_is_one_creation_for_each_target_and_test(
        self, path: Path
    ) -> None:
        plan, expansion = _expanded(path)
        assert expansion.not_run == ()
        assert len(expansion.specs) == sum(len(test.targets) for test in plan.tests)

    def test_it_stays_within_its_own_ceilings(self, path: Path) -> None:
        plan, expansion = _expanded(path)
        worth = estimate(plan, expansion, _world())
        assert (worth.exceeded, worth.beyond_deadline) == ((), 0)

    def test_it_expects_something_of_the_answers(self, path: Path) -> None:
        assert any(test.expect for test in load_plan(path, environ={}).tests)

    def test_it_runs_over_v6_unless_it_has_api_tests(self, path: Path) -> None:
        if any(test.type == "api" for test in load_plan(path, environ={}).tests):
            assert path.stem == "web-and-page-load"
        else:
            assert load_plan(path, environ={}, api=Api.V6).api is Api.V6

    def test_it_names_the_schema_on_its_first_line_and_fits_it(self, path: Path) -> None:
        first, _, _ = path.read_text(encoding="utf-8").partition("\n")
        _, _, relative = first.partition("# yaml-language-server: $schema=")
        assert (path.parent / relative).resolve() == SCHEMA_FILE
        node = read_yaml(path.read_text(encoding="utf-8"), path.name, Problems())
        assert node is not None
        jsonschema.validate(plain(node), schema(), cls=jsonschema.Draft202012Validator)


def test_the_quick_start_has_tens_of_targets_and_agents_and_several_types() -> None:
    plan, expansion = _expanded(ROOT / "plans" / "quickstart.yaml")
    assert len({(spec.type, spec.target) for spec in expansion.specs}) >= 20
    assert len({agent for spec in expansion.specs for agent in spec.agents}) >= 20
    assert len({test.type for test in plan.tests}) >= 4
    assert expansion.cells >= 200


def test_the_runbook_takes_its_target_from_the_command_line() -> None:
    plan = load_plan(
        ROOT / "plans" / "incident-runbook.yaml", environ={}, sets={"target": "shop.example.com"}
    )
    names = [target.name for test in plan.tests for target in test.targets]
    assert names == ["https://shop.example.com/", "shop.example.com A", "shop.example.com:443"]


class TestSchema:
    def test_it_is_a_valid_schema_of_its_draft(self) -> None:
        jsonschema.Draft202012Validator.check_schema(schema())

    def test_the_file_in_the_package_is_the_schema(self) -> None:
        text = json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
        assert SCHEMA_FILE.read_text(encoding="utf-8") == text, "write it anew: orchestrator schema"

    def test_its_keys_are_those_that_the_loader_knows(self) -> None:
        from orchestrator.plan import document  # noqa: PLC0415 - beside its use

        made = schema()
        selector = made["$defs"]["selector"]["anyOf"][0]
        for properties, model in (
            (made["properties"], document.PlanDocument),
            (made["properties"]["budget"]["properties"], document.BudgetDocument),
            (made["$defs"]["test"]["properties"], document.TestDocument),
            (selector["properties"], document.SelectorDocument),
            (selector["properties"]["sample"]["properties"], document.SampleDocument),
        ):
            assert set(properties) == set(model.model_fields)

    def test_it_accepts_variables_wherever_values_stand(self) -> None:
        text = """
            {"version": 1, "name": "x", "deadline": "${d}", "budget": {"max_tests": "${n}"},
             "tests": [{"name": "t", "type": "http-server", "targets": "${t}", "agents": "${a}",
                        "options": {"httpTimeLimit": "${l}", "followRedirects": "${f}", "protocol": "${p}"},
                        "layers": ["${x}"], "expect": ["${e}"], "path_details": "${y}"}]}"""
        jsonschema.validate(json.loads(text), schema(), cls=jsonschema.Draft202012Validator)

    def test_making_it_loads_neither_the_http_client_nor_the_store(self) -> None:
        import subprocess  # noqa: PLC0415 - a fresh interpreter is the point
        import sys  # noqa: PLC0415 - as above

        code = (
            "import sys; from orchestrator.plan.schema import schema; schema();"
            "print([name for name in ('aiohttp', 'sqlite3', 'pydantic') if name in sys.modules])"
        )
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"
