"""What was diagnosed in the last day is found in the store."""

from __future__ import annotations

from pathlib import Path

from builders import make_run
from web_site import keep

from orchestrator.actions.alerts import diagnosed, named
from orchestrator.alerts.allowance import Past
from orchestrator.alerts.values import ANY, Begun
from orchestrator.diagnosis.naming import PREFIX
from orchestrator.records import RunFacts, RunSettings, RunState
from orchestrator.store.opening import Opened, open_store

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


async def _took(opened: Opened, run: str, units: float, **changes: object) -> None:
    await opened.store.create_run(make_run(run, **changes), [], [], [])
    facts = RunFacts(units=units)
    await opened.store.update_run(run, state=RunState.COMPLETE, finished=NOW, exit_code=0, facts=facts)


async def test_what_a_rerun_took_counts_with_its_run_and_what_was_simulated_does_not(tmp_path: Path) -> None:
    plan = "diagnose a.example.com"
    async with open_store(str(tmp_path / "runs.db")) as opened:
        await _took(opened, "aa01", 1.0, plan=plan, started=NOW - 300)
        await _took(opened, "aa02", 0.5, plan=plan, parent="aa01", started=NOW - 200)
        await _took(opened, "aa03", 0.25, plan=plan, parent="aa02", started=NOW - 100)
        simulated = RunSettings(simulated=True)
        await _took(opened, "aa04", 9.0, plan=plan, started=NOW - 50, settings=simulated)
        await _took(opened, "aa05", 9.0, plan=plan, parent="aa01", started=NOW - 40, settings=simulated)
        found = await diagnosed(opened, NOW)
    assert found == (Begun("a.example.com", NOW - 300, 1.75, ANY),)


async def test_a_long_target_is_known_again_by_its_name_in_the_store(tmp_path: Path) -> None:
    long = "https://shop.example.com/" + "x" * 200
    assert len(named(long)) < len(long)
    async with open_store(str(tmp_path / "runs.db")) as opened:
        await _took(opened, "aa01", 1.0, plan=f"{PREFIX}{named(long)}", started=NOW - 300)
        past = Past(await diagnosed(opened, NOW), named)
    assert past.has(long, NOW - 600)
    assert not past.has(f"{long}y", NOW - 600)
