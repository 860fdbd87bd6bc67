"""A place to work in like a user's, and a simulated API that serves on loopback in a process of its own."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from process_forked import PRODUCT, orchestrator, started

from orchestrator.store.opening import open_store
from orchestrator.testtypes import TEST_TYPES

_SHELL = re.compile(r"[|<>&;$`*?~(){}\[\]#!\n\\]")
BIN = Path(sys.executable).parent
# A worker lets what is paid for come in before it ends (seconds).
PARTING = 120.0
TOKEN = "a-token-that-is-only-a-test"
# A large organization with quick agents: what is waited for is the product's own spacing of requests.
QUICK = ("--organization-limit", "97000", "--instant-limit", "9700", "--latency", "0.02")


@dataclass(frozen=True, slots=True)
class Workplace:
    """A folder with the plans, the installed program on the path, and a store of its own."""

    folder: Path
    origin: str

    @property
    def environment(self) -> dict[str, str]:
        """A user's environment, nothing of ours but the path."""
        return {
            "HOME": str(self.folder),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "TE_TOKEN": TOKEN,
            "TE_BASE_URL": self.origin,
            "ORCHESTRATOR_STORE": str(self.folder / "runs" / "orchestrator.db"),
        }

    def at(self, origin: str) -> Workplace:
        """The same folder and store with another API."""
        return Workplace(self.folder, origin)

    def sh(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line of shell here; what is nothing but our command needs no shell."""
        words = shlex.split(line) if not _SHELL.search(line) else []
        if words[:1] == ["orchestrator"]:
            return orchestrator(*words[1:], env=self.environment, cwd=self.folder)
        return subprocess.run(
            ["bash", "-euc", line],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    async def learn(self) -> None:
        """As after many runs: the store knows that answers come within half a second, so looks are early."""
        async with open_store(self.environment["ORCHESTRATOR_STORE"]) as opened:
            await opened.store.save_latencies(self.origin, {name: [0.4] * 25 for name in TEST_TYPES})


@contextmanager
def serving(*options: str, token: str = TOKEN) -> Iterator[str]:
    """`orchestrator simulator` with a port of its own, that takes this token; yields its origin."""
    with started(
        PRODUCT,
        ["simulator", "--port", "0", *QUICK, *options],
        {"PATH": os.environ["PATH"], "TE_TOKEN": token},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            first = process.stderr.readline()
            origin = re.search(r"http://\S+", first)
            assert origin is not None, first + process.stderr.read()
            yield origin.group()
        finally:
            process.terminate()


@contextmanager
def working(folder: Path, environment: dict[str, str], *words: str) -> Iterator[Path]:
    """A worker in a process of its own; gives its log."""
    log = folder / "worker.log"
    with log.open("w") as stream:
        process = started(
            PRODUCT,
            ["worker", "--listen", "off", *words],
            environment,
            cwd=folder,
            stdout=stream,
            stderr=stream,
        )
    try:
        yield log
    finally:
        process.terminate()
        process.wait(PARTING)
