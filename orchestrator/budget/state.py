"""What a budget remembers: values only, so that processes can share them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

FIRST_GUARD = 0.05  # seconds beyond the certain end; grows when a probe was early all the same


@dataclass(slots=True)
class BudgetState:
    """Everything a budget remembers. Monotonic seconds of this host, except ``reset`` (the server's)."""

    limit: int | None = None
    remaining: int = 0
    reset: float | None = None
    known: bool = False
    flying: dict[int, float] = field(default_factory=dict)  # request -> when it expires
    limbo: list[float] = field(default_factory=list)  # when each lost request was certainly counted or gone
    probing: int | None = None
    hold: float | None = None  # no probe before
    paused: float | None = None  # nothing before
    wait: float = 2.0  # before the next probe, if this one is lost
    mine: int = 0  # our requests seen counted in this window
    others: float | None = None  # smoothed tokens per window spent by everybody else
    unreadable: int = 0  # successful answers in a row without usable headers
    began: float | None = None  # when its first answer came to us: the window had begun by then
    guard: float = FIRST_GUARD
    aligned: int = 0  # windows seen to end with the clock's minute, whoever began them
    span: float = 0.0  # seconds that a window is at least long: the most that was seen to be left of one
    shortest: float | None = None  # seconds between the Resets of windows that followed each other
    ahead: float | None = None  # the Reset of the next window, where it was named before this one was over
    ahead_remaining: int = 0
    jitter: float = 0.0  # seconds added to the rollover when other processes are known

    def dump(self) -> dict[str, Any]:
        """As JSON values."""
        # Not ``asdict``, which copies deeply and was half the cost of a shared budget's transaction.
        values = {name: getattr(self, name) for name in _NAMES}
        values["flying"] = [[key, value] for key, value in self.flying.items()]
        values["limbo"] = list(self.limbo)
        return values

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> BudgetState:
        """What :meth:`dump` gave. Raises ``ValueError``, ``KeyError`` or ``TypeError`` on anything else."""
        values: dict[str, Any] = {name: seconds(data[name]) for name in _SECONDS}
        values |= {name: count(data[name]) for name in _COUNTS}
        values |= {name: None if data[name] is None else seconds(data[name]) for name in _MAYBE_SECONDS}
        values |= {name: None if data[name] is None else count(data[name]) for name in _MAYBE_COUNTS}
        values["known"] = bool(data["known"])
        values["flying"] = {count(key): seconds(value) for key, value in data["flying"]}
        values["limbo"] = [seconds(value) for value in data["limbo"]]
        return cls(**values)


def seconds(value: object) -> float:
    """A stored number. Raises ``TypeError`` for what is none, ``ValueError`` for NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{type(value).__name__} is no number")
    if value != value:  # noqa: PLR0124 - only NaN differs from itself
        raise ValueError("NaN is no time")
    return float(value)


def count(value: object) -> int:
    """A stored whole number. Raises ``TypeError`` for what is none."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{type(value).__name__} is no whole number")
    return value


_NAMES = tuple(item.name for item in fields(BudgetState))
_SECONDS = ("wait", "guard", "span", "jitter")
_MAYBE_SECONDS = ("reset", "hold", "paused", "others", "began", "shortest", "ahead")
_COUNTS = ("remaining", "mine", "unreadable", "aligned", "ahead_remaining")
_MAYBE_COUNTS = ("limit", "probing")
