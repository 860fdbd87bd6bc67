"""What a store that serves several hosts knows of the time to come: its queue and its schedules."""

from __future__ import annotations

from orchestrator.catalogue import Queued, ScheduleSeen
from orchestrator.store.opening import Opened

# So many runs that wait are told; a longer queue is told by its beginning.
WAITING = 500


async def queue(opened: Opened) -> tuple[Queued, ...] | None:
    """The runs that wait or are carried out, as they are served; ``None`` where a store has no queue."""
    return None if opened.agenda is None else tuple(await opened.agenda.queue(WAITING))


async def schedules(opened: Opened) -> tuple[ScheduleSeen, ...] | None:
    """Every schedule, by name; ``None`` where a store has none."""
    return None if opened.agenda is None else tuple(await opened.agenda.schedules())
