"""Facts that count cells by their verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.model import Verdict


@dataclass(frozen=True, slots=True)
class Judged:
    """Cells of a test have a verdict, or another one, and it is stored: by answers, or by the test's end.

    Each number is a change of the number of cells with that verdict; a cell that had another one before is
    taken away there. See :func:`verdicts_in`.
    """

    passing: int = 0
    warning: int = 0
    failing: int = 0
    partial: int = 0
    no_answer: int = 0
    not_run: int = 0


# Where a fact that counts cells by their verdict says how many have it.
JUDGED_AS: Mapping[Verdict, str] = {
    Verdict.PASS: "passing",
    Verdict.WARN: "warning",
    Verdict.FAIL: "failing",
    Verdict.PARTIAL: "partial",
    Verdict.NO_ANSWER: "no_answer",
    Verdict.NOT_RUN: "not_run",
}


def verdicts_in(fact: object) -> dict[Verdict, int]:
    """What such a fact says of each verdict."""
    return {verdict: getattr(fact, name) for verdict, name in JUDGED_AS.items()}
