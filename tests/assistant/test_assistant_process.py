"""`orchestrator mcp` as a client starts it: a process, with the SDK's own client at its standard streams."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import assistant_desk
import pytest
from assistant_desk import CEILINGS, PLAN
from mcp.client.session import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client
from process_clock import VARIABLE, Pace, ProcessClock

from orchestrator import assistant, cli
from orchestrator.assistant.lines import Lines
from orchestrator.simulator.server import serve
from orchestrator.simulator.service import Service
from orchestrator.simulator.settings import Settings
from orchestrator.store.opening import open_store

SUPPORT = str(Path(assistant_desk.__file__).parent)
COMMAND = str(Path(SUPPORT) / "process_command.py")
TOKEN = "sesame-0123456789abcdef-0123456789abcdef"
_ALLOWED = ("--allow-creations", "--max-units", "5", "--max-creations", "20")
_SLOWLY = ("--simulate", "--speed", "20", *_ALLOWED)


def _environment(folder: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "ORCHESTRATOR_STORE": str(folder / "runs.db"),
        **more,
    }


@asynccontextmanager
async def _started(
    folder: Path, *words: str, **more: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, asyncio.StreamWriter, asyncio.StreamReader]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "orchestrator", "mcp", *words),
        env=_environment(folder, **more),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process, process.stdin, process.stdout
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _message(method: str, number: int | None, **params: Any) -> bytes:
    body: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    if number is not None:
        body["id"] = number
    return json.dumps(body).encode() + b"\n"


_HELLO = _message(
    "initialize",
    1,
    protocolVersion="2025-06-18",
    capabilities={},
    clientInfo={"name": "test", "version": "1"},
) + _message("notifications/initialized", None)


async def test_the_sdks_client_runs_a_plan_at_the_api_and_never_sees_the_token(tmp_path: Path) -> None:
    plans = tmp_path / "plans"
    plans.mkdir()
    (plans / "sweep.yaml").write_text(PLAN, "utf-8")
    heard, pace = tmp_path / "stderr", Pace.from_now(30.0)
    clock = ProcessClock(pace)
    async with serve(Service(Settings(seed=1, all_online=True)), clock.wall, clock.sleep) as origin:
        parameters = StdioServerParameters(
            command=sys.executable,
            args=[COMMAND, "--log-level", "debug", "mcp", "--plans", str(plans), *_ALLOWED],
            env=_environment(
                tmp_path, TE_TOKEN=TOKEN, TE_BASE_URL=origin, PYTHONPATH=SUPPORT, **{VARIABLE: str(pace)}
            ),
        )
        said: list[str] = []
        with heard.open("w", encoding="utf-8") as log:
            async with stdio_client(parameters, errlog=log) as streams, ClientSession(*streams) as client:
                hello = await client.initialize()
                assert hello.server_info.name == "orchestrator"

                async def call(tool: str, **words: Any) -> Any:
                    result = await client.call_tool(tool, words)
                    said.append(getattr(result.content[0], "text", ""))
                    return result

                ran = await call("run", plan_file="sweep.yaml", **CEILINGS)
                assert not ran.is_error, said
                assert ran.structured_content["document"]["tests"]["created"] == 2
                assert (await call("run", plan_text=PLAN.replace("sweep", TOKEN), **CEILINGS)).is_error
                assert (await call("show", run=TOKEN)).is_error
                await call("results")
    assert not [text for text in said if "sesame" in text]
    assert "sesame" not in heard.read_text("utf-8")


async def _begin(write: asyncio.StreamWriter, read: asyncio.StreamReader) -> None:
    """Begin a run, and wait until something of it is told."""
    call = {"name": "run", "arguments": {"plan_text": PLAN, **CEILINGS}, "_meta": {"progressToken": 7}}
    write.write(_message("tools/call", 9, **call))
    while b"notifications/progress" not in await asyncio.wait_for(read.readline(), 120):
        pass


async def _nothing_is_lost(folder: Path) -> None:
    """The one run has an end, and what was created its id."""
    async with open_store(str(folder / "runs.db"), make=False) as opened:
        (run,) = await opened.store.runs(5)
        tests = await opened.store.tests(run.id)
    assert run.finished is not None
    assert all((test.test_id is None) == (test.created is None) for test in tests)


async def test_nonsense_on_the_wire_ends_nothing_and_a_client_that_goes_away_loses_nothing(
    tmp_path: Path,
) -> None:
    async with _started(tmp_path, *_SLOWLY) as (process, write, read):
        write.write(_HELLO)
        for line in (
            b"",
            b"\xff\xfe",
            b"{",
            b"[]",
            b"null",
            b'{"jsonrpc": "2.0"}',
            b"\0" * 9,
            b"x" * 300_000,
        ):
            write.write(line + b"\n")
        write.write(_message("tools/call", 2, name="show", arguments={"run": ["x"]}))
        write.write(_message("no/such", 3))
        write.write(_message("tools/list", 4))
        answers: dict[int, Any] = {}
        while 4 not in answers:
            answer = json.loads(await asyncio.wait_for(read.readline(), 120))
            assert answer["jsonrpc"] == "2.0"
            answers[answer.get("id")] = answer
        assert len(answers[4]["result"]["tools"]) == 9
        await _begin(write, read)
        write.close()
        rest, err = await asyncio.wait_for(process.communicate(), 120)
    # Nothing but the protocol is on standard output, to the end.
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in rest.splitlines())
    assert process.returncode == 0, err
    assert b"Traceback" not in err
    await _nothing_is_lost(tmp_path)


async def test_a_signal_ends_it_while_the_client_says_nothing_and_nothing_is_lost(tmp_path: Path) -> None:
    async with _started(tmp_path, *_SLOWLY) as (process, write, read):
        write.write(_HELLO)
        await _begin(write, read)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 120) == 0
    await _nothing_is_lost(tmp_path)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--allow-creations",), "needs --max-units and --max-creations"),
        (("--allow-creations", "--max-units", "1"), "needs --max-units and --max-creations"),
        (("--max-units", "1"), "are for --allow-creations"),
        (("--plans", "/no/such"), "there is no folder"),
        (("--token-file", "-"), "standard input is the assistant's"),
        (("--culprit", "country=GB:dead"), "they need --simulate"),
    ],
)
def test_what_cannot_be_is_refused_before_anybody_is_served(
    words: tuple[str, ...], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["mcp", "--store", str(tmp_path / "runs.db"), *words])
    said = capsys.readouterr()
    assert (end.value.code, said.out) == (2, "")
    assert told in said.err


def test_without_the_extra_it_says_which_one_it_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "orchestrator.assistant.server", raising=False)
    monkeypatch.delattr(assistant, "server", raising=False)
    monkeypatch.setitem(sys.modules, "mcp", None)
    monkeypatch.setitem(sys.modules, "mcp.server", None)
    with pytest.raises(SystemExit) as end:
        cli.main(["mcp", "--store", str(tmp_path / "runs.db")])
    assert end.value.code == 2
    assert "orchestrator[mcp]" in capsys.readouterr().err


async def test_lines_are_whole_however_they_come_and_long_ones_are_cut() -> None:
    reading, writing = os.pipe()
    parts = [b"a\nb", b"b\n\n", b"x" * 50 + b"\nlast", b"\xff"]

    def write() -> None:
        for part in parts:
            os.write(writing, part)
        os.close(writing)

    writer = asyncio.create_task(asyncio.to_thread(write))
    lines = [line async for line in Lines(reading, most=20)]
    await writer
    os.close(reading)
    assert lines == ["a", "bb", "", "x" * 20, "last\ufffd"]
