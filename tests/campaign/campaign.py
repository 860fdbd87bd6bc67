"""Kills at random instants, over and over, and a witness of what was paid for.

``python tests/campaign/campaign.py --kills 300 [--seed N]``, and over many hosts
``python tests/campaign/campaign.py --store postgres --workers 3 --kills 100`` (see ``many_hosts``)

A simulated world runs as a process of its own. Runs and re-runs of a plan are started against it as real
command lines and killed with SIGKILL: at a random instant, or at a chosen one (between intention and POST,
between POST and outcome, in a store write, in a commit, in a migration). ``orchestrator resume last`` goes
on, and is killed again, until the run ends. After each run:

* the world has created every spec at most once, and re-run every test at most once
* every row that the world has of the run's tests is in the store, once, and no other row
* whatever was in the store at one kill is still there at the next, and the file is sound
* planned = the sum of the ends; unknown creations are said so, with exit code 3
* all else is equal to an undisturbed run: cells, verdicts, metrics

It prints its figures and what was violated, and exits with 1 if anything was.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

from process_world import Ended, World, damaged, ended, looked_at, stored_rows, sums

PLAN = """\
version: 1
name: campaign
agents:
  cloud: {type: cloud, country: [GB, FR]}
  branches: {type: enterprise, state: online}
targets:
  sites: ["https://one.example.com", "https://two.example.com", "https://fail.example.com"]
  hosts: ["slow.example.com:443", "fine.example.net:443"]
tests:
  - {name: web, type: http-server, targets: sites, agents: [cloud, branches],
     expect: ["http-server.responseCode == 200"], warn: ["network.avgLatency < 40"]}
  - {name: reach, type: agent-to-server, targets: hosts, agents: branches, path_details: true}
  - {name: dns, type: dns-server, targets: [example.com A, example.net MX], agents: cloud,
     options: {dnsServers: [ns1.example.com, ns2.example.com]}}
  - {name: trace, type: dns-trace, targets: [www.example.com A], agents: cloud}
  - {name: page, type: page-load, targets: ["https://one.example.com"], agents: cloud, path_details: true}
"""
# Half of the kills; the others come at a random instant of a process's life (seconds, the first half second
# is mostly imports).
LIFE = (0.45, 3.2)
POINTS = {
    "intend.before": 5,
    "intend.inside": 5,
    "intend.after": 5,  # the intention is durable, the POST has not left
    "post.during": 5,
    "post.after": 5,  # the answer came, its outcome is not stored
    "created.inside": 5,
    "created.after": 5,
    "read.after": 25,
    "add_answers.inside": 15,
    "add_answers.after": 15,
    "close_test.inside": 6,
    "close_test.after": 6,
    "create_run.inside": 1,
    "create_run.after": 1,
    "update_run.inside": 3,
    "set_baseline.inside": 4,
    "move.inside": 2,
    "write.inside": 40,
    "commit.during": 40,
}
MIGRATION = ("migration.inside", 14)
# After so many kills of one run it is left in peace, so that runs end.
MOST_KILLS = 9
RUNS_PER_STORE = 6
# Real seconds for one process; a run takes about six.
PATIENCE = 240.0

Facts = dict[tuple[Any, ...], tuple[Any, ...]]


@dataclass(slots=True)
class Figures:
    """What the campaign prints."""

    kills: int = 0
    processes: int = 0
    runs: int = 0
    reruns: int = 0
    creations: int = 0
    duplicates: int = 0
    rows: int = 0
    lost: int = 0
    unknown: int = 0
    seconds: float = 0.0
    points: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def table(self) -> str:
        """One line per figure."""
        rows = {
            "kills": self.kills,
            "processes": self.processes,
            "runs": self.runs,
            "of them re-runs": self.reruns,
            "creations and re-runs at the witness": self.creations,
            "duplicates": self.duplicates,
            "rows at the witness": self.rows,
            "lost answers": self.lost,
            "unknown outcomes": self.unknown,
            "violations": len(self.violations),
            "seconds": round(self.seconds),
        }
        width = max(map(len, rows))
        lines = [f"{name:<{width}}  {value:>7}" for name, value in rows.items()]
        points = ", ".join(f"{point} {times}" for point, times in sorted(self.points.items()))
        return "\n".join([*lines, f"killed at: {points}", *(f"VIOLATED: {what}" for what in self.violations)])


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to: cells and rows by what they are about, not by ids or times."""

    code: int
    cells: Facts
    rows: Facts
    states: dict[tuple[str, str], tuple[str, str | None]]  # (test, target): state, test id


