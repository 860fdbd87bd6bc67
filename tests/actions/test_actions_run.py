"""Running without a terminal: stops, what may be resumed, and the one error that comes out of a run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fault_cases import PLAN
from simulated_run import Simulated, in_process
from virtual_time import run_virtual

from orchestrator.actions import run as action
from orchestrator.actions.begun import as_begun
from orchestrator.actions.run import Attendance
from orchestrator.errors import Exit, LostRun, PlanBusy, StoreProblem, UsageProblem
from orchestrator.plan.load import parse_plan
from orchestrator.records import RunRecord, RunState
from orchestrator.settings import Settings
from orchestrator.simulator.settings import Settings as World
from orchestrator.store.sqlite.store import SqliteStore

# Two windows of creations, so that there is something left to create when a stop comes.
SITES = "\n".join(f"      - https://site-{n}.example" for n in range(40))
LONG = f"""
version: 1
name: long
tests:
  - name: web
    type: http-server
    targets:
{SITES}
    agents: ["3", "4"]
deadline: 20m
"""


async def stopped(simulated: Simulated, *stops: tuple[float, Exit], grace: float) -> action.Outcome:
    """A long run that is asked to stop; each stop comes so many seconds after the one before."""
    clock = simulated.session.doors.clock

    async def asked() -> AsyncIterator[Exit]:
        for seconds, code in stops:
            await clock.sleep(seconds)
            yield code

    @contextmanager
    def attend(_: RunRecord) -> Iterator[Attendance]:
        yield Attendance(stops=asked(), grace=grace)

    plan = parse_plan(LONG, "plan.yaml", None, environ={})
    return await action.run(simulated.session, plan, attend=attend)


def test_after_the_first_stop_nothing_is_created_and_what_is_paid_for_comes_in(tmp_path: Path) -> None:
    async def work() -> None:
        async with in_process(World(), store=tmp_path / "o.db") as simulated:
            outcome = await stopped(simulated, (20.0, Exit.SIGTERM), grace=300.0)
            store, run = simulated.session.doors.store, outcome.run
            states = {test.state.value for test in await store.tests(run.id)}
            assert states == {"complete", "planned"}
            assert (outcome.exit_code, run.state, outcome.left_at_once) == (
                Exit.SIGTERM,
                RunState.INTERRUPTED,
                False,
            )
            assert len(simulated.service.witness()["creations"]) == outcome.counts.created < 40

    run_virtual(work)


def test_the_second_stop_leaves_at_once_and_the_run_can_be_resumed(tmp_path: Path) -> None:
    async def work() -> None:
        async with in_process(World(), store=tmp_path / "o.db") as simulated:
            clock = simulated.session.doors.clock
            began = clock.now()
            outcome = await stopped(simulated, (20.0, Exit.SIGINT), (2.0, Exit.SIGTERM), grace=300.0)
            assert outcome.left_at_once
            assert (outcome.exit_code, outcome.run.state) == (Exit.SIGINT, RunState.INTERRUPTED)
            assert clock.now() - began < 30.0
            # A creation under way when it left is unknown; what was known before goes on.
            ran = await simulated.resume(outcome.run.id)
            assert set(ran.states()) <= {"complete", "unknown"}
            names = ran.created_names()
            assert len(names) == len(set(names)) >= 39

    run_virtual(work)


def test_a_store_that_fails_in_the_middle_is_one_error_and_no_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object, **__: object) -> int:
        raise StoreProblem("the disk is full", hint="make room")

    async def work() -> None:
        async with in_process(World(), store=tmp_path / "o.db") as simulated:
            monkeypatch.setattr(type(simulated.session.doors.store), "add_answers", full)
            with pytest.raises(StoreProblem, match="the disk is full"):
                await simulated.run(PLAN)

    run_virtual(work)


def test_a_plan_whose_lease_is_held_is_busy_before_anything_is_asked_of_the_api(tmp_path: Path) -> None:
    async def work() -> None:
        async with in_process(World(), store=tmp_path / "o.db") as simulated:
            session = simulated.session
            plan = parse_plan(PLAN, "plan.yaml", None, environ={})
            async with session.opened.lease.hold(
                plan.name, session.doors.clock, wait=False, told=lambda _: None
            ):
                with pytest.raises(PlanBusy):
                    await action.run(session, plan)
            assert not simulated.transport.requests

    run_virtual(work)


def test_a_resume_goes_on_as_the_run_was_begun(tmp_path: Path) -> None:
    async def work() -> RunRecord:
        async with in_process(World(), store=tmp_path / "o.db") as simulated:
            return (await simulated.run(PLAN, urgent=True)).outcome.run

    simulated_run = run_virtual(work)
    asked = Settings(origin=simulated_run.origin, store="o.db")
    with pytest.raises(UsageProblem, match="was simulated"):
        as_begun(simulated_run, asked)
    run = replace(simulated_run, account="12", settings=replace(simulated_run.settings, simulated=False))
    assert as_begun(run, asked) == replace(asked, account="12", urgent=True)
    assert as_begun(run, asked, account="12").account == "12"
    with pytest.raises(
        UsageProblem, match="was begun in account group 12, and its tests are there, not in 34"
    ):
        as_begun(run, asked, account="34")
    assert not as_begun(run, asked, again=True).urgent
    with pytest.raises(UsageProblem, match=r"belongs to .*, not to https://other\.example"):
        as_begun(run, replace(asked, origin="https://other.example"))


def test_a_way_to_treat_lost_creations_that_there_is_not_is_refused(tmp_path: Path) -> None:
    async def work() -> None:
        async with in_process(World(), store=tmp_path / "o.db") as simulated:
            run = (await simulated.run(PLAN)).outcome.run
            with pytest.raises(UsageProblem, match="no way 'forget' to treat lost creations"):
                await action.resume(simulated.session, run, unknown="forget")

    run_virtual(work)


MANY = """
version: 1
name: many
deadline: 1m
tests:
  - name: web
    type: http-server
    targets: [{targets}]
    agents: {{type: cloud, sample: {{count: 2}}}}
