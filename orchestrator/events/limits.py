"""What happens to the limits of an organization. ``budget`` is ``organization`` or ``instant_test``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class WindowProbed:
    """A request asks, besides what it is for, how these windows stand."""

    budgets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EndedWindow:
    """What became of the window before: how many calls were ours, and what was left unused."""

    mine: int
    limit: int | None = None
    unused: int | None = None


@dataclass(frozen=True, slots=True)
class WindowOpened:
    """An answer came from a new window. ``reset`` epoch seconds, ``others`` calls a window."""

    budget: str
    ended: EndedWindow
    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    others: float | None = None


@dataclass(frozen=True, slots=True)
class StaleReading:
    """An answer told of a window that had ended; nothing was learned of it."""

    budget: str


@dataclass(frozen=True, slots=True)
class LimitRefused:
    """A 429, with what was believed. With calls left and nobody else spending it is a defect of ours."""

    budget: str
    had_headers: bool
    believed_free: int
    others: float


@dataclass(frozen=True, slots=True)
class BudgetsPaused:
    """So many refusals in a row named no limit that everything pauses, for so many seconds."""

    seconds: float
    refusals: int


@dataclass(frozen=True, slots=True)
class PermitLost:
    """A request may or may not have been counted; it had gone ``seconds`` ago."""

    instant: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class BudgetReset:
    """What other processes left of the shared budget cannot be read; it begins anew."""

    reason: str


@dataclass(frozen=True, slots=True)
class BudgetRecreated:
    """The shared budget was damaged and is made anew."""

    path: str
    error: str


@dataclass(frozen=True, slots=True)
class BudgetAlone:
    """The shared budget cannot be had; this process counts for itself."""

    path: str
    error: str


BudgetFact: TypeAlias = (
    WindowProbed
    | WindowOpened
    | StaleReading
    | LimitRefused
    | BudgetsPaused
    | PermitLost
    | BudgetReset
    | BudgetRecreated
    | BudgetAlone
)
