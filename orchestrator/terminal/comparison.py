"""A comparison in a terminal: what got worse first, numbered, then numbers, then what could not be seen."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from orchestrator.report.comparison import Held, lines
from orchestrator.safe import terminal

_MARKS = {0: "✓", 1: "✕", 3: "-"}
# Narrower ones break words.
_NARROWEST = 40


def comparison_lines(held: Held, width: int) -> Iterator[str]:
    """Lines that fit a terminal of this width."""
    width = max(width, _NARROWEST)
    told, judged = lines(held), held.comparison.judgement
    mark = _MARKS.get(judged.exit_code, "✕")
    yield from _wrapped(f"{mark} {terminal(held.run.plan)}  {told.head}", width, "  ")
    yield from _wrapped(f"  {told.against}", width, "    ")
    for number, text in enumerate(told.points, start=1):
        yield from _wrapped(f"  {number} {text}", width, "      ")
    for line in told.below:
        yield from _wrapped(f"  {line}", width, "    ")
    reasons = f": {'; '.join(judged.reasons)}" if judged.reasons else ""
    yield from _wrapped(f"  gate {judged.level.value}, exit {judged.exit_code}{reasons}", width, "    ")
    for line in told.limits:
        yield from _wrapped(f"  {line}", width, "    ")


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    head = len(text) - len(text.lstrip(" "))
    return textwrap.wrap(
        text[head:],
        width,
        initial_indent=" " * head,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
