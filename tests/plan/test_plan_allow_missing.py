"""Issue 9, number 13: so much of the planned cells may lack an answer before a run counts as incomplete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import make_run
from simulated_run import Ran, in_process, virtual_run
from virtual_time import run_virtual

from orchestrator.errors import Exit
from orchestrator.lifecycle import SpecState
from orchestrator.model import CellState, Verdict
from orchestrator.plan.model import Plan
from orchestrator.records import Counts, RunSettings, RunState
from orchestrator.report.commands import next_commands
from orchestrator.report.headline import headline
from orchestrator.simulator.settings import Fault
from orchestrator.simulator.settings import Settings as World
from orchestrator.store.facts import dump_settings, load_settings
from orchestrator.verdict.counts import end_state, exit_code

OneTest = Callable[..., str]
Parse = Callable[..., Plan]
Lines = Callable[..., list[str]]

PLAN = """
version: 1
name: night
api: {api}
allow_missing: {share}
tests:
  - name: web
    type: http-server
    targets: ["https://a.example.com/", "https://b.example.com/", "https://c.example.com/"]
    agents: {{type: cloud}}
    layers: http-server
    expect: http-server.totalTime < {limit}
"""


def silent(*agents: int) -> World:
    return World(faults=tuple(Fault("silent-agent", target=str(agent)) for agent in agents))


def night(share: str, *, limit: str = "1 ms", api: str = "v7") -> str:
    return PLAN.format(share=share, limit=limit, api=api)


def counted(
    *,
    answered: int = 95,
    partial: int = 0,
    missing: int = 0,
    failed: int = 0,
    tests: dict[SpecState, int] | None = None,
    **more: Any,
) -> Counts:
    """Counts of a run with 100 cells by default, two tests of which are not complete."""
    cells = {CellState.ANSWERED: answered, CellState.PARTIAL: partial, CellState.MISSING: missing}
    cells |= more.pop("cells", {})
    verdicts = {Verdict.PASS: answered - failed, Verdict.FAIL: failed, Verdict.NO_ANSWER: missing + partial}
    states = tests or {SpecState.COMPLETE: 8, SpecState.PARTIAL: 1, SpecState.TIMED_OUT: 1}
    return Counts(tests=states, created=10, cells=cells, verdicts=verdicts, **more)


class TestTheKey:
    @pytest.mark.parametrize(
        ("written", "share"), [("5%", 0.05), ("0.05", 0.05), ("0", 0.0), ("'2.5 %'", 0.025)]
    )
    def test_it_is_a_share(self, parse: Parse, one_test: OneTest, written: str, share: float) -> None:
        assert parse(one_test(top=f"allow_missing: {written}")).allow_missing == pytest.approx(share)

    def test_by_default_nothing_may_be_missing(self, parse: Parse, one_test: OneTest) -> None:
        assert parse(one_test()).allow_missing == 0.0

    @pytest.mark.parametrize("written", ["5", "-1%", "100%", "some", "2 cells", "true"])
    def test_what_is_no_share_is_refused(self, problems_of: Lines, one_test: OneTest, written: str) -> None:
        (problem,) = problems_of(one_test(top=f"allow_missing: {written}"))
        assert "allow_missing: a share from 0% to 90%" in problem

    def test_a_stored_run_knows_it(self) -> None:
        settings = RunSettings(allow_missing=0.05)
        assert load_settings(dump_settings(settings)) == settings
        assert load_settings({}).allow_missing == 0.0


@pytest.mark.parametrize(
    ("share", "counts", "code"),
    [
        (0.05, counted(missing=5), Exit.OK),
        (0.05, counted(partial=2, missing=3), Exit.OK),
        (0.05, counted(partial=2, missing=3, failed=1), Exit.EXPECTATION_FAILED),
        (0.05, counted(answered=94, missing=6, failed=1), Exit.INCOMPLETE),
        (0.07, counted(answered=93, missing=7), Exit.OK),
        (0.0, counted(answered=99, missing=1), Exit.INCOMPLETE),
        (0.05, counted(answered=61, missing=2, failed=3), Exit.EXPECTATION_FAILED),
        (0.05, counted(answered=10, missing=1), Exit.INCOMPLETE),
        # What was left out beforehand is no reason to allow more.
        (0.05, counted(answered=20, missing=2, cells={CellState.NOT_RUN: 80}, left_out=80), Exit.INCOMPLETE),
        # Never: in doubt, refused, not asked for, still open.
        (0.9, counted(missing=5, tests={SpecState.COMPLETE: 9, SpecState.UNKNOWN: 1}), Exit.INCOMPLETE),
        (0.9, counted(missing=5, tests={SpecState.COMPLETE: 9, SpecState.FAILED: 1}), Exit.INCOMPLETE),
        (0.9, counted(missing=5, tests={SpecState.COMPLETE: 9, SpecState.NOT_RUN: 1}), Exit.INCOMPLETE),
        (0.9, counted(cells={CellState.NOT_RUN: 5}), Exit.INCOMPLETE),
        (0.9, counted(missing=4, cells={CellState.PENDING: 1}, pending_sent=1), Exit.INCOMPLETE),
        (0.9, counted(missing=4, tests={SpecState.COMPLETE: 9, SpecState.WAITING: 1}), Exit.INCOMPLETE),
        # A test that is not complete though no cell of it lacks anything is not what was allowed.
        (0.9, counted(answered=100), Exit.INCOMPLETE),
    ],
)
def test_silence_within_the_share_is_allowed_and_nothing_else(
    share: float, counts: Counts, code: Exit
) -> None:
    assert exit_code(counts, share) is code


class TestRuns:
    @pytest.mark.parametrize("api", ["v7", "v6"])
    def test_silent_agents_within_the_share_no_longer_hide_what_failed(
        self, tmp_path: Path, api: str
    ) -> None:
        ran = virtual_run(night("5%", api=api), silent(3, 4), store=tmp_path / "runs.db")
        assert ran.summary["cells"]["missing"] == 6
        assert (ran.code, ran.summary["state"]) == (1, "complete")
        assert ran.summary["allow_missing"] == 0.05

    def test_with_nothing_failed_the_run_is_good_and_the_shortfall_is_told(self, tmp_path: Path) -> None:
        ran = virtual_run(night("5%", limit="1 min"), silent(3), store=tmp_path / "runs.db")
        assert ran.code == 0
        assert "3 no answer · within the 5 % that may lack an answer" in ran.text
        commands = next_commands(ran.outcome.run, ran.outcome.counts, unknown=False)
        assert not any("resume" in command for _, command in commands)

    @pytest.mark.parametrize("share", ["0", "1%"])
    def test_beyond_the_share_it_is_incomplete(self, tmp_path: Path, share: str) -> None:
        ran = virtual_run(night(share), silent(3), store=tmp_path / "runs.db")
        assert (ran.code, ran.summary["state"]) == (3, "incomplete")

    def test_one_lost_creation_is_never_within_a_share(self, tmp_path: Path) -> None:
        world = World(faults=(Fault("reset-after", "create", nth=1),))
        ran = virtual_run(night("90%"), world, store=tmp_path / "runs.db")
        assert ran.states()["unknown"] == 1
        assert ran.code == 3

    def test_what_is_run_again_allows_the_share_of_its_own_cells(self, tmp_path: Path) -> None:
        async def work() -> tuple[Ran, Ran]:
            async with in_process(silent(3), store=tmp_path / "runs.db") as simulated:
                first = await simulated.run(night("5%"))
                return first, await simulated.rerun(first.outcome.run.id)

        first, again = run_virtual(work)
        assert (first.code, again.code) == (1, 1)
        assert again.outcome.run.settings.allow_missing == 0.05


def test_the_headline_says_what_the_shortfall_is_held_against() -> None:
    run = make_run(settings=RunSettings(allow_missing=0.05), state=RunState.COMPLETE)
    assert "5 without an answer, within the 5 % that may lack an answer" in headline(run, counted(missing=5))
    many = headline(run, counted(answered=94, missing=6))
    assert "6 without an answer, more than the 5 % that may lack an answer" in many
    assert "that may lack" not in headline(run, counted(answered=100))
    assert end_state(exit_code(counted(missing=5), 0.05)) is RunState.COMPLETE
