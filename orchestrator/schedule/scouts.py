"""Who is polled early, because nothing of its kind has answered in this run yet. Pure; seconds.

What is expected of a kind of test may be wrong by a factor, and only an early poll can tell that answers come
sooner. If every test explored, a usual sweep would waste its calls; a few *scouts* of each kind are enough.
They share one series of ages, each age for the next of them, so that three cost no more than one. With few
open tests and idle calls every test explores.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# Scouts of a kind; one may be lost, or be the slowest of all.
TEAM = 3
FIRST_AGE, GROWTH = 2.0, 1.4
# Where idle calls allow a poll of each open test every so many seconds, every test explores.
FEW_GAP = 4.0
# Part of its age between two polls of a test that explores: more often tells little more.
FINE = 0.015


def exploring_age(age: float, gap: float) -> float:
    """The age of the next poll where every test explores, after one of ``age`` (0: none yet)."""
    return max(FIRST_AGE, age + max(gap, FINE * age))


@dataclass(slots=True)
class _Team:
    members: set[str] = field(default_factory=set)
    following: float = FIRST_AGE
    taken: int = 0


class Scouts:
    """The scouts of every kind of test."""

    def __init__(self) -> None:
        self._teams: dict[str, _Team] = {}

    def join(self, kind: str, key: str) -> None:
        """A test is open; it is a scout if its kind lacks one."""
        team = self._teams.setdefault(kind, _Team())
        if len(team.members) < TEAM:
            team.members.add(key)

    def under_way(self, kind: str) -> bool:
        """Whether as many ages were taken as the kind has scouts."""
        team = self._teams.get(kind)
        return team is not None and team.taken >= len(team.members)

    def next_age(self, kind: str, key: str, age: float, before: float) -> float:
        """The age of the test's next poll as a scout, after one of ``age``, if sooner than ``before``.

        ``before`` otherwise, also for a test that is none. The age is taken: the next scout gets the next.
        """
        team = self._teams.get(kind)
        if team is None or key not in team.members:
            return before
        while team.following <= age:
            team.following *= GROWTH
        if team.following >= before:
            return before
        taken = team.following
        team.following *= GROWTH
        team.taken += 1
        return taken
