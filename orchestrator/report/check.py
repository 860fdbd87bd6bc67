"""What a plan would take: the answer of ``check``, for people and as a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.report.digest import grouped
from orchestrator.report.headline import many
from orchestrator.report.safe import terminal
from orchestrator.report.summary import SCHEMA
from orchestrator.report.times import span

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.estimate import Estimate
    from orchestrator.model import Agent, Api, NotRun, Spec


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


def check_document(
    plan: str, api: Api, specs: Sequence[Spec], left_out: Sequence[NotRun], worth: Estimate
) -> dict[str, object]:
    """The document of ``check --json``. Units and times are estimates; times in seconds."""
    return {
        "schema": SCHEMA,
        "plan": plan,
        "api": api.value,
        "tests": {"planned": worth.creations, "without_packing": worth.creations_unpacked},
        "cells": {"planned": worth.cells + worth.left_out, "not_run": worth.left_out},
        "requests": {"creations": worth.creations, "reads": worth.reads},
        "units": {"estimated": worth.units, "source": worth.price_source},
        "seconds": round(worth.finish_seconds, 1),
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
        "specs": [
            {
                "spec": spec.key,
                "test": spec.test,
                "type": spec.type,
                "target": spec.target,
                "agents": len(spec.agents),
                "layers": list(spec.layers),
            }
            for spec in specs
        ],
    }


def print_check(
    console: Console,
    plan: str,
    specs: Sequence[Spec],
    left_out: Sequence[NotRun],
    worth: Estimate,
    agents: Sequence[Agent] = (),
) -> None:
    """The same for people: what would be created, what packing saves, what it takes, what is left out.

    ``agents`` is the listing, for the names of those that are left out.
    """
    from orchestrator.report.console import say, table  # noqa: PLC0415 - the document does without rich
    from orchestrator.report.text import print_groups  # noqa: PLC0415 - likewise

    cells, creations = many(worth.cells, "cell"), many(worth.creations, "creation")
    say(console, f"{terminal(plan)}  {cells} in {creations}, about {span(worth.finish_seconds)}", "bold")
    headings = ("test", "type", "targets", "cells", "creations", "deadline", "layers")
    table(console, headings, [_row(block) for block in blocks(specs)], indent=2)
    saved = worth.creations_unpacked - worth.creations
    say(
        console,
        f"  creations {worth.creations}; one per cell would be {worth.creations_unpacked} ({saved} saved)",
    )
    say(console, f"  reads     about {worth.reads}")
    say(console, f"  units     about {worth.units:g} (an estimate after {terminal(worth.price_source)})")
    seen = "as seen" if worth.limits_known else "the vendor's defaults where none was seen yet"
    limits = f"{worth.instant_limit} instant tests and {worth.organization_limit} requests a minute"
    say(console, f"  finish    about {span(worth.finish_seconds)} under limits of {limits} ({seen})")
    print_groups(console, "Left out", grouped(left_out, {agent.id: agent.name for agent in agents}))
    for sentence in worth.exceeded:
        say(console, f"ceiling exceeded: {terminal(sentence)}", "bold red")


def _row(block: Block) -> tuple[str, ...]:
    return (
        terminal(block.name),
        block.type,
        str(block.targets),
        str(block.cells),
        str(block.creations),
        span(block.deadline),
        terminal(", ".join(block.layers)),
    )
