"""Each thing that goes wrong at the API, and what the run makes of it, for both versions of the API."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fault_cases import CASES, LOST_AFTER, LOST_BEFORE, Case
from simulated_run import check_promises, virtual_run

from orchestrator.simulator.faults import KINDS
from orchestrator.simulator.settings import Settings as World

# What the wire does is the same for both versions: there one kind of each case is enough for the older one.
PARAMETERS = [
    pytest.param(case, kind, api, id=f"{case.sentence}: {kind} ({api})")
    for case in CASES
    for kind in case.kinds
    for api in (("v7", "v6") if kind == case.kinds[0] or kind not in LOST_BEFORE + LOST_AFTER else ("v7",))
]


@pytest.mark.parametrize(("case", "kind", "api"), PARAMETERS)
def test_fault(case: Case, kind: str, api: str, tmp_path: Path) -> None:
    world = World(faults=(case.fault(kind),), **case.world)
    ran = virtual_run(case.plan + f"api: {api}\n", world, store=tmp_path / "store.db")
    check_promises(ran)
    other = case.v6 if api == "v6" else {}
    found = (ran.code, ran.states(), ran.cell_states())
    code = case.v6_code if api == "v6" and case.v6_code is not None else case.code
    assert found == (code, other.get("tests", case.tests), other.get("cells", case.cells))
    assert len(ran.created_names()) == case.made
    assert case.says in f"{ran.text}\n{ran.reasons()}", f"nowhere said: {case.says}\n{ran.text}"
    case.check(ran)


def test_every_fault_of_the_simulator_has_a_case() -> None:
    covered = {kind for case in CASES for kind in case.kinds}
    assert covered == set(KINDS)


def test_every_row_of_the_document_is_a_case_with_its_faults_and_exit_code() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "faults.md").read_text("utf-8")
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in text.splitlines()]
    found = {
        (row[1], frozenset(re.findall(r"`([^`]+)`", row[0])), row[2])
        for row in rows
        if len(row) == 4 and row[2].isdigit()
    }
    cases = {(case.sentence, frozenset(case.kinds), str(case.code)) for case in CASES}
    missing, surplus = cases - found, found - cases
    assert not missing, f"not in docs/faults.md: {sorted(row[0] for row in missing)}"
    assert not surplus, f"in docs/faults.md, but in no test: {sorted(row[0] for row in surplus)}"
