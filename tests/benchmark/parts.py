"""The parts of the benchmark: which scenarios, and what is shown of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

from connections import shares
from courtesy import polite_runs
from delays import answers
from measure import Figures, measure
from memory import AGENTS, measure_apart
from overhead import LAYERS, overhead
from peers import PEERS, Peer
from reading import COMMANDS, bytes_of, make_store, ours, peer
from rowcost import MANY, row_cost
from scenarios import Scenario
from soak import Soaked, soak, traced_soak
from tables import Table

from orchestrator.simulator.settings import Fault
from orchestrator.thousandeyes.client import KEEP_IDLE

OTHERS = 0.3
HOUR = 3600.0
# Four windows of creations, the last one full: the worst case for the end of a run.
FULL_LAST = 96
WINDOWS = (5.0, 10.0, 30.0, 60.0, 150.0, 300.0)
# The run begins so many seconds into a clock minute.
PHASES = (57.0, 3.0, 23.0, 41.0)
SLOW = (Fault("slow-headers", probability=0.3, value=2.0), Fault("slow-headers", probability=0.05, value=8.0))
LOST_LOOKS = (
    Fault("reset-after", "read", probability=0.03),
    Fault("silent-after", "read", probability=0.003),
)
LOST_CREATIONS = (Fault("reset-after", "create", probability=0.02),)
ERRORS = (
    Fault("502", probability=0.02),
    Fault("500-taken", "read", probability=0.01),
    Fault("no-limits", probability=0.02),
    Fault("malformed-limits", probability=0.01),
)
HEAD = (
    *("tests", "layers", "windows", "runs", "bound min", "makespan / bound", "worst", "/ any order"),
    *("own 429", "looks / layer", "delay s", "others refused"),
)


class Form(Enum):
    """How much is run."""

    QUICK = "quick"
    USUAL = "usual"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Bench:
    """A form, and how many processes may work at once."""

    form: Form
    jobs: int

    def run(self, work: Sequence[Callable[[], Figures]]) -> list[Figures]:
        """The figures of each, in order."""
        if self.jobs <= 1:
            return [each() for each in work]
        with ProcessPoolExecutor(self.jobs) as pool:
            return list(pool.map(_call, work))

    def groups(self, scenarios: Mapping[str, Sequence[Scenario]]) -> dict[str, list[Figures]]:
        """The orchestrator's figures by the name of the group."""
        flat = [partial(measure, scenario) for group in scenarios.values() for scenario in group]
        figures = iter(self.run(flat))
        return {name: [next(figures) for _ in group] for name, group in scenarios.items()}


def _call(work: Callable[[], Figures]) -> Figures:
    return work()


