"""What agents are called where people read: by name, and by id too where a name repeats. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping

from orchestrator.model import Agent
from orchestrator.near import folded
from orchestrator.records import CellRecord


def agent_names(agents: Iterable[Agent]) -> dict[str, str]:
    """Names for people by id, no two alike.

    Names that differ in case, in blanks or in their Unicode form only are taken for one.
    """
    known = list(agents)
    times = Counter(_seen(agent.name) for agent in known)
    # What looks like the name and the id of another agent repeats as well.
    times.update({_seen(_with_id(agent)): 1 for agent in known if times[_seen(agent.name)] > 1})
    return {
        agent.id: agent.name if agent.name and times[_seen(agent.name)] == 1 else _with_id(agent)
        for agent in known
    }


def _seen(name: str) -> str:
    """A name as a reader sees it."""
    return folded(" ".join(name.split()))


def _with_id(agent: Agent) -> str:
    return f"{agent.name} ({agent.id})" if agent.name else agent.id


async def with_names(cells: AsyncIterable[CellRecord], names: Mapping[str, str]) -> AsyncIterator[CellRecord]:
    """The cells with their agents called as people know them; documents for programs keep the bare name."""
    async for cell in cells:
        name = names.get(cell.agent_id, cell.agent)
        yield cell if name == cell.agent else cell._replace(agent=name)
