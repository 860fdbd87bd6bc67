"""A short form of ``measure.py``: one incident of each shape, and a crowded API; always the same ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from diagnose_incidents import SHAPES, WHOLE, incident

from orchestrator.diagnosis.ticket import MOST


def shape_of(number: int) -> str:
    return SHAPES[number % len(SHAPES)]


@pytest.mark.parametrize("number", range(len(SHAPES)), ids=SHAPES)
def test_an_incident_of_each_shape_is_told_rightly_in_its_box(number: int, tmp_path: Path) -> None:
    found = incident(number, tmp_path)
    assert found.right, found
    assert found.seconds <= 210 if shape_of(number) != "silent" else found.seconds < 150
    assert found.creations <= 8
    assert len(found.ticket) <= MOST
    assert found.exit_code == (1 if found.shape not in WHOLE else 0 if found.shape == "healthy" else 3)


@pytest.mark.parametrize("number", [0, 2, 6])
def test_where_others_spend_most_of_the_window_it_ends_in_its_box(number: int, tmp_path: Path) -> None:
    found = incident(number, tmp_path, others=0.7)
    assert found.seconds <= 210, found
    assert not found.falsely_healthy
