"""What was diagnosed in the last day is found in the store."""

from __future__ import annotations

from pathlib import Path

from builders import make_run
from web_site import keep

from orchestrator.actions.alerts import diagnosed
from orchestrator.alerts.values import ANY, Begun
from orchestrator.store.opening import open_store

NOW = 1_795_749_125.0


async def test_the_diagnoses_of_the_last_day_are_found_and_nothing_else(tmp_path: Path) -> None:
    async with open_store(str(tmp_path / "runs.db")) as opened:
        await opened.store.create_run(make_run("aa00", plan="diagnose old", started=NOW - 90_000), [], [], [])
        await keep(opened.store, "aa01", plan="diagnose a.example.com", started=NOW - 3_600)
        await keep(opened.store, "aa02", plan="sweep", started=NOW - 60)
        await keep(opened.store, "aa03", plan="diagnose a.example.com", parent="aa01", started=NOW - 50)
        await keep(opened.store, "aa04", plan="diagnose b.example.com", started=NOW - 10)
        found = await diagnosed(opened, NOW)
    assert found == (
        Begun("b.example.com", NOW - 10, 0.0, ANY),
        Begun("a.example.com", NOW - 3_600, 0.0, ANY),
    )
