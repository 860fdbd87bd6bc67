"""Programs tell channels, too: whom a plan names, or whom they name; and see what was told."""

from __future__ import annotations

from pathlib import Path

import pytest
from receiver import receiving

from orchestrator import Channel, On, UsageProblem, list_notices, run_plan, send_notices, try_channel
from orchestrator.plan.load import parse_plan

PLAN = """
version: 1
name: sweep
agents: {some: {type: cloud, country: GB}}
tests:
  - {name: web, type: http-server, targets: ["https://down.example.com"], agents: some,
     expect: [http-server.responseCode == 200]}
notify: {to: oncall}
"""


async def test_a_program_tells_whom_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, store = parse_plan(PLAN, "plan.yaml", tmp_path, environ={}), tmp_path / "runs.db"
    with receiving(lambda number: 500 if number <= 3 else 200) as receiver:
        monkeypatch.setenv("ORCHESTRATOR_NOTIFY_NOC", f"{receiver.url}/hook")
        run = await run_plan(plan, store=store, simulated=True, notify=[Channel("noc", On.ALWAYS)])
        assert [(one.channel, one.sent) for one in run.told] == [("noc", False)]
        (left,) = await list_notices(run.id, store=store)
        assert (left.pending, left.tries, left.error) == (True, 3, "answered 500")
        assert [one.sent for one in await send_notices(store=store)] == [True]
        assert (await try_channel("noc")).sent
    assert receiver.events() == ["bad", "test"]
    assert await list_notices(pending=True, store=store) == ()


async def test_a_simulated_run_tells_nobody_by_itself(tmp_path: Path) -> None:
    plan = parse_plan(PLAN, "plan.yaml", tmp_path, environ={})
    run = await run_plan(plan, store=tmp_path / "runs.db", simulated=True)
    assert run.told == ()


async def test_a_channel_without_an_address_is_told_before(tmp_path: Path) -> None:
    plan = parse_plan(PLAN, "plan.yaml", tmp_path, environ={})
    with pytest.raises(UsageProblem, match="no address is known"):
        await run_plan(plan, store=tmp_path / "runs.db", simulated=True, notify=plan.notify)
    assert not (tmp_path / "runs.db").exists()