_ROWS = """
    SELECT test, target, layer, agent_id, server, direction, status, answers.error, metrics
    FROM answers JOIN specs ON specs.n = spec_n JOIN runs ON runs.n = run_n WHERE runs.id = ?
"""
_CELLS = """
    SELECT test, target, agent_id, cells.state, verdict, reasons
    FROM cells JOIN specs ON specs.n = spec_n JOIN runs ON runs.n = run_n WHERE runs.id = ?
"""
_SPECS = """
    SELECT test, target, specs.state, test_id FROM specs JOIN runs ON runs.n = run_n WHERE runs.id = ?
"""


def result_of(store: Path, run: str, code: int) -> Result:
    """Read from the store as it is on the disk."""
    with looked_at(store) as db:
        rows, cells, specs = (db.execute(sql, (run,)).fetchall() for sql in (_ROWS, _CELLS, _SPECS))
    return Result(
        code,
        {row[:3]: row[3:] for row in cells},
        {row[:6]: row[6:] for row in rows},
        {row[:2]: row[2:] for row in specs},
    )


class Campaign:
    """One campaign in one world. ``figures`` grow as it goes on."""

    def __init__(self, world: World, rng: Random, kills: int, *, apis: tuple[str, ...], say: bool) -> None:
        self.world, self.rng, self.wanted, self.say = world, rng, kills, say
        self.apis = apis
        self.figures = Figures()
        self.plan = world.plan(PLAN)
        self._references: dict[tuple[str, bool], Result] = {}
        self._store = world.folder / "store-0" / "runs.db"
        self._seen: set[Any] = set()

    def run(self) -> Figures:
        """Until enough was killed."""
        began, number = time.monotonic(), 0
        for api in sorted(set(self.apis)):
            self._make_references(api)
        while self.figures.kills < self.wanted:
            if number % RUNS_PER_STORE == 0:
                self._store = self.world.folder / f"store-{number}" / "runs.db"
                self._seen = set()
            api = self.rng.choice(self.apis)
            self._one(("run", str(self.plan), "--api", api), api, again=False)
            if self.figures.kills < self.wanted and self.rng.random() < 0.35:
                self._one(("rerun", "last"), api, again=True)
            number += 1
        self._settle()
        self.figures.seconds = time.monotonic() - began
        return self.figures

    def _make_references(self, api: str) -> None:
        store = self.world.folder / f"reference-{api}" / "runs.db"
        for again, arguments in ((False, ("run", str(self.plan), "--api", api)), (True, ("rerun", "last"))):
            done = self.world.do(*arguments, "--json", store=store)
            reference = result_of(store, done.document["run"], done.code)
            states = {state for state, _ in reference.states.values()}
            if states != {"complete"} or done.code != 1:
                raise SystemExit(f"the undisturbed run is no reference: {states}\n{done}")
            self._references[api, again] = reference

    def _one(self, arguments: tuple[str, ...], api: str, *, again: bool) -> None:
        """One run to its end, however often it is killed."""
        before, kills = self._newest(), 0
        while True:
            going_on = self._newest() != before
            killed, done = self._process(
                ("resume", "last") if going_on else arguments, peace=kills >= MOST_KILLS
            )
            if not killed:
                break
            kills += 1
            self._after_kill()
        self.figures.runs += 1
        self.figures.reruns += again
        if self._newest() == before:
            self._violated(f"no run was stored by {arguments}: {done}")
            return
        self._check(done, self._references[api, again], again=again)
        if self.say:
            print(  # noqa: T201 - a command that talks
                f"{self.figures.kills:>4} kills, {self.figures.runs} runs, "
                f"{len(self.figures.violations)} violations",
                file=sys.stderr,
            )

    def _process(self, arguments: tuple[str, ...], *, peace: bool) -> tuple[bool, Ended]:
        """Start, kill perhaps; whether it was killed, and what it said."""
        self.figures.processes += 1
        point, delay = self._instant()
        options: dict[str, Any] = {"store": self._store}
        if point is not None and not peace:
            options["PROCESS_KILL"] = point
        process = self.world.start(*arguments, "--json", **options)
        if delay is not None and not peace and self.figures.kills < self.wanted:
            try:
                process.wait(delay)
            except subprocess.TimeoutExpired:
                process.kill()
        done = ended(process, PATIENCE)
        killed = done.code == -9
        if killed:
            self.figures.kills += 1
            self.figures.points["a random instant" if point is None else point.partition(":")[0]] += 1
        return killed, done

    def _instant(self) -> tuple[str | None, float | None]:
        """Where, or when, to kill the next process; neither once enough were killed."""
        if self.figures.kills >= self.wanted:
            return None, None
        if not self._store.exists() and self.rng.random() < 0.7:
            point, most = MIGRATION
        elif self.rng.random() < 0.5:
            return None, self.rng.uniform(*LIFE)
        else:
            point, most = self.rng.choice(list(POINTS.items()))
        return f"{point}:{self.rng.randint(1, most)}", None

    # -- what must hold -----------------------------------------------------------------------------

    def _newest(self) -> str | None:
        if not self._store.exists():
            return None
        with looked_at(self._store) as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone():
                return None
            found = db.execute("SELECT id FROM runs ORDER BY n DESC LIMIT 1").fetchone()
        return None if found is None else str(found[0])

    def _after_kill(self) -> None:
        """The file is sound, and what was there at an earlier kill is still there."""
        if self._newest() is None:
            return
        wrong = damaged(self._store)
        if wrong:
            self._violated(f"the store is damaged: {wrong}")
        rows = set(stored_rows(self._store))
        if not self._seen <= rows:
            self.figures.lost += len(self._seen - rows)
            self._violated(f"answers were lost: {sorted(self._seen - rows)[:3]}")
        self._seen = rows

    def _check(self, done: Ended, reference: Result, *, again: bool) -> None:
        if not done.out.startswith("{"):
            self._violated(f"no summary: {done}")
            return
        document = done.document
        for what in sums(document):
            self._violated(what)
        found = result_of(self._store, document["run"], done.code)
        unknown = {spec for spec, (state, _) in found.states.items() if state == "unknown"}
        if again:
            # A re-run whose request never left adds no round; its answers are missing, and it is said.
            reruns = Counter(entry["test_id"] for entry in self.world.witness()["reruns"])
            for spec, (_, test_id) in found.states.items():
                if reruns[str(test_id)] == 0:
                    unknown.add(spec)
        elif len(unknown) != document["tests"]["unknown"]:
            self._violated(f"{len(unknown)} unknown specs, but the summary says {document['tests']}")
        self.figures.unknown += len(unknown)
        # A re-run has the specs that have a test, which may be without those that fail.
        fails = any(cell[1] == "fail" for key, cell in reference.cells.items() if key[:2] in found.states)
        wanted = 3 if unknown else int(fails)
        if done.code != wanted:
            self._violated(f"exit code {done.code} instead of {wanted}: {done}")
        for spec, (state, _) in found.states.items():
            if spec not in unknown and state != "complete":
                self._violated(f"{spec} ended as {state} in {document['run']}: {done}")
        self._equal("cells", found.cells, reference.cells, unknown, found)
        self._equal("rows", found.rows, reference.rows, unknown, found)
        self._lost(found)

    def _equal(
        self, what: str, found: Facts, wanted: Facts, unknown: set[tuple[str, str]], run: Result
    ) -> None:
        """Equal but for the specs whose outcome is unknown, or that a re-run could not include."""
        skip = {key for key in wanted if key[:2] in unknown or key[:2] not in run.states}
        expected = {key: value for key, value in wanted.items() if key not in skip}
        actual = {key: value for key, value in found.items() if key[:2] not in unknown}
        if expected != actual:
            differing = [key for key in {*expected, *actual} if expected.get(key) != actual.get(key)]
            some = sorted(differing)[:3]
            shown = [(key, expected.get(key), actual.get(key)) for key in some]
            self._violated(f"{len(differing)} {what} differ from an undisturbed run's, such as {shown}")

    def _lost(self, found: Result) -> None:
        """Rows of the run's tests: those of the store against those of the witness."""
        tests = {test_id for state, test_id in found.states.values() if test_id and state == "complete"}
        stored = [row for row in stored_rows(self._store) if row[0] in tests]
        served = {row for row in self.world.rows() if row[0] in tests}
        self.figures.lost += len(served - set(stored))
        for what, rows in (("lost", served - set(stored)), ("invented", set(stored) - served)):
            if rows:
                self._violated(f"{len(rows)} answers were {what}, such as {min(rows)}")
        if len(stored) != len(set(stored)):
            self._violated("an answer is stored twice")

    def _settle(self) -> None:
        """Over the whole campaign: what the world was asked to pay for."""
        witness = self.world.witness()
        names = Counter(creation["name"] for creation in witness["creations"])
        # Every test is run again by at most one re-run here.
        reruns = Counter(entry["test_id"] for entry in witness["reruns"])
        self.figures.creations = names.total() + reruns.total()
        self.figures.rows = len(self.world.rows())
        self.figures.duplicates = sum(times - 1 for times in [*names.values(), *reruns.values()])
        if self.figures.duplicates:
            twice = [name for name, times in [*names.items(), *reruns.items()] if times > 1]
            self._violated(f"created more than once: {twice[:5]}")
        if witness["refused_429"]["own"]:
            self._violated(f"refused for going over a limit: {witness['refused_429']}")

    def _violated(self, what: str) -> None:
        self.figures.violations.append(what)
        if self.say:
            print(f"VIOLATED: {what}", file=sys.stderr)  # noqa: T201 - a command that talks


