"""A scheduled test made of an instant one: asked for, there, or not. ``body`` is a hash of what was sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class PromotionIntended:
    """The creation of a scheduled test is about to be sent."""

    body: str
    name: str


@dataclass(frozen=True, slots=True)
class Promoted:
    """The scheduled test exists."""

    body: str
    test_id: str


@dataclass(frozen=True, slots=True)
class PromotionRefused:
    """It certainly does not exist: nothing was sent, or the API refused it."""

    body: str
    detail: str


PromotionFact: TypeAlias = PromotionIntended | Promoted | PromotionRefused
