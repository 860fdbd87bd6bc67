"""Fixtures of the report's tests."""

from __future__ import annotations

import pytest
from report_rows import Make


@pytest.fixture(scope="session")
def make() -> Make:
    """The builders."""
    return Make()
