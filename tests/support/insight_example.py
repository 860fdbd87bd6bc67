"""The insight that docs/documents.md shows: every list in it has an item."""

from __future__ import annotations

from insight_runs import PASSES, SILENT, How, expired, looked, observed, refused
from insight_worlds import FLEET, OSLO

from orchestrator.insight.document import document
from orchestrator.model import Agent
from orchestrator.records import Paths

# Eight of eighteen agents, five of them inside: a country fits nearly as well as nothing else does.
_FROM = frozenset({"a03", "a06", "a09", "a12", OSLO})


def example() -> dict[str, object]:
    """One target, seen from 18 agents in two kinds of tests, with a silent agent and a failure of its own."""

    def how(agent: Agent, test: str) -> How:
        if agent.id == "a18":
            return SILENT
        if test == "web" and agent.id in _FROM:
            return expired()
        return refused() if (test, agent.id) == ("deep", "a11") else PASSES

    cells = [observed(agent, "shop.example.com", how(agent, test), test=test)
             for test in ("web", "deep", "api") for agent in FLEET]  # fmt: skip
    return document(looked(cells, paths=Paths(54, 53)))
