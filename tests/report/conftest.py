"""Fixtures of the report's tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from report_rows import Make


@pytest.fixture(scope="session")
def make() -> Make:
    """The builders."""
    return Make()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this session share."""
    own = tmp_path_factory.getbasetemp()
    return (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "reports"
