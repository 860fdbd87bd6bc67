"""What a worker tells of itself: to the log, and to whoever reads its metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from orchestrator.errors import OrchestratorError
from orchestrator.queueing.attempts import Ending
from orchestrator.queueing.values import Taken
from orchestrator.store.queue import Fired


class Told(Protocol):
    """Who hears what a worker does. No method may wait or raise."""

    def took(self, run: str, taken: Taken) -> None:
        """A run is carried out here from now on."""

    def ended(self, run: str, taken: Taken, ending: Ending) -> None:
        """A run is no longer carried out here."""

    def lost(self, run: str) -> None:
        """Somebody else has taken a run over."""

    def defect(self, run: str, error: Exception) -> None:
        """A run ended with a defect of ours; the others go on."""

    def fired(self, fired: Fired) -> None:
        """A schedule made runs."""

    def made_room(self, made: Sequence[str]) -> None:
        """Parts of tables for the days to come were made."""

    def problem(self, what: str, problem: OrchestratorError | OSError) -> None:
        """Something did not go, and is tried again."""


class Silent:
    """Hears it and does nothing."""

    def took(self, run: str, taken: Taken) -> None: ...
    def ended(self, run: str, taken: Taken, ending: Ending) -> None: ...
    def lost(self, run: str) -> None: ...
    def defect(self, run: str, error: Exception) -> None: ...
    def fired(self, fired: Fired) -> None: ...
    def made_room(self, made: Sequence[str]) -> None: ...
    def problem(self, what: str, problem: OrchestratorError | OSError) -> None: ...


class Several:
    """Tells several."""

    def __init__(self, *others: Told) -> None:
        self._others = others

    def took(self, run: str, taken: Taken) -> None:
        for one in self._others:
            one.took(run, taken)

    def ended(self, run: str, taken: Taken, ending: Ending) -> None:
        for one in self._others:
            one.ended(run, taken, ending)

    def lost(self, run: str) -> None:
        for one in self._others:
            one.lost(run)

    def defect(self, run: str, error: Exception) -> None:
        for one in self._others:
            one.defect(run, error)

    def fired(self, fired: Fired) -> None:
        for one in self._others:
            one.fired(fired)

    def made_room(self, made: Sequence[str]) -> None:
        for one in self._others:
            one.made_room(made)

    def problem(self, what: str, problem: OrchestratorError | OSError) -> None:
        for one in self._others:
            one.problem(what, problem)
