"""Chance that can be asked twice: the same seed and the same words always give the same draw.

Nothing here depends on the order of the questions, so results do not change when a client asks in
another order, or through another API version.
"""

from __future__ import annotations

import hashlib
import math
import random
from typing import Final

_WHOLE: Final = 2.0**64


def number(seed: int, *words: object) -> int:
    """A 64-bit integer."""
    text = "\x1f".join([str(seed), *map(str, words)])
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def share(seed: int, *words: object) -> float:
    """A number in [0, 1)."""
    return number(seed, *words) / _WHOLE


def source(seed: int, *words: object) -> random.Random:
    """A generator of its own for these words."""
    return random.Random(number(seed, *words))  # noqa: S311 - repeatable results, no secrets


def lognormal(seed: int, median: float, sigma: float, *words: object) -> float:
    """A log-normal draw by its median."""
    return source(seed, *words).lognormvariate(math.log(median), sigma)


def exponential(seed: int, mean: float, *words: object) -> float:
    """An exponential draw by its mean; 0 for the mean 0."""
    return -mean * math.log(1.0 - share(seed, *words)) if mean > 0 else 0.0
