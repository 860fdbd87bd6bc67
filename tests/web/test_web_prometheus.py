"""`serve` for Prometheus: bounded, by the guard of the pages, and scraped by a real one beside a worker."""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from kept_runs import ended_run
from prometheus_client.parser import text_string_to_metric_families
from web_site import ATTACK, site_over

from orchestrator.clock import LoopClock
from orchestrator.diagnosis.naming import plan_name
from orchestrator.events import Created, Event
from orchestrator.records import RunSettings
from orchestrator.report import prometheus
from orchestrator.store.opening import open_store
from orchestrator.store.operating import Standing
from orchestrator.web.guard import Terms
from orchestrator.worker.door import listening
from orchestrator.worker.health import Health
from orchestrator.worker.metrics import Metrics

TOKEN = "0123456789abcdef0123456789abcdef"
HERE = {"Authorization": f"Bearer {TOKEN}"}
Samples = dict[str, list[tuple[dict[str, str], float]]]


async def _scraped(origin: str) -> Samples:
    async with aiohttp.ClientSession() as client, client.get(f"{origin}/metrics") as answer:
        assert (answer.status, answer.content_type) == (200, "text/plain")
        text = await answer.text()
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            found.setdefault(one.name, []).append((one.labels, one.value))
    return found


async def test_the_last_run_of_each_plan_is_scraped_without_diagnoses_and_simulated_ones(
    tmp_path: Path,
) -> None:
    async with open_store(str(tmp_path / "runs.db")) as opened:
        simulated = RunSettings(simulated=True)
        await ended_run(opened.store, "6500000000000001", plan="one", exit_code=1)
        await ended_run(opened.store, "6500000000000002", plan="one")
        await ended_run(opened.store, "6500000000000003", plan=plan_name(["https://a.example"]))
        await ended_run(opened.store, "6500000000000004", plan=plan_name([], "preset"))
        await ended_run(opened.store, "6500000000000005", plan="one", settings=simulated)
        await ended_run(opened.store, "6500000000000006", plan="played", settings=simulated)
        await ended_run(opened.store, "6500000000000007", plan="diagnosed by hand")
    async with site_over(tmp_path, furnished=False) as origin:
        found = await _scraped(origin)
    codes = {labels["plan"]: value for labels, value in found["orchestrator_run_exit_code"]}
    assert codes == {"one": 0.0, "diagnosed by hand": 0.0}
    assert found["orchestrator_plans_untold"] == [({}, 0.0)]


async def test_where_everything_was_simulated_that_is_scraped(tmp_path: Path) -> None:
    async with site_over(tmp_path, furnished=False) as origin:
        assert "orchestrator_run_info" not in await _scraped(origin)
        async with open_store(str(tmp_path / "runs.db")) as opened:
            await ended_run(
                opened.store, "6500000000000006", plan="played", settings=RunSettings(simulated=True)
            )
        for _ in range(40):
            found = await _scraped(origin)
            if "orchestrator_run_info" in found:
                break
            await asyncio.sleep(0.1)  # a page may be a second old
    assert [labels["simulated"] for labels, _ in found["orchestrator_run_info"]] == ["true"]


async def test_plans_and_cells_are_bounded_and_what_is_not_told_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prometheus, "MOST_PLANS", 3)
    monkeypatch.setattr(prometheus, "MOST_OF_ALL", 6)
    async with open_store(str(tmp_path / "runs.db")) as opened:
        for n in range(5):
            await ended_run(opened.store, f"650000000000000{n}", plan=f"plan {n}", specs=2, started=float(n))
    async with site_over(tmp_path, furnished=False) as origin:
        found = await _scraped(origin)
    assert {labels["plan"] for labels, _ in found["orchestrator_run_info"]} == {"plan 2", "plan 3", "plan 4"}
    assert len(found["orchestrator_cell_passing"]) == 6
    assert [value for _, value in found["orchestrator_cells_untold"]] == [2.0, 2.0, 2.0]
    assert found["orchestrator_plans_untold"] == [({}, 2.0)]


