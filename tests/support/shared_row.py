"""Hosts, a database and time, all made up: purses that share a row, step by step and without waiting."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush

from orchestrator.budget.errands import Row, Take, Trip
from orchestrator.budget.purse import PurseLedger
from orchestrator.budget.teller import Teller
from orchestrator.events import Fact

THERE = 0.02  # seconds to the database, and as many back


@dataclass
class Timer:
    """What happens later, unless it is cancelled."""

    call: Callable[[], None] | None

    def cancel(self) -> None:
        self.call = None


class World:
    """The true time, which is also the server's, and what is due."""

    def __init__(self, start: float = 1.7e9) -> None:
        self.time = start
        self._due: list[tuple[float, int, Host, Timer]] = []
        self._order = itertools.count()

    def at(self, seconds: float, host: Host, call: Callable[[], None]) -> Timer:
        """Call something for a host after so many seconds; for one that is stopped once it goes on."""
        timer = Timer(call)
        heappush(self._due, (self.time + seconds, next(self._order), host, timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Let the time pass, with all that is due."""
        end = self.time + seconds
        while self._due and self._due[0][0] <= end:
            at, order, host, timer = heappop(self._due)
            self.time = max(self.time, at)
            if host.dead or timer.call is None:
                continue
            if host.stopped:
                host.missed.append((at, order, timer))
            else:
                timer.call()
        self.time = end

    def again(self, missed: list[tuple[float, int, Timer]], host: Host) -> None:
        """What came due while a host was stopped comes due now."""
        for at, order, timer in missed:
            heappush(self._due, (at, order, host, timer))


@dataclass
class Database:
    """One row and a clock of its own."""

    world: World
    ahead: float = 0.0  # seconds that its clock is ahead of the true time
    row: Row | None = None
    away: bool = False
    turns: int = 0

    def now(self) -> float:
        return self.world.time + self.ahead

    def crash(self) -> None:
        """The row is lost."""
        self.row = None


@dataclass
class Host:
    """One process on a host of its own, with a clock of its own, that shares the row."""

    world: World
    database: Database
    name: str
    ahead: float = 0.0  # seconds that its clock is ahead of the true time
    urgent: bool = False
    teller_type: type[Teller] = Teller
    purse_type: type[PurseLedger] = PurseLedger
    round_trip: float = 0.01  # what is measured of the way: from 20 ms on several permits are fetched at once
    dead: bool = False
    stopped: bool = False
    answers_lost: int = 0  # so many of the next turns are stored, and nobody hears of it
    missed: list[tuple[float, int, Timer]] = field(default_factory=list)
    told: list[Fact] = field(default_factory=list)
    woken: int = 0
    ledger: PurseLedger = field(init=False)
    _under_way: Take | None = None

    def __post_init__(self) -> None:
        teller = self.teller_type(rng=random.Random(self.name), reserve=0.0)
        self.ledger = self.purse_type(
            teller,
            self,
            holder=self.name,
            now=self.now,
            boot=self.now,
            later=lambda seconds, call: self.world.at(seconds, self, call),
            urgent=self.urgent,
            tell=self.told.append,
        )
        self.ledger.listen(self.wake)

    def __hash__(self) -> int:
        return hash(self.name)

    def now(self) -> float:
        """Seconds of this host."""
        return self.world.time + self.ahead

    def wake(self) -> None:
        """A permit may be had."""
        self.woken += 1

    def stop(self) -> None:
        """The process does nothing until it goes on."""
        self.stopped = True

    def go_on(self) -> None:
        """What came due meanwhile happens now."""
        self.stopped = False
        missed, self.missed = self.missed, []
        self.world.again(missed, self)

    # It carries its errands itself.

    def go(self, take: Take, back: Callable[[Trip | None], None]) -> None:
        """As :class:`orchestrator.budget.errands.Courier` says."""

        def there() -> None:
            if self._under_way is None:
                return  # it was done before the last way
            self._under_way = None
            trip = self._turn(take)
            if self.answers_lost and trip is not None:
                self.answers_lost -= 1
                trip = None
            self.world.at(THERE, self, lambda: back(trip))

        self._under_way = take
        self.world.at(THERE, self, there)

    def last(self, take: Take) -> None:
        """As above."""
        if self._under_way is not None:
            self._turn(self._under_way)
            self._under_way = None
        self._turn(take)

    def _turn(self, take: Take) -> Trip | None:
        database = self.database
        if database.away:
            return None
        brought = take(database.row, database.now(), self.now())
        database.row = brought.row
        database.turns += 1
        return Trip(brought, self.round_trip)
