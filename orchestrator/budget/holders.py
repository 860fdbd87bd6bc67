"""Who shares a budget, who wants a token, and whose turn it is. Pure.

Among equals, a process that wants a token may take one if it has taken at most :data:`LEAD` more in this
window than the one with the fewest that wants one too. Urgent ones go first; for every :data:`URGENT_RUN`
tokens that they take, the others may take one, so that those finish as well. Nobody waits for a process that
wants nothing, sleeps past its time, or is dead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.budget.state import count, seconds

if TYPE_CHECKING:
    from orchestrator.budget.ledger import LocalLedger
    from orchestrator.budget.permits import Permit

ASK_AGAIN = 0.4  # seconds between two requests for a token when others go first
WANTED_FOR = 1.5  # seconds that a wish lasts, from when it could first be granted
FORGOTTEN_AFTER = 900.0  # seconds without a sign
LONGEST_WISH = 130.0  # seconds; two windows and a little: what a budget can be known to open in
LEAD = 4
# Creations of a window, where nothing else is agreed: for others nobody urgent waits one window more (0061).
URGENT_RUN = 24


@dataclass(slots=True)
class Holder:
    """One process. ``taken`` and ``wants`` by kind: creations, reads; times are monotonic seconds."""

    seen: float = 0.0
    urgent: bool = False
    wants: list[float] = field(default_factory=lambda: [0.0, 0.0])
    taken: list[int] = field(default_factory=lambda: [0, 0])


class Holders:
    """All processes that share one budget."""

    def __init__(self) -> None:
        self.all: dict[str, Holder] = {}
        self.permits: dict[int, tuple[str, bool, float]] = {}
        self._windows: list[float | None] = [None, None]

    def wants(self, name: str, now: float, opens: float, *, instant: bool, urgent: bool) -> None:
        """This process would take a token; it can be had from ``opens`` on."""
        self._forget(now)
        holder = self.all.setdefault(name, Holder())
        holder.seen, holder.urgent = now, urgent
        holder.wants[not instant] = (max(now, opens) if opens < now + LONGEST_WISH else now) + WANTED_FOR

    def may_take(self, name: str, now: float, windows: Sequence[float | None], *, instant: bool) -> bool:
        """Whether it is this process' turn. ``windows``: Resets of the organization and the instant tests."""
        self._turn(windows)
        kind = int(not instant)
        me = self.all[name]
        waiting = [other for key, other in self.all.items() if key != name and now < other.wants[kind]]
        urgent = [other for other in waiting if other.urgent]
        if urgent and not me.urgent:
            theirs = sum(other.taken[kind] for other in self.all.values() if other.urgent)
            ours = sum(other.taken[kind] for other in self.all.values() if not other.urgent)
            return (ours + 1) * URGENT_RUN <= theirs
        equals = [other.taken[kind] for other in waiting if other.urgent == me.urgent]
        return not equals or me.taken[kind] <= min(equals) + LEAD

    def took(self, name: str, permit: Permit) -> None:
        """The token was taken."""
        holder = self.all[name]
        holder.taken[not permit.instant] += 1
        self.permits[permit.id] = (name, permit.instant, permit.sent)

    def ended(self, permit: Permit) -> None:
        """Its request came to its end."""
        self.permits.pop(permit.id, None)

    def leave(self, name: str) -> None:
        """The process will take no more."""
        self.all.pop(name, None)

    def bury(self, ledger: LocalLedger, now: float, dead: Callable[[str], bool]) -> None:
        """Requests of a dead process are lost now, not when they expire: its probe must not stop others."""
        gone = {name for name in {*self.all, *(name for name, _, _ in self.permits.values())} if dead(name)}
        for request, (name, instant, sent) in list(self.permits.items()):
            if name in gone:
                ledger.organization.lost(request, now, sent)
                if instant:
                    ledger.instant_test.lost(request, now, sent)
            if name in gone or request not in ledger.organization.state.flying:
                del self.permits[request]
        for name in gone:
            self.all.pop(name, None)

    def _turn(self, windows: Sequence[float | None]) -> None:
        """Tokens are counted anew in each window: reads by the organization's, creations by their own."""
        organization, instant = windows
        for kind, reset in ((0, instant), (1, organization)):
            if self._windows[kind] != reset:
                self._windows[kind] = reset
                for holder in self.all.values():
                    holder.taken[kind] = 0

    def _forget(self, now: float) -> None:
        for name in [name for name, holder in self.all.items() if now - holder.seen > FORGOTTEN_AFTER]:
            del self.all[name]

    def dump(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "all": {
                name: {
                    "seen": holder.seen,
                    "urgent": holder.urgent,
                    "wants": holder.wants,
                    "taken": holder.taken,
                }
                for name, holder in self.all.items()
            },
            "permits": [[request, *rest] for request, rest in self.permits.items()],
            "windows": self._windows,
        }

    def load(self, data: Mapping[str, Any]) -> None:
        """Take over what :meth:`dump` gave. Raises ``ValueError``, ``KeyError`` or ``TypeError``."""
        self.all = {str(name): _holder(holder) for name, holder in dict(data["all"]).items()}
        self.permits = {
            count(request): (str(name), bool(instant), seconds(sent))
            for request, name, instant, sent in data["permits"]
        }
        creations, reads = data["windows"]
        self._windows = [None if reset is None else seconds(reset) for reset in (creations, reads)]


def _holder(data: Mapping[str, Any]) -> Holder:
    wanted_creations, wanted_reads = data["wants"]
    creations, reads = data["taken"]
    return Holder(
        seen=seconds(data["seen"]),
        urgent=bool(data["urgent"]),
        wants=[seconds(wanted_creations), seconds(wanted_reads)],
        taken=[count(creations), count(reads)],
    )
