"""The cells of a run as a table for people: what came of each, which layer broke, which cause has it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

from orchestrator.model import CellState
from orchestrator.report.cells import Cells
from orchestrator.safe import terminal
from orchestrator.terminal.columns import AlignedRow, Columns, Out, write_aligned

_HEADINGS = ("target", "agent", "test", "verdict", "phase", "cause", "reasons")


async def write_cells(
    cells: Cells,
    out: Out,
    *,
    width: int | None = None,
    paint: Callable[[str, str], str] | None = None,
    names: Mapping[str, str],
) -> int:
    """A line for each, ``open`` where nothing is known yet; ``names`` are the agents' for people by id.

    Returns the number of cells.
    """

    async def lines() -> AsyncIterator[AlignedRow]:
        async for one in cells():
            cell = one.cell
            agent = names.get(cell.agent_id) or cell.agent or cell.agent_id
            word = "open" if cell.state is CellState.PENDING else one.verdict.value
            yield AlignedRow(
                (
                    *(terminal(cell.target), terminal(agent), terminal(cell.test), word),
                    *(one.phase or "-", "-" if one.cause is None else str(one.cause)),
                    terminal("; ".join(cell.reasons)) or "-",
                ),
                word,
            )

    return await write_aligned(Columns(_HEADINGS, width, painted=3, paint=paint), lines, out)
