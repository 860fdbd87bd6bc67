"""Broken networks behind the whole orchestrator, both versions and a faulty API: the witness is agreed with.

The short form of ``measure.py --only ends``: some of its sixty worlds.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from insight_ends import run_case

from orchestrator.model import Verdict

# An agent without path traces, an address, a hop beside a silent agent, a pair.
WORLDS = (2, 6, 46, 12)


@pytest.mark.parametrize("number", WORLDS)
def test_the_first_explanation_is_what_was_planted_and_the_api_is_never_the_network(
    number: int, tmp_path: Path
) -> None:
    case = run_case(number, tmp_path)
    assert case.visible, case
    assert case.named, case
    assert not case.blamed_wrongly, case
    silent = {
        (one.test, one.target, one.agent_id) for one in case.ran.cells if one.verdict is Verdict.NO_ANSWER
    }
    told = {tuple(key) for one in case.found.silences for key in one.cells}
    assert silent <= told, "what did not come is told apart, whatever it was"
