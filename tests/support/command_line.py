"""The installed command as a process on a fast clock, with its output as bytes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from process_clock import VARIABLE, Pace

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
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": str(SUPPORT),
            "PYTHONWARNINGS": "error",
            "TE_BASE_URL": self.origin,
            "ORCHESTRATOR_STORE": str(self.store),
            VARIABLE: str(self.pace),
            **self.environment,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(SUPPORT / "process_command.py"),
            *words,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        title = Path(f"/proc/{process.pid}/cmdline").read_bytes() if Path("/proc/self").exists() else b""
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
        assert process.returncode is not None
        return Said(words, process.returncode, out, err, title)

    def files(self) -> dict[Path, bytes]:
        """Every file that is there."""
        return {place: place.read_bytes() for place in sorted(self.folder.rglob("*")) if place.is_file()}
