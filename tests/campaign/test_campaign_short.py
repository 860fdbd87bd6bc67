"""The campaign's short form: the same command with few kills."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CAMPAIGN = Path(__file__).resolve().parent / "campaign.py"
KILLS = 15


@pytest.mark.timeout(600)
def test_kills_at_random_instants_lose_nothing_and_pay_for_nothing_twice() -> None:
    command = [sys.executable, str(CAMPAIGN), "--kills", str(KILLS), "--seed", "11", "--quiet"]
    done = subprocess.run(
        [*command, "--speed", "40", "--apis", "v7"],
        capture_output=True,
        text=True,
        timeout=580.0,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines()[:11])
    assert int(figures["kills"]) == KILLS, done.stdout
    assert int(figures["duplicates"]) == int(figures["lost answers"]) == 0
    assert int(figures["creations and re-runs at the witness"]) > 0
