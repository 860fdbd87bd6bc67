"""A simulated world and command lines that talk to it, each a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from process_clock import VARIABLE, Pace
from process_forked import environ_path, started

TOKEN = "sesame-0123456789abcdef-0123456789abcdef"
# Real seconds until a process that should have ended long ago fails a test. It tells that something hangs,
# never that something is slow.
PATIENCE = 240.0
# The deadline of a test that is not about deadlines. The clocks of these processes go on whatever the machine
# has to do, so a minute of them may pass while it does nothing for us.
PATIENT = "5h"

PLAN = """\
version: 1
name: {name}
agents:
  cloud: {{type: cloud, country: [GB, DE]}}
targets:
  sites: [{sites}]
tests:
  - name: web
    type: http-server
    targets: sites
    agents: cloud
    deadline: {deadline}
    expect: ["http-server.responseCode == 200"]
deadline: {box}
"""


def plan_text(name: str = "sweep", *, sites: int = 4, deadline: str = PATIENT, box: str = PATIENT) -> str:
    """A plan of ``sites`` specs, five agents and three layers each; ``box`` is the deadline of the run."""
    return PLAN.format(
        name=name,
        sites=", ".join(f'"https://site-{number}.example.com"' for number in range(sites)),
        deadline=deadline,
        box=box,
    )


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that came to its end. ``code`` is negative for a signal, as in :mod:`subprocess`."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document on stdout."""
        found = json.loads(self.out)
        assert isinstance(found, dict), self.out
        return found

    def __str__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class World:
    """A simulator process; ``command`` starts command lines against it. Use as a context manager."""

    def __init__(self, folder: Path, *, speed: float = 20.0, **settings: Any) -> None:
        self.folder, self.pace = folder, Pace.from_now(speed)
        self._settings = {"seed": 7, "network_delay": 0.5, "enterprise_agents": 4, "clusters": 0} | settings
        self._process: subprocess.Popen[str] | None = None
        self._started: list[subprocess.Popen[str]] = []
        self.origin = ""
        self.store = folder / "store" / "runs.db"
        # What every command is given besides.
        self.variables: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._process = started(
            "process_simulator.py",
            [json.dumps(self._settings)],
            self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.origin = self._process.stdout.readline().strip()
        assert self.origin, "the simulator did not start"
        return self

    def __exit__(self, *_: object) -> None:
        for left in self._started:
            if _unread(left):  # a test that failed in the middle
                left.kill()
                left.communicate()
        process, self._process = self._process, None
        if process is None:
            return
        with process:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(10.0)
            except subprocess.TimeoutExpired:
                process.kill()

    def environment(self, **more: str) -> dict[str, str]:
        """As little as a cron job has, what ``process_command`` reads, and the package beside these tests."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": environ_path(),
            "PYTHONWARNINGS": "error",
            "TE_TOKEN": TOKEN,
            VARIABLE: str(self.pace),
            **self.variables,
            **more,
        }

    def plan(self, text: str, name: str = "plan.yaml") -> Path:
        """A plan file with this text."""
        place = self.folder / name
        place.write_text(text, "utf-8")
        return place

    def start(
        self, *arguments: str | Path, store: Path | str | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        """Start ``orchestrator ARGUMENTS`` with this world's origin and store.

        ``options`` named ``PROCESS_*`` go to its environment, the others to :class:`subprocess.Popen`.
        """
        environment = {name: str(options.pop(name)) for name in list(options) if name.startswith("PROCESS_")}
        words = [*map(str, arguments)]
        if arguments[0] in {"run", "resume", "rerun", "check", "submit", "worker"}:
            words += ["--base-url", self.origin]
        if "--store" not in arguments and arguments[:2] not in {("notify", "test"), ("store", "copy")}:
            words += ["--store", str(store or self.store)]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = started(
            "process_command.py", words, self.environment(**environment), text=True, **{**streams, **options}
        )
        self._started = [*filter(_unread, self._started), process]
        return process

    def do(self, *arguments: str | Path, **options: Any) -> Ended:
        """Run a command to its end."""
        return ended(self.start(*arguments, **options))

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """The API stands still during the block, and with it everybody who waits for its answer."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def witness(self) -> dict[str, Any]:
        """What the simulated API really saw."""
        return self._ask("witness")

    def creations(self) -> list[dict[str, Any]]:
        """The tests that exist."""
        found = self.witness()["creations"]
        assert isinstance(found, list)
        return found

    def duplicates(self) -> list[str]:
        """Names of tests that were created more than once; names carry the marker of run and spec."""
        counted = Counter(creation["name"] for creation in self.creations())
        return [name for name, times in counted.items() if times > 1]

    def rows(self) -> set[tuple[str, str, str, int, str]]:
        """Every row that the API has for any test: test id, layer, agent, round, server or nothing."""
        return {
            (test, layer, agent, number, server or "")
            for test, layer, agent, number, server in self._ask("rows")["rows"]
        }

    def _ask(self, page: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.origin}/_simulator/{page}", timeout=PATIENCE) as answer:  # noqa: S310 - loopback
            found = json.load(answer)
        assert isinstance(found, dict)
        return found


def _unread(process: subprocess.Popen[str]) -> bool:
    return process.stdout is not None and not process.stdout.closed


def until(happened: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Wait for something outside this process; fails when it does not happen."""
    give_up = time.monotonic() + patience
    while not happened():
        assert time.monotonic() < give_up, f"did not happen within {patience:g} s: {what}"
        time.sleep(0.02)


def stands_still(process: subprocess.Popen[str]) -> None:
    """Wait until a command has come to its ``PROCESS_STOP``."""
    found = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    assert found is not None
    assert found.si_code == os.CLD_STOPPED, f"it did not stop: {ended(process)}"


@contextmanager
def frozen(process: subprocess.Popen[str], store: Path) -> Iterator[None]:
    """The process stands still during the block, at a moment at which it holds no lock of its store."""
    for _attempt in range(100):
        until(lambda: not _locked(store), "a moment at which nobody writes")
        process.send_signal(signal.SIGSTOP)
        try:
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            if not _locked(store):
                yield
                return
        finally:
            process.send_signal(signal.SIGCONT)
    raise AssertionError(f"{store} was locked whenever process {process.pid} was stopped")


def _locked(store: Path) -> bool:
    """Whether somebody is in the middle of writing to one of the databases of a store."""
    for file in store.parent.glob("*.db"):
        with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as db:
            try:
                db.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            db.execute("ROLLBACK")
    return False


def ended(process: subprocess.Popen[str], patience: float = PATIENCE) -> Ended:
    """Wait for a command; one that does not end is killed and fails the test."""
    try:
        out, err = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"did not end within {patience:g} s\n{out}\n{err}") from None
    return Ended(process.returncode, out, err)


@contextmanager
def looked_at(store: Path) -> Iterator[sqlite3.Connection]:
    """A copy of a store as a killed process left it: looking must not repair what a resume has to repair."""
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("", "-journal", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{store}{suffix}", Path(folder) / f"{store.name}{suffix}")
        db = sqlite3.connect(Path(folder) / store.name)
        try:
            yield db
        finally:
            db.close()


def states(store: Path, run: str = "") -> dict[str, int]:
    """How many specs of a run (default: the newest) are in which state."""
    with looked_at(store) as db:
        return dict(
            db.execute(
                "SELECT specs.state, count(*) FROM specs JOIN runs ON runs.n = run_n WHERE runs.id = ?1 OR "
                "(?1 = '' AND runs.n = (SELECT max(n) FROM runs)) GROUP BY 1",
                (run,),
            ).fetchall()
        )


def stored_rows(store: Path) -> list[tuple[str, str, str, int, str]]:
    """Every answer of every run with a test id, as :meth:`World.rows` names them; hop details apart."""
    with looked_at(store) as db:
        return db.execute(
            "SELECT test_id, layer, agent_id, round_id, server FROM answers JOIN specs ON specs.n = spec_n "
            "WHERE layer <> 'path-vis-detail' ORDER BY 1, 2, 3, 4, 5"
        ).fetchall()


def damaged(store: Path) -> str:
    """What SQLite finds wrong with a store; empty if nothing is."""
    with looked_at(store) as db:
        found = [row[0] for row in db.execute("PRAGMA integrity_check")]
        found += [str(row) for row in db.execute("PRAGMA foreign_key_check")]
    return "" if found == ["ok"] else "; ".join(found)


def sums(document: Mapping[str, Any]) -> list[str]:
    """What does not add up in a summary document."""
    wrong = []
    for group in ("tests", "cells"):
        parts = dict(document[group])
        planned = parts.pop("planned")
        parts.pop("created", None)
        if planned != sum(parts.values()):
            wrong.append(f"{group}: planned {planned}, but the ends are {parts}")
    if sum(document["verdicts"].values()) != document["cells"]["planned"]:
        wrong.append(f"verdicts: {document['verdicts']} of {document['cells']['planned']} cells")
    return wrong
