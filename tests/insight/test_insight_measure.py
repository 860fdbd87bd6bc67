"""Culprits planted in random worlds are found, and nothing is found where there is none.

Seeds are fixed, so the figures are; a change of the engine that makes it worse fails here.
"""

from __future__ import annotations

import pytest
from insight_culprits import KINDS, measured


def test_without_a_culprit_flakes_have_no_cause() -> None:
    assert measured(150, 0, seed=11).claims <= 1


@pytest.mark.parametrize(
    ("culprits", "worlds", "precision", "recall", "recall_six"),
    [(1, 120, 0.97, 0.87, 0.98), (2, 60, 0.95, 0.85, 0.95), (3, 40, 0.92, 0.80, 0.92)],
)
def test_planted_culprits_are_found_and_little_else(
    culprits: int, worlds: int, precision: float, recall: float, recall_six: float
) -> None:
    figures = measured(worlds, culprits, seed=12)
    assert figures.precision >= precision, figures
    assert figures.recall >= recall, figures
    assert figures.recall_six >= recall_six, figures


def test_what_is_called_clear_is_right() -> None:
    right, _, all_of_them = measured(120, 1, seed=13).sure["clear"]
    assert all_of_them > 50
    assert right >= 0.98 * all_of_them


# Agents of one country are few, and one target has no more cells than these.
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "country*target"])
def test_every_kind_of_culprit_is_found_where_it_left_six_bad_cells(kind: str) -> None:
    figures = measured(25, 1, seed=14, kinds=[kind] if kind != "block" else ["block", "target"])
    assert figures.large >= 5
    assert figures.recall_six >= 0.9, figures


def test_a_hop_is_found_with_the_hops_of_half_of_the_cells_unknown_and_little_else() -> None:
    figures = measured(100, 1, seed=20261131, kinds=["hop"], hide=0.5)
    assert figures.claims >= 80
    assert figures.fairness >= 0.97, figures
    assert figures.recall_six >= 0.9, figures


def test_no_hop_is_named_where_the_hops_of_good_cells_are_unknown() -> None:
    assert measured(60, 1, seed=16, kinds=["hop"], good_hops=False).blind_hops == 0


def test_words_of_certainty_are_right_as_often_as_they_say() -> None:
    """A claim that says what it cannot be told from is right if that was planted."""
    sure = measured(150, 1, seed=20261128).sure
    for word, least in (("clear", 0.99), ("likely", 0.95), ("possible", 0.85)):
        _, fair, every = sure[word]
        assert every > 3
        assert fair >= least * every, (word, sure)
