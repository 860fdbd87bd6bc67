"""docs/documents.md shows every key of every JSON document, and none that is not there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

import pytest
from documentation import ROOT, blocks
from insight_example import example
from workplace import Workplace, serving

from orchestrator.model import Hop

DOCUMENTS = ROOT / "docs" / "documents.md"
PLAN = """
version: 1
name: documented
tests:
  - {name: here, type: agent-to-agent, targets: [hq-london], agents: {name: "branch-0*"},
     options: {direction: bidirectional}, layers: network,
     expect: network.loss >= 0, warn: network.loss >= 0}
budget: {max_tests: CEILING}
"""
# What is inside depends on the layer, or on what is wrong, not on the document.
FREE = frozenset({"metrics", "phases"})


def shape(value: object, key: str = "") -> object:
    """Keys without values; a list stands for its first item."""
    if isinstance(value, dict) and key not in FREE:
        return {name: shape(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return None


def documented() -> dict[str, object]:
    return {block.name: json.loads(block.text) for block in blocks(DOCUMENTS, "json")}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Every document as the command line prints it, each with at least one item in its lists."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "plan.yaml").write_text(PLAN.replace("CEILING", "10"))
    (folder / "low.yaml").write_text(
        PLAN.replace("CEILING", "1").replace("[hq-london]", "[hq-london, hq-new-york]")
    )

    (folder / "o.toml").write_text("[profiles.acme]\n")

    def read(place: Workplace, line: str, code: int = 0) -> object:
        done = place.sh(line)
        assert done.returncode == code, f"{line}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout.splitlines()[0] if "jsonl" in line else done.stdout)

    with serving("--fault", "reset-after:create:1.0") as losing:
        place = Workplace(folder, losing)
        simulated = "--simulate --type enterprise --name 'branch-0*'"
        found = {
            "run": read(place, "orchestrator run --simulate --json plan.yaml"),
            "summary": read(place, "orchestrator show last --json"),
            "result": read(place, "orchestrator results last --format jsonl"),
            "cell": read(place, "orchestrator results last --cells --format jsonl"),
            "explain": read(place, "orchestrator explain last hq-london --json"),
            "check": read(place, "orchestrator check --simulate --json low.yaml", code=6),
            "offline": read(place, "orchestrator check --offline --json low.yaml", code=0),
            "agents": read(place, f"orchestrator agents --json {simulated}"),
            "doctor": read(place, "orchestrator doctor --json"),
            "settings": read(place, "orchestrator doctor --settings --json --config o.toml"),
            "runs": read(place, "orchestrator runs --json"),
            "hop": asdict(Hop(1)),
            "insight": example(),
        }
        diagnosed = read(place, "orchestrator diagnose --simulate --json https://shop.example.com")
        assert isinstance(diagnosed, dict)
        found["diagnose"] = diagnosed["diagnose"]
        lost = place.sh("orchestrator run -q plan.yaml")
        assert lost.returncode == 3, lost.stderr
        found["reconcile"] = read(place, "orchestrator reconcile last --json")
        found["store_info"] = read(place, "orchestrator store info --json")
        found["store_prune"] = read(place, "orchestrator store prune --keep 0 --dry-run --json")
    return found


def with_direction(document: object) -> object:
    """``direction`` is described, and shown by agent-to-agent only, which the example is not."""
    assert isinstance(document, dict)
    return {**document, "direction": None}


def without_paths(document: object) -> object:
    """The paths of an explanation are of an agent that was asked for; their keys are held elsewhere."""
    assert isinstance(document, dict)
    return {**document, "tests": [{**test, "paths": []} for test in document["tests"]]}


def with_limits(document: object) -> object:
    """An agent of the real run is offline, which its insight tells; the example's has nothing to tell."""
    assert isinstance(document, dict)
    return {**document, "insight": {**document["insight"], "limits": ["a sentence"]}}


@pytest.mark.parametrize("name", sorted(documented()))
def test_a_documented_example_has_the_keys_of_the_real_document(
    name: str, printed: dict[str, object]
) -> None:
    example = documented()[name]
    if name == "result":
        example = with_direction(example)
    if name == "explain":
        example = without_paths(example)
    if name == "summary":
        example = with_limits(example)
    assert shape(example) == shape(printed[name])


def test_every_document_has_an_example(printed: dict[str, object]) -> None:
    assert documented().keys() == printed.keys() - {"run"}


def test_run_and_show_print_the_same_summary(printed: dict[str, object]) -> None:
    assert shape(printed["run"]) == shape(printed["summary"])


def test_the_examples_numbers_add_up() -> None:
    summary = documented()["summary"]
    assert isinstance(summary, dict)
    for group in ("tests", "cells"):
        ends = {name: count for name, count in summary[group].items() if name not in {"planned", "created"}}
        assert sum(ends.values()) == summary[group]["planned"], group
    assert sum(summary["verdicts"].values()) == summary["cells"]["planned"]


def test_the_shape_of_a_document_is_its_keys() -> None:
    assert shape({"a": [{"b": 1}, {"b": 2}], "metrics": {"x": 1}}) == {"a": [{"b": None}], "metrics": None}


def test_csv_has_the_columns_that_are_described(
    workplace_at: Callable[[str], Workplace], simulated_api: str
) -> None:
    place = workplace_at(simulated_api)
    assert place.sh("orchestrator run -q --simulate plans/dns-health.yaml").returncode == 0
    header = place.sh("orchestrator results last --format csv").stdout.splitlines()[0].split(",")
    example = documented()["result"]
    assert isinstance(example, dict)
    fixed = [name for name in example if name not in {"schema", "metrics"}]
    assert {*fixed, "test", "link", "direction"} <= set(header)
    assert "resolutionTime" in header
    assert "metric.server" in header
