"""Which known word was probably meant. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# A longer word is no slip of the pen, and comparing it with many others takes long.
_LONGEST = 100


def near(word: str, known: Iterable[str], *, at_least: float = 0.6) -> str | None:
    """The known word that is nearest, blind to case, or ``None`` if none is near.

    ``at_least`` is how alike they must be, from 0 to 1. Of words that differ in case only the first counts.
    """
    lower = {one.lower(): one for one in reversed(list(known))}
    found = difflib.get_close_matches(word[:_LONGEST].lower(), lower, n=1, cutoff=at_least)
    return lower[found[0]] if found else None
