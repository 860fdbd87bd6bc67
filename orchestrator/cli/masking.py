"""Secrets of this process, so that no text leaves with them. Filled when credentials are read."""

from __future__ import annotations

from collections.abc import Callable

_masks: list[Callable[[str], str]] = []


def add_mask(masking: Callable[[str], str]) -> None:
    """From now on every text for people passes through ``masking``."""
    _masks.append(masking)


def mask(text: str) -> str:
    """The text without secrets."""
    for masking in _masks:
        text = masking(text)
    return text
