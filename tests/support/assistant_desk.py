"""A desk of tools over a simulated world, and the SDK's own client in front of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp.client import Client

from orchestrator.actions.session import Session
from orchestrator.app import simulate
from orchestrator.assistant.allowance import Allowance, Cost
from orchestrator.assistant.desk import Desk
from orchestrator.assistant.plans import Plans
from orchestrator.assistant.server import server_of
from orchestrator.clock import LoopClock
from orchestrator.plan.model import Plan
from orchestrator.settings import Settings
from orchestrator.store.opening import open_store

# The world is as fast as the process.
FAST = 1e6
PLAN = """
version: 1
name: sweep
agents: {some: {type: cloud, sample: {per: country, count: 1}, country: [GB, DE, FR]}}
tests:
  - {name: web, type: http-server, agents: some, targets: ["https://a.example.com", "https://b.example.com"]}
"""
MOST = Cost(20.0, 40)
CEILINGS: dict[str, Any] = {"max_units": 5.0, "max_creations": 10, "deadline_seconds": 900.0}


@dataclass(frozen=True)
class Said:
    """What a tool said."""

    text: str
    failed: bool
    content: Any

    @property
    def document(self) -> Any:
        return self.content["document"]


@dataclass(frozen=True)
class Visit:
    """A client at a desk. ``seen`` is the progress that came."""

    desk: Desk
    client: Client
    seen: list[tuple[float, float | None, str | None]]

    async def __call__(self, tool: str, /, **arguments: Any) -> Said:
        async def heard(progress: float, total: float | None, message: str | None) -> None:
            self.seen.append((progress, total, message))

        result = await self.client.call_tool(tool, arguments, progress_callback=heard)
        assert [one.type for one in result.content] == ["text"]
        text = getattr(result.content[0], "text", "")
        if not result.is_error:
            assert json.loads(text) == result.structured_content
        return Said(text, bool(result.is_error), result.structured_content)


@asynccontextmanager
async def visit(
    folder: Path,
    *,
    most: Cost | None = MOST,
    plans: Plans | None = None,
    culprits: Sequence[str] = (),
    speed: float = FAST,
    mask: Callable[[str], str] = str,
) -> AsyncIterator[Visit]:
    """A client that speaks the protocol of today's clients, over streams."""
    place = str(folder / "runs.db")

    def connect(plan: Plan | None) -> AbstractAsyncContextManager[Session]:
        settings = Settings(origin="https://api.example.com", store=place, urgent=plan is None)
        return simulate(settings, reserve=0.0, culprits=culprits, speed=speed, seed=1)

    desk = Desk(
        store=lambda: open_store(place, make=False),
        connect=connect,
        plans=plans or Plans(),
        clock=LoopClock(),
        mask=mask,
        allowance=None if most is None else Allowance(most),
    )
    async with desk.open(), Client(server_of(desk, mask), mode="legacy") as client:
        yield Visit(desk, client, [])
