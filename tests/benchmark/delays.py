"""The part of the benchmark about delay: how soon what is there is seen, beside the best that can be had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import mean
from typing import Protocol

from measure import Figures
from optimum import arrived, optimum
from scenarios import MEDIANS, Scenario
from tables import Table

from orchestrator.simulator.settings import Settings

# Times the expected latency.
WRONG = (0.1, 1.0, 10.0)
PHASES = (57.0, 3.0, 23.0, 41.0)
RESERVE = 0.1


class Groups(Protocol):
    """Who runs scenarios, in groups by name."""

    def groups(self, scenarios: Mapping[str, Sequence[Scenario]]) -> dict[str, list[Figures]]:
        """Their figures."""


def allowed_looks(scenario: Scenario) -> float:
    """Looks at the sentinel of a test that both limits allow, where creations go on and nobody else spends.

    What the reserve and the creations leave, less one look for each other layer.
    """
    per_test = ((1.0 - RESERVE) * scenario.organization - scenario.instant) / scenario.instant
    return per_test - (scenario.layers - 1)


def best_delay(scenario: Scenario) -> float:
    """The least mean delay at these looks. Other layers are taken to be there when the sentinel is."""
    world = Settings()
    kinds = [
        arrived(median, world.sigma, world.shortest, world.longest, world.layer_extra)
        for median in MEDIANS.values()
    ]
    return optimum(kinds, allowed_looks(scenario)).delay


def phases(scenario: Scenario, runs: int) -> list[Scenario]:
    """The scenario begun at other seconds of a minute, then with other seeds."""
    return [
        replace(scenario, seed=scenario.seed + n // len(PHASES), phase=PHASES[n % len(PHASES)])
        for n in range(runs)
    ]


def answers(bench: Groups, *, quick: bool) -> list[Table]:
    """Delay beside the optimum, a wrong prior in an incident, silent agents."""
    large, runs = (500, 2) if quick else (1_000, 8)
    return [_beside_the_optimum(bench, large, runs), _incident(bench, runs), _silent(bench, runs)]


def _beside_the_optimum(bench: Groups, large: int, runs: int) -> Table:
    scenarios = {
        f"{tests} {layers} {aligned}": phases(Scenario("delay", tests, layers, aligned=aligned), times)
        for tests, times in ((100, 2 * runs), (large, max(1, runs // 2)))
        for layers in (1, 2)
        for aligned in (True, False)
    }
    rows = []
    for name, figures in bench.groups(scenarios).items():
        scenario, delay = scenarios[name][0], mean(each.delay for each in figures)
        best = best_delay(scenario)
        rows.append(
            (
                f"{scenario.tests:,}",
                str(scenario.layers),
                "aligned" if scenario.aligned else "anchored",
                str(len(figures)),
                f"{mean(each.looks for each in figures):.2f}",
                f"{delay:.2f}",
                f"{best:.2f}",
                f"{delay / best:.2f}",
                str(sum(each.own_429 for each in figures)),
            )
        )
    return Table(
        "Delay beside the optimum",
        "Nobody else spends. The optimum, by dynamic programming over the simulator's latencies, knows them "
        "from the start and has the looks that the limits allow while creations go on, evenly for all tests.",
        (
            *("tests", "layers", "windows", "runs", "looks / layer", "delay s", "optimum s"),
            *("delay / optimum", "own 429"),
        ),
        tuple(rows),
    )


def incident(layers: int, latency: float) -> Scenario:
    """Six tests in a world that is so many times slower than expected."""
    return Scenario("incident", 6, layers, latency=latency)


def _incident(bench: Groups, runs: int) -> Table:
    scenarios = {
        f"{layers} {latency}": phases(incident(layers, latency), 2 * runs)
        for layers in (1, 3)
        for latency in WRONG
    }
    rows = []
    for name, figures in bench.groups(scenarios).items():
        scenario = scenarios[name][0]
        rows.append(
            (
                f"{scenario.latency:g}",
                str(scenario.layers),
                str(len(figures)),
                f"{mean(each.first for each in figures):.1f}",
                f"{max(each.first for each in figures):.1f}",
                f"{mean(each.delay for each in figures):.1f}",
                f"{mean(each.looks for each in figures):.1f}",
                str(sum(each.own_429 for each in figures)),
            )
        )
    return Table(
        "Six tests, and latencies that were not expected",
        "Nothing was learned before. How long after it was there the first answer of all was stored.",
        (
            *("latency / expected", "layers", "runs", "first answer late s", "worst", "delay s"),
            *("looks / layer", "own 429"),
        ),
        tuple(rows),
    )


def silent_agents(silent: int, tests: int) -> Scenario:
    """Tests of 32 agents, of which some never answer; each test would wait for three minutes."""
    return Scenario("silent", tests, 3, agents=32, silent=silent, deadline=180.0)


def _silent(bench: Groups, runs: int) -> Table:
    scenarios = {
        f"{tests} {silent}": phases(silent_agents(silent, tests), max(1, runs // 2))
        for tests in (12, 42)
        for silent in (0, 2)
    }
    rows = [
        (
            str(scenarios[name][0].tests),
            f"{scenarios[name][0].silent} of {scenarios[name][0].agents}",
            str(len(figures)),
            f"{mean(each.makespan for each in figures):.0f}",
            f"{mean(each.looks for each in figures):.2f}",
            str(sum(each.own_429 for each in figures)),
        )
        for name, figures in bench.groups(scenarios).items()
    ]
    return Table(
        "Silent agents",
        "Three layers, a deadline of three minutes for each test; until the last answer is stored.",
        ("tests", "silent agents", "runs", "makespan s", "looks / layer", "own 429"),
        tuple(rows),
    )
