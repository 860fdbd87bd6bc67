"""A new kind of test with a new layer is an entry in the table (and in the simulator's own), nothing else."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import anyio
import pytest
import simulated_run
from simulated_run import Ran, check_promises, virtual_run

from orchestrator.model import CellState, Verdict
from orchestrator.records import StoredAnswer
from orchestrator.report.results import result_object
from orchestrator.simulator import catalog, fields, results, settings, v6, v6_shapes
from orchestrator.simulator.settings import Settings as World
from orchestrator.terminal.results import write_table
from orchestrator.testtypes import LAYERS, TEST_TYPES, Layer, layers_of, shape
from orchestrator.testtypes import options as o
from orchestrator.testtypes.layers import COUNT, MS, V6Data
from orchestrator.verdict.expect import ExpectationInvalid, parse_expectation

TYPE, LAYER = "clock-check", "clock"

PLAN = """
version: 1
name: made up
api: {api}
agents: {{here: {{id: ["3", "5", "8"]}}}}
tests:
  - name: clocks
    type: clock-check
    targets: ["https://time.example.com", "https://spare.example.com"]
    agents: here
    options: {{samples: 4}}
    layers: [clock, network]
    expect: ["clock.offset < 1 s", "network.loss <= 100"]
    warn: ["clock.stratum < 2"]
"""


def behind(table: Mapping[str, Any]) -> dict[str, Any]:
    """The dictionary that a read-only table shows."""
    if not isinstance(table, MappingProxyType):
        assert isinstance(table, dict)
        return table
    (found,) = (one for one in gc.get_referents(table) if isinstance(one, dict))
    return found


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The type in the table, and in the simulator's."""
    kind = shape.TestType(
        name=TYPE,
        v6_name=TYPE,
        bare="url",
        options=MappingProxyType(
            {
                option.name: option
                for option in (
                    o.URL,
                    o.whole("samples", "How often to ask.", 1, 10, default=4),
                    *o.COMMON,
                )
            }
        ),
        layers=(LAYER, "network"),
    )
    layer = Layer(
        LAYER,
        {"offset": MS, "stratum": COUNT},
        evidence=frozenset({"offset"}),
        median=12.0,
        v6=V6Data("net/clock", "net", "clock"),
    )
    monkeypatch.setitem(behind(TEST_TYPES), TYPE, kind)
    monkeypatch.setitem(behind(LAYERS), LAYER, layer)
    web = behind(fields.FIELDS)["http-server"]
    rules = {name: web[name] for name in ("testName", "agents", "url")}
    monkeypatch.setitem(behind(fields.FIELDS), TYPE, {**rules, "samples": fields.whole(1, 10)})
    monkeypatch.setitem(behind(catalog.LAYERS), TYPE, (LAYER, "network"))
    monkeypatch.setitem(behind(catalog.ERROR_FIELDS), LAYER, ("errorType", "errorDetails"))
    monkeypatch.setitem(behind(settings.MEDIANS), TYPE, 12.0)
    monkeypatch.setitem(behind(v6_shapes.DATA), LAYER, ("net/clock", "net", "clock"))
    # The witness of what was served has a table of its own, on purpose.
    monkeypatch.setitem(simulated_run._V6_LAYERS, ("net", "clock"), (LAYER, ("net", "clock")))
    # Read from the entries above when the simulator is loaded.
    monkeypatch.setitem(behind(v6._TYPES), TYPE, TYPE)
    monkeypatch.setitem(behind(v6._LAYERS), "net/clock", LAYER)
    monkeypatch.setitem(behind(results._LAYERS), LAYER, lambda _scene, rng: measured(rng.random()))
    parse_expectation.cache_clear()
    yield
    parse_expectation.cache_clear()


def measured(share: float) -> dict[str, float]:
    return {"offset": round(900 * share, 3), "stratum": 3}


def test_the_made_up_type_is_not_there_by_itself() -> None:
    assert TYPE not in TEST_TYPES
    with pytest.raises((ExpectationInvalid, KeyError)):
        parse_expectation("clock.offset < 1 s", TYPE)


@pytest.mark.parametrize("api", ["v7", "v6"])
@pytest.mark.usefixtures("made_up")
def test_a_plan_with_it_is_created_polled_judged_and_shown(api: str, tmp_path: Path) -> None:
    assert layers_of(TYPE, {"networkMeasurements": False}) == (LAYER,)
    ran = run(api, tmp_path)
    check_promises(ran)
    assert ran.code == 0
    assert {cell.state for cell in ran.cells} == {CellState.ANSWERED}
    assert {cell.verdict for cell in ran.cells} == {Verdict.WARN}
    assert {reason for cell in ran.cells for reason in cell.reasons} == {"clock.stratum 3, expected < 2"}
    rows = [row for row in ran.answers if row.answer.layer == LAYER]
    assert len(rows) == 2 * 3
    assert all(set(row.answer.metrics) == {"offset", "stratum"} for row in rows)
    assert result_object("RUN", rows[0])["layer"] == LAYER


@pytest.mark.parametrize("api", ["v7", "v6"])
@pytest.mark.usefixtures("made_up")
def test_its_failures_are_error_rows(api: str, tmp_path: Path) -> None:
    ran = run(api, tmp_path, error_rate=1.0)
    rows = [row.answer for row in ran.answers if row.answer.layer == LAYER]
    assert len(rows) == 2 * 3
    assert all(row.error and not row.metrics for row in rows)
    assert {cell.verdict for cell in ran.cells} == {Verdict.FAIL}


@pytest.mark.usefixtures("made_up")
def test_a_table_shows_its_units(tmp_path: Path) -> None:
    ran = run("v7", tmp_path)

    async def rows() -> AsyncIterator[StoredAnswer]:
        for row in ran.answers:
            yield row

    lines: list[str] = []
    anyio.run(write_table, rows, lines.append)
    assert any("offset" in line and " ms, stratum 3" in line for line in lines)


def run(api: str, folder: Path, **world: Any) -> Ran:
    return virtual_run(PLAN.format(api=api), World(seed=7, **world), store=folder / "store.db")
