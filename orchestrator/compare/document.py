"""The JSON form of a comparison, and of each of its cells: keys are stable, texts may change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.compare.look import Comparison
from orchestrator.compare.rollup import RollUp, Told
from orchestrator.compare.values import Change, Compared, Measured, Why
from orchestrator.compare.words import strongest
from orchestrator.insight.score import sure
from orchestrator.insight.words import Sentence, plain
from orchestrator.model import Metric

SCHEMA = 1

# A token that some answer repeated is taken out here.
Mask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Sides:
    """What was compared: ids of the runs, the name that the base was asked for by, when it ended."""

    run: str
    base: str
    name: str
    finished: str | None
    options: tuple[str, ...] = ()


def document(found: Comparison, sides: Sides, mask: Mask = str) -> dict[str, object]:
    """The document of a comparison."""
    counts = found.counts
    now_fail, by_metric = found.worse_by(Why.VERDICT), found.worse_by(Why.METRIC)
    alone = found.worse.isolated | found.worse.alone
    return {
        "schema": SCHEMA,
        "base": {"run": sides.base, "name": sides.name, "finished": sides.finished},
        "run": sides.run,
        "history": found.runs,
        "gate": {
            "level": found.judgement.level.value,
            "exit_code": found.judgement.exit_code,
            "reasons": [*found.judgement.reasons],
            "could_have_seen": {kind: round(factor, 2) for kind, factor in found.could_have_seen.items()},
        },
        "cells": {
            "compared": found.comparable,
            **{change.value: counts[change] for change in Change},
        },
        "worse": {
            "now_fail": len(now_fail),
            "by_metric": len(by_metric) + len(found.worse_by(Why.MARK)),
            "by_path": len(found.worse_by(Why.PATH)),
            "isolated": len(alone),
            "flaky": len(found.flaky),
        },
        "explanations": [
            *_explanations(found, found.worse, found.texts, "worse", mask),
            *_explanations(found, found.better, found.recovered, "better", mask),
        ],
        "paths": _paths(found),
        "options_changed": [mask(option) for option in sides.options],
    }


def _paths(found: Comparison) -> dict[str, int]:
    told = Counter(
        "ends_earlier" if one.ends is not None else "changed" if one.networks or one.hops else "same"
        for one in found.routes.values()
    )
    return {
        "compared": len(found.routes),
        "same": told["same"],
        "changed": told["changed"] + told["ends_earlier"],
        "ends_earlier": told["ends_earlier"],
        "unknown": len(found.compared) - len(found.routes),
    }


def _explanations(
    found: Comparison, rolled: RollUp, texts: Sequence[Sentence], direction: str, mask: Mask
) -> Iterator[dict[str, object]]:
    by_which = {one.which: one for one in found.compared}
    for rank, (told, text) in enumerate(zip(rolled.told, texts, strict=True), start=1):
        value = told.group.value
        best = strongest(told, by_which)
        shift = told.shift
        if shift is not None and best is None:
            best = (shift.metric, shift.before, shift.after)
        yield {
            "rank": rank,
            "direction": direction,
            "kind": told.group.kind,
            "value": value[0] if len(value) == 1 else [*value],
            "text": mask(plain(text)),
            "now_fail": 0 if told.failing is None else told.failing.bad.bit_count(),
            "by_metric": 0 if told.moved is None else told.moved.bad.bit_count(),
            "shifted": 0 if shift is None else shift.cells,
            "known": _known(told),
            "bits": round(_bits(told), 1),
            "sure": sure_of(told),
            "metric": None if best is None else best[0],
            "before": None if best is None else round(best[1], 3),
            "after": None if best is None else round(best[2], 3),
            "z": None if shift is None else round(abs(shift.score), 1),
        }


def _known(told: Told) -> int:
    for cause in (told.failing, told.moved):
        if cause is not None:
            return cause.known.bit_count()
    return 0 if told.shift is None else told.shift.of


def _bits(told: Told) -> float:
    return sum(cause.bits for cause in (told.failing, told.moved) if cause is not None)


def sure_of(told: Told) -> str:
    """How sure it is that this is no chance, in a word."""
    causes = [cause for cause in (told.failing, told.moved) if cause is not None]
    if not causes:
        return "likely"
    bad = max(cause.bad.bit_count() for cause in causes)
    return sure(_bits(told), bad, near=any(cause.near for cause in causes))


def cell_document(
    one: Compared, agent: str, country: str | None, *, counts: bool, mask: Mask = str
) -> dict[str, object]:
    """One cell, a line of JSON. ``counts``: the gate counts it."""
    return {
        "test": one.which.test,
        "type": one.which.type,
        "target": mask(one.which.target),
        "agent_id": one.which.agent_id,
        "agent": mask(agent),
        "country": country,
        "change": one.change.value,
        "why": None if one.why is None else one.why.value,
        "counts": counts,
        "verdict": None if one.verdict is None else one.verdict.value,
        "before": None if one.before is None else one.before.value,
        "phase": None if one.phase is None else one.phase.word,
        "ends": None if one.ends is None else mask(one.ends),
        "metrics": _metrics(one.metrics, mask),
    }


def _metrics(metrics: Mapping[str, Measured], mask: Mask) -> dict[str, object]:
    def shown(value: Metric) -> Metric:
        if isinstance(value, str):
            return mask(value)
        return round(value, 3) if isinstance(value, float) else value

    return {
        mask(name): {
            "before": shown(one.before),
            "after": shown(one.after),
            "z": round(one.z, 1),
            "change": one.change.value,
        }
        for name, one in sorted(metrics.items())
    }
