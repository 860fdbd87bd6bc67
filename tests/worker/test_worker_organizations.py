"""Organizations of a store: each at its own origin with its own token, and whose leases are asked."""

from __future__ import annotations

import os
import time
from pathlib import Path

import anyio
import pytest
from builders import make_run
from queue_plans import SMALL_PLAN
from workplace import BIN, serving, working

from orchestrator.actions import prune as pruning
from orchestrator.actions.prune import Rule
from orchestrator.actions.queueing import submit
from orchestrator.actions.reconcile import reconcile
from orchestrator.clock import LoopClock
from orchestrator.errors import PlanBusy, UsageProblem
from orchestrator.organizations import Organization
from orchestrator.plan.load import parse_plan
from orchestrator.queueing.values import Place
from orchestrator.records import RunState
from orchestrator.settings import Settings
from orchestrator.store.opening import Opened, open_store
from orchestrator.worker.engine import install

PATIENCE = 120.0
# Each simulated API takes its own only.
TOKENS = {name: f"a-token-of-{name}-to-try" for name in ("acme", "beta", "else")}
PLAN = parse_plan(SMALL_PLAN, "plan.yaml", None, environ={})


async def _over(opened: Opened, runs: list[str], log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        states = {(await opened.store.run(run)).state for run in runs}
        if states == {RunState.COMPLETE}:
            return
        if not states <= {RunState.QUEUED, RunState.RUNNING, RunState.COMPLETE}:
            break
        await anyio.sleep(0.2)
    raise AssertionError(log.read_text("utf-8"))


async def test_one_worker_serves_organizations_at_several_origins_each_with_its_own_token(
    opened: Opened, url: str, tmp_path: Path
) -> None:
    assert opened.organizations is not None
    await install(opened.url)
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "ORCHESTRATOR_STORE": url}
    with serving(token=TOKENS["acme"]) as here, serving(token=TOKENS["beta"]) as there:
        for name, origin in (("acme", here), ("beta", there), ("else", "http://127.0.0.1:9")):
            await opened.organizations.put(Organization(name, origin, token=f"env:TE_TOKEN_{name.upper()}"))
            environment[f"TE_TOKEN_{name.upper()}"] = TOKENS[name]
        anywhere = Settings("https://api.thousandeyes.com", url, origin_named=False)
        runs = [(await submit(opened, PLAN, anywhere, Place(name))).id for name in ("acme", "beta")]
        left = (await submit(opened, PLAN, anywhere, Place("else"))).id
        with working(tmp_path, environment, "--base-url", here, "--origin", there) as log:
            await _over(opened, runs, log)
        assert [(await opened.store.run(run)).origin for run in runs] == [here, there]
        # Only the store names its origin: no token goes there.
        assert (await opened.store.run(left)).state is RunState.QUEUED
        assert left not in log.read_text("utf-8")
        with pytest.raises(UsageProblem, match="no organization 'betta'"):
            await submit(opened, PLAN, anywhere, Place("betta"))
        (tmp_path / "plan.yaml").write_text(SMALL_PLAN, "utf-8")
        command = [BIN / "orchestrator", "run", "plan.yaml", "--organization", "beta", "--base-url", there]
        ran = await anyio.run_process([*map(str, command), "-q"], cwd=tmp_path, env=environment, check=False)
        assert ran.returncode in (0, 1), ran.stderr


async def test_a_run_is_reconciled_and_pruned_under_the_lease_of_its_own_organization(
    opened: Opened, url: str
) -> None:
    run = make_run("r1", state=RunState.INCOMPLETE, finished=2.0, exit_code=3)
    async with open_store(url, organization="acme") as theirs:
        await theirs.store.create_run(run, [], [], [])
        await theirs.store.update_run(
            run.id, state=run.state, finished=run.finished, exit_code=run.exit_code, facts=run.facts
        )
    clock, rule = LoopClock(), Rule(keep=0)
    lease = opened.of("acme").lease
    async with lease.hold(run.plan, clock, wait=False, told=lambda _: None):
        with pytest.raises(PlanBusy):
            await reconcile(opened, run.id, clock, give_up=["any"])
        assert (await pruning.candidates(opened, rule, now=9e9)).taken == ()
    async with opened.of("other").lease.hold(run.plan, clock, wait=False, told=lambda _: None):
        with pytest.raises(UsageProblem, match="no unknown creation"):
            await reconcile(opened, run.id, clock, give_up=["any"], organization="acme")
        assert len((await pruning.candidates(opened, rule, now=9e9)).taken) == 1
    with pytest.raises(UsageProblem, match="is one of organization acme, not of other"):
        await reconcile(opened, run.id, clock, organization="other")