def _many_hosts(chosen: argparse.Namespace) -> int:
    from many_hosts import BLOWS, campaign  # noqa: PLC0415 - it needs the extra

    with tempfile.TemporaryDirectory(prefix="campaign-") as folder:
        figures = campaign(
            Path(folder),
            PLAN,
            workers=chosen.workers,
            blows=chosen.kills,
            seed=chosen.seed,
            speed=chosen.speed,
            say=not chosen.quiet,
            mutant="fence" if chosen.engine_off_fence else "",
            kinds=tuple(chosen.blows.split(",")) if chosen.blows else tuple(BLOWS),
        )
    print(figures.table())  # noqa: T201 - what the command is for
    return 1 if figures.violations else 0


def main() -> int:
    """0 if nothing was violated."""
    parser = argparse.ArgumentParser(description="Kills at random instants; see the module's docstring.")
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1, help="repeats the instants, as far as instants can be")
    parser.add_argument("--speed", type=float, default=20.0, help="of the clock that both sides share")
    parser.add_argument("--quiet", action="store_true", help="only the table")
    parser.add_argument("--apis", default="v7,v7,v6", help="which to choose from for each run")
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--workers", type=int, default=3, help="with --store postgres")
    parser.add_argument("--blows", default="", help="with --store postgres: only of these kinds, by commas")
    parser.add_argument("--engine-off-fence", action="store_true", help="a mutant that must be found out")
    chosen = parser.parse_args()
    if chosen.store == "postgres":
        return _many_hosts(chosen)
    with tempfile.TemporaryDirectory(prefix="campaign-") as folder:
        limits = {"organization_limit": 480, "instant_limit": 12}
        with World(Path(folder), speed=chosen.speed, network_delay=1.0, **limits) as world:
            apis = tuple(chosen.apis.split(","))
            figures = Campaign(
                world, Random(chosen.seed), chosen.kills, apis=apis, say=not chosen.quiet
            ).run()
    print(figures.table())  # noqa: T201 - what the command is for
    return 1 if figures.violations else 0


if __name__ == "__main__":
    sys.exit(main())
