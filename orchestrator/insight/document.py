"""The JSON form of an insight: keys are stable, texts may change."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.insight.look import Alike, Explanation, Insight
from orchestrator.insight.silence import Silence
from orchestrator.insight.values import CellKey, Group
from orchestrator.insight.words import plain

SCHEMA = 1


# A token that some answer repeated is taken out here.
Mask = Callable[[str], str]


def document(insight: Insight, mask: Mask = str, *, cells: bool = False) -> dict[str, object]:
    """The document; with ``cells`` each explanation lists its bad cells too."""
    numbers = {id(one): number for number, one in enumerate(insight.points, start=1)}
    return {
        "schema": SCHEMA,
        "run": insight.run,
        "headline": mask(insight.headline),
        "judged": insight.judged,
        "bad": insight.bad,
        "background": round(insight.background, 4),
        "explanations": [
            {**_explanation(one, mask, cells=cells), "number": numbers[id(one)]}
            for one in insight.explanations
        ],
        "silences": [{**_silence(one, mask), "number": numbers[id(one)]} for one in insight.silences],
        "isolated": {
            "bad": len(insight.isolated),
            "cells": [
                {**_cell(one.key, mask), "phase": None if one.phase is None else one.phase.word}
                for one in insight.isolated
            ],
        },
        "unjudged": dict(insight.unjudged),
        "paths": {
            "wanted": insight.paths.wanted,
            "got": insight.paths.got,
            "from_history": insight.from_history,
        },
        "limits": [*insight.limits],
    }


def _explanation(one: Explanation, mask: Mask, *, cells: bool) -> dict[str, object]:
    told: dict[str, object] = {
        "rank": one.rank,
        **_group(one.group, mask),
        "label": mask(one.label),
        "severity": one.severity.value,
        "level": one.level,
        "phases": {phase.word: number for phase, number in one.phases.items()},
        "bad": one.bad,
        "known": one.known,
        "outside": {"bad": one.outside_bad, "known": one.outside_known},
        "agents": one.agents,
        "countries": one.countries,
        "targets": one.targets,
        "bits": round(one.bits, 1),
        "p": float(f"{one.p:.2g}"),
        "sure": one.sure,
        "same": [_alike(other, mask) for other in one.same],
        "near": [_alike(other, mask) for other in one.near],
        "text": mask(f"{plain(one.text)}. {plain(one.why)}"),
        "contrast": [mask(plain(line)) for line in one.contrast],
        "seen_by": one.seen_by,
    }
    if one.jumps:
        told["jumps"] = [
            {
                "gets": jump.gets.value,
                "after": None if jump.after is None else mask(jump.after),
                "address": mask(jump.address),
                "added": round(jump.added, 1),
                "cells": jump.cells,
            }
            for jump in one.jumps
        ]
    if cells:
        told["cells"] = [_cell(key, mask) for key in one.cells]
    return told


def _silence(one: Silence, mask: Mask) -> dict[str, object]:
    return {
        **_group(one.group, mask),
        "label": mask(one.label),
        "bad": one.bad,
        "known": one.known,
        "sure": one.sure,
        "text": mask(plain(one.text)),
    }


def _alike(one: Alike, mask: Mask) -> dict[str, object]:
    told: dict[str, object] = {**_group(one.group, mask), "label": mask(one.label)}
    if one.bits is not None:
        told |= {"bad": one.bad, "known": one.known, "bits": round(one.bits, 1)}
    return told


def _group(group: Group, mask: Mask) -> dict[str, object]:
    """A value of more than one part is a list: the test block and the target of it, or a pair."""
    parts = [mask(one) for one in group.value]
    return {"kind": group.kind, "value": parts[0] if len(parts) == 1 else parts}


def _cell(key: CellKey, mask: Mask) -> dict[str, object]:
    return {"test": mask(key.test), "target": mask(key.target), "agent_id": key.agent_id}
