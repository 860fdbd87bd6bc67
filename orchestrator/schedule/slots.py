"""Which hosts and agents have no room for another test now (courtesy to targets). Pure; times are monotonic.

A test is *under way* from the sending of its creation until its answers are in, at the latest until it must
be over (:func:`orchestrator.testtypes.lasting.must_be_over`); one whose creation was ambiguous until then.
When a test began is known between two moments only: it was sent, and it was answered. So the next one toward
its host waits until it is answered, and the spacing longer.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.courtesy import Courtesy
from orchestrator.model import Spec
from orchestrator.testtypes.contacts import hosts_under_test
from orchestrator.testtypes.lasting import must_be_over


@dataclass(frozen=True, slots=True)
class Needs:
    """What a test takes a place of. Hosts and agents never have one name: see :meth:`Slots.needs`."""

    hosts: tuple[str, ...] = ()
    agents: frozenset[str] = frozenset()

    def __iter__(self) -> Iterator[str]:
        yield from self.hosts
        yield from self.agents


@dataclass(slots=True)
class _Place:
    """The places that a test has. ``sent``: its creation was not answered yet."""

    needs: Needs
    lasts: float
    sent: bool = True
    until: float = math.inf


class Slots:
    """The places at hosts and agents, and who has them. Whoever is not limited has no part in it."""

    def __init__(self, courtesy: Courtesy) -> None:
        self._courtesy = courtesy
        self._agents: dict[tuple[str, ...], frozenset[str]] = {}
        self._tests: dict[str, _Place] = {}
        self._taken: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()  # creations on their way, by host
        self._not_before: dict[str, float] = {}
        self._full: set[str] = set()
        self._opened: list[str] = []
        self._order = itertools.count()
        self._ends: list[tuple[float, int, str]] = []  # when tests must be over, and hosts are free again

    def needs(self, spec: Spec) -> Needs:
        """What a test of this spec takes places of; one set for all specs of the same agents."""
        hosts: tuple[str, ...] = ()
        agents: frozenset[str] = frozenset()
        if self._courtesy.per_host is not None or self._courtesy.spacing > 0.0:
            hosts = tuple(f"host {one}" for one in hosts_under_test(spec.fields, spec.raw))
        if self._courtesy.per_agent is not None:
            agents = self._agents.setdefault(spec.agents, frozenset(spec.agents))
        return Needs(hosts, agents)

    # -- what happens to tests ----------------------------------------------------------------------

    def sent(self, spec: Spec, needs: Needs, now: float) -> None:
        """The creation of a test is on its way."""
        self._enter(spec.key, _Place(needs, must_be_over(spec.type, spec.fields)), now)

    def begun(self, key: str, now: float) -> None:
        """A test has begun, or may have: its creation was answered, or will never be."""
        place = self._tests.get(key)
        if place is None or not place.sent:
            return
        self._answered(place)
        self._lasts(key, place, now + place.lasts)
        self._spaced(place.needs, now, now)

    def over(self, key: str, now: float) -> None:
        """A test is over: its answers are in, or it certainly never began."""
        place = self._tests.pop(key, None)
        if place is None:
            return
        if place.sent:
            self._answered(place)
        for one in place.needs:
            self._taken[one] -= 1
            self._look(one, now)

    def never_begun(self, key: str, now: float) -> None:
        """The end of a creation without a test; one that may have begun keeps its places."""
        place = self._tests.get(key)
        if place is not None and place.sent:
            self.over(key, now)

    def began_before(self, spec: Spec, at: float, now: float, *, over: bool, again: bool = False) -> None:
        """A test of an earlier session began ``at``. ``over``: its answers are in; ``again``: its spec may be
        created once more, beside it."""
        key = f"{spec.key} before" if again else spec.key
        needs, lasts = self.needs(spec), must_be_over(spec.type, spec.fields)
        if not over and key not in self._tests and at + lasts > now:
            place = _Place(needs, lasts)
            self._enter(key, place, now)
            self._answered(place)
            self._lasts(key, place, at + lasts)
        self._spaced(needs, at, now)

    # -- how it stands ------------------------------------------------------------------------------

    def without_room(self, needs: Needs) -> str | None:
        """A host or an agent that has no room for it, if there is one; hosts first."""
        for host in needs.hosts:
            if host in self._full:
                return host
        if self._full.isdisjoint(needs.agents):
            return None
        return next(iter(self._full & needs.agents))

    def have_room(self, names: frozenset[str]) -> bool:
        """Whether all of these hosts and agents have room now."""
        return self._full.isdisjoint(names)

    def pass_time(self, now: float) -> None:
        """What must be over by now is, and who had to wait until now need not."""
        while self._ends and self._ends[0][0] <= now:
            _, _, name = heapq.heappop(self._ends)
            place = self._tests.get(name)
            if place is not None and place.until <= now:
                self.over(name, now)
            elif place is None:
                self._look(name, now)

    def opened(self) -> list[str]:
        """Hosts and agents that had no room and have some now; each is told once."""
        opened, self._opened = self._opened, []
        return [one for one in opened if one not in self._full]

    def wakes(self) -> Iterator[float]:
        """When something here changes by itself."""
        if self._ends:
            yield self._ends[0][0]

    # -- within -------------------------------------------------------------------------------------

    def _enter(self, key: str, place: _Place, now: float) -> None:
        self._tests[key] = place
        for host in place.needs.hosts:
            self._sent[host] += 1
        for one in place.needs:
            self._taken[one] += 1
            self._look(one, now)

    def _answered(self, place: _Place) -> None:
        place.sent = False
        for host in place.needs.hosts:
            self._sent[host] -= 1

    def _lasts(self, key: str, place: _Place, until: float) -> None:
        place.until = until
        heapq.heappush(self._ends, (until, next(self._order), key))

    def _spaced(self, needs: Needs, began: float, now: float) -> None:
        for host in needs.hosts:
            free = began + self._courtesy.spacing
            if free > max(now, self._not_before.get(host, now)):
                self._not_before[host] = free
                heapq.heappush(self._ends, (free, next(self._order), host))
            self._look(host, now)

    def _look(self, name: str, now: float) -> None:
        """Whether this host or agent has room, after something changed."""
        if self._has_room(name, now):
            if name in self._full:
                self._full.discard(name)
                self._opened.append(name)
        else:
            self._full.add(name)

    def _has_room(self, name: str, now: float) -> bool:
        if not name.startswith("host "):
            per_agent = self._courtesy.per_agent
            return per_agent is None or self._taken[name] < per_agent
        per_host = self._courtesy.per_host
        if per_host is not None and self._taken[name] >= per_host:
            return False
        if self._courtesy.spacing > 0.0 and self._sent[name] > 0:
            return False
        return self._not_before.get(name, now) <= now
