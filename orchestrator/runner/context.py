"""What the steps of one run share: the doors, the schedule, the tests in hand, and the reasons to stop."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Self, TypeAlias, TypeVar

from orchestrator.clock import Clock
from orchestrator.events import Event, Fact
from orchestrator.listeners.telling import Telling
from orchestrator.model import Verdict
from orchestrator.records import Requests, RunRecord, TestRecord
from orchestrator.runner.journal import Writes
from orchestrator.runner.wire import Wire
from orchestrator.schedule.backoff import Patience
from orchestrator.schedule.progress import Progress
from orchestrator.schedule.schedule import Schedule
from orchestrator.store.base import Store
from orchestrator.thousandeyes.protocol import Dialect
from orchestrator.verdict.judging import Judging

T = TypeVar("T")

# More events than this are stored without waiting for a write that takes them along.
EVENTS_BUFFERED = 200


# Agent, round, server and direction of a path.
HopsOf: TypeAlias = tuple[str, int, str | None, str | None]


@dataclass(slots=True)
class InHand:
    """A test that the run works on. ``created`` is monotonic, for ages; the store keeps wall times.

    ``judging`` has its cells as far as they are judged.
    ``problems`` says by layer why its last poll brought nothing, ``detailed`` are paths whose hops were asked
    for.
    """

    record: TestRecord
    progress: Progress
    judging: Judging
    created: float = 0.0
    detailed: set[HopsOf] = field(default_factory=set)
    newest: dict[str, int] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, record: TestRecord) -> Self:
        """A test of which nothing is known but its record."""
        return cls(record, Progress(record.spec, record.baseline), Judging(record.spec))


@dataclass(slots=True)
class Stop:
    """Why to create no more, or to send nothing at all; the first reason stands."""

    creating: str | None = None
    sending: str | None = None
    refused: str | None = None
    hint: str | None = None


@dataclass(slots=True)
class Before:
    """What the run had when this session of it ``began`` (monotonic): counts of tests and requests, and the
    ``seconds`` that earlier sessions took. ``verdicts`` counts those of the run's ``cells`` that had one."""

    began: float
    requests: Requests
    seconds: float = 0.0
    planned: int = 0
    created: int = 0
    cells: int = 0
    verdicts: Mapping[Verdict, int] = field(default_factory=dict)


@dataclass(slots=True)
class Context:
    """One run's rooms, joined. ``owners`` are the specs of the run by the id of their test."""

    run: RunRecord
    store: Store
    dialect: Dialect
    wire: Wire
    clock: Clock
    schedule: Schedule
    tests: dict[str, InHand]
    telling: Telling
    before: Before
    stop: Stop = field(default_factory=Stop)
    last_creation: float = 0.0
    owners: dict[str, str] = field(default_factory=dict)
    patience: Patience = field(default_factory=Patience)
    writes: Writes = field(default_factory=Writes)

    async def durably(self, write: Awaitable[T]) -> T:
        """Await a write of the store, or a read that must not be cut short. Raises ``StoreProblem``."""
        return await self.writes.durably(write)

    def tell(self, fact: Fact, spec: str | None = None) -> None:
        """Tell everybody of a fact; what is durable is stored with the next write."""
        self.telling.tell(fact, spec)

    def take_events(self) -> list[Event]:
        """The events that wait to be stored; the caller stores them."""
        return self.telling.outbox.take()

    @property
    def events_waiting(self) -> int:
        """How many events are not stored yet."""
        return len(self.telling.outbox)

    def refuse(self, message: str, hint: str, *, everything: bool) -> None:
        """The API refused us: create no more, or send nothing more at all."""
        if self.stop.refused is None:
            self.stop.refused, self.stop.hint = message, hint
        self.stop.creating = self.stop.creating or message
        if everything:
            self.stop.sending = self.stop.sending or message
