"""Runs for Prometheus: what its own checker and its own parser take, bounded, the last run of each plan."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from anyio import run_process
from kept_runs import ended_run
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.actions.reading import report
from orchestrator.errors import MissingExtra
from orchestrator.report import prometheus
from orchestrator.store.opening import Opened, open_store

Samples = dict[str, list[tuple[dict[str, str], float]]]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opened]:
    async with open_store(str(tmp_path / "store.db")) as found:
        yield found


async def text_of(opened: Opened, run: str = "last") -> str:
    return (await report(opened, run, "prometheus", now=1_700_000_100.0)).decode()


def samples(text: str) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge", family.name
        assert family.documentation.endswith("."), family.name
        for one in family.samples:
            found.setdefault(one.name, []).append((one.labels, one.value))
    return found


async def test_a_run_is_told_in_base_units_with_its_cells(opened: Opened) -> None:
    await ended_run(opened.store, "6500000000000001", specs=2)
    found = samples(await text_of(opened))
    assert found["orchestrator_run_exit_code"] == [({"plan": "sweep"}, 0.0)]
    assert {(one["state"], value) for one, value in found["orchestrator_run_cells"]} >= {("answered", 4.0)}
    assert len(found["orchestrator_cell_passing"]) == 4
    assert {value for _, value in found["orchestrator_cell_duration_seconds"]} == {0.12}
    labels = found["orchestrator_cell_duration_seconds"][0][0]
    assert {*labels} == {"plan", "test", "type", "target", "agent", "agent_id", "country"}
    assert found["orchestrator_cells_untold"] == [({"plan": "sweep"}, 0.0)]
    assert not any(one["state"] == "planned" for one, _ in found["orchestrator_run_cells"]), (
        "sums are not parts"
    )


async def test_the_last_run_of_each_plan_is_there_and_no_earlier_one(opened: Opened) -> None:
    for number, plan in enumerate(("one", "two", "one", "two"), 1):
        await ended_run(opened.store, f"650000000000000{number}", plan=plan, specs=1)
    infos = samples(await text_of(opened))["orchestrator_run_info"]
    assert {(one["plan"], one["run"]) for one, _ in infos} == {
        ("one", "6500000000000003"),
        ("two", "6500000000000004"),
    }
    asked = samples(await text_of(opened, "6500000000000002"))["orchestrator_run_info"]
    assert {(one["plan"], one["run"]) for one, _ in asked} == {
        ("one", "6500000000000003"),
        ("two", "6500000000000002"),
    }


async def test_cells_beyond_the_cap_are_counted(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "MOST_CELLS", 3)
    await ended_run(opened.store, "6500000000000001", specs=4)
    found = samples(await text_of(opened))
    assert len(found["orchestrator_cell_passing"]) == 3
    assert found["orchestrator_cells_untold"] == [({"plan": "sweep"}, 5.0)]


async def test_data_of_others_stays_in_its_label(opened: Opened) -> None:
    hostile = 'a"} 1\norchestrator_run_exit_code{plan="x'
    await ended_run(opened.store, "6500000000000001", plan=hostile, specs=1)
    found = samples(await text_of(opened))
    assert [one["plan"] for one, _ in found["orchestrator_run_exit_code"]] == [hostile]


async def test_a_label_has_an_end(opened: Opened) -> None:
    await ended_run(opened.store, "6500000000000001", plan="p" * 5000, specs=1)
    assert max(map(len, (await text_of(opened)).splitlines())) < 2_000


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
async def test_the_checker_of_prometheus_finds_nothing(opened: Opened) -> None:
    await ended_run(opened.store, "6500000000000001", specs=2)
    text = await text_of(opened)
    done = await run_process(["promtool", "check", "metrics"], input=text.encode(), check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


async def test_without_the_library_the_extra_is_named(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ended_run(opened.store, "6500000000000001", specs=1)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MissingExtra, match="metrics"):
        await text_of(opened)
