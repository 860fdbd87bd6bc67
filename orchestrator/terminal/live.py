"""Progress of a run on stderr: a live view on a terminal, plain lines elsewhere, nothing when quiet.

It is told how the run stands. It has no clock and no thread: the time comes with each value.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from orchestrator.events import BudgetStanding, Standing
from orchestrator.events.verdicts import verdicts_in
from orchestrator.report.headline import many
from orchestrator.report.times import span
from orchestrator.report.waits import awaited
from orchestrator.safe import terminal
from orchestrator.terminal.keys import Unechoed

if TYPE_CHECKING:
    from typing import TextIO

    from rich.console import RenderableType
    from rich.live import Live

# Plain lines come at most this often, apart from milestones. Seconds of the run's clock.
PLAIN_INTERVAL = 10.0


class Progress:
    """Shows standings on ``stream``. ``title`` is data and is escaped."""

    def __init__(
        self,
        stream: TextIO,
        title: str,
        *,
        quiet: bool = False,
        live: bool | None = None,
        color: bool | None = None,
        interval: float = PLAIN_INTERVAL,
    ) -> None:
        self._stream = stream
        self._title = terminal(title, 120)
        self._quiet = quiet
        self._wants_live = stream.isatty() if live is None else live
        self._color = color
        self._interval = interval
        self._live: Live | None = None
        self._keys = Unechoed(stream)
        self._next_line = 0.0
        self._milestones: tuple[bool, bool] = (False, False)
        self._last: str | None = None

    def start(self) -> None:
        """Take the terminal, if there is one."""
        if self._quiet or not self._wants_live:
            return
        from rich.live import Live  # noqa: PLC0415 - only a terminal needs it

        from orchestrator.terminal.console import make_console  # noqa: PLC0415 - likewise

        console = make_console(self._stream, color=self._color)
        if not console.is_terminal or console.is_dumb_terminal:
            return
        # Standard output carries data and stays as it is; what others write to stderr goes above the view.
        self._live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False)
        self._keys.begin()
        self._live.start()

    def update(self, standing: Standing) -> None:
        """Show how the run stands; on a terminal a few times a second is enough."""
        if self._quiet:
            return
        if self._live is not None:
            self._live.update(view(self._title, standing), refresh=True)
            return
        milestones = (standing.planned > 0 and standing.created >= standing.planned, _over(standing))
        if standing.elapsed < self._next_line and milestones == self._milestones:
            return
        self._milestones = milestones
        self._next_line = standing.elapsed + self._interval
        text = line(standing)
        if text != self._last:
            self._last = text
            self._write(text)

    def message(self, text: str, *, important: bool = False) -> None:
        """One line above the view; ``text`` is escaped. Quiet shows only what is important (a stop)."""
        if self._live is not None:
            from rich.text import Text  # noqa: PLC0415 - loaded already with the view

            self._live.console.print(Text(terminal(text)), soft_wrap=True)
        elif important or not self._quiet:
            self._write(terminal(text))

    def stop(self) -> None:
        """Give the terminal back; harmless when called twice."""
        if self._live is not None:
            live, self._live = self._live, None
            try:
                live.stop()
            finally:
                self._keys.restore()

    def _write(self, text: str) -> None:
        # A reader that has gone (`2>&1 | head`) must not end the run.
        with suppress(OSError):
            self._stream.write(f"{self._title}: {text}\n")
            self._stream.flush()


def _over(standing: Standing) -> bool:
    return standing.planned > 0 and standing.closed >= standing.planned


def line(standing: Standing) -> str:
    """How a run stands, in one line without data of others."""
    parts = [
        f"{span(standing.elapsed)}",
        f"created {standing.created} of {standing.planned}",
        f"{standing.open} waiting",
        f"{standing.closed} done",
        f"{standing.answers} answers",
    ]
    if standing.errors:
        parts.append(many(standing.errors, "error"))
    if standing.cells:
        parts.append(_verdicts(standing))
    parts += [f"{name} {_budget(budget)}" for name, budget in _budgets(standing)]
    if standing.waiting_for:
        parts.append(f"waiting for {awaited(standing.waiting_for)}")
    if standing.eta_seconds is not None and not _over(standing):
        parts.append(f"about {span(standing.eta_seconds)} left")
    return ", ".join(parts)


def _verdicts(standing: Standing) -> str:
    """How many cells are judged, and as what: ``14 of 38 cells judged (12 pass, 2 fail)``."""
    by_verdict = verdicts_in(standing)
    found = [f"{number} {verdict.value}" for verdict, number in by_verdict.items() if number]
    so_far = f" ({', '.join(found)})" if found else ""
    return f"{sum(by_verdict.values())} of {many(standing.cells, 'cell')} judged{so_far}"


def _budgets(standing: Standing) -> list[tuple[str, BudgetStanding]]:
    return [("instant tests", standing.instant_test), ("organization", standing.organization)]


def _budget(budget: BudgetStanding) -> str:
    if budget.blind:
        return "limits not told"
    if budget.limit is None:
        return "limits not seen yet"
    if budget.remaining is None:
        return f"a new window of {budget.limit}, not asked yet"
    reset = "" if budget.resets_in is None else f" (resets in {span(max(0.0, budget.resets_in))})"
    return f"{budget.remaining}/{budget.limit} left{reset}"


def view(title: str, standing: Standing) -> RenderableType:
    """The live view; ``title`` must be escaped already."""
    from rich.console import Group  # noqa: PLC0415 - only a terminal needs it
    from rich.progress_bar import ProgressBar  # noqa: PLC0415 - likewise
    from rich.table import Table  # noqa: PLC0415 - likewise
    from rich.text import Text  # noqa: PLC0415 - likewise

    total = max(1, standing.planned)
    bars = Table.grid(padding=(0, 2, 0, 0))
    for name, done in (("created", standing.created), ("done", standing.closed)):
        bars.add_row(
            Text(name),
            ProgressBar(total=total, completed=done, width=30),
            Text(f"{done} of {standing.planned}"),
        )
    eta = "" if standing.eta_seconds is None else f", about {span(standing.eta_seconds)} left"
    rows = [
        Text(f"{title}  {span(standing.elapsed)}{eta}", style="bold", no_wrap=True, overflow="ellipsis"),
        bars,
        _counts(standing),
    ]
    for label, budget in _budgets(standing):
        others = f", others spend {budget.others:.3g} a window" if budget.others else ""
        rows.append(Text(f"{label:<14} {_budget(budget)}{others}", no_wrap=True, overflow="ellipsis"))
    if standing.waiting_for:
        text = f"waiting for {awaited(standing.waiting_for)}"
        rows.append(Text(text, style="yellow", no_wrap=True, overflow="ellipsis"))
    return Group(*rows)


def _counts(standing: Standing) -> RenderableType:
    from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

    counts = Text(
        f"{standing.open} tests waiting, {standing.answers} answers", no_wrap=True, overflow="ellipsis"
    )
    if standing.errors:
        counts.append(f", {many(standing.errors, 'error')}", style="red")
    if standing.cells:
        counts.append(f"; {_verdicts(standing)}", style="red" if standing.failing else "")
    return counts
