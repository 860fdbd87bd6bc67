"""The campaign over PostgreSQL: several workers, random blows at them, at the database and at the engine.

``python tests/campaign/campaign.py --store postgres --workers 3 --kills 100``

Workers are real command lines against a simulated world and a real server. Runs are submitted all the time.
A blow is one of: kill -9 of a worker (a new one is started), SIGSTOP of a worker for longer than a lease
lasts, SIGTERM, a crash of the database with an outage of up to eight seconds, a backend that hangs until
the watchdog cuts it off, the end of all connections of the engine. When enough have fallen, everything is
left in peace; then

* every run has ended and has left the queue, and nobody holds it
* the world has created every spec at most once, and no request went over a limit
* every row that the world has of a complete test is in the store, once, and no other row
* planned = the sum of the ends; cells, verdicts and metrics are those of an undisturbed run
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import anyio
import psycopg
from postgres_server import PostgresServer, serving
from process_world import PATIENT, World
from stores import migrated

from orchestrator.actions import queueing
from orchestrator.plan.load import parse_plan
from orchestrator.queueing.values import Place
from orchestrator.settings import Settings
from orchestrator.store.opening import open_store
from orchestrator.worker.engine import install

ORGANIZATION = "acme"
# Runs that wait or run at any time, and how many of them a worker takes.
UNDER_WAY, WIDTH = 4, 2
# As ``process_command`` hastens workers: how long a lease lasts (seconds).
TENURE = 3.0
# Seconds: between blows, of an outage, of a backend that hangs (longer than the watchdog waits).
PAUSE, OUTAGE, HANG = (0.3, 2.5), (0.0, 8.0), 27.0
BLOWS = {"kill": 10, "stop": 5, "term": 3, "crash": 3, "engine": 3, "hang": 1}
# Real seconds in which what was left in peace comes to its end.
PATIENCE = 420.0
_STATES = ("complete", "incomplete")

Facts = dict[tuple[Any, ...], tuple[Any, ...]]
_ROWS = """
    SELECT test, target, layer, agent_id, server, direction, status, answers.error, metrics
    FROM answers JOIN specs ON specs.n = spec_n JOIN runs ON runs.n = run_n WHERE runs.id = %s
"""
_CELLS = """
    SELECT test, target, agent_id, cells.state, verdict, reasons
    FROM cells JOIN specs ON specs.n = spec_n JOIN runs ON runs.n = run_n WHERE runs.id = %s
"""
_SPECS = """
    SELECT test, target, specs.state, test_id FROM specs JOIN runs ON runs.n = run_n WHERE runs.id = %s
"""
_STORED = """
    SELECT test_id, layer, agent_id, round_id, server FROM answers JOIN specs ON specs.n = spec_n
    JOIN runs ON runs.n = run_n WHERE layer <> 'path-vis-detail' AND runs.id = %s
"""


@dataclass(slots=True)
class Figures:
    """What the campaign prints."""

    blows: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    orphaned: int = 0
    takeovers: int = 0
    creations: int = 0
    duplicates: int = 0
    rows: int = 0
    lost: int = 0
    own_429: int = 0
    unknown: int = 0
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)

    def table(self) -> str:
        """One line per figure."""
        rows = {
            "blows": self.blows.total(),
            "runs": self.runs,
            "orphaned runs": self.orphaned,
            "attempts beyond the first": self.takeovers,
            "creations at the witness": self.creations,
            "duplicates": self.duplicates,
            "rows at the witness": self.rows,
            "lost answers": self.lost,
            "own 429": self.own_429,
            "unknown outcomes": self.unknown,
            "violations": len(self.violations),
            "seconds": round(self.seconds),
        }
        width = max(map(len, rows))
        lines = [f"{name:<{width}}  {value:>7}" for name, value in rows.items()]
        blows = ", ".join(f"{blow} {times}" for blow, times in sorted(self.blows.items()))
        return "\n".join([*lines, f"blows: {blows}", *(f"VIOLATED: {what}" for what in self.violations)])


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to, by what it is about and not by ids or times."""

    code: int | None
    state: str
    cells: Facts
    rows: Facts
    states: dict[tuple[str, str], tuple[str, str | None]]


