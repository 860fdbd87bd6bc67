"""What was broken on purpose, told by the world itself: which culprits, and which cells with what effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.simulator.culprits import near
from orchestrator.simulator.effects import PLANNED, is_planned, names_of
from orchestrator.simulator.messages import JsonObject
from orchestrator.simulator.world import Round, SimTest, World

_PHASES: Final = {
    "dns": "dns",
    "dead": "connect",
    "tls": "tls",
    "http": "answer",
    "receive": "receive",
    "loss": "packet loss",
    "slow": "slow",
    "silent": "no answer",
}


def planted(world: World) -> JsonObject:
    """The culprits in their order, each with how many cells it broke, and those cells, round by round.

    A cell is there once for each culprit that shows in it: what is hidden by something that breaks earlier
    (a certificate behind a dead router) is left out.
    """
    cells = [
        cell
        for test in world.tests.values()
        for executed in test.rounds
        for cell in _cells(world, test, executed)
    ]
    return {
        "culprits": [
            {
                "kind": one.kind,
                "value": one.value[0] if len(one.value) == 1 else list(one.value),
                "effect": one.effect,
                "cells": sum(cell["culprit"] == index for cell in cells),
            }
            for index, one in enumerate(world.settings.culprits)
        ],
        "cells": cells,
    }


def unmet(world: World) -> list[str]:
    """A sentence for each culprit whose target, host or block is none of what was tested, each with what was
    probably meant: it broke nothing, and only now that is known."""
    scenes = [
        world.scene(test, world.agents[agent], 1)
        for test in world.tests.values()
        for agent in test.definition.agent_ids
    ]
    found = []
    for culprit in world.settings.culprits if scenes else ():
        for kind, value in culprit.parts():
            if kind in PLANNED and not any(is_planned(one, kind, value) for one in scenes):
                known = {name for one in scenes for name in names_of(one, kind)}
                where = f"culprit {culprit.kind}={','.join(culprit.value)}"
                found.append(f"{where} broke nothing: no {kind} '{value}' was tested{near(value, known)}")
    return found


def _cells(world: World, test: SimTest, executed: Round) -> Iterator[JsonObject]:
    for agent_id in test.definition.agent_ids:
        agent = world.agents[agent_id]
        if not agent.answers:
            continue
        layers: dict[int, dict[str, None]] = {}
        for sight in world.scene(test, agent, executed.number).sights:
            for hit, shown in sight.broken.seen:
                layers.setdefault(hit.index, {}).update(dict.fromkeys(shown))
        for index, where in layers.items():
            effect = world.settings.culprits[index].effect
            yield {
                "culprit": index,
                "effect": effect,
                "phase": _PHASES[effect],
                "test_id": str(test.id),
                "name": test.definition.name,
                "type": test.definition.type,
                "host": test.definition.host,
                "agent_id": str(agent.id),
                "agent": agent.name,
                "round": executed.number,
                "layers": list(where),
            }
