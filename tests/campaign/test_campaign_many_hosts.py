"""The campaign over many hosts in its short form, and the mutant that it must find out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from postgres_server import NO_SERVER, binaries

CAMPAIGN = Path(__file__).resolve().parent / "campaign.py"


def campaign(*words: str) -> subprocess.CompletedProcess[str]:
    if binaries() is None:
        pytest.skip(NO_SERVER)
    return subprocess.run(
        [sys.executable, str(CAMPAIGN), "--store", "postgres", "--workers", "2", "--quiet", *words],
        capture_output=True,
        text=True,
        timeout=560.0,
        check=False,
    )


def figures(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    return {
        name.strip(): int(number)
        for name, number in (line.rsplit(maxsplit=1) for line in done.stdout.splitlines()[:12])
    }


@pytest.mark.timeout(600)
def test_blows_at_workers_and_database_orphan_no_run_and_pay_for_nothing_twice() -> None:
    done = campaign("--kills", "5", "--seed", "4", "--blows", "kill,stop,term,crash,engine")
    found = figures(done)
    assert found["blows"] == 5, done.stdout + done.stderr
    assert found["orphaned runs"] == found["duplicates"] == found["lost answers"] == 0, done.stdout
    assert found["creations at the witness"] > 0
    # Whether budgets are shared is a matter of theirs, with a campaign of its own.
    rest = [line for line in done.stdout.splitlines() if line.startswith("VIOLATED") and "limit" not in line]
    assert not rest, done.stdout