class ManyHosts:
    """One campaign. ``fence``: without it the mutant that the witness must tell of."""

    def __init__(
        self,
        world: World,
        server: PostgresServer,
        url: str,
        rng: Random,
        *,
        say: bool,
        mutant: str = "",
        kinds: tuple[str, ...] = tuple(BLOWS),
    ) -> None:
        self.world, self.server, self.url, self.rng = world, server, url, rng
        self.say, self.mutant, self.kinds = say, mutant, kinds
        self.figures = Figures()
        self._workers: dict[int, subprocess.Popen[str]] = {}
        self._logs: dict[int, Path] = {}
        self._submitted: list[str] = []
        self._number = 0

    def run(self, workers: int, blows: int, plan: str) -> Figures:
        """Until enough blows have fallen, and all runs have ended."""
        began = time.monotonic()
        # The clocks of runs go on while a database is away.
        plan = plan.replace("- {name:", f"- {{deadline: {PATIENT}, name:") + f"deadline: {PATIENT}\n"
        try:
            for _ in range(workers):
                self._start_worker()
            reference = self._reference(plan)
            while self.figures.blows.total() < blows:
                self._fill(plan)
                time.sleep(self.rng.uniform(*PAUSE))
                weights = [BLOWS[kind] for kind in self.kinds]
                self._blow(self.rng.choices(self.kinds, weights=weights)[0])
            self._await_all()
        finally:
            for process in self._workers.values():
                process.kill()
                process.wait()
        self._check(reference)
        self.figures.seconds = time.monotonic() - began
        return self.figures

    # -- runs -----------------------------------------------------------------------------------------

    def _reference(self, plan: str) -> Result:
        self._submit(plan)
        self._await_all()
        found = self._result(self._submitted[0])
        states = {state for state, _ in found.states.values()}
        if found.code != 1 or states != {"complete"}:
            raise SystemExit(f"the undisturbed run is no reference: {found.code} {states}\n{self._told()}")
        return found

    def _fill(self, plan: str) -> None:
        with suppress(psycopg.OperationalError):
            for _ in range(UNDER_WAY - self._open()):
                self._submit(plan)

    def _submit(self, plan: str) -> None:
        number = len(self._submitted) % UNDER_WAY
        text = plan.replace("name: campaign", f"name: campaign-{number}", 1)
        settings = Settings(origin=self.world.origin, store=self.url, organization=ORGANIZATION)

        async def work() -> str:
            async with open_store(self.url) as opened:
                read = parse_plan(text, "plan.yaml", None, environ={})
                return (await queueing.submit(opened, read, settings, Place(ORGANIZATION))).id

        self._submitted.append(anyio.run(work))

    def _open(self) -> int:
        return int(self._ask("SELECT count(*) FROM queue WHERE ended IS NULL")[0][0])

    def _await_all(self) -> None:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            for number, process in list(self._workers.items()):
                if process.poll() is not None:
                    self._told_end(number, process)
                    self._start_worker()
            with suppress(psycopg.OperationalError):
                if self._open() == 0:
                    return
            time.sleep(0.5)

    # -- blows ----------------------------------------------------------------------------------------

    def _blow(self, blow: str) -> None:
        getattr(self, f"_blow_{blow}")()
        self.figures.blows[blow] += 1
        for number, process in list(self._workers.items()):
            if process.poll() is not None:
                self._told_end(number, process)
                self._start_worker()
        if self.say:
            print(f"{self.figures.blows.total():>4} {blow}, {len(self._submitted)} runs", file=sys.stderr)  # noqa: T201 - a command that talks

    def _blow_kill(self) -> None:
        number = self.rng.choice(list(self._workers))
        process = self._workers.pop(number)
        process.kill()
        process.wait()
        self._start_worker()

    def _blow_term(self) -> None:
        number = self.rng.choice(list(self._workers))
        self._workers.pop(number).terminate()
        self._start_worker()

    def _blow_stop(self) -> None:
        process = self._workers[self.rng.choice(list(self._workers))]
        process.send_signal(signal.SIGSTOP)
        time.sleep(TENURE * self.rng.uniform(0.5, 2.5))
        process.send_signal(signal.SIGCONT)

    def _blow_crash(self) -> None:
        self.server.stop(signal.SIGQUIT)
        time.sleep(self.rng.uniform(*OUTAGE))
        self.server.start()

    def _blow_engine(self) -> None:
        self._ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'w-%%'")

    def _blow_hang(self) -> None:
        found = self._ask("SELECT pid FROM pg_stat_activity WHERE application_name = 'orchestrator'")
        if not found:
            return
        pid = int(self.rng.choice(found)[0])
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(HANG)
            os.kill(pid, signal.SIGCONT)

    def _start_worker(self) -> None:
        self._number += 1
        number = self._number
        log = self._logs[number] = self.world.folder / f"worker-{number}.log"
        with log.open("w") as stream:
            self._workers[number] = self.world.start(
                *("worker", "--name", f"w-{number}", "--concurrency", str(WIDTH), "--listen", "off"),
                *("--store", self.url, "--grace", "5"),
                PROCESS_HASTE=f"{TENURE} {self.mutant}",
                stdout=stream,
                stderr=stream,
            )

    def _told_end(self, number: int, process: subprocess.Popen[str]) -> None:
        del self._workers[number]
        self._violated(f"a worker ended by itself with {process.returncode}: {self._log(number)}")

    # -- what must hold -------------------------------------------------------------------------------

    def _ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        options = "-c search_path=orchestrator"
        with psycopg.connect(self.url, autocommit=True, options=options) as db:
            return db.execute(sql.encode(), values or None).fetchall()

    def _result(self, run: str) -> Result:
        ((code, state),) = self._ask("SELECT exit_code, state FROM runs WHERE id = %s", run)
        rows, cells, specs = (self._ask(sql, run) for sql in (_ROWS, _CELLS, _SPECS))
        return Result(
            code,
            state,
            {row[:3]: row[3:] for row in cells},
            {row[:6]: row[6:] for row in rows},
            {row[:2]: (row[2], row[3]) for row in specs},
        )

    def _check(self, reference: Result) -> None:
        figures = self.figures
        figures.runs = len(self._submitted)
        left = self._ask("SELECT run, attempts, reason FROM queue WHERE ended IS NULL ORDER BY run")
        figures.orphaned = len(left)
        if left:
            self._violated(f"{len(left)} runs have not ended: {left[:5]}\n{self._told()}")
        ((figures.takeovers,),) = self._ask("SELECT coalesce(sum(attempts - 1), 0)::int FROM queue")
        served = self.world.rows()
        open_runs = {run for run, *_ in left}
        for run in self._submitted:
            if run not in open_runs:
                self._check_run(run, reference, served)
        for number, log in self._logs.items():
            if "defect" in log.read_text("utf-8", "replace"):
                self._violated(f"a defect: {self._log(number)}")
        witness = self.world.witness()
        names = Counter(creation["name"] for creation in witness["creations"])
        figures.creations, figures.rows = names.total(), len(served)
        figures.duplicates = sum(times - 1 for times in names.values())
        figures.own_429 = int(witness["refused_429"]["own"])
        if figures.duplicates:
            twice = [name for name, times in names.items() if times > 1]
            self._violated(f"created more than once: {twice[:5]}")
        if figures.own_429:
            self._violated(f"refused for going over a limit: {witness['refused_429']}")

    def _check_run(self, run: str, reference: Result, served: set[tuple[str, str, str, int, str]]) -> None:
        found = self._result(run)
        if found.state not in _STATES:
            self._violated(f"run {run} was left as {found.state}, exit code {found.code}")
            return
        unknown = {spec for spec, (state, _) in found.states.items() if state == "unknown"}
        self.figures.unknown += len(unknown)
        wanted = 3 if unknown else 1
        if found.code != wanted:
            self._violated(f"run {run} has exit code {found.code} instead of {wanted}: {found.states}")
        if found.states.keys() != reference.states.keys():
            self._violated(f"run {run} has other specs than were planned")
        for spec, (state, _) in found.states.items():
            if spec not in unknown and state != "complete":
                self._violated(f"{spec} of {run} ended as {state}")
        self._equal(run, "cells", found.cells, reference.cells, unknown)
        self._equal(run, "rows", found.rows, reference.rows, unknown)
        tests = {test for state, test in found.states.values() if test and state == "complete"}
        stored = self._ask(_STORED, run)
        mine = {row for row in served if row[0] in tests}
        lost = mine - set(stored)
        self.figures.lost += len(lost)
        for what, rows in (("lost", lost), ("invented", {row for row in stored if row[0] in tests} - mine)):
            if rows:
                self._violated(f"{len(rows)} answers of {run} were {what}, such as {min(rows)}")

    def _equal(self, run: str, what: str, found: Facts, wanted: Facts, unknown: set[tuple[str, str]]) -> None:
        expected = {key: value for key, value in wanted.items() if key[:2] not in unknown}
        actual = {key: value for key, value in found.items() if key[:2] not in unknown}
        if expected != actual:
            differing = sorted(key for key in {*expected, *actual} if expected.get(key) != actual.get(key))
            shown = [(key, expected.get(key), actual.get(key)) for key in differing[:2]]
            self._violated(f"{len(differing)} {what} of {run} differ from an undisturbed run's: {shown}")

    def _log(self, number: int) -> str:
        return self._logs[number].read_text("utf-8", "replace")[-1500:]

    def _told(self) -> str:
        return "\n".join(f"--- worker {number}\n{self._log(number)}" for number in self._workers)

    def _violated(self, what: str) -> None:
        self.figures.violations.append(what)
        if self.say:
            print(f"VIOLATED: {what}", file=sys.stderr)  # noqa: T201 - as above


def campaign(
    folder: Path,
    plan: str,
    *,
    workers: int,
    blows: int,
    seed: int,
    speed: float,
    say: bool,
    mutant: str = "",
    kinds: tuple[str, ...] = tuple(BLOWS),
) -> Figures:
    """Serve a world and a database, and run the campaign over both."""
    limits = {"organization_limit": 480, "instant_limit": 12}
    with (
        serving(durable=True) as server,
        World(folder, speed=speed, network_delay=1.0, **limits) as world,
    ):
        url = server.create(migrated, named="store")
        anyio.run(install, url)
        hosts = ManyHosts(world, server, url, Random(seed), say=say, mutant=mutant, kinds=kinds)
        return hosts.run(workers, blows, plan)
