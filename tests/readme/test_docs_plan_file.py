"""docs/plan-file.md has every key, type, option, layer, metric and unit, and its examples are plans."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from documentation import ROOT, Block, blocks
from plan_tables import render
from pydantic import BaseModel
from workplace import Workplace

from orchestrator.plan import document
from orchestrator.plan.load import parse_plan
from orchestrator.testtypes import METRICS, TEST_TYPES

PLAN_FILE = ROOT / "docs" / "plan-file.md"
TEXT = PLAN_FILE.read_text("utf-8")
PLANS = [*blocks(ROOT / "README.md", "yaml"), *blocks(PLAN_FILE, "yaml")]


def section(heading: str) -> str:
    """The text from a heading to the next one of its level."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)
    assert found is not None, f"no section {heading!r}"
    return found.group(1)


def keys_in(text: str) -> set[str]:
    """What the first columns of the tables name."""
    return set(re.findall(r"^\| `([^`]+)`", text, re.MULTILINE))


def test_the_tables_are_those_of_the_code() -> None:
    assert TEXT.count("<!-- table: ") == 3
    assert render(TEXT) == TEXT, "python tests/support/plan_tables.py writes them"


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("Top level", document.PlanDocument),
        ("Agents: selectors", document.SelectorDocument),
        ("Tests", document.TestDocument),
        ("Budget and ceilings", document.BudgetDocument),
    ],
)
def test_every_key_of_a_mapping_is_described_and_no_other(heading: str, model: type[BaseModel]) -> None:
    text = section(heading)
    if heading == "Tests":
        text = text.split("<!-- table: types -->", 1)[0]
    assert keys_in(text) == set(model.model_fields)


def test_every_key_of_a_sample_is_described() -> None:
    text = section("Agents: selectors")
    assert all(re.search(rf"\b{name}\b", text) for name in document.SampleDocument.model_fields)


@pytest.mark.parametrize("name", TEST_TYPES)
def test_a_type_is_described_with_its_layers_and_options(name: str) -> None:
    row = next(line for line in section("Tests").splitlines() if line.startswith(f"| `{name}` |"))
    assert all(f"`{layer}`" in row for layer in TEST_TYPES[name].layers)
    described = keys_in(section("Tests").split("<!-- table: options -->", 1)[1])
    assert set(TEST_TYPES[name].options) <= described


@pytest.mark.parametrize("layer", METRICS)
def test_a_layer_is_described_with_its_metrics_and_their_units(layer: str) -> None:
    row = next(line for line in section("Expectations").splitlines() if line.startswith(f"| `{layer}` |"))
    words = {"": "number", "bool": "true or false"}
    for metric, unit in METRICS[layer].items():
        assert f"`{metric}` ({words.get(unit, unit)})" in row


@pytest.mark.parametrize("block", PLANS, ids=str)
def test_an_example_is_a_plan_that_the_simulated_organization_can_run(
    block: Block, workplace: Workplace, tmp_path: Path
) -> None:
    parse_plan(block.text, block.document, tmp_path, environ={})
    (workplace.folder / "example.yaml").write_text(block.text)
    done = workplace.sh("orchestrator check --simulate example.yaml")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("expectation", "measured", "holds"),
    [("< 2s", 1999.0, True), ("< 2000", 1999.0, True), ("< 2s", 2001.0, False), ("< 0.01 min", 601.0, False)],
)
def test_units_mean_what_the_document_says(expectation: str, measured: float, holds: bool) -> None:
    from orchestrator.verdict.expect import parse_expectation  # noqa: PLC0415 - the only user

    assert parse_expectation(f"http-server.totalTime {expectation}", "http-server").holds(measured) is holds


def test_every_unit_that_an_expectation_may_have_is_described() -> None:
    from orchestrator.verdict.expect import _UNITS  # noqa: PLC0415 - the only user

    text = section("Expectations")
    written = {unit for factors in _UNITS.values() for unit in factors}
    spelled_otherwise = {"KB", "KB/s", "Kbps"}
    assert not [unit for unit in written - spelled_otherwise if f"`{unit}`" not in text]
