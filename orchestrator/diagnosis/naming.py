"""What a diagnosis calls its plan, and how one is known by that."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

_WORD = "diagnose"
PREFIX = f"{_WORD} "
# A plan's name is a lock's: what is longer is told apart by its hash.
_LONGEST = 120


def plan_name(targets: Sequence[str], preset: str | None = None) -> str:
    """The name for these targets, and so of the lock: one diagnosis at a time for the same ones. ``preset``
    is the name of the plan that is run instead of the usual tests."""
    text = ", ".join(dict.fromkeys(target.strip() for target in targets))
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 9]} {hashlib.sha256(text.encode()).hexdigest()[:8]}"
    name = f"{PREFIX}{text}" if text else _WORD
    return f"{name} ({preset[:60]})" if preset is not None else name


def is_diagnosis(plan: str) -> bool:
    """Whether a plan of this name was one."""
    return plan == _WORD or plan.startswith((PREFIX, f"{_WORD} ("))