def sampled(scenario: Scenario, runs: int) -> list[Scenario]:
    """The scenario with other seeds and phases: each phase in turn, then the next seed."""
    return [
        replace(scenario, seed=scenario.seed + n // len(PHASES), phase=PHASES[n % len(PHASES)])
        for n in range(runs)
    ]


def summed(scenario: Scenario, figures: Sequence[Figures]) -> tuple[str, ...]:
    """A row of :data:`HEAD`."""
    return (
        f"{scenario.tests:,}",
        str(scenario.layers),
        "aligned" if scenario.aligned else "anchored",
        str(len(figures)),
        f"{mean(each.makespan / each.ratio for each in figures) / 60.0:.1f}",
        *_figures(figures),
    )


def _figures(figures: Sequence[Figures]) -> tuple[str, ...]:
    refused = mean(each.others_refused for each in figures)
    return (
        f"{mean(each.ratio for each in figures):.3f}",
        f"{max(each.ratio for each in figures):.3f}",
        f"{mean(each.any_order for each in figures):.3f}",
        f"{sum(each.own_429 for each in figures):,}",
        f"{mean(each.looks for each in figures):.2f}",
        f"{mean(each.delay for each in figures):.1f}",
        f"{100.0 * refused:.1f} %",
    )


def _sizes(form: Form) -> list[tuple[int, int]]:
    """Numbers of tests, each with how many runs."""
    return {
        Form.QUICK: [(100, 4)],
        Form.USUAL: [(FULL_LAST, 8), (100, 16), (1_000, 2)],
        Form.FULL: [(FULL_LAST, 16), (100, 16), (1_000, 2), (10_000, 1)],
    }[form]


def limits(bench: Bench) -> list[Table]:
    """Alone in the organization, default limits."""
    scenarios = {
        f"{tests} {layers} {aligned}": sampled(Scenario("alone", tests, layers, aligned=aligned), runs)
        for tests, runs in _sizes(bench.form)
        for layers in (1, 2, 3)
        for aligned in (True, False)
    }
    rows = [summed(scenarios[name][0], figures) for name, figures in bench.groups(scenarios).items()]
    return [
        Table(
            "Default limits, nobody else",
            "240 calls and 24 creations a minute; medians 18, 30 and 50 s by test type.",
            HEAD,
            tuple(rows),
        )
    ]


def lengths(bench: Bench) -> list[Table]:
    """Windows that are not a minute, which nothing announces."""
    runs = 2 if bench.form is Form.QUICK else 4
    scenarios = {
        f"{window} {aligned}": sampled(Scenario("window", 120, 2, aligned=aligned, window=window), runs)
        for window in WINDOWS
        for aligned in (True, False)
    }
    found = bench.groups(scenarios)
    rows = [(f"{group[0].window:g}", *summed(group[0], found[name])) for name, group in scenarios.items()]
    return [
        Table(
            "Windows of any length",
            "240 calls and 24 creations in a window, nobody else; only the Resets tell how long it is.",
            ("window s", *HEAD),
            tuple(rows),
        )
    ]


def troubles(bench: Bench) -> list[Table]:
    """Others spend, clocks are wrong, answers are late or lost, latencies are not as expected."""
    runs = 2 if bench.form is Form.QUICK else 8
    large = {Form.QUICK: 300, Form.USUAL: 1_000, Form.FULL: 1_000}[bench.form]
    few = 1 if bench.form is Form.QUICK else 2
    return [_others(bench, runs, large, few), _wrong(bench, runs, large, few)]


def _others(bench: Bench, runs: int, large: int, few: int) -> Table:
    scenarios = {
        f"{tests} {layers} {aligned}": sampled(
            Scenario("others", tests, layers, aligned=aligned, others=OTHERS), times
        )
        for tests, times in ((FULL_LAST, runs), (100, runs), (large, few))
        for layers in (1, 2, 3)
        for aligned in (True, False)
    }
    groups = bench.groups(scenarios)
    every = [each for figures in groups.values() for each in figures]
    per_thousand = 1000.0 * sum(each.own_429 for each in every) / sum(each.requests for each in every)
    return Table(
        "Others spend 30 % of the organization's calls",
        f"At random times, whatever we do. Own 429s per 1,000 requests, over all rows: {per_thousand:.2f}.",
        HEAD,
        tuple(summed(scenarios[name][0], figures) for name, figures in groups.items()),
    )


def _wrong(bench: Bench, runs: int, large: int, few: int) -> Table:
    small, big = Scenario("", 100, 3), Scenario("", large, 3)
    cases: dict[str, tuple[Scenario, int]] = {
        "nothing wrong": (small, runs),
        "our clock an hour ahead": (replace(small, clock_off=HOUR), runs),
        "our clock an hour behind": (replace(small, clock_off=-HOUR), runs),
        "latencies other than expected": (replace(small, prior_wrong=True), runs),
        f"nothing wrong, {large:,} tests": (big, few),
        "a third of the answers 2 s late, 5 % 8 s: overtaking": (replace(big, faults=SLOW), few),
        "3.3 % of the looks taken, their answers lost": (replace(big, faults=LOST_LOOKS), few),
        "2 % of the creations taken, their answers lost": (replace(big, faults=LOST_CREATIONS), few),
        "5 % errors of servers and proxies, headers missing": (replace(big, faults=ERRORS), few),
        "all of that, and others spend 30 %": (
            replace(
                big, faults=(*SLOW, *LOST_LOOKS, *LOST_CREATIONS, *ERRORS), others=OTHERS, clock_off=HOUR
            ),
            few,
        ),
    }
    groups = bench.groups({name: sampled(scenario, times) for name, (scenario, times) in cases.items()})
    rows = []
    for name, figures in groups.items():
        scenario = cases[name][0]
        missing = scenario.tests * scenario.layers * len(figures) - sum(each.complete for each in figures)
        rows.append((name, str(len(figures)), *_figures(figures), f"{missing:,}"))
    return Table(
        "Wrong clocks, late and lost answers",
        "Three layers, aligned windows. A lost creation is never repeated: its layers stay without answers.",
        ("what is wrong", "runs", *HEAD[5:], "layers without answers"),
        tuple(rows),
    )


def side_by_side(bench: Bench) -> list[Table]:
    """The same worlds, met in other ways."""
    sizes = (100,) if bench.form is Form.QUICK else (100, 1_000)
    scenarios = [
        Scenario("", tests, layers, aligned=False, others=others)
        for tests in sizes
        for layers in ((3,) if bench.form is Form.QUICK else (1, 3))
        for others in (0.0, OTHERS)
    ]
    work: list[Callable[[], Figures]] = []
    for scenario in scenarios:
        work.append(partial(measure, scenario))
        work += [partial(_peer, peer, scenario) for peer in PEERS]
    figures = iter(bench.run(work))
    rows = []
    for scenario in scenarios:
        for each in (next(figures) for _ in range(len(PEERS) + 1)):
            world = f"{scenario.tests:,} x {scenario.layers}" + (", others 30 %" if scenario.others else "")
            rows.append((world, each.client, *_peer_figures(each)))
    return [
        Table(
            "Side by side, in one run",
            "Anchored windows, one seed; peers look every 5 s. naive: 50 workers, exponential back-off. "
            "aiolimiter: the nominal limits in two leaky buckets. sdk policy: 50 workers, as the vendor's "
            "SDK one retry after the later reset.",
            (
                "world",
                "client",
                "makespan min",
                "/ bound",
                "own 429",
                "looks / layer",
                "delay s",
                "others refused",
            ),
            tuple(rows),
        )
    ]


def _peer(peer: type[Peer], scenario: Scenario) -> Figures:
    return peer(scenario).measure()


def _peer_figures(each: Figures) -> Iterable[str]:
    return (
        f"{each.makespan / 60.0:.1f}",
        f"{each.ratio:.3f}",
        f"{each.own_429:,}",
        f"{each.looks:.2f}",
        f"{each.delay:.1f}",
        f"{100.0 * each.others_refused:.1f} %",
    )


def cost(bench: Bench) -> list[Table]:
    """CPU per request beside a bare loop."""
    tests, rounds = (300, 2) if bench.form is Form.QUICK else (1_000, 3)
    costs = overhead(tests, rounds)
    least = costs[0].micros
    rows = tuple(
        (
            each.client,
            f"{each.creations:,}",
            f"{each.looks:,}",
            f"{each.micros:.0f}",
            f"{each.requests / each.cpu:,.0f}",
            f"{each.micros / least:.2f}",
        )
        for each in costs
    )
    return [
        Table(
            "CPU per request, real time, no limits",
            f"{tests:,} tests of {LAYERS} layers over loopback sockets; the API is another process. "
            f"Each client {rounds} times in turn, the least of its times.",
            ("client", "creations", "looks", "us / request", "requests / s of CPU", "ratio"),
            rows,
        ),
        _answers(*((100, 2) if bench.form is Form.QUICK else (300, 3))),
    ]


def _answers(tests: int, rounds: int) -> Table:
    each = row_cost(tests, rounds)
    return Table(
        "CPU per answer, real time, no limits",
        f"{tests:,} tests of {LAYERS} layers with {MANY} agents, less the same with one agent: from the "
        f"socket to the store and to the verdict. {rounds} times in turn, the least of the times.",
        ("answers", "us / answer", "json.loads of its row, us", "ratio"),
        ((f"{each.rows:,}", f"{each.answer:.1f}", f"{each.loads:.1f}", f"{each.ratio:.1f}"),),
    )


def connections(bench: Bench) -> list[Table]:
    """Which reads open a connection, by how long idle ones are kept."""
    keeps = (2.0, 15.0, 60.0, KEEP_IDLE)
    sizes = (300,) if bench.form is Form.QUICK else (100, 300, 1_000)
    rows = []
    for scenario in (Scenario("", tests, layers) for tests in sizes for layers in (1, 2, 3)):
        reads, found = shares(scenario, keeps)
        told = (f"{100.0 * found[keep]:.1f} %" for keep in keeps)
        rows.append((f"{scenario.tests:,}", str(scenario.layers), f"{reads:,}", *told))
    return [
        Table(
            "Reads that open a connection",
            "By the seconds that an idle one is kept, the last being the client's; a creation has its own.",
            ("tests", "layers", "reads", *(f"{keep:g} s" for keep in keeps)),
            tuple(rows),
        )
    ]


def memory(bench: Bench) -> list[Table]:
    """Peak memory by cells."""
    sizes = (1_000, 10_000) if bench.form is Form.QUICK else (1_000, 10_000, 100_000)
    rows = []
    for cells in sizes:
        each = measure_apart(cells)
        shown = (f"{value:.0f}" for value in (each.imported, each.stored, each.peak))
        rows.append((f"{each.cells:,}", f"{each.tests:,}", f"{each.requests:,}", *shown))
    return [
        Table(
            "Peak memory, MiB",
            f"{AGENTS} agents in a test, three layers, default limits, virtual time; the simulated world is "
            "in the same process and counts.",
            ("cells", "tests", "requests", "all imported", "plan stored", "peak of the run"),
            tuple(rows),
        )
    ]


def reading(bench: Bench) -> list[Table]:
    """The commands that only read, and the size of what they read."""
    few, many = (1_000, 10_000) if bench.form is Form.QUICK else (10_000, 100_000)
    with TemporaryDirectory() as folder:
        small, large, bad = (Path(folder) / name for name in ("small.db", "large.db", "bad.db"))
        make_store(small, few)
        make_store(large, many)
        make_store(bad, many, bad=True)
        return [_speed(small if few == 10_000 else large), _read_memory(small, large, bad, few, many)]


def _speed(path: Path) -> Table:
    start = min(ours(path, ("runs",)).cpu for _ in range(3))
    rows = []
    for form in ("csv", "jsonl"):
        mine = min(ours(path, ("results", "last", "--format", form)).cpu for _ in range(3))
        theirs = min(peer(path, form).cpu for _ in range(3))
        rows.append(
            (f"results --format {form}", *(f"{one:.2f}" for one in (mine, start, theirs, mine / theirs)))
        )
    size, held, number = bytes_of(path)
    about = (
        f"10,000 cells, {number:,} answers; least CPU of three times. The peer is sqlite3, json and csv "
        "over the same rows: nothing filtered, nothing escaped. The store has "
        f"{size / number:,.0f} bytes an answer, {size / held:.2f} of what its columns hold."
    )
    return Table(
        "Reading: CPU", about, ("command", "CPU s", "of it start", "peer CPU s", "ratio"), tuple(rows)
    )


def _read_memory(small: Path, large: Path, bad: Path, few: int, many: int) -> Table:
    rows = []
    for name, words in COMMANDS.items():
        one, two = ours(small, words).peak, ours(large, words)
        rows.append((name, f"{one:.0f}", f"{two.peak:.0f}", f"{two.peak / one:.2f}", f"{two.cpu:.1f}"))
    told = ours(bad, ("show", "last"))
    rows.append(("show, 1 cell of 200 fails", "", f"{told.peak:.0f}", "", f"{told.cpu:.1f}"))
    head = ("command", f"{few:,} cells", f"{many:,} cells", "ratio", f"CPU s at {many:,}")
    return Table("Reading: peak memory, MiB", "All cells pass, unless it is said.", head, tuple(rows))


def endurance(bench: Bench) -> list[Table]:
    """The soak."""
    each = soak({Form.QUICK: 500, Form.USUAL: 2_000, Form.FULL: 20_000}[bench.form])
    traced = traced_soak({Form.QUICK: 100, Form.USUAL: 500, Form.FULL: 1_000}[bench.form])
    held = ", ".join(f"{mebibytes:.1f}" for mebibytes in traced.memory)
    rows = (*_books(each), (f"the client's own MiB likewise, in a soak of {traced.tests:,} tests", held))
    return [
        Table(
            "Soak: every fault at once",
            "Virtual time, three layers, two agents a test, others spend 10 %. What the world and the wire "
            "witnessed, against what the store has.",
            ("book", "figure"),
            rows,
        )
    ]


def _books(each: Soaked) -> Iterable[tuple[str, str]]:
    ends = ", ".join(f"{state} {count:,}" for state, count in sorted(each.ends.items()))
    cells = ", ".join(f"{state} {count:,}" for state, count in sorted(each.cell_ends.items()))
    yield "tests planned = sum of their ends", f"{each.planned:,} = {ends}"
    yield "cells planned = sum of their ends", f"{each.cells_planned:,} = {cells}"
    yield "simulated hours, requests", f"{each.seconds / 3600.0:.1f}, {each.requests:,}"
    yield "tests created by the world", f"{each.created:,}"
    yield "of them created twice", f"{each.twice:,}"
    yield "of them neither followed nor unknown", f"{each.forgotten:,}"
    yield "rows that reached the client whole", f"{each.served:,}"
    yield "of them not in the store", f"{each.lost:,}"
    yield "429s, those that are faults included", f"{each.own_429:,}"
    yield (
        "MiB of the process at each quarter of the creations, world and witness included",
        ", ".join(f"{m:.0f}" for m in each.memory),
    )
    yield "verdict", "sound" if each.sound else "NOT SOUND"


PARTS: Mapping[str, Callable[[Bench], list[Table]]] = {
    "limits": limits,
    "windows": lengths,
    "delay": lambda bench: answers(bench, quick=bench.form is Form.QUICK),
    "courtesy": lambda bench: polite_runs(),
    "troubles": troubles,
    "peers": side_by_side,
    "overhead": cost,
    "connections": connections,
    "memory": memory,
    "reading": reading,
    "soak": endurance,
}
