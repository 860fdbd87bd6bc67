"""Progress of a run on stderr: a live view on a terminal, plain lines elsewhere, nothing when quiet.

The runner feeds it with frozen values. It has no clock and no thread: the time comes with each value.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.report.headline import many
from orchestrator.report.times import span
from orchestrator.report.waits import awaited
from orchestrator.safe import terminal

if TYPE_CHECKING:
    from typing import TextIO

    from rich.console import RenderableType
    from rich.live import Live

# Plain lines come at most this often, apart from milestones. Seconds of the run's clock.
PLAIN_INTERVAL = 10.0


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """One budget as last seen; ``resets_in`` in seconds, ``None`` if not known; ``others`` per window."""

    limit: int | None
    remaining: int | None
    resets_in: float | None
    others: float = 0.0
    blind: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How a run stands. Counts of tests, but ``answers`` and ``errors``, which count rows; times in seconds.

    ``waiting_for`` is what the next request waits for, by its name in ``waits.WAITS``; ``None`` for nothing.
    """

    planned: int
    created: int
    open: int
    closed: int
    answers: int
    errors: int
    organization: BudgetLine | None
    instant_test: BudgetLine | None
    eta_seconds: float | None
    waiting_for: str | None
    elapsed: float


class Progress:
    """Shows snapshots on ``stream``. ``title`` is data and is escaped."""

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
        self._live.start()

    def update(self, snapshot: Snapshot) -> None:
        """Show how the run stands; on a terminal a few times a second is enough."""
        if self._quiet:
            return
        if self._live is not None:
            self._live.update(view(self._title, snapshot), refresh=True)
            return
        milestones = (snapshot.planned > 0 and snapshot.created >= snapshot.planned, _over(snapshot))
        if snapshot.elapsed < self._next_line and milestones == self._milestones:
            return
        self._milestones = milestones
        self._next_line = snapshot.elapsed + self._interval
        text = line(snapshot)
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
            live.stop()

    def _write(self, text: str) -> None:
        # A reader that has gone (`2>&1 | head`) must not end the run.
        with suppress(OSError):
            self._stream.write(f"{self._title}: {text}\n")
            self._stream.flush()


def _over(snapshot: Snapshot) -> bool:
    return snapshot.planned > 0 and snapshot.closed >= snapshot.planned


def line(snapshot: Snapshot) -> str:
    """How a run stands, in one line without data of others."""
    parts = [
        f"{span(snapshot.elapsed)}",
        f"created {snapshot.created} of {snapshot.planned}",
        f"{snapshot.open} waiting",
        f"{snapshot.closed} done",
        f"{snapshot.answers} answers",
    ]
    if snapshot.errors:
        parts.append(many(snapshot.errors, "error"))
    parts += [f"{name} {_budget(budget)}" for name, budget in _budgets(snapshot)]
    if snapshot.waiting_for:
        parts.append(f"waiting for {awaited(snapshot.waiting_for)}")
    if snapshot.eta_seconds is not None and not _over(snapshot):
        parts.append(f"about {span(snapshot.eta_seconds)} left")
    return ", ".join(parts)


def _budgets(snapshot: Snapshot) -> list[tuple[str, BudgetLine]]:
    both = (("instant tests", snapshot.instant_test), ("organization", snapshot.organization))
    return [(name, budget) for name, budget in both if budget is not None]


def _budget(budget: BudgetLine) -> str:
    if budget.blind:
        return "limits not told"
    if budget.limit is None:
        return "limits not seen yet"
    if budget.remaining is None:
        return f"a new window of {budget.limit}, not asked yet"
    reset = "" if budget.resets_in is None else f" (resets in {span(max(0.0, budget.resets_in))})"
    return f"{budget.remaining}/{budget.limit} left{reset}"


def view(title: str, snapshot: Snapshot) -> RenderableType:
    """The live view; ``title`` must be escaped already."""
    from rich.console import Group  # noqa: PLC0415 - only a terminal needs it
    from rich.progress_bar import ProgressBar  # noqa: PLC0415 - likewise
    from rich.table import Table  # noqa: PLC0415 - likewise
    from rich.text import Text  # noqa: PLC0415 - likewise

    total = max(1, snapshot.planned)
    bars = Table.grid(padding=(0, 2, 0, 0))
    for name, done in (("created", snapshot.created), ("done", snapshot.closed)):
        bars.add_row(
            Text(name),
            ProgressBar(total=total, completed=done, width=30),
            Text(f"{done} of {snapshot.planned}"),
        )
    eta = "" if snapshot.eta_seconds is None else f", about {span(snapshot.eta_seconds)} left"
    rows = [
        Text(f"{title}  {span(snapshot.elapsed)}{eta}", style="bold", no_wrap=True, overflow="ellipsis"),
        bars,
        _counts(snapshot),
    ]
    for label, budget in _budgets(snapshot):
        others = f", others spend {budget.others:.3g} a window" if budget.others else ""
        rows.append(Text(f"{label:<14} {_budget(budget)}{others}", no_wrap=True, overflow="ellipsis"))
    if snapshot.waiting_for:
        text = f"waiting for {awaited(snapshot.waiting_for)}"
        rows.append(Text(text, style="yellow", no_wrap=True, overflow="ellipsis"))
    return Group(*rows)


def _counts(snapshot: Snapshot) -> RenderableType:
    from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

    counts = Text(
        f"{snapshot.open} tests waiting, {snapshot.answers} answers", no_wrap=True, overflow="ellipsis"
    )
    if snapshot.errors:
        counts.append(f", {many(snapshot.errors, 'error')}", style="red")
    return counts
