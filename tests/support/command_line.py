"""The installed command, with its output as bytes: as a process on a fast clock, or in this process.

What it says is the same in both; how a process behaves (signals, streams, a kill) is seen only of a process.
"""

from __future__ import annotations

import asyncio
import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from process_clock import VARIABLE, Pace

from orchestrator.cli import main

SUPPORT = Path(__file__).resolve().parent
PATIENCE = 240.0


@dataclass(frozen=True, slots=True)
class Said:
    """What one command said. ``title`` is what the process list shows of it while it runs."""

    arguments: tuple[str, ...]
    code: int
    out: bytes
    err: bytes
    title: bytes

    @property
    def everything(self) -> bytes:
        """All that anybody could see."""
        return b"\n".join((self.out, self.err, self.title))

    def __str__(self) -> str:
        shown = self.out.decode("utf-8", "replace"), self.err.decode("utf-8", "replace")
        return f"{' '.join(self.arguments)}: exit {self.code}\n{shown[0]}\n--- stderr\n{shown[1]}"


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Commands with one store and one environment; ``folder`` is everything that they may write to."""

    folder: Path
    origin: str
    environment: Mapping[str, str]
    pace: Pace = field(default_factory=lambda: Pace.from_now(30.0))

    @property
    def store(self) -> Path:
        """Where the runs are."""
        return self.folder / "state" / "runs.db"

    async def __call__(self, *arguments: str | Path) -> Said:
        """Run ``orchestrator ARGUMENTS`` to its end."""
        words = tuple(map(str, arguments))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(SUPPORT / "process_command.py"),
            *words,
            env=self._environ(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        title = Path(f"/proc/{process.pid}/cmdline").read_bytes() if Path("/proc/self").exists() else b""
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
        assert process.returncode is not None
        return Said(words, process.returncode, out, err, title)

    def _environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": str(SUPPORT),
            "PYTHONWARNINGS": "error",
            "TE_BASE_URL": self.origin,
            "ORCHESTRATOR_STORE": str(self.store),
            VARIABLE: str(self.pace),
            **self.environment,
        }

    def files(self) -> dict[Path, bytes]:
        """Every file that is there."""
        return {place: place.read_bytes() for place in sorted(self.folder.rglob("*")) if place.is_file()}


class InProcess(CommandLine):
    """The same commands in a thread of this process, which has loaded everything; by the wall's own clock.

    For commands that read: what is to be interrupted, or to wait, wants a process.
    """

    def as_process(self) -> CommandLine:
        """The same as a process."""
        return CommandLine(self.folder, self.origin, self.environment, self.pace)

    async def __call__(self, *arguments: str | Path) -> Said:
        """Carry out ``orchestrator ARGUMENTS``."""
        return await asyncio.to_thread(self.say, *arguments)

    def say(self, *arguments: str | Path) -> Said:
        """As above, for a test that is no coroutine."""
        words = tuple(map(str, arguments))
        with _as_a_process(words, self._environ()) as (out, err):
            with pytest.raises(SystemExit) as end:
                main(words)
            code = end.value.code
            assert isinstance(code, int)
            return Said(words, code, out.getvalue(), err.getvalue(), title=b"")


@contextmanager
def _as_a_process(
    words: tuple[str, ...], environ: Mapping[str, str]
) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    """Streams, arguments and environment as a process would have them."""
    before = sys.stdout, sys.stderr, sys.argv, dict(os.environ)
    out, err = io.BytesIO(), io.BytesIO()
    sys.stdout = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(err, encoding="utf-8", write_through=True)
    sys.argv = ["orchestrator", *words]
    os.environ.clear()
    os.environ.update(environ)
    try:
        yield out, err
    finally:
        sys.stdout, sys.stderr, sys.argv, environment = before
        os.environ.clear()
        os.environ.update(environment)
