"""Paths as sets: load balancing is invisible, another network is told, an earlier end too."""

from __future__ import annotations

import random

import pytest
from builders import make_answer

from orchestrator.compare.routes import rerouted, route_of
from orchestrator.compare.values import NO_ROUTE, Route
from orchestrator.model import Answer, Hop, Path
from orchestrator.testtypes.layers import DETAILS, PATHS

WAYS = (("10.0.0.1", "10.0.1.1", "10.0.2.1", "10.0.9.1"), ("10.0.0.1", "10.0.1.2", "10.0.2.2", "10.0.9.1"))
NETWORKS = ("AS 1", "AS 1", "AS 2", "AS 3")


def trace(
    way: tuple[str, ...], networks: tuple[str, ...] = NETWORKS, silent: frozenset[int] = frozenset()
) -> Path:
    """One trace; hops that are ``silent`` did not answer."""
    hops = (
        Hop(number, None if number in silent else address, network=None if number in silent else network)
        for number, (address, network) in enumerate(zip(way, networks, strict=True), start=1)
    )
    return Path(None, tuple(hops))


def rows(*traces: Path, reached: bool = True) -> list[Answer]:
    """The rows of a cell with these traces."""
    metrics = {"pathTraces": len(traces), "numberOfHops": 4, **({"responseTime": 20.0} if reached else {})}
    return [make_answer(PATHS.name, metrics=metrics), make_answer(DETAILS, metrics={}, paths=traces)]


def route(*traces: Path, reached: bool = True) -> Route:
    return route_of(rows(*traces, reached=reached))


def test_a_cell_without_hops_has_no_route() -> None:
    assert route_of([make_answer()]) == NO_ROUTE
    assert rerouted(NO_ROUTE, [route(trace(WAYS[0]))]) is None
    assert rerouted(route(trace(WAYS[0])), [NO_ROUTE]) is None


def test_equal_neighbours_are_folded_and_silent_hops_skipped() -> None:
    assert route(trace(WAYS[0])).networks == {("AS 1", "AS 2", "AS 3")}
    assert route(trace(WAYS[0], silent=frozenset({1}))).networks == {("AS 1", "AS 2", "AS 3")}


def test_two_runs_over_load_balanced_paths_with_silent_hops_are_the_same() -> None:
    lot, changed = random.Random(4), 0

    def seen() -> Route:
        silent = (frozenset(n for n in range(1, 5) if lot.random() < 0.1) for _ in range(3))
        return route(*(trace(lot.choice(WAYS), silent=one) for one in silent))

    for _ in range(400):
        found = rerouted(seen(), [seen(), seen()])
        assert found is not None
        changed += found.networks or found.hops or found.longer or found.ends is not None
    assert changed <= 2, "at most 0.5 %"


def test_a_path_through_another_network_is_told_and_is_nothing_worse() -> None:
    other = route(trace(WAYS[0], ("AS 1", "AS 7", "AS 7", "AS 3")))
    found = rerouted(other, [route(trace(WAYS[0]))])
    assert found is not None
    assert found.networks
    assert [*found.told] == ["goes through other networks"]


def test_a_path_that_ends_before_its_target_tells_where() -> None:
    ends = route(trace(WAYS[0][:2], NETWORKS[:2]), reached=False)
    found = rerouted(ends, [route(trace(WAYS[0]))])
    assert found is not None
    assert [*found.told] == ["ends at 10.0.1.1, before at its target"]
    never = rerouted(ends, [ends])
    assert never is not None
    assert never.ends is None


@pytest.mark.parametrize(("hops", "longer"), [(4, False), (6, False), (7, True), (9, True)])
def test_a_path_is_of_another_length_from_three_hops_on(hops: int, longer: bool) -> None:
    way = tuple(f"10.0.{n}.1" for n in range(hops))
    usual = tuple(f"10.0.{n}.1" for n in range(4))
    found = rerouted(route(trace(way, ("AS 1",) * hops)), [route(trace(usual, ("AS 1",) * 4))])
    assert found is not None
    assert found.longer is longer
