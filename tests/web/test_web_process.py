"""`orchestrator serve` as people start it: what it refuses to be, how it ends, and a token that is never
shown."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import workplace
from receiver import receiving
from web_site import furnish
from workplace import serving

from orchestrator.lifecycle import SpecState
from orchestrator.records import RunState, TestRecord
from orchestrator.store.opening import Opened, open_store

TOKEN = "0123456789abcdef0123456789abcdef"
_JSON = {"Accept": "application/json"}
_ORIGIN = re.compile(rb"pages on (http://\S+), Ctrl-C ends it")


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    """A store with runs."""
    file = tmp_path / "runs.db"
    async with open_store(str(file)) as opened:
        await furnish(opened.store)
    return file


async def _started(store: Path, *words: str, **more: str) -> asyncio.subprocess.Process:
    environment = {"PATH": os.environ["PATH"], "HOME": str(store.parent), "ORCHESTRATOR_STORE": str(store)}
    environment |= more
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "orchestrator", "serve", *words),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def _refused(store: Path, *words: str, **more: str) -> str:
    process = await _started(store, *words, **more)
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert (process.returncode, out) == (2, b""), err
    assert b"Traceback" not in err
    return err.decode()


@asynccontextmanager
async def _serving(
    store: Path, *words: str, **more: str
) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    process = await _started(store, "--port", "0", *words, **more)
    assert process.stderr is not None
    try:
        line = await asyncio.wait_for(process.stderr.readline(), 120)
        found = _ORIGIN.search(line)
        assert found is not None, line + await process.stderr.read()
        yield found[1].decode(), process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_it_serves_until_a_signal_comes_and_ends_with_0(store: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        async with _serving(store) as (origin, process), aiohttp.ClientSession() as client:
            async with client.get(f"{origin}/runs/aa02") as answer:
                assert answer.status == 200
            process.send_signal(number)
            out, err = await asyncio.wait_for(process.communicate(), 120)
            assert (process.returncode, out, err) == (0, b"", b"")


async def test_a_token_of_a_file_is_asked_for_and_never_shown(store: Path) -> None:
    file = store.with_name("token")
    file.write_text(f"{TOKEN}\n")
    async with _serving(store, "--token-file", str(file)) as (origin, process):
        async with aiohttp.ClientSession() as client:
            async with client.get(origin) as answer:
                assert answer.status == 401
            async with client.get(origin, headers={"Authorization": "Bearer wrong"}) as answer:
                assert answer.status == 401
            basic = base64.b64encode(f"me:{TOKEN}".encode()).decode()
            async with client.get(origin, headers={"Authorization": f"Basic {basic}"}) as answer:
                assert answer.status == 200
                assert TOKEN not in await answer.text()
        process.terminate()
        _, err = await asyncio.wait_for(process.communicate(), 120)
        assert TOKEN.encode() not in err
        assert b"a wrong token" in err
    text = await _refused(store, "--token-file", str(store.with_name(TOKEN)))
    assert TOKEN not in text


async def test_it_does_not_open_the_runs_to_everybody(store: Path) -> None:
    everywhere = "0.0.0.0"  # noqa: S104 - refused here
    assert "everybody would read every run" in await _refused(store, "--host", everywhere, "--port", "0")
    file = store.with_name("token")
    file.write_text("short")
    assert "has 5 characters" in await _refused(store, "--token-file", str(file))


async def test_nonsense_is_told_in_one_line(store: Path) -> None:
    assert "no store at" in await _refused(store.with_name("none.db"))
    async with _serving(store) as (origin, _):
        port = origin.rpartition(":")[2]
        assert "choose another --port" in await _refused(store, "--port", port)
    said = await _refused(store, "--host", "127.0.0.300", "--token-file", str(_token(store)))
    assert "cannot listen" in said
    assert "choose another --host" in said


def _token(store: Path) -> Path:
    file = store.with_name("token")
    file.write_text(TOKEN)
    return file


HOOKS = """\
hooks:
  mine: {secret: env:MY_SECRET, allow: ["*.example.com"], agents: 4, box: 60s, notify: oncall}
