"""The addresses of the pages, as they are written into pages."""

from __future__ import annotations

from urllib.parse import quote, urlencode

# Said of a page that is to stay as it is.
STILL = "?still=1"
_LINKS = (
    ("Runs", "/"),
    ("Plans", "/plans"),
    ("Budgets", "/budgets"),
    ("Queue", "/queue"),
    ("Schedules", "/schedules"),
)


def links(here: str) -> tuple[tuple[str, str, bool], ...]:
    """The pages that every page links to: a word, an address, and whether it is that page."""
    return tuple((word, href, href == here) for word, href in _LINKS)


def run_address(run: str, *, still: bool = False) -> str:
    """Of a run's report; ``still``: without asking for itself again."""
    return f"/runs/{quote(run, safe='')}{STILL if still else ''}"


def style_address(run: str) -> str:
    """Of its style: the report of a run knows how its matrix is ruled."""
    return f"{run_address(run)}/style.css"


def alive(seconds: int, address: str, *, still: bool) -> tuple[str, str, str]:
    """What a page says that asks for itself again, or would; ``address`` is where it is alive. Whoever reads
    slowly must be able to stop it."""
    if still:
        return "This page stays as it is.", "Let it follow", address
    return f"This page is read again every {seconds} s.", "Stop that", f"{address}{STILL}"


def plan_address(plan: str) -> str:
    """Of a plan's history. Names of plans are data: they stand in the query, where no sign means a folder."""
    return f"/plan?{_query(name=plan)}"


def runs_address(**wanted: str | None) -> str:
    """Of the list of runs; what is ``None`` or empty is left out."""
    query = _query(**wanted)
    return f"/?{query}" if query else "/"


def diff_address(run: str, base: str = "last-good") -> str:
    """Of a comparison."""
    return f"/diff?{_query(base=base, run=run)}"


def diff_style_address(run: str, base: str) -> str:
    """Of its style."""
    return f"/diff/style.css?{_query(base=base, run=run)}"


def _query(**wanted: str | None) -> str:
    return urlencode({name: value for name, value in wanted.items() if value}, errors="backslashreplace")
