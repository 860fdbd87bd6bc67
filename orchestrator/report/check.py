"""What a plan would take: the answer of ``check`` as a document."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from orchestrator.allotment import Monthly, Told, Untold
from orchestrator.courtesy import Courtesy
from orchestrator.report.summary import SCHEMA

if TYPE_CHECKING:
    from orchestrator.estimate import Estimate
    from orchestrator.model import Api, NotRun, Spec
    from orchestrator.outbox import Channel
    from orchestrator.plan.model import Plan
    from orchestrator.plan.offline import Offline


@dataclass(frozen=True, slots=True)
class Block:
    """One test block of a plan, expanded. ``deadline`` is its longest, in seconds."""

    name: str
    type: str
    targets: int
    cells: int
    creations: int
    layers: tuple[str, ...]
    deadline: float


def blocks(specs: Sequence[Spec]) -> list[Block]:
    """The test blocks in the order of the plan."""
    by_name: dict[str, list[Spec]] = {}
    for spec in specs:
        by_name.setdefault(spec.test, []).append(spec)
    return [
        Block(
            name=name,
            type=of_block[0].type,
            targets=len({spec.target for spec in of_block}),
            cells=sum(len(spec.agents) for spec in of_block),
            creations=len(of_block),
            layers=of_block[0].layers,
            deadline=max(spec.deadline for spec in of_block),
        )
        for name, of_block in by_name.items()
    ]


def own_expectations(specs: Sequence[Spec]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Test, target and what it expects beyond what all of its test do, a warning as ``warn: ...``."""
    told = {
        (spec.test, spec.target): (*spec.expect, *(f"warn: {text}" for text in spec.warn)) for spec in specs
    }
    shared: dict[str, set[str]] = {}
    for (test, _), texts in told.items():
        shared[test] = shared.get(test, set(texts)) & set(texts)
    own = (
        (*which, tuple(one for one in texts if one not in shared[which[0]])) for which, texts in told.items()
    )
    return [one for one in own if one[2]]


def check_document(
    plan: str,
    api: Api,
    specs: Sequence[Spec],
    left_out: Sequence[NotRun],
    worth: Estimate,
    notes: Sequence[str] = (),
    *,
    keep: int | None = None,
    courtesy: Courtesy | None = None,
    told: Told | None = None,
    monthly: Monthly | None = None,
) -> dict[str, object]:
    """The document of ``check --json``. Units and times are estimates; times in seconds. ``keep`` is how many
    runs of the plan stay in the store, ``courtesy`` what the plan asks for, ``told`` what the vendor says of
    the units, ``monthly`` what the plan takes a month."""
    courtesy = courtesy or Courtesy()
    return {
        "schema": SCHEMA,
        "plan": plan,
        "api": api.value,
        "tests": {"planned": worth.creations, "without_packing": worth.creations_unpacked},
        "cells": {"planned": worth.cells + worth.left_out, "not_run": worth.left_out},
        "requests": {
            "creations": worth.creations,
            "reads": worth.reads,
            **({"hops_at_most": worth.hops} if worth.hops else {}),
        },
        "units": {
            "estimated": worth.units,
            "source": worth.price_source,
            **({} if told is None else {"vendor": vendor_document(told)}),
            **({} if monthly is None else {"month": asdict(monthly)}),
        },
        "seconds": round(worth.finish_seconds, 1),
        **({"courtesy": courtesy_document(courtesy, worth)} if courtesy != Courtesy() else {}),
        "deadline": {"seconds": worth.deadline, "tests_beyond": worth.beyond_deadline},
        "limits": {
            "organization": worth.organization_limit,
            "instant_test": worth.instant_limit,
            "seen": worth.limits_known,
        },
        "left_out": [
            {"test": cell.test, "target": cell.target, "agent_id": cell.agent, "reason": cell.reason}
            for cell in left_out
        ],
        "ceilings_exceeded": list(worth.exceeded),
        "notes": list(notes),
        "keep": keep,
        "specs": [
            {
                "spec": spec.key,
                "test": spec.test,
                "type": spec.type,
                "target": spec.target,
                "agents": len(spec.agents),
                "layers": list(spec.layers),
                "expect": list(spec.expect),
                "warn": list(spec.warn),
            }
            for spec in specs
        ],
    }


def vendor_document(told: Told) -> dict[str, object]:
    """What the vendor says of its units, or why it does not (``untold``, ``null`` where it does)."""
    if isinstance(told, Untold):
        return {"left": None, "untold": told.why}
    return {"left": told.left, **asdict(told), "untold": None}


def units_left_words(told: Told) -> str:
    """The same in words."""
    if isinstance(told, Untold):
        return told.why
    until = "" if told.ends is None else f" until {told.ends[:10]}"
    quota = "" if told.quota is None else f", of a quota of {told.quota:g}"
    return f"{told.left:g} of {told.included:g}{until}{quota} (as the vendor tells; it may be late)"


def courtesy_document(courtesy: Courtesy, worth: Estimate) -> dict[str, object]:
    """The key ``courtesy`` of the document: what the plan asks for, and the least time that it takes."""
    return {
        "per_host": courtesy.per_host,
        "per_agent": courtesy.per_agent,
        "spacing": courtesy.spacing,
        "allow": list(courtesy.allow),
        "least_seconds": round(worth.courtesy_seconds, 1),
    }


def notify_document(channels: Sequence[Channel], reached: Collection[str]) -> dict[str, object]:
    """The key ``notify`` of both documents, if the plan has channels: whether an address of each is known."""
    told = [{"to": one.to, "on": one.on.value, "address": one.to in reached} for one in channels]
    return {"notify": told} if told else {}


def offline_document(plan: Plan, found: Offline) -> dict[str, object]:
    """The document of ``check --offline --json``."""
    return {
        "schema": SCHEMA,
        "plan": plan.name,
        "api": plan.api.value,
        "offline": True,
        "tests": {"at_least": found.creations},
        "blocks": [
            {
                "test": block.name,
                "type": block.type,
                "targets": block.targets,
                "agents": block.agents,
                "layers": list(block.layers),
            }
            for block in found.blocks
        ],
        "needs_listing": [
            {
                "test": one.test,
                "what": one.what,
                "name": one.name,
                "file": one.place.file,
                "line": one.place.line,
                "column": one.place.column,
            }
            for one in found.unlisted
        ],
        "ceilings_exceeded": list(found.exceeded),
        "notes": list(plan.notes),
    }
