"""What stands in the page as text: data made visible, numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from orchestrator.insight.words import Data, Sentence
from orchestrator.report.html.view import Part
from orchestrator.safe import clip, hide_userinfo, visible

NAME_LIMIT = 120
WHAT_LIMIT = 400
DASH = "–"  # noqa: RUF001 - the sign of what has no value, not a hyphen


def shown(text: str, limit: int = NAME_LIMIT) -> str:
    """Data in one line: what cannot be seen is written out, what is long is cut; the template escapes it."""
    line = " ".join(clip(text, 4 * limit).split())
    return clip(visible(hide_userinfo(line)), limit) or DASH


def clip_name(text: str) -> str:
    """A name for a narrow place."""
    return shown(text, 26)


def parts(sentence: Sentence, limit: int = NAME_LIMIT) -> tuple[Part, ...]:
    """A sentence with its data apart from our words, so that each can be set in its own type."""
    return tuple(
        Part(shown(one, limit), data=True) if isinstance(one, Data) else Part(one) for one in sentence if one
    )


def capital(sentence: tuple[Part, ...]) -> tuple[Part, ...]:
    """The sentence with a capital where it begins with a word of ours."""
    if not sentence or sentence[0].data:
        return sentence
    first = sentence[0].text
    return (Part(first[:1].upper() + first[1:]), *sentence[1:])


def stopped(sentence: tuple[Part, ...]) -> tuple[Part, ...]:
    """The sentence with a full stop at its end, if it has none."""
    if not sentence or sentence[-1].text.endswith((".", "!", "?", "…")):
        return sentence
    return (*sentence, Part("."))


def milliseconds(value: float | None) -> str:
    """``4.2 ms``, ``221 ms``, ``12.3 s``; a dash for none."""
    if value is None or not math.isfinite(value):
        return DASH
    if value >= 10_000:
        return f"{value / 1000:.1f} s"
    return f"{value:.1f} ms" if 0 < value < 10 else f"{value:.0f} ms"


def percent(value: float | None) -> str:
    """``8 %``, ``0.5 %``; a dash for none."""
    return DASH if value is None or not math.isfinite(value) else f"{value:.3g} %"


def short(value: float) -> str:
    """A number for a narrow cell: at most four characters up to a million."""
    if value >= 9_999.5:
        return f"{value / 1000:.0f}k"
    return f"{value:.1f}" if 0 < value < 9.95 else f"{value:.0f}"


def tenth(value: float) -> float:
    """A coordinate as short as it can be written: a whole number has no decimals."""
    found = round(value, 1)
    return int(found) if found == int(found) else found


def listed(words: Iterable[str], most: int) -> str:
    """``a, b, c and 4 more``."""
    known = list(words)
    more = len(known) - most
    return ", ".join(known[:most]) + (f" and {more} more" if more > 0 else "")


def median(values: Iterable[float]) -> float | None:
    """The middle value, of an even number the lower of the two middle ones; ``None`` of nothing."""
    known = sorted(values)
    return known[(len(known) - 1) // 2] if known else None
