"""The blocks of a diagnosis as the text of a plan, which anybody can run again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from orchestrator.diagnosis.blocks import Block
from orchestrator.model import Json, JsonObject
from orchestrator.plan.model import Budget
from orchestrator.report.times import span

# A diagnosis refuses to be more than that, whatever its targets are.
CEILINGS = Budget(reserve=0.0, max_tests=12, max_units=2.0)
# What came until the time box is told; tests that are open then are collected for so long (seconds).
BEYOND_BOX = 60.0


@dataclass(frozen=True, slots=True)
class Frame:
    """What holds the blocks: the plan's name, the version of the API, the time box in seconds, its
    ceilings."""

    name: str
    api: str
    box: float
    budget: Budget = CEILINGS


def plan_text(frame: Frame, blocks: Sequence[Block]) -> str:
    """The plan, in YAML."""
    return "\n".join(_lines(frame, blocks)) + "\n"


def unasked(frame: Frame) -> str:
    """What stands for the plan, as a bundle, until it is known who can be asked."""
    text = f"# A diagnosis that waits: time box {span(frame.box)}.\nname: {_json(frame.name)}\n"
    stored: JsonObject = {"file": "diagnose.yaml", "text": text, "attachments": {}, "sets": {}}
    return json.dumps({**stored, "api": frame.api}, sort_keys=True)


def _lines(frame: Frame, blocks: Sequence[Block]) -> Iterator[str]:
    yield f"# Made by orchestrator diagnose, for an incident: time box {span(frame.box)}."
    yield "version: 1"
    yield f"name: {_json(frame.name)}"
    yield f"api: {frame.api}"
    yield "tests:"
    for block in blocks:
        yield f"  - name: {_json(block.name)}"
        yield f"    type: {block.type}"
        yield f"    targets: {_json([*block.targets])}"
        yield f"    agents: {_json([*block.agents])}"
        if block.options:
            yield f"    options: {_json(dict(block.options))}"
        if block.layers:
            yield f"    layers: {_json([*block.layers])}"
        for key, expectations in (("expect", block.expect), ("warn", block.warn)):
            if expectations:
                yield f"    {key}: {_json([*expectations])}"
        if block.path_details is not None:
            yield f"    path_details: {_json(block.path_details)}"
    most = frame.budget
    yield f"budget: {{reserve: 0%, max_tests: {most.max_tests}, max_units: {most.max_units:g}}}"
    yield f"deadline: {frame.box + BEYOND_BOX:g}s"


def _json(value: Json) -> str:
    # A dollar sign would begin a reference to a variable.
    return json.dumps(value, ensure_ascii=True).replace("${", "$${")


def joined(first: Sequence[Block], second: Sequence[Block]) -> tuple[Block, ...]:
    """Both waves in one plan: what was asked again elsewhere is one block with the agents of both."""
    found = {block.name: block for block in first}
    for block in second:
        before = found.get(block.name)
        if before is None:
            found[block.name] = block
        else:
            agents = dict.fromkeys((*before.agents, *block.agents))
            found[block.name] = replace(before, agents=tuple(agents))
    return tuple(found.values())
