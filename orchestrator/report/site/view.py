"""What the pages show, decided: templates loop over these values and do nothing else.

Every text may be data; the templates escape all of it. ``css`` are the one-letter classes of the report's
style. Addresses (``href``) are ours, quoted.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.report.html.layout import Place


@dataclass(frozen=True, slots=True)
class Frame:
    """What all pages have: their title, and where they stand on the site."""

    title: str
    place: Place


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run in a list."""

    href: str
    run: str
    plan: str
    plan_href: str
    css: str
    sign: str
    word: str
    exit: str
    started: str
    took: str
    headline: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """A choice of a filter."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter of the list of runs; its first choice lets all pass."""

    name: str
    label: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class RunsView:
    """A page of runs."""

    lines: tuple[RunLine, ...]
    filters: tuple[Filter, ...]
    filtered: bool
    newest: str | None
    older: str | None


@dataclass(frozen=True, slots=True)
class PlanLine:
    """A plan in the list of plans."""

    href: str
    name: str
    runs: str
    newest: str
    newest_href: str


@dataclass(frozen=True, slots=True)
class Square:
    """A place in the strip of a history: what came of something in one run."""

    css: str
    sign: str
    text: str
    href: str | None = None
    head: str = ""


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A target or a site, with a place for each run, oldest first."""

    small: str
    name: str
    squares: tuple[Square, ...]


@dataclass(frozen=True, slots=True)
class HistoryTable:
    """The rows of targets or of sites, the worst first. ``more`` tells of those that are left out."""

    id: str
    title: str
    what: str
    rows: tuple[HistoryRow, ...]
    more: str


@dataclass(frozen=True, slots=True)
class HistoryView:
    """A plan's history: its runs, then their targets and sites."""

    plan: str
    lead: str
    runs: tuple[Square, ...]
    tables: tuple[HistoryTable, ...]
    lines: tuple[RunLine, ...]
    all_href: str


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """One budget, at this moment or as a run saw it; ``share`` is what is left, percent."""

    name: str
    left: str
    limit: str
    share: int
    resets: str
    others: str
    in_flight: str


@dataclass(frozen=True, slots=True)
class BudgetsCard:
    """The budgets of one world. ``said`` tells where the numbers come from."""

    title: str
    said: str
    rows: tuple[BudgetRow, ...]


@dataclass(frozen=True, slots=True)
class TableView:
    """A plain table: its words, and what is said where it has no rows, or there is none."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    empty: str


@dataclass(frozen=True, slots=True)
class Told:
    """Lines of text: what a comparison came to, or why there is no page."""

    sign: str
    css: str
    word: str
    title: str
    lead: str = ""
    points: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
