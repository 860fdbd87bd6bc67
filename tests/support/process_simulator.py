"""A simulated world as a process of its own: the witness that outlives the process under test.

``python process_simulator.py SETTINGS``: SETTINGS is a JSON object of the simulator's settings. It prints its
origin on stdout and ends when its standard input does, so that it never outlives a test.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from math import inf
from typing import Any

import process_start  # noqa: F401 - turns the collector off while all of this is loaded
from process_clock import VARIABLE, Pace, ProcessClock

from orchestrator.simulator.culprits import parse_culprit
from orchestrator.simulator.messages import SimReply, SimRequest
from orchestrator.simulator.server import serve
from orchestrator.simulator.service import Fault, Service, Settings


class Witness(Service):
    """Tells besides what it created which rows it will ever serve: ``GET /_simulator/rows``."""

    def handle(self, request: SimRequest, now: float) -> SimReply:
        if request.path == "/_simulator/rows":
            body = json.dumps({"rows": self._rows()}).encode()
            return SimReply(200, {"Content-Type": "application/json"}, body)
        return super().handle(request, now)

    def _rows(self) -> list[list[Any]]:
        world = self.world
        return [
            [str(test.id), row.layer, str(row.agent.id), row.round_id, row.measured.server]
            for test in world.tests.values()
            for layer in test.definition.layers
            for row in world.rows(test, layer, inf, span=(0.0, inf))
        ]


def settings_of(text: str) -> Settings:
    values = json.loads(text)
    faults = tuple(Fault(**fault) for fault in values.pop("faults", ()))
    culprits = tuple(map(parse_culprit, values.pop("culprits", ())))
    return Settings(**values, faults=faults, culprits=culprits)


async def main() -> None:
    gc.enable()
    clock = ProcessClock(Pace.parse(os.environ[VARIABLE]))
    loop = asyncio.get_running_loop()
    async with serve(Witness(settings_of(sys.argv[1])), clock.wall, clock.sleep) as origin:
        print(origin, flush=True)  # noqa: T201 - this is how the parent learns it
        ended = asyncio.Event()
        loop.add_reader(sys.stdin.fileno(), ended.set)
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(main())
