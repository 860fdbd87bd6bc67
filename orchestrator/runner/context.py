"""What the steps of one run share: the doors, the schedule, the tests in hand, and the reasons to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.budget.permits import Note, silent
from orchestrator.clock import Clock
from orchestrator.model import JsonObject
from orchestrator.records import Event, RunRecord, TestRecord
from orchestrator.runner.wire import Wire
from orchestrator.schedule.backoff import Patience
from orchestrator.schedule.progress import Progress
from orchestrator.schedule.schedule import Schedule
from orchestrator.store.base import Store
from orchestrator.thousandeyes.protocol import Dialect

# Events wait for the next write of the store, so that a poll that brought nothing costs no commit.
EVENTS_BUFFERED = 200


@dataclass(slots=True)
class InHand:
    """A test that the run works on. ``created`` is monotonic, for ages; the store keeps wall times.

    ``problems`` says by layer why its last poll brought nothing.
    """

    record: TestRecord
    progress: Progress
    created: float = 0.0
    detailed: set[tuple[str, int]] = field(default_factory=set)
    newest: dict[str, int] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Stop:
    """Why to create no more, or to send nothing at all; the first reason stands."""

    creating: str | None = None
    sending: str | None = None
    refused: str | None = None
    hint: str | None = None


@dataclass(slots=True)
class Context:
    """One run's rooms, joined."""

    run: RunRecord
    store: Store
    dialect: Dialect
    wire: Wire
    clock: Clock
    schedule: Schedule
    tests: dict[str, InHand]
    jitter: Callable[[], float]
    log: Note = silent
    stop: Stop = field(default_factory=Stop)
    created: int = 0
    last_creation: float = 0.0
    answers: int = 0
    error_rows: int = 0
    unreachable: int = 0
    patience: Patience = field(default_factory=Patience)
    _events: list[Event] = field(default_factory=list)

    def note(self, kind: str, spec: str | None = None, **facts: object) -> None:
        """Remember something of note; it is logged now and stored with the next write."""
        self.log(f"run.{kind}", {"run": self.run.id, "spec": spec, **facts})
        self._events.append(Event(self.clock.wall(), spec, kind, _json(facts)))

    def take_events(self) -> list[Event]:
        """The events that wait to be stored; the caller stores them."""
        events, self._events = self._events, []
        return events

    @property
    def events_waiting(self) -> int:
        """How many events are not stored yet."""
        return len(self._events)

    def refuse(self, message: str, hint: str, *, everything: bool) -> None:
        """The API refused us: create no more, or send nothing more at all."""
        if self.stop.refused is None:
            self.stop.refused, self.stop.hint = message, hint
        self.stop.creating = self.stop.creating or message
        if everything:
            self.stop.sending = self.stop.sending or message


def _json(facts: dict[str, object]) -> JsonObject:
    result: JsonObject = {}
    for name, value in facts.items():
        result[name] = value if isinstance(value, str | int | float | bool) or value is None else str(value)
    return result
