"""What a store holds, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.report.headline import many
from orchestrator.report.times import people
from orchestrator.report.upkeep import amount
from orchestrator.safe import terminal
from orchestrator.terminal.console import say, table

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.holdings import Holdings


def print_holdings(console: Console, holds: Holdings) -> None:
    """Where it is, how large, and which plan takes how much of it."""
    total, size = holds.total, holds.size
    say(console, terminal(holds.place), "bold")
    say(console, f"  {terminal(holds.engine)}, schema {holds.schema}")
    free = f", {amount(size.free)} of it free for what comes" if size.free else ""
    say(console, f"  {amount(size.bytes)}{free}")
    counted = [many(total.runs, "run"), many(total.specs, "spec"), many(total.cells, "cell")]
    say(console, f"  {', '.join(counted)}, {many(total.answers, 'answer')}")
    if not holds.plans:
        return
    headings = ("plan", "runs", "cells", "answers", "size about", "oldest", "newest")
    rows = [
        (
            terminal(one.plan),
            str(one.holds.runs),
            str(one.holds.cells),
            str(one.holds.answers),
            amount(one.holds.bytes),
            people(one.oldest),
            people(one.newest),
        )
        for one in holds.plans
    ]
    table(console, headings, rows, indent=2)
