"""The marks of cells: a letter, a class, a colour. The letter is the sign; colour only helps.

Colours stand in drawings too, for readers that apply no style.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from orchestrator.insight.values import Phase
from orchestrator.model import Verdict
from orchestrator.report.html.cells import Cell
from orchestrator.report.html.text import tenth
from orchestrator.report.html.view import Bar, Segment, Tally

NOT_PLANNED = "b"
UNNAMED = "another reason"


@dataclass(frozen=True, slots=True)
class Sign:
    """How cells with a verdict look: ``mark`` where no phase has a letter of its own, one ``word``."""

    css: str
    mark: str
    fill: str
    word: str
    one: str = ""


SIGNS: Mapping[Verdict | None, Sign] = MappingProxyType(
    {
        Verdict.PASS: Sign("k", "·", "#8fcdb2", "pass", "passes"),
        Verdict.WARN: Sign("w", "l", "#e69f00", "warnings", "warning"),
        Verdict.FAIL: Sign("f", "L", "#c8400b", "fail", "fails"),
        Verdict.NO_ANSWER: Sign("n", "–", "#7b6ba8", "no answer"),  # noqa: RUF001 - a sign
        Verdict.PARTIAL: Sign("p", "◐", "#5a9bc4", "partial"),
        None: Sign("o", "…", "#9aa7b3", "open"),
        Verdict.NOT_RUN: Sign("x", "×", "#b9bec6", "not run"),  # noqa: RUF001 - a sign
    }
)
WORDS: Mapping[Phase, str] = MappingProxyType(
    {
        Phase.DNS: "DNS",
        Phase.CONNECT: "connect",
        Phase.LOSS: "packet loss",
        Phase.TLS: "TLS",
        Phase.WAIT: "server wait",
        Phase.RECEIVE: "receive",
        Phase.ANSWER: "answer",
        Phase.ERROR: "error",
        Phase.SLOW: "slow",
    }
)


def sign_of(cell: Cell) -> str:
    """The sign of a cell: the letter of the phase that broke, a small one for a warning."""
    if cell.phase is not None:
        return cell.phase.letter if cell.verdict is Verdict.FAIL else cell.phase.letter.lower()
    return SIGNS[cell.verdict].mark


def word_of(cell: Cell) -> str:
    """What its sign means."""
    return WORDS[cell.phase] if cell.phase is not None else SIGNS[cell.verdict].word


def word_for(verdict: Verdict | None) -> str:
    """What one cell with this verdict does."""
    return _word(verdict, 1)


def badness(cells: Iterable[Cell]) -> tuple[int, int, int]:
    """How many fail, how many say nothing, how many have warnings."""
    count = Counter(cell.verdict for cell in cells)
    return count[Verdict.FAIL], count[Verdict.NO_ANSWER] + count[Verdict.PARTIAL], count[Verdict.WARN]


def bar_of(numbers: Mapping[Verdict | None, int], width: float) -> Bar:
    """A bar of verdicts. What is there is seen: no part is thinner than 1.5 units."""
    whole = sum(numbers.values()) or 1
    least = 1.5
    wide = {v: max(least, width * numbers[v] / whole) for v in SIGNS if numbers.get(v)}
    scale = width / sum(wide.values()) if wide else 1.0
    segments, x = [], 0.0
    for verdict, part in wide.items():
        sign = SIGNS[verdict]
        segments.append(Segment(sign.css, sign.fill, tenth(x), tenth(part * scale)))
        x += part * scale
    told = ", ".join(f"{numbers[v]} {_word(v, numbers[v])}" for v in wide)
    return Bar(tuple(segments), told)


def tallies(numbers: Mapping[Verdict | None, int]) -> tuple[Tally, ...]:
    """The numbers beside the bar."""
    return tuple(
        Tally(sign.css, sign.mark, numbers[verdict], _word(verdict, numbers[verdict]))
        for verdict, sign in SIGNS.items()
        if numbers.get(verdict)
    )


def _word(verdict: Verdict | None, number: int) -> str:
    sign = SIGNS[verdict]
    return sign.one if number == 1 and sign.one else sign.word
