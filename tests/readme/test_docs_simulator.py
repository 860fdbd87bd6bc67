"""docs/simulator.md has every key of a scenario file and of a fault, with what it takes and its default."""

from __future__ import annotations

import json
import re
from dataclasses import fields

import pytest
from documentation import ROOT, blocks
from ruamel.yaml import YAML

from orchestrator.simulator import culprits, scenario, scenario_culprits
from orchestrator.simulator.faults import KINDS
from orchestrator.simulator.settings import MATCHES, MEDIANS, Fault, Settings

DOCUMENT = ROOT / "docs" / "simulator.md"
TEXT = DOCUMENT.read_text("utf-8")
# What a reader of a scenario takes, by a value that it must take.
SAMPLES = {
    "whole number": 3,
    "number": 0.5,
    "true or false": True,
    "text": "missing",
    "list of texts": ["GB"],
    "list of whole numbers": [3],
    "mapping from test type to seconds": {"api": 3},
    "list of mappings with `aid` and `name`": [{"aid": 1, "name": "one"}],
    "list of faults": ["500"],
    "list of culprits": ["country=GB:dead"],
    "mapping with `seed`, `own`, `common` and `spikes`": {"seed": 3},
    "text or list of texts": ["GB", "www.example.com"],
    "number or text": "0.5",
}
# What each must refuse: a value of no kind that comes before it.
STRANGERS = {
    "whole number": 0.5,
    "number": "0.5",
    "true or false": 1,
    "text": 3,
    "list of texts": [3],
    "list of whole numbers": ["3"],
    "mapping from test type to seconds": [3],
    "list of mappings with `aid` and `name`": [{"aid": 1}],
    "list of faults": ["no such fault"],
    "list of culprits": ["no such culprit"],
    "mapping with `seed`, `own`, `common` and `spikes`": {"seeds": 3},
    "text or list of texts": 0.5,
    "number or text": [],
}


def rows(heading: str) -> dict[str, list[str]]:
    """The table below a heading: the other columns by the first."""
    text = re.split(r"^#+ ", TEXT.split(f"### {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    lines = re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE)
    return {key: rest.split(" | ") for key, rest in lines}


KEYS, FAULT_KEYS, CULPRIT_KEYS = rows("Keys"), rows("Faults"), rows("Culprits")


def test_every_key_has_its_row_and_every_row_its_key() -> None:
    assert list(KEYS) == [field.name for field in fields(Settings)]
    assert set(KEYS) == set(scenario._READERS)
    assert set(FAULT_KEYS) == {field.name for field in fields(Fault)} == set(scenario._FAULT_READERS)


@pytest.mark.parametrize("key", KEYS)
def test_a_key_takes_the_kind_of_value_that_its_row_says(key: str) -> None:
    kind, _, meaning = KEYS[key]
    assert meaning.endswith(".")
    scenario._READERS[key](SAMPLES[kind])
    with pytest.raises(ValueError, match=r"must be|unknown|an account group|nothing that can be"):
        scenario._READERS[key](STRANGERS[kind])


@pytest.mark.parametrize("key", FAULT_KEYS)
def test_a_key_of_a_fault_takes_the_kind_of_value_that_its_row_says(key: str) -> None:
    kind, _ = FAULT_KEYS[key]
    scenario._FAULT_READERS[key](SAMPLES[kind])
    with pytest.raises(ValueError, match=r"must be|unknown|an account group|nothing that can be"):
        scenario._FAULT_READERS[key](STRANGERS[kind] if key != "target" else [])


def test_every_key_kind_and_effect_of_a_culprit_has_its_row() -> None:
    keys = [key for key in CULPRIT_KEYS if key in scenario_culprits.KEYS]
    assert set(keys) == set(scenario_culprits.KEYS)
    text = TEXT.split("### Culprits\n", 1)[1]
    firsts = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    named = {word.split(":")[0] for first in firsts for word in re.findall(r"`([^`]+)`", first)}
    assert set(culprits.KINDS) | set(culprits.EFFECTS) <= named


@pytest.mark.parametrize("key", sorted(set(scenario_culprits.KEYS) - {"effect"}))
def test_a_key_of_a_culprit_takes_the_kind_of_value_that_its_row_says(key: str) -> None:
    kind = CULPRIT_KEYS[key][0]
    scenario_culprits.KEYS[key](SAMPLES[kind])
    with pytest.raises(ValueError, match="must be"):
        scenario_culprits.KEYS[key](STRANGERS[kind])


@pytest.mark.parametrize("key", KEYS)
def test_a_row_has_the_default_of_its_key(key: str) -> None:
    default, told = getattr(Settings(), key), KEYS[key][1]
    if key == "medians":
        assert default == MEDIANS
        for seconds in {f"{seconds:g}" for seconds in MEDIANS.values()}:
            assert re.search(rf"`medians` are .*\b{seconds} for", TEXT.replace("\n", " "))
    elif key == "account_groups":
        assert ", ".join(f"{one.aid} ({one.name})" for one in default).replace(", ", " and ") in TEXT.replace(
            "\n", " "
        )
    else:
        assert told == f"`{json.dumps(default)}`"


def test_every_match_is_named() -> None:
    named = set(re.findall(r"`([^`]+)`", FAULT_KEYS["match"][1]))
    assert named == set(MATCHES)


def test_the_examples_are_scenarios() -> None:
    found = blocks(DOCUMENT, "yaml")
    assert found
    for block in found:
        read = scenario.read_scenario(YAML(typ="safe").load(block.text), str(block))
        assert {fault.kind for fault in read.faults} <= set(KINDS)
