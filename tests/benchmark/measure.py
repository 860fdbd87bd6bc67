"""One measured run: makespan over the bound, own 429s, looks, delay, what others suffered."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bounds import lower_bound
from scenarios import Scenario
from virtual_time import run_virtual
from virtual_world import Ran, run_in_virtual_time

from orchestrator.simulator.service import Service


@dataclass(frozen=True, slots=True)
class Figures:
    """``ratio`` is over the bound in the order of creation, ``any_order`` over the clairvoyant one.

    ``looks`` per layer; ``delay`` is the mean of seconds from "the answer exists" to "it is stored";
    ``others_refused`` is the share of the other users' requests that met a 429; ``real`` is seconds of CPU;
    ``first`` is the delay of the first answer of all.
    """

    client: str
    scenario: str
    makespan: float
    ratio: float
    any_order: float
    own_429: int
    requests: int
    looks: float
    delay: float
    others_refused: float
    complete: int
    real: float
    first: float = 0.0


def measure(scenario: Scenario) -> Figures:
    """Run the orchestrator in the scenario."""
    service = scenario.world()
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:

        async def work() -> Ran:
            return await run_in_virtual_time(
                scenario.specs(),
                service,
                Path(folder) / "o.db",
                phase=scenario.phase,
                client_clock_off=scenario.clock_off,
                seed=scenario.seed,
            )

        ran = run_virtual(work)
    stored = ran.store.stored_at
    return figures(
        "orchestrator",
        scenario,
        service,
        began=ran.began,
        stored=stored,
        real=time.process_time() - began,
    )


def figures(
    client: str,
    scenario: Scenario,
    service: Service,
    *,
    began: float,
    stored: Mapping[tuple[str, str], float],
    real: float,
) -> Figures:
    """What the witness and the store's times say. ``stored`` is by key and layer, epoch seconds."""
    tests = sorted(service.world.tests.values(), key=lambda test: test.created)
    specs = {spec.key[:8]: spec for spec in scenario.specs()}
    witness = service.witness()
    keys = {str(made["test_id"]): str(made["name"])[-9:-1] for made in witness["creations"]}
    answers: list[float] = []
    delays: list[float] = []
    latencies: list[float] = []
    for test in tests:
        spec = specs[keys[str(test.id)]]
        ready = [service.world.complete_at(test, layer, 1) or test.created for layer in spec.layers]
        answers += ready
        latencies.append(max(ready) - test.created)
        delays += [
            stored[spec.key, layer] - at
            for layer, at in zip(spec.layers, ready, strict=True)
            if (spec.key, layer) in stored
        ]
    length = scenario.window
    bound = {
        "aligned": scenario.aligned,
        "phase": scenario.phase % length,
        "instant": scenario.instant,
        "window": length,
    }
    left = scenario.organization * (1.0 - scenario.others)
    ordered = lower_bound(latencies, scenario.layers, organization=left, **bound)  # type: ignore[arg-type] # as named
    best = lower_bound(sorted(latencies, reverse=True), scenario.layers, organization=left, **bound)  # type: ignore[arg-type] # as named
    makespan = max(stored.values(), default=began) - began
    refused, requests, others = witness["refused_429"], witness["requests"], witness["others"]
    taken = others["taken"] + others["refused"]
    return Figures(
        client=client,
        scenario=scenario.name,
        makespan=makespan,
        ratio=makespan / ordered,
        any_order=makespan / best,
        own_429=refused["own"],
        requests=sum(requests.values()),
        looks=requests.get("read", 0) / (scenario.tests * scenario.layers),
        delay=sum(delays) / max(1, len(delays)),
        others_refused=others["refused"] / taken if taken else 0.0,
        complete=len(stored),
        real=real,
        first=min(stored.values(), default=began) - min(answers, default=began),
    )