async def test_a_stranger_scrapes_nothing(tmp_path: Path) -> None:
    async with (
        site_over(tmp_path, Terms(token=TOKEN)) as origin,
        aiohttp.ClientSession() as client,
        client.get(f"{origin}/metrics") as refused,
        client.get(f"{origin}/metrics", headers=HERE) as answered,
        client.get(f"{origin}/metrics", headers={**HERE, "Host": "stranger.example"}) as elsewhere,
    ):
        assert (refused.status, answered.status, elsewhere.status) == (401, 200, 421)
        assert "orchestrator" not in await refused.text()


async def test_without_the_extra_the_page_says_which_one_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    async with (
        site_over(tmp_path) as origin,
        aiohttp.ClientSession() as client,
        client.get(f"{origin}/metrics", headers={"Accept": "application/json"}) as answer,
    ):
        assert answer.status == 404
        assert "orchestrator[metrics]" in (await answer.json())["hint"]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@asynccontextmanager
async def _prometheus(folder: Path, config: str) -> AsyncIterator[str]:
    port = _free_port()
    (folder / "prometheus.yml").write_text(config, "utf-8")
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def _until(client: aiohttp.ClientSession, address: str, enough: Any) -> list[dict[str, Any]]:
    """What the API says, once it is enough: scrapes come when they come."""
    found: list[dict[str, Any]] = []
    for _ in range(600):
        try:
            async with client.get(address) as answer:
                data = (await answer.json())["data"]
                found = data.get("result", data.get("activeTargets", []))
                if enough(found):
                    return found
        except (aiohttp.ClientError, KeyError):
            pass
        await asyncio.sleep(0.1)
    raise AssertionError(f"{address}: {found}")


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="no prometheus here (Debian: prometheus)")
async def test_a_real_prometheus_scrapes_the_pages_and_a_worker(tmp_path: Path) -> None:
    async with open_store(str(tmp_path / "runs.db")) as opened:
        await ended_run(opened.store, "6500000000000001", plan="sweep", exit_code=1)
        await ended_run(opened.store, "6500000000000002", plan=ATTACK)
    (tmp_path / "token").write_text(TOKEN, "utf-8")

    async def ask() -> Standing:
        return Standing(days_ahead=2, late_ids=0)

    metrics = Metrics()
    metrics.hear(Event(0.0, "6500000000000001", "k0", Created("1")))
    async with (
        site_over(tmp_path, Terms(token=TOKEN), furnished=False) as pages,
        listening("127.0.0.1", 0, Health(LoopClock(), ask), metrics.text) as worker,
    ):
        config = f"""
global: {{scrape_interval: 300ms, scrape_timeout: 300ms}}
scrape_configs:
  - job_name: pages
    authorization: {{credentials_file: {tmp_path / "token"}}}
    static_configs: [{{targets: ["{pages.removeprefix("http://")}"]}}]
  - job_name: worker
    static_configs: [{{targets: ["{worker.removeprefix("http://")}"]}}]
"""
        async with _prometheus(tmp_path, config) as origin, aiohttp.ClientSession() as client:
            query = f"{origin}/api/v1/query?query="
            codes = await _until(client, f"{query}orchestrator_run_exit_code", lambda found: len(found) == 2)
            created = await _until(client, f"{query}orchestrator_creations_total", bool)
            up = await _until(
                client,
                f"{origin}/api/v1/targets",
                lambda found: [one["health"] for one in found] == ["up", "up"],
            )
    assert {one["metric"]["plan"]: one["value"][1] for one in codes} == {"sweep": "1", ATTACK: "0"}
    assert [(one["metric"]["job"], one["value"][1]) for one in created] == [("worker", "1")]
    assert not [one["lastError"] for one in up if one["lastError"]]
