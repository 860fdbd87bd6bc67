"""What a person goes on with in a store that workers share: a run that was cancelled, and whose it was."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import psycopg
import pytest
from builders import make_run
from process_forked import orchestrator as command
from queue_plans import SMALL_PLAN
from simulated_run import in_process
from virtual_time import run_virtual
from workplace import TOKEN, serving

from orchestrator.actions import run as action
from orchestrator.actions.begun import as_begun
from orchestrator.actions.organizations import whose
from orchestrator.actions.run import Attendance
from orchestrator.errors import Exit, LostRun, UsageProblem
from orchestrator.plan.load import parse_plan
from orchestrator.queueing.values import Cancel
from orchestrator.records import RunRecord, RunState
from orchestrator.settings import Settings
from orchestrator.simulator.settings import Settings as World
from orchestrator.store.opening import Opened, open_store

# Two windows of creations: there is something left to create when the run is cancelled.
LONG = f"""
version: 1
name: long
tests:
  - name: web
    type: http-server
    targets: [{", ".join(f'"https://site-{n}.example"' for n in range(40))}]
    agents: ["3", "4"]
deadline: 20m
"""


def test_a_run_that_was_cancelled_goes_on_when_a_person_resumes_it(tmp_path: Path, url: str) -> None:
    async def work() -> None:
        async with (
            in_process(World(), store=tmp_path / "o.db") as simulated,
            open_store(url, virtual=True) as opened,
        ):
            session, queue = simulated.session, opened.queue
            assert queue is not None
            doors = replace(session.doors, store=opened.store)
            simulated.session = replace(session, opened=opened, doors=doors)

            @contextmanager
            def attend(run: RunRecord) -> Iterator[Attendance]:
                yield Attendance(stops=cancelled(run.id))

            async def cancelled(run: str) -> AsyncIterator[Exit]:
                await doors.clock.sleep(20.0)
                await queue.cancel(run, Cancel.GRACE)
                yield Exit.SIGINT

            plan = parse_plan(LONG, "plan.yaml", None, environ={})
            stopped = await action.run(simulated.session, plan, attend=attend)
            assert stopped.run.state is RunState.INTERRUPTED
            ran = await simulated.resume(stopped.run.id)
            assert ran.outcome.run.state is RunState.COMPLETE
            assert ran.states() == {"complete": 40}

    run_virtual(work)


def test_a_process_that_lost_a_run_may_write_it_again_once_it_is_nobodys(tmp_path: Path, url: str) -> None:
    """What it knew of its claim is forgotten: an epoch that is over would fence it out for ever."""

    async def work() -> None:
        async with (
            in_process(World(), store=tmp_path / "o.db") as simulated,
            open_store(url, virtual=True) as opened,
        ):
            session = simulated.session
            doors = replace(session.doors, store=opened.store)
            simulated.session = replace(session, opened=opened, doors=doors)
            plan = parse_plan(LONG, "plan.yaml", None, environ={})

            def leased(hours: int) -> None:
                taken = "UPDATE orchestrator.runs SET epoch = epoch + 1, leased_until = now()"
                with psycopg.connect(url) as db:
                    db.execute(f"{taken} + %s * interval '1 hour'", (hours,))

            async def take_over() -> None:
                await doors.clock.sleep(20.0)
                leased(1)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(take_over)
                with pytest.raises(LostRun):
                    await action.run(simulated.session, plan)
            run = await opened.store.run("last")
            leased(-1)
            await opened.store.update_run(
                run.id, state=RunState.INTERRUPTED, finished=None, exit_code=None, facts=run.facts
            )

    run_virtual(work)


async def test_a_run_goes_on_as_the_organization_whose_it_is(
    opened: Opened, url: str, tmp_path: Path
) -> None:
    run = make_run()
    async with open_store(url, organization="acme") as theirs:
        await theirs.store.create_run(run, [], [], [])
    asked = Settings(origin=run.origin, store=url)
    owner = await whose(opened, run.id)
    assert as_begun(run, asked, owner=owner).organization == "acme"
    named = replace(asked, organization="acme")
    assert as_begun(run, named, owner=owner) == named
    with pytest.raises(UsageProblem, match="is one of organization acme, not of ACME"):
        as_begun(run, replace(asked, organization="ACME"), owner=owner)
    # A file has runs of one host, whatever they were called: the name only tells budgets apart.
    async with open_store(str(tmp_path / "o.db")) as file:
        assert await whose(file, run.id) is None
    assert as_begun(run, named, owner=None) == named


def test_tests_run_again_are_their_organizations_without_naming_it(tmp_path: Path, url: str) -> None:
    (tmp_path / "plan.yaml").write_text(SMALL_PLAN, "utf-8")
    environment = {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "TE_TOKEN": TOKEN,
        "ORCHESTRATOR_STORE": url,
    }

    def orchestrator(*words: str) -> subprocess.CompletedProcess[str]:
        return command(*words, "--base-url", origin, "-q", env=environment, cwd=tmp_path)

    with serving() as origin:
        first = orchestrator("run", "plan.yaml", "--organization", "acme")
        assert first.returncode in (0, 1), first.stderr
        again = orchestrator("rerun", "last")
        assert again.returncode in (0, 1), again.stderr
        refused = orchestrator("resume", "last", "--organization", "other")
        assert refused.returncode == 2
        assert "is one of organization acme, not of other" in refused.stderr
    with psycopg.connect(url) as db:
        runs = db.execute("SELECT organization FROM orchestrator.runs ORDER BY n").fetchall()
        budgets = db.execute("SELECT count(*) FROM orchestrator.budget").fetchone()
    assert runs == [("acme",), ("acme",)]
    assert budgets == (1,)
