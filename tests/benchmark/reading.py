"""What the commands that only read a store take: CPU beside a peer that does the least, peak memory by size.

Each command runs in a process of its own. As a script it is that process: ``reading.py ours WORD...`` runs
the command line, ``reading.py peer csv|jsonl STORE`` the peer; both print a JSON object on stderr.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import anyio
from builders import make_agent, make_answer, make_run, make_spec, make_tests
from memory import peak_mebibytes

from orchestrator.lifecycle import SpecState
from orchestrator.model import Answer, CellResult, CellState, Verdict
from orchestrator.records import RunFacts, RunState
from orchestrator.store.opening import open_store
from orchestrator.testtypes.layers import LAYERS, TEXT

AGENTS = 20
OF_TYPE = ("http-server", "network", "path-vis")
RUN = "65000000deadbeef"
TARGET = "https://site-7.example.com"
# One cell in so many fails: an agent's fault now and then.
FAILS = 200
COMMANDS: dict[str, tuple[str, ...]] = {
    "runs": ("runs",),
    "show": ("show", "last"),
    "results, csv": ("results", "last", "--format", "csv"),
    "results, jsonl": ("results", "last", "--format", "jsonl"),
    "results, table": ("results", "last"),
    "report, markdown": ("report", "last", "--format", "markdown"),
    "report, junit": ("report", "last", "--format", "junit"),
    "report, json": ("report", "last", "--format", "json"),
    "explain a cell": ("explain", "last", f"{TARGET}@agent 7"),
}
# The rows that a peer writes, in the same order.
_ROWS = """
    SELECT runs.id, key, test, test_id, specs.type, target, layer, answers.agent_id, agent, country, server,
        direction, round_id, date, status, error_type, answers.error, verdict, link, metrics
    FROM runs JOIN specs ON run_n = runs.n JOIN answers ON answers.spec_n = specs.n
    JOIN cells ON cells.spec_n = specs.n AND cells.agent_id = answers.agent_id
    ORDER BY position, answers.agent_id, layer, server, direction, round_id
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds of CPU and MiB at the peak, start-up included."""

    cpu: float
    peak: float


def make_store(path: Path, cells: int, *, bad: bool = False) -> None:
    """A finished run of so many cells of three layers each; all of them pass, or some fail."""
    anyio.run(_make, path, cells, bad)


async def _make(path: Path, cells: int, bad: bool) -> None:
    rng = Random(1)
    agents = [make_agent(str(n), name=f"agent {n}") for n in range(AGENTS)]
    specs = [
        make_spec(
            f"k{n:06}",
            target=f"https://site-{n}.example.com",
            fields={"url": f"https://site-{n}.example.com"},
            agents=tuple(one.id for one in agents),
            layers=OF_TYPE,
            expect=("http-server.totalTime < 5000",),
        )
        for n in range(cells // AGENTS)
    ]
    async with open_store(str(path), virtual=True) as opened:
        store = opened.store
        await store.create_run(make_run(RUN), make_tests(specs, RUN), [], agents)
        for number, spec in enumerate(specs):
            await store.intend(RUN, spec.key, "name", 1.0)
            await store.created(RUN, spec.key, str(number), {}, 2.0)
            failing = {one for one in spec.agents if bad and rng.randrange(FAILS) == 0}
            rows = [_answer(rng, one, layer, one in failing) for one in spec.agents for layer in OF_TYPE]
            await store.add_answers(RUN, spec.key, rows)
            ends = [_end(one, failed=one in failing) for one in spec.agents]
            await store.close_test(RUN, spec.key, SpecState.COMPLETE, ends, 3.0)
        await store.update_run(
            RUN, state=RunState.COMPLETE, finished=4.0, exit_code=int(bad), facts=RunFacts()
        )


def _answer(rng: Random, agent: str, layer: str, failing: bool) -> Answer:
    metrics: dict[str, Any] = {
        name: f"192.0.2.{rng.randrange(256)}" if unit == TEXT else rng.randrange(1000)
        for name, unit in LAYERS[layer].metrics.items()
    }
    if failing and "totalTime" in metrics:
        metrics["totalTime"] = 9000
    raw = json.dumps({"agent": {"agentId": agent, "agentName": f"agent {agent}"}, **metrics})
    return make_answer(
        layer,
        agent,
        agent=f"agent {agent}",
        metrics=metrics,
        raw=raw,
        link=f"https://app.thousandeyes.com/view/tests?testId={rng.randrange(10**15)}&agentId={agent}",
    )


def _end(agent: str, *, failed: bool) -> CellResult:
    if failed:
        reason = "http-server.totalTime 9000 ms, expected < 5000"
        return CellResult(agent, CellState.ANSWERED, Verdict.FAIL, (reason,))
    return CellResult(agent, CellState.ANSWERED, Verdict.PASS)


def bytes_of(path: Path) -> tuple[int, int, int]:
    """The size of the file, of what its answers hold in all columns, and the number of answers."""
    db = sqlite3.connect(path)
    columns = [row[1] for row in db.execute("PRAGMA table_info(answers)") if row[1] not in {"n", "spec_n"}]
    texts = " + ".join(f"coalesce(length({column}), 0)" for column in columns)
    held, number = db.execute(f"SELECT sum({texts}), count(*) FROM answers").fetchone()  # noqa: S608 - our columns
    db.close()
    return path.stat().st_size, held, number


def ours(path: Path, words: Sequence[str]) -> Taken:
    """A command of the product over a store."""
    return _apart("ours", *words, "--store", str(path))


def peer(path: Path, form: str) -> Taken:
    """The same rows by the standard library: read, decoded, written, nothing escaped."""
    return _apart("peer", form, str(path))


def _apart(*words: str) -> Taken:
    done = subprocess.run(
        [sys.executable, __file__, *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Taken(**json.loads(done.stderr.splitlines()[-1]))


def _as_peer(form: str, path: str) -> None:
    def rows() -> Iterator[tuple[Any, ...]]:
        yield from sqlite3.connect(path).execute(_ROWS)

    fixed = 19
    if form == "jsonl":
        for row in rows():
            sys.stdout.write(json.dumps([*row[:fixed], json.loads(row[-1])]) + "\n")
        return
    names = sorted({name for row in rows() for name in json.loads(row[-1])})
    writer = csv.writer(sys.stdout)
    for row in rows():
        metrics = json.loads(row[-1])
        writer.writerow([*row[:fixed], *(metrics.get(name) for name in names)])


def _told() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    taken = {"cpu": used.ru_utime + used.ru_stime, "peak": peak_mebibytes()}
    print(json.dumps(taken), file=sys.stderr, flush=True)  # noqa: T201 - read by the parent


if __name__ == "__main__":
    if sys.argv[1] == "peer":
        _as_peer(*sys.argv[2:])
    else:
        from orchestrator.cli import main

        try:
            main(sys.argv[2:])
        except SystemExit as end:
            if end.code:
                raise
    _told()
