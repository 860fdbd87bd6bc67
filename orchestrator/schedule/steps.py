"""The values of the schedule: what can be done next, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

# A page link is followed this many times at most in one poll: pages must end somewhere.
MAX_PAGES = 500


class Purpose(Enum):
    """Why a layer is polled."""

    BASELINE = auto()
    SENTINEL = auto()
    READY = auto()
    LAST = auto()


@dataclass(frozen=True, slots=True)
class Create:
    """Create the test of a spec, or run it again."""

    key: str


@dataclass(frozen=True, slots=True)
class Poll:
    """Read one page of one layer. ``tries`` and ``refusals`` came to nothing before this one."""

    key: str
    layer: str
    purpose: Purpose
    href: str | None = None
    page: int = 1
    tries: int = 0
    refusals: int = 0
    # Links that led here: a page that is named twice is a loop, and has been read.
    trail: frozenset[str] = frozenset()

    def following(self, href: str) -> Poll | None:
        """The poll of the next page, or ``None`` where pages loop or never end."""
        if self.page >= MAX_PAGES or href in self.trail:
            return None
        return replace(self, href=href, page=self.page + 1, trail=self.trail | {href})


@dataclass(frozen=True, slots=True)
class Detail:
    """Read the hops of one agent in one round. ``tries`` and ``refusals`` came to nothing before this one."""

    key: str
    agent_id: str
    round_id: int
    tries: int = 0
    refusals: int = 0


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask something harmless: does the API answer again? ``tries`` probes before it were not answered."""

    tries: int = 0


Step = Create | Poll | Detail | Probe


@dataclass(frozen=True, slots=True)
class Candidate:
    """A step that is due. ``spare`` is how many of the organization's tokens must be left after it."""

    step: Step
    instant: bool
    spare: int
