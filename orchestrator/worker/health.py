"""Whether a worker is well, as values; its door to those who ask is :mod:`orchestrator.worker.door`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from orchestrator.clock import Clock
from orchestrator.errors import OrchestratorError
from orchestrator.store.operating import Standing

# A loop that has not turned for so long hangs (seconds).
HANGS = 5.0
TURN = 1.0
# The store may take so long to say that it is there.
ASKED = 3.0
# Days after today for which there must be room.
TOMORROW = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether all is well, and in words what is not."""

    well: bool
    words: str


class Health:
    """``ask`` reaches the store. What it raises is a reason not to be ready; so is no room for tomorrow."""

    def __init__(self, clock: Clock, ask: Callable[[], Awaitable[Standing]]) -> None:
        self._clock, self._ask = clock, ask
        self._turned = clock.now()
        self.stopping = False

    async def turn(self) -> None:
        """Show for ever that the event loop turns."""
        while True:
            self._turned = self._clock.now()
            await self._clock.sleep(TURN)

    def alive(self) -> Answer:
        """Not whether the database is there: its outage must not restart every worker."""
        still = self._clock.now() - self._turned
        if still > HANGS:
            return Answer(well=False, words=f"nothing has moved for {still:.0f} s")
        return Answer(well=True, words="well")

    async def ready(self) -> Answer:
        """Whether runs could be taken."""
        if self.stopping:
            return Answer(well=False, words="stopping")
        with self._clock.move_on_after(ASKED):
            try:
                standing = await self._ask()
            except (OrchestratorError, OSError) as problem:
                return Answer(well=False, words=str(problem))
            if standing.days_ahead < TOMORROW:
                return Answer(
                    well=False, words="the store has no room for tomorrow: orchestrator store maintain"
                )
            return Answer(well=True, words="ready")
        return Answer(well=False, words=f"the store did not answer within {ASKED:.0f} s")
