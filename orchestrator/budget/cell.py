"""One text that several processes change in turn: what the shared ledger needs of whoever keeps it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class CellFailed(Exception):
    """A transaction could not be done, and nothing of it is kept. ``heals``: the next one may succeed."""

    def __init__(self, message: str, *, heals: bool) -> None:
        super().__init__(message)
        self.heals = heals


class Turn(Protocol):
    """A transaction. ``unchanged``: the cell still holds what our last one left."""

    unchanged: bool

    def load(self) -> str | None:
        """What was last stored; ``None`` if nothing was, or only before the processes' clock began anew."""

    def store(self, body: str) -> None:
        """Replace it."""


class Cell(Protocol):
    """A cache: what is in it may be lost at any time, and then nothing is found.

    ``place`` says for people where it is; ``process`` names this process to those that share the cell.
    """

    place: str
    process: str

    def transaction(self) -> AbstractContextManager[Turn]:
        """Nobody else loads or stores while the block runs; what it stored is kept at its end, or nothing is.

        Raises :class:`CellFailed`.
        """

    def unchanged(self) -> bool:
        """Whether the cell still holds what our last transaction left. It waits for nobody."""

    def is_dead(self, process: str) -> bool:
        """Whether a process that shares the cell is known to be gone. Of another host nobody knows."""

    def close(self) -> None:
        """Let go of it."""
