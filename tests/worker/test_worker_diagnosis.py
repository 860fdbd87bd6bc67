"""Diagnoses that workers carry out: for a hook of `serve`, where workers are, and by whoever resumes one."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import aiohttp
import anyio
import pytest
import workplace
from receiver import receiving
from workplace import serving, working

from orchestrator.actions.handing import hand_over, seen_through, served
from orchestrator.actions.question import Question
from orchestrator.clock import LoopClock
from orchestrator.errors import PlanBusy, UsageProblem
from orchestrator.plan.load import parse_plan
from orchestrator.queueing.values import Here
from orchestrator.records import RunState
from orchestrator.settings import Settings
from orchestrator.store.opening import Opened
from orchestrator.worker.engine import install

SECRET = "0123456789abcdef0123456789abcdef"
HOOKS = """\
hooks:
  mine: {secret: env:MY_SECRET, allow: ["*.example.com"], agents: 4, box: 60s, notify: oncall}
"""
_ORIGIN = re.compile(rb"pages on (http://\S+), Ctrl-C ends it")
ASKED = Question(("https://shop.example.com",), box=30.0)


async def test_an_alert_is_diagnosed_by_a_worker_where_one_is_and_told_once(
    opened: Opened, url: str, tmp_path: Path
) -> None:
    await install(opened.url)
    hooks = tmp_path / "hooks.yaml"
    hooks.write_text(HOOKS)
    culprit = ("--culprit", "target=shop.example.com:tls")
    with serving(*culprit) as api, receiving() as oncall:
        known = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "ORCHESTRATOR_STORE": url}
        known |= {"TE_TOKEN": workplace.TOKEN, "TE_BASE_URL": api, "MY_SECRET": SECRET}
        known["ORCHESTRATOR_NOTIFY_ONCALL"] = f"{oncall.url}/told"
        with working(tmp_path, known, "--name", "worker-1") as log:
            for _ in range(300):
                if await served(opened, "acme"):
                    break
                await anyio.sleep(0.2)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "orchestrator", "serve", "--port", "0", "--hooks", str(hooks)),
                *("--organization", "acme"),
                env=known,
                stderr=asyncio.subprocess.PIPE,
            )
            assert process.stderr is not None
            said = await asyncio.wait_for(process.stderr.readline(), 120)
            found = _ORIGIN.search(said)
            assert found is not None, said
            proof = {"Authorization": f"Bearer {SECRET}"}
            async with (
                aiohttp.ClientSession() as client,
                client.post(
                    f"{found[1].decode()}/hooks/mine",
                    json={"target": "https://shop.example.com"},
                    headers=proof,
                ) as answer,
            ):
                assert answer.status == 202
            while b"diagnosed" not in (line := await asyncio.wait_for(process.stderr.readline(), 200)):
                assert line, "it ended"
            process.terminate()
            await asyncio.wait_for(process.communicate(), 120)
        first, again = sorted(await opened.store.runs(), key=lambda run: run.parent or "")
        assert first.state is RunState.COMPLETE
        assert again.parent == first.id
        assert f"run={first.id}" in line.decode()
        assert f"run {first.id} of acme begins" in log.read_text("utf-8")
        assert [post.document["run"] for post in oncall.taken] == [first.id]


async def test_where_no_worker_is_left_to_begin_it_a_diagnosis_is_taken_back(opened: Opened) -> None:
    assert opened.queue is not None
    settings, clock = Settings("https://api.example.com", opened.url, organization="acme"), LoopClock()
    assert not await served(opened, "acme")
    await opened.queue.here(Here("w", "host", "1", 2, 2, ("acme",)))
    assert await served(opened, "acme")
    assert not await served(opened, "other")
    assert not await served(opened, "")
    run = await hand_over(opened, ASKED, settings, notify=(), environ={})
    assert run.settings.question is not None
    await opened.queue.gone("w")
    assert await seen_through(opened, run, ASKED, "acme", clock) is None
    assert (await opened.store.run(run.id)).state is RunState.SKIPPED
    assert await opened.queue.place_of(run.id) is None
    # Skipped by whoever would have carried it out.
    with pytest.raises(PlanBusy, match="nobody began it"):
        await seen_through(opened, run, ASKED, "acme", clock)


async def test_a_preset_is_a_plan_and_not_handed_over_as_a_question(opened: Opened) -> None:
    test = '{name: web, type: http-server, targets: ["https://one.example"], agents: ["3"]}'
    plan = parse_plan(f"version: 1\nname: own\ntests: [{test}]\n", "own.yaml", None, environ={})
    settings = Settings("https://api.example.com", opened.url, organization="acme")
    with pytest.raises(UsageProblem, match="a preset is a plan"):
        await hand_over(opened, Question(("x.example",), preset=plan), settings, notify=(), environ={})
