"""Several processes share the budgets of an organization over PostgreSQL, and a witness counts (A5, A9).

    python tests/many/budgets.py --processes 4 --chaos

With ``--chaos`` one process is killed and another one begins, one is stopped for 20 seconds, and the database
crashes and starts again. ``--mutant`` takes something away that must then be missed: ``no-era-pause``, or the
shared row altogether (``local``). The last line is what came of it; the exit code is 1 if that is not what it
must be.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "support")]

import psycopg  # noqa: E402 - after the path
from postgres_server import PostgresServer, serving  # noqa: E402 - as above

LIMIT, INSTANT = 240, 24
TABLE = HERE.parents[1] / "orchestrator/store/postgres/migrations/0002_budget.sql"
PATIENCE = 30.0  # seconds for a process to end


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=70.0)
    parser.add_argument("--window", type=float, default=10.0)
    parser.add_argument("--aligned", action="store_true")
    parser.add_argument("--lossy", type=float, default=0.0, help="part of the answers that never come")
    parser.add_argument("--chaos", action="store_true")
    parser.add_argument("--mutant", choices=["none", "no-era-pause", "local"], default="none")
    return parser.parse_args()


class Campaign:
    """The processes, and what they told at their end."""

    def __init__(self, server: PostgresServer, folder: Path, asked: argparse.Namespace) -> None:
        self.server, self.folder, self.asked = server, folder, asked
        self.database = server.create(_prepare)
        self.port = _free_port()
        self.stop = folder / "stop"
        self.spenders: dict[str, subprocess.Popen[str]] = {}

    @contextmanager
    def witness(self) -> Iterator[None]:
        asked = self.asked
        arguments = [
            self.port,
            asked.window,
            LIMIT,
            INSTANT,
            "aligned" if asked.aligned else "anchored",
            asked.lossy,
        ]
        witness = subprocess.Popen([sys.executable, HERE / "budget_witness.py", *map(str, arguments)])
        try:
            while True:
                try:
                    self.ask_witness()
                    break
                except ConnectionError:
                    time.sleep(0.05)
            yield
        finally:
            witness.kill()
            witness.wait()

    def ask_witness(self) -> dict[str, Any]:
        with socket.create_connection(("127.0.0.1", self.port), 5) as wire:
            wire.sendall(b"?\n")
            told: dict[str, Any] = json.loads(wire.makefile().readline())
        return told

    def begin(self, name: str, *, urgent: bool = False) -> None:
        asked = {
            "database": self.database,
            "port": self.port,
            "window": self.asked.window,
            "name": name,
            "urgent": urgent,
            "mutant": self.asked.mutant,
            "stop": str(self.stop),
        }
        self.spenders[name] = subprocess.Popen(
            [sys.executable, HERE / "budget_spender.py", json.dumps(asked)], stdout=subprocess.PIPE, text=True
        )

    def blows(self) -> list[tuple[float, str]]:
        """What happens in chaos, and when: in the middle of windows."""
        if not self.asked.chaos:
            return []
        seconds = self.asked.seconds
        blows = [(0.18 * seconds, "kill"), (0.3 * seconds, "pause"), (0.52 * seconds, "crash")]
        return [*blows, (0.3 * seconds + 20.0, "go on")]

    def blow(self, what: str) -> None:
        if what == "kill":
            victim = self.spenders.pop("p1")
            victim.kill()
            victim.communicate()
            self.begin("p1-again")
        elif what == "pause":
            self.spenders["p2"].send_signal(signal.SIGSTOP)
        elif what == "go on":
            self.spenders["p2"].send_signal(signal.SIGCONT)
        else:
            self.server.stop(signal.SIGQUIT)
            self.server.start()

    def run(self, blows: list[tuple[float, str]]) -> list[dict[str, Any]]:
        """What each told at its end; ``blows`` are seconds and what happens then."""
        for number in range(self.asked.processes):
            self.begin(f"p{number}", urgent=number == 0)
        began, seconds = time.monotonic(), self.asked.seconds
        for after, what in sorted(blows):
            time.sleep(max(0.0, began + after - time.monotonic()))
            sys.stderr.write(f"{time.monotonic() - began:6.1f} s: {what}\n")
            self.blow(what)
        time.sleep(max(0.0, began + seconds - time.monotonic()))
        self.stop.touch()
        told = []
        for process in self.spenders.values():
            out, _ = process.communicate(timeout=PATIENCE)
            told.append(json.loads(out))
        return told


def _prepare(url: str) -> None:
    with psycopg.connect(url) as db:
        db.execute(TABLE.read_bytes())


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def summary(told: list[dict[str, Any]], seen: dict[str, Any], asked: argparse.Namespace) -> dict[str, Any]:
    """Counts, what was possible, and how long turns took (milliseconds)."""
    turns = sorted(milliseconds for one in told for milliseconds in one["turns"])
    organization, instant = seen["windows"]
    requests = max(1, sum(one["sent"] for one in told))
    return {
        "own_429": seen.get("refused", 0),
        "refused_at": seen["refused_at"][:5],
        "accepted": seen.get("reads", 0) + seen.get("creations", 0),
        "creations": seen.get("creations", 0),
        "windows": organization,
        "creation_windows": instant,
        "not_sent": sum(one["waited_too_long"] for one in told),
        "eras": max(one["eras"] for one in told),
        "turns": len(turns),
        "turn_p50_ms": turns[len(turns) // 2] if turns else None,
        "turn_p99_ms": turns[len(turns) * 99 // 100] if turns else None,
        "cpu_ms_per_request": round(1000 * sum(one["cpu"] for one in told) / requests, 2),
        "mutant": asked.mutant,
    }


def main() -> int:
    asked = parsed()
    with serving(durable=True) as server, tempfile.TemporaryDirectory() as folder:
        campaign = Campaign(server, Path(folder), asked)
        with campaign.witness():
            told = campaign.run(campaign.blows())
            seen = campaign.ask_witness()
    came = summary(told, seen, asked)
    sys.stdout.write(json.dumps(came) + "\n")
    return int((came["own_429"] > 0) == (asked.mutant == "none"))


if __name__ == "__main__":
    sys.exit(main())