"""


async def test_an_alert_becomes_a_diagnosis_a_page_and_a_notice(store: Path) -> None:
    file = store.with_name("hooks.yaml")
    file.write_text(HOOKS)
    with serving("--culprit", "target=shop.example.com:tls") as api, receiving() as oncall:
        known = {"TE_TOKEN": workplace.TOKEN, "TE_BASE_URL": api, "MY_SECRET": TOKEN}
        known["ORCHESTRATOR_NOTIFY_ONCALL"] = f"{oncall.url}/told"
        async with _serving(store, "--hooks", str(file), **known) as (origin, process):
            async with aiohttp.ClientSession() as client:
                body, proof = b'{"target": "https://shop.example.com"}', {"Authorization": f"Bearer {TOKEN}"}
                async with client.post(f"{origin}/hooks/mine", data=body) as answer:
                    assert answer.status == 403
                async with client.post(f"{origin}/hooks/mine", data=body, headers=proof) as answer:
                    assert answer.status == 202
                assert process.stderr is not None
                while b"diagnosed" not in (line := await asyncio.wait_for(process.stderr.readline(), 200)):
                    assert line, "it ended"
                assert b"fails from every agent" in line
                async with client.get(f"{origin}/?state=complete", headers=_JSON) as answer:
                    runs = (await answer.json())["runs"]
            process.terminate()
            _, err = await asyncio.wait_for(process.communicate(), 120)
            assert (process.returncode, TOKEN.encode() in line + err) == (0, False)
    assert {run["plan"] for run in runs} >= {"diagnose https://shop.example.com"}
    assert [post.document["plan"] for post in oncall.taken] == ["diagnose https://shop.example.com"]


async def _alerted(origin: str, target: str) -> None:
    proof = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{origin}/hooks/mine", json={"target": target}, headers=proof) as answer,
    ):
        assert answer.status == 202


async def _told(process: asyncio.subprocess.Process, word: bytes) -> bytes:
    assert process.stderr is not None
    while word not in (line := await asyncio.wait_for(process.stderr.readline(), 200)):
        assert line, "it ended"
    return line


async def test_at_a_signal_what_is_paid_for_is_collected_and_what_waits_is_told(store: Path) -> None:
    file = store.with_name("hooks.yaml")
    file.write_text(HOOKS)
    with serving("--latency", "0.1") as api, receiving() as oncall:
        known = {"TE_TOKEN": workplace.TOKEN, "TE_BASE_URL": api, "MY_SECRET": TOKEN}
        known["ORCHESTRATOR_NOTIFY_ONCALL"] = f"{oncall.url}/told"
        async with _serving(store, "--hooks", str(file), **known) as (origin, process):
            for name in ("a", "b"):
                await _alerted(origin, f"https://{name}.example.com")
            async with open_store(str(store)) as opened:
                while not [one for one in await _tests(opened) if one.created is not None]:
                    assert process.returncode is None
                    await asyncio.sleep(0.05)
            process.terminate()
            _, err = await asyncio.wait_for(process.communicate(), 200)
            assert process.returncode == 0, err
    assert [line for line in err.splitlines() if b"dropped" in line and b"b.example.com" in line], err
    async with open_store(str(store)) as opened:
        (run,) = await opened.store.runs(5, "diagnose https://a.example.com")
        assert (run.state, run.finished is None) != (RunState.RUNNING, True), err
        paid = [one for one in await _tests(opened) if one.created is not None]
        assert {one.state for one in paid} == {SpecState.COMPLETE}, "what is paid for has come"


async def _tests(opened: Opened) -> list[TestRecord]:
    runs = await opened.store.runs(5, "diagnose https://a.example.com")
    return [one for run in runs for one in await opened.store.tests(run.id)]


async def test_a_diagnosis_that_cannot_begin_is_told_to_whom_the_hook_names(store: Path) -> None:
    file = store.with_name("hooks.yaml")
    file.write_text(HOOKS)
    with serving() as api, receiving() as oncall:
        known = {"TE_TOKEN": "no-token-of-this-organization", "TE_BASE_URL": api, "MY_SECRET": TOKEN}
        known["ORCHESTRATOR_NOTIFY_ONCALL"] = f"{oncall.url}/told"
        async with _serving(store, "--hooks", str(file), **known) as (origin, process):
            for _ in range(2):
                await _alerted(origin, "https://shop.example.com")
                await _told(process, b"diagnosis failed")
    told = [(post.document["plan"], post.document["exit_code"]) for post in oncall.taken]
    assert told == [("diagnose https://shop.example.com", 4)] * 2


async def test_hooks_that_cannot_be_are_told_before_anything_is_served(store: Path) -> None:
    file = store.with_name("hooks.yaml")
    file.write_text(HOOKS.replace("box: 60s", "bx: 60s"))
    told = await _refused(store, "--hooks", str(file), TE_TOKEN=TOKEN)
    assert "hooks.yaml:2:" in told
    assert "did you mean 'box'?" in told
    file.write_text(HOOKS)
    assert "env:MY_SECRET is not there" in await _refused(store, "--hooks", str(file), TE_TOKEN=TOKEN)
    assert "no API token" in await _refused(store, "--hooks", str(file), MY_SECRET=TOKEN)
    told = await _refused(store, "--hooks", str(file), MY_SECRET=TOKEN, TE_TOKEN=TOKEN)
    assert "oncall" in told
