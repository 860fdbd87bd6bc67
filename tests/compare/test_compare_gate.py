"""The gate: each kind of finding at each level, and what cannot be judged."""

from __future__ import annotations

import pytest

from orchestrator.compare.gate import Finding, Kind, Strictness, judged

CODES = {
    Kind.NOW_FAIL: (1, 1, 1),
    Kind.NOW_FAIL_ALONE: (1, 1, 0),
    Kind.MOVED: (1, 1, 1),
    Kind.SHIFTED: (1, 1, 1),
    Kind.MOVED_ALONE: (1, 0, 0),
    Kind.PERSISTS: (1, 1, 0),
    Kind.WARNS: (1, 0, 0),
    Kind.ENDS_EARLIER: (1, 0, 0),
    Kind.SILENT: (3, 3, 3),
}
LEVELS = (Strictness.STRICT, Strictness.NORMAL, Strictness.LOOSE)


def code(level: Strictness, *kinds: Kind, comparable: int = 100, cells: int = 1) -> int:
    findings = [Finding(kind, cells, kind.value) for kind in kinds]
    return judged(level, findings, comparable=comparable, wanted=100, least=0.8).exit_code


@pytest.mark.parametrize("kind", [*Kind])
def test_each_finding_has_its_code_at_each_level(kind: Kind) -> None:
    assert tuple(code(level, kind) for level in LEVELS) == CODES[kind]
    assert code(Strictness.OFF, kind) == 0
    assert code(Strictness.STRICT, kind, cells=0) == 0, "no cell of it was found"


def test_what_is_worse_is_said_before_what_is_silent() -> None:
    assert code(Strictness.NORMAL, Kind.SILENT, Kind.NOW_FAIL) == 1


def test_too_little_in_common_is_no_verdict_whatever_was_found() -> None:
    assert code(Strictness.NORMAL, comparable=80) == 0
    assert code(Strictness.NORMAL, comparable=79) == 3
    assert code(Strictness.NORMAL, Kind.NOW_FAIL, comparable=79) == 3
    assert judged(Strictness.NORMAL, [], comparable=0, wanted=0, least=0.0).exit_code == 3
