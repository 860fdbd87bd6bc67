"""How a report is laid out: what was asked for, and what its size allows.

What a size leaves out is always said in the page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

CELLS = 500  # bad cells that are listed one by one
MOST_CELLS = 100_000


class By(StrEnum):
    """What the matrix groups agents by; a label besides (``label:KEY``)."""

    COUNTRY = "country"
    LOCATION = "location"
    NETWORK = "network"


LABEL = "label:"


class Parts(StrEnum):
    """How much of a report is written."""

    ALL = "all"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class Sheet:
    """Where the style goes instead of into the page: ``href`` is its address there, ``out`` takes it."""

    href: str
    out: Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page stands on a site.

    ``links`` are the site's pages (a word, an address, and whether this is that page), ``more`` what belongs
    to this page. ``alive`` says that the page asks for itself again, and where it does not: a sentence, a
    word, an address.
    """

    links: tuple[tuple[str, str, bool], ...]
    more: tuple[tuple[str, str], ...] = ()
    alive: tuple[str, str, str] | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """What was asked for. ``columns`` is what the matrix groups agents by: a :class:`By`, or
    ``label:KEY``. ``place`` is that of a report on a site; one that is a file has none."""

    columns: str = By.COUNTRY
    cells: int = CELLS
    part: Parts = Parts.ALL
    sheet: Sheet | None = None
    place: Place | None = None


def columns_of(text: str) -> str:
    """What a matrix may group agents by. Raises ``ValueError`` for anything else."""
    if text in [*By] or text.removeprefix(LABEL) not in ("", text):
        return text
    raise ValueError(f"{', '.join(By)} or {LABEL}KEY, not {text[:80]!r}")


@dataclass(frozen=True, slots=True)
class Size:
    """What is drawn of a run with so many cells. ``waits`` and ``latencies`` are views, ``titles`` what a
    cell tells when pointed at; without ``times`` no view but the verdict's is drawn.

    ``rows``: at most so many targets, only those with a bad cell, then one line for each block. ``columns``:
    agents beyond so many become one column for each group. ``marks``: agents in a strip, beyond them
    quantiles.
    """

    times: bool = True
    waits: bool = True
    latencies: bool = True
    titles: bool = True
    rows: int | None = None
    columns: int | None = None
    marks: int | None = None
    lines: int = 300


SMALL, MIDDLE, LARGE = 2_000, 20_000, 60_000


def size_of(cells: int) -> Size:
    """What is drawn of a matrix with so many cells (rows times columns)."""
    if cells <= SMALL:
        return Size()
    if cells <= MIDDLE:
        return Size(waits=False, titles=False, marks=30)
    if cells <= LARGE:
        return Size(waits=False, latencies=False, titles=False, marks=0)
    return Size(times=False, waits=False, latencies=False, titles=False, rows=300, columns=120, marks=0)
