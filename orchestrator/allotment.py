"""What the vendor says of an organization's units: how many a period has, how many are used. Values.

The vendor's integers are read as milli-units, as its older table of prices counts: where that is wrong, a
share of what is left is too small rather than a thousand times too large (decision 56).
"""

from __future__ import annotations

from dataclasses import dataclass

# The vendor's count for one of our units.
COUNTED = 1000.0


@dataclass(frozen=True, slots=True)
class Allotment:
    """Units of the usage period from ``begins`` to ``ends`` (ISO 8601, as told): ``included`` by the contract
    and ``used`` so far, by cloud and enterprise agents, by the whole organization.

    ``quota`` is what the organization or the account group may use of it, ``None`` where that is not told.
    """

    included: float
    used: float
    begins: str | None = None
    ends: str | None = None
    quota: float | None = None

    @property
    def most(self) -> float:
        """Units that may be used in the period."""
        return self.included if self.quota is None else min(self.included, self.quota)

    @property
    def left(self) -> float:
        """Units that are left, by what is told: never less than none, and no more than the quota."""
        return round(max(0.0, self.most - self.used), 4)


@dataclass(frozen=True, slots=True)
class Untold:
    """Why nothing is known of the units that are left, in one sentence."""

    why: str


Told = Allotment | Untold


def percent(share: float) -> str:
    """A share for people, with the digits that it was given: 0.004 is 0.4%."""
    return f"{100.0 * share:g}%"


@dataclass(frozen=True, slots=True)
class ShareOfLeft:
    """A ceiling in units that is a share of what is left of them (0.1 is 10 %)."""

    share: float


@dataclass(frozen=True, slots=True)
class Monthly:
    """What a plan takes in 30 days if it runs at the times of ``cron``: so many ``runs`` and units."""

    cron: str
    timezone: str
    runs: int
    units: float


@dataclass(frozen=True, slots=True)
class Counted:
    """Units of tests that were asked about, and how many of those the vendor has counted so far."""

    units: float = 0.0
    tests: int = 0

    def __add__(self, other: Counted) -> Counted:
        return Counted(round(self.units + other.units, 4), self.tests + other.tests)