"""


@pytest.mark.parametrize("targets", [40, 80])
def test_what_a_deadline_ends_and_a_resume_opens_again_is_a_write_or_two_however_much_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, targets: int
) -> None:
    plan = MANY.format(targets=", ".join(f'"https://s{n}.example.com/"' for n in range(targets)))
    written: list[str] = []
    write = SqliteStore._write

    async def counted(self: SqliteStore, work: Any) -> Any:
        written.append(work.__qualname__.split(".")[1])
        return await write(self, work)

    monkeypatch.setattr(SqliteStore, "_write", counted)

    async def work() -> list[str]:
        async with in_process(World(seed=1, all_online=True), store=tmp_path / "o.db") as simulated:
            first = await simulated.run(plan)
            assert first.summary["tests"]["not_run"] >= targets - 30
            assert written.count("close_tests") == 1
            written.clear()
            await simulated.resume(first.outcome.run.id)
            return written[: written.index("intend")]

    # What is created at last, and what is waited for again.
    assert run_virtual(work) == ["move_all", "move_all", "update_run"]


def test_a_run_that_confirms_another_has_what_that_left_of_its_deadline(tmp_path: Path) -> None:
    async def confirmed(simulated: Simulated, deadline: str) -> tuple[float, float, float]:
        plan = parse_plan(LONG.replace("20m", deadline), "plan.yaml", None, environ={})
        store = simulated.session.doors.store
        parent = (await action.run(simulated.session, plan)).run
        test = (await store.tests(parent.id))[0]
        again = await action.rerun(simulated.session, parent, only=[test.spec.key])
        return again.run.settings.deadline, parent.facts.seconds or 0.0, test.spec.deadline

    async def work() -> None:
        async with in_process(World(), store=tmp_path / "o.db") as simulated:
            deadline, took, _ = await confirmed(simulated, "20m")
            assert abs(deadline - (1200.0 - took)) < 0.001
            assert took > 1.0
            deadline, took, own = await confirmed(simulated, "4m")
            assert 240.0 - took < own == deadline, "or nothing could be confirmed"

    run_virtual(work)


def test_once_its_host_was_suspended_for_too_long_a_run_sends_nothing_more(tmp_path: Path) -> None:
    """Another host may have taken it over meanwhile; what it has is as it was, for whoever goes on."""
    sent: list[int] = []

    async def work() -> None:
        async with in_process(World(), store=tmp_path / "o.db") as simulated:

            def lapsed() -> bool:
                if simulated.session.doors.clock.now() - began < 20.0:
                    return False
                sent.append(len(simulated.transport.requests))
                return True

            @contextmanager
            def attend(_: RunRecord) -> Iterator[Attendance]:
                yield Attendance(lapsed=lapsed)

            began = simulated.session.doors.clock.now()
            plan = parse_plan(LONG, "plan.yaml", None, environ={})
            with pytest.raises(LostRun, match="was suspended for longer"):
                await action.run(simulated.session, plan, attend=attend)
            assert len(simulated.transport.requests) == sent[0] > 0
            left = await simulated.session.doors.store.run("last")
            assert (left.state, left.exit_code) == (RunState.RUNNING, None)
            ran = await simulated.resume(left.id)
            assert ran.states() == {"complete": 40}

    run_virtual(work)
