"""What was broken on purpose, told by the world itself: which culprits, and which cells with what effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

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
