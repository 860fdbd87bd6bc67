"""A comparison in a terminal: what got worse first, numbered, then numbers, then what could not be seen."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.report.comparison import Held, lines
from orchestrator.safe import terminal
from orchestrator.terminal.layout import wrapped

_MARKS = {0: "✓", 1: "✕", 3: "-"}


def comparison_lines(held: Held, width: int | None) -> Iterator[str]:
    """Lines that fit a terminal of so many columns; ``None`` leaves each whole, as
    :func:`orchestrator.terminal.layout.width_of` has it."""
    told, judged = lines(held), held.comparison.judgement
    mark = _MARKS.get(judged.exit_code, "✕")
    yield from wrapped(f"{mark} {terminal(held.run.plan)}  {told.head}", width, hang=2)
    yield from wrapped(told.against, width, indent=2, hang=4)
    for number, text in enumerate(told.points, start=1):
        yield from wrapped(f"{number} {text}", width, indent=2, hang=6)
    for line in told.below:
        yield from wrapped(line, width, indent=2, hang=4)
    reasons = f": {'; '.join(judged.reasons)}" if judged.reasons else ""
    yield from wrapped(
        f"gate {judged.level.value}, exit {judged.exit_code}{reasons}", width, indent=2, hang=4
    )
    for line in told.limits:
        yield from wrapped(line, width, indent=2, hang=4)
