"""What the processes of an organization last saw of its windows, for an era that begins without knowing them.

The database has lost what was counted, but every process that talks to it again still has what its last turn
has shown. Within a window what remains only falls, so the least that anybody saw holds until that window is
over. It makes the new era more careful and never less: it opens nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator.budget.errands import Remembered
from orchestrator.budget.state import count, seconds
from orchestrator.budget.windows import TRUNCATED

if TYPE_CHECKING:
    from orchestrator.budget.budget import Budget
    from orchestrator.budget.ledger import LocalLedger

LOOK_AGAIN = 0.5  # seconds for which a window that is full is closed: what is in flight may be given back


@dataclass(slots=True)
class Memory:
    """Of both limits one window. ``ends`` is by the database's clock."""

    organization: Remembered | None = None
    instant_test: Remembered | None = None

    def learn(self, windows: Sequence[Remembered | None], ahead: float) -> None:
        """Take in what a process remembers; the database's clock is ``ahead`` of its host's, at least."""
        organization, instant = (
            None if one is None else replace(one, ends=one.ends + ahead) for one in windows
        )
        self.organization = _joined(self.organization, organization)
        self.instant_test = _joined(self.instant_test, instant)

    def heed(self, ledger: LocalLedger, now: float) -> None:
        """Spend nothing of a remembered window that is known to be gone; forget one that is over."""
        self.organization = _heeded(self.organization, ledger.organization, now)
        self.instant_test = _heeded(self.instant_test, ledger.instant_test, now)

    def dump(self) -> list[list[float] | None]:
        """As JSON values."""
        return [
            None if one is None else [one.limit, one.remaining, one.reset, one.ends]
            for one in (self.organization, self.instant_test)
        ]

    @classmethod
    def load(cls, data: Sequence[Any]) -> Memory:
        """What :meth:`dump` gave. Raises ``ValueError``, ``KeyError`` or ``TypeError`` on anything else."""
        organization, instant = data
        return cls(_loaded(organization), _loaded(instant))


def _loaded(data: Sequence[Any] | None) -> Remembered | None:
    if data is None or isinstance(data, Mapping):
        return None
    limit, remaining, reset, ends = data
    return Remembered(count(limit), count(remaining), seconds(reset), seconds(ends))


def _joined(one: Remembered | None, other: Remembered | None) -> Remembered | None:
    """The newer window; of one window the least that remained, and its latest end."""
    if one is None or other is None:
        return one or other
    if abs(one.reset - other.reset) > TRUNCATED:
        return max(one, other, key=lambda seen: seen.reset)
    return Remembered(
        min(one.limit, other.limit), min(one.remaining, other.remaining), one.reset, max(one.ends, other.ends)
    )


def _heeded(seen: Remembered | None, budget: Budget, now: float) -> Remembered | None:
    if seen is None or now >= seen.ends:
        return None
    state = budget.state
    if state.known and state.reset is not None and state.reset > seen.reset + TRUNCATED:
        return None
    if state.known:
        state.remaining = min(state.remaining, seen.remaining)
        return seen
    if state.limit is None:
        state.limit = seen.limit
    if seen.remaining <= len(state.flying) + len(state.limbo):
        budget.pause(now + LOOK_AGAIN)
    return seen
