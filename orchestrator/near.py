"""When two words are the same to a person, and which known word was probably meant. Pure."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable

# A longer word is no slip of the pen, and comparing it with many others takes long.
_LONGEST = 100


def folded(text: str) -> str:
    """A text for comparing: blind to case, and to how accents are written (Unicode NFC)."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def near(word: str, known: Iterable[str], *, at_least: float = 0.6) -> str | None:
    """The known word that is nearest, blind to case, or ``None`` if none is near.

    ``at_least`` is how alike they must be, from 0 to 1. Of words that differ in case only the first counts.
    """
    by_fold = {folded(one): one for one in reversed(list(known))}
    found = difflib.get_close_matches(folded(word[:_LONGEST]), by_fold, n=1, cutoff=at_least)
    return by_fold[found[0]] if found else None
