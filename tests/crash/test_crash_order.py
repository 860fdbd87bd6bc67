"""The intention is durable before the POST leaves: seen from a second connection, and by the system calls."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from process_forked import SUPPORT
from process_world import World, plan_text

from orchestrator.actions import run as action
from orchestrator.actions.run import Attendance
from orchestrator.actions.session import Session
from orchestrator.app import simulate
from orchestrator.errors import StoreProblem
from orchestrator.plan.load import parse_plan
from orchestrator.records import RunRecord
from orchestrator.settings import Settings
from orchestrator.store.sqlite.database import journal_mode
from orchestrator.store.sqlite.store import SqliteStore
from orchestrator.thousandeyes.client import HttpTransport
from orchestrator.thousandeyes.protocol import Reply, Request

FULL = 2  # PRAGMA synchronous


async def conducted(store: Path, plan: str, before: Callable[[Session], None]) -> None:
    """The plan, run against the built-in simulator; ``before`` comes when the run is stored."""
    settings = Settings(origin="https://api.thousandeyes.com", store=str(store))
    async with simulate(settings, reserve=0.1, speed=200.0) as session:
        loaded = parse_plan(plan, "plan.yaml", None, environ={})

        @contextmanager
        def attend(_: RunRecord) -> Iterator[Attendance]:
            before(session)
            yield Attendance()

        await action.run(session, loaded, attend=attend)


async def test_every_intention_is_committed_before_its_post_is_handed_to_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "runs.db"
    trail: list[str] = []
    seen: list[tuple[str, str | None]] = []
    send = HttpTransport.send

    async def recorded(self: HttpTransport, request: Request) -> Reply:
        if request.instant:
            assert request.body is not None
            name = str(request.body["testName"])
            trail.append(f"POST {name}")
            # Another connection sees what is committed and nothing else.
            other = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
            row = other.execute("SELECT state FROM specs WHERE name = ?", (name,)).fetchone()
            other.close()
            seen.append((name, None if row is None else row[0]))
        return await send(self, request)

    def trace(session: Session) -> None:
        assert isinstance(session.doors.store, SqliteStore)
        connection = session.doors.store._engine.connection
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == FULL
        connection.set_trace_callback(trail.append)

    monkeypatch.setattr(HttpTransport, "send", recorded)
    await conducted(store, plan_text(sites=5), trace)

    assert len(seen) == 5
    for name, state in seen:
        assert state == "creating", f"{name} was sent while the journal said {state}"
        sent = trail.index(f"POST {name}")
        intended = next(n for n, text in enumerate(trail) if "UPDATE specs" in text and name in text)
        committed = trail.index("COMMIT", intended)
        assert committed < sent, f"{name}: {trail[intended : sent + 1]}"


async def test_nothing_is_sent_when_the_intention_cannot_be_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts: list[str] = []
    send = HttpTransport.send

    async def recorded(self: HttpTransport, request: Request) -> Reply:
        if request.instant:
            posts.append(request.path)
        return await send(self, request)

    def fill(session: Session) -> None:
        assert isinstance(session.doors.store, SqliteStore)
        connection = session.doors.store._engine.connection
        # Fails in the commit of an intention, after its statements have succeeded.
        connection.executescript(
            "CREATE TEMP TRIGGER no AFTER UPDATE OF state ON main.specs WHEN NEW.state = 'creating' "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )

    monkeypatch.setattr(HttpTransport, "send", recorded)
    with pytest.raises(StoreProblem, match="disk is full"):
        await conducted(tmp_path / "runs.db", plan_text(sites=3), fill)
    assert posts == []


# -- by system calls ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call:
    """One system call: where it began and ended in the trace, its name, and its arguments as strace shows."""

    began: int
    ended: int
    name: str
    text: str


_BEGINS = re.compile(r"(?P<pid>\d+) +(?P<name>\w+)\((?P<text>.*)")
_RESUMES = re.compile(r"(?P<pid>\d+) +<\.\.\. \w+ resumed>(?P<text>.*)")


def calls(trace: str) -> Iterator[Call]:
    """Calls that threads interrupted each other in are put together again."""
    open_calls: dict[str, tuple[int, str, str]] = {}
    for number, line in enumerate(trace.splitlines()):
        resumed = _RESUMES.match(line)
        begun = _BEGINS.match(line)
        if resumed is not None:
            began, name, text = open_calls.pop(resumed["pid"])
            yield Call(began, number, name, text + resumed["text"])
        elif begun is not None and line.endswith("<unfinished ...>"):
            open_calls[begun["pid"]] = (number, begun["name"], begun["text"])
        elif begun is not None:
            yield Call(number, number, begun["name"], begun["text"])


@pytest.fixture(scope="module")
def strace() -> str:
    """The tracer, where there is one and it may trace."""
    found = shutil.which("strace")
    if found is None or sys.platform != "linux":
        pytest.skip("strace is not installed")
    probe = subprocess.run([found, "-f", "-o", os.devnull, "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip("strace may not trace here")
    return found


def test_each_intention_is_synced_to_the_disk_before_its_post_is_written_to_a_socket(
    strace: str, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    options = ["-f", "-y", "-s", "9000", "-o", str(trace)]
    names = "trace=pwrite64,fdatasync,fsync,ftruncate,sendto,sendmsg,write,writev"
    with World(tmp_path, speed=20.0) as world:
        plan = world.plan(plan_text(sites=3))
        command = [strace, *options, "-e", names, sys.executable, str(SUPPORT / "process_command.py"), "run"]
        command += [str(plan), "--base-url", world.origin, "--store", str(world.store)]
        done = subprocess.run(
            command, env=world.environment(), capture_output=True, text=True, timeout=240.0, check=False
        )
        assert done.returncode == 0, done.stderr
        markers = [re.search(r"orc-[0-9a-f]+-[0-9a-f]+", test["name"]) for test in world.creations()]
    found = list(calls(trace.read_text("utf-8", "replace")))
    assert len(markers) == 3
    for marker in markers:
        assert marker is not None
        sent = _first(found, 0, SENDS, ("socket:", "TCP:"), marker[0])
        committed = _committed(found, world.store, marker[0])
        assert committed.ended < sent.began, f"{marker[0]}: sent in line {sent.began}, before {committed}"


WRITES = frozenset({"pwrite64"})
SYNCS = frozenset({"fsync", "fdatasync"})
SENDS = frozenset({"sendto", "sendmsg", "write", "writev"})


def _committed(found: Sequence[Call], store: Path, marker: str) -> Call:
    """The call after which the transaction that wrote the marker survives a power cut."""
    if journal_mode(sqlite3.sqlite_version_info[:3]) == "WAL":
        written = _first(found, 0, WRITES, (f"<{store}-wal>",), marker)
        return _first(found, written.ended, SYNCS, (f"<{store}-wal>",))
    written = _first(found, 0, WRITES, (f"<{store}>",), marker)
    synced = _first(found, written.ended, SYNCS, (f"<{store}>",))
    # Emptying the rollback journal is what commits; until then the next one to open it would undo it all.
    return _first(found, synced.ended, frozenset({"ftruncate"}), (f"<{store}-journal>, 0",))


def _first(
    found: Sequence[Call], start: int, names: frozenset[str], places: tuple[str, ...], text: str = ""
) -> Call:
    """The first of these calls from a line on, at one of these places, with this text."""
    for call in found:
        at = any(place in call.text for place in places)
        if call.began >= start and call.name in names and at and text in call.text:
            return call
    raise AssertionError(f"no {' or '.join(sorted(names))} at {places} with {text!r} from line {start} on")
