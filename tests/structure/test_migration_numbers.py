"""Migrations are applied in the order of their names: two that came in together do not share a number."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted(path.parent for path in ROOT.glob("orchestrator/store/*/migrations/0001_*.sql"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_migrations_are_numbered_without_a_gap_and_each_number_once(folder: Path) -> None:
    numbers = Counter(int(path.name.partition("_")[0]) for path in folder.glob("*.sql"))
    assert numbers == Counter(range(1, len(numbers) + 1))


def test_there_are_migrations_of_every_store_that_has_tables() -> None:
    assert {folder.parent.name for folder in FOLDERS} == {"postgres", "sqlite"}
