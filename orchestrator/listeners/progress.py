"""How a run stands, for whoever shows it."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.events import Event, Standing


class ProgressListener:
    """Hands each :class:`orchestrator.events.Standing` to ``show``, and nothing else."""

    def __init__(self, show: Callable[[Standing], None]) -> None:
        self._show = show

    def hear(self, event: Event) -> None:
        """Show how the run stands."""
        if isinstance(event.fact, Standing):
            self._show(event.fact)
