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
        values = {name: data[name] for name in _NAMES}
        values["flying"] = {int(key): float(value) for key, value in data["flying"]}
        values["limbo"] = [float(value) for value in data["limbo"]]
        for name in ("remaining", "mine", "unreadable", "aligned"):
            values[name] = int(values[name])
        return cls(**values)


_NAMES = tuple(item.name for item in fields(BudgetState))
