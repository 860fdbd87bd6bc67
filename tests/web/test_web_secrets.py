"""Secrets of hooks come from where their references lead, and are never repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.alerts.values import Finding, Hook, Proof
from orchestrator.errors import UsageProblem
from orchestrator.web.secrets import secrets_of

SECRET = "0123456789abcdef"


def _hook(*secrets: str) -> Hook:
    return Hook("shop", Proof(secrets=secrets), Finding("target"), ("a.example.com",))


def test_secrets_stand_in_the_environment_or_in_files(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(SECRET.encode() + b"x\n")
    found = secrets_of([_hook("env:A", f"file:{file}")], {"A": SECRET})
    assert found == {"shop": [SECRET.encode(), SECRET.encode() + b"x"]}


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("env:B", "is not there"),
        ("env:SHORT", "has 5 bytes"),
        ("file:/nowhere/secret", "cannot be read: No such file"),
        ("file:/proc", "cannot be read"),
    ],
)
def test_what_is_missing_or_short_is_told_without_repeating_it(reference: str, told: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        secrets_of([_hook(reference)], {"SHORT": "tiny!"})
    assert told in caught.value.message
    assert "hook shop" in caught.value.message
    assert "tiny!" not in caught.value.message
