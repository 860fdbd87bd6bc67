"""What an answer costs in CPU, beside ``json.loads`` of its row.

A plan of one agent and the same plan of twenty, each from the first creation to the last verdict: they differ
in rows and cells and in nothing else, so the difference is what a row costs, from the socket to the store and
to its verdict.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import aiohttp
from overhead import LAYERS, TOKEN, Cost, measured, memory_folder, ours, simulator
from scenarios import Scenario

from orchestrator.model import Api, JsonObject, Spec
from orchestrator.thousandeyes.dialects import dialect
from orchestrator.thousandeyes.v7 import V7

MANY = 20


@dataclass(frozen=True, slots=True)
class RowCost:
    """Microseconds of CPU: of an answer, and of ``json.loads`` of its row; ``rows`` were counted."""

    rows: int
    answer: float
    loads: float

    @property
    def ratio(self) -> float:
        """How many times the row could have been decoded."""
        return self.answer / self.loads


def row_cost(tests: int, rounds: int) -> RowCost:
    """One agent, twenty agents and the decoder in turn, ``rounds`` times; of each the least."""
    few: list[Cost] = []
    many: list[Cost] = []
    loads: list[float] = []
    with simulator() as origin:
        agents = asyncio.run(_agents(origin))[:MANY]
        one = _specs(tests, agents[:1])
        twenty = _specs(tests, agents)
        rows = asyncio.run(_rows(origin, twenty[: len(LAYERS_OF)]))
        for _ in range(rounds):
            few.append(_ours(origin, one))
            many.append(_ours(origin, twenty))
            loads.append(_decoded(rows))
    extra = tests * LAYERS * (MANY - 1)
    dearest = min(each.cpu for each in many) - min(each.cpu for each in few)
    return RowCost(extra, dearest / extra * 1e6, min(loads))


LAYERS_OF = ("dns-server", "http-server", "page-load")


def _specs(tests: int, agents: Sequence[str]) -> list[Spec]:
    return [replace(spec, agents=tuple(agents)) for spec in Scenario("rows", tests, LAYERS).specs()]


def _ours(origin: str, specs: Sequence[Spec]) -> Cost:
    with memory_folder() as folder:
        return measured("orchestrator", lambda: ours(origin, specs, folder, shared=False))


def _decoded(rows: Sequence[str]) -> float:
    """Microseconds of CPU to decode one of the rows."""
    times = 20_000 // len(rows) + 1
    began = time.process_time()
    for _ in range(times):
        for row in rows:
            json.loads(row)
    return (time.process_time() - began) / (times * len(rows)) * 1e6


async def _agents(origin: str) -> list[str]:
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        request = V7().agents(None)
        async with session.get(f"{origin}{request.path}", params=dict(request.query)) as answer:
            listed = V7().read_agents(await answer.read())
    return [agent.id for agent in listed if agent.type.value == "cloud"]


async def _rows(origin: str, specs: Sequence[Spec]) -> list[str]:
    """The rows of these specs' layers, each as JSON text without blanks."""
    found: list[str] = []
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        for spec in specs:
            found.extend(await _of(session, origin, spec))
    return found


async def _of(session: aiohttp.ClientSession, origin: str, spec: Spec) -> list[str]:
    speaks, rows = dialect(Api.V7), []
    request = speaks.create(spec, "rows", None)
    async with session.post(f"{origin}{request.path}", json=request.body) as answer:
        made: JsonObject = await answer.json(content_type=None)
    for layer in spec.layers:
        look = speaks.poll(spec, str(made["testId"]), layer, None, origin, None)
        while True:
            async with session.get(f"{origin}{look.path}", params=dict(look.query)) as answer:
                told = (await answer.json(content_type=None))["results"]
            if len(told) == len(spec.agents):
                break
            await asyncio.sleep(0.05)
        rows += [json.dumps(row, separators=(",", ":")) for row in told]
    return rows
