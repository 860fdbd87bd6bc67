"""The file of schedules: every problem at its place, and what a sound one comes to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from queue_plans import SMALL_PLAN

from orchestrator.errors import PlanInvalid
from orchestrator.plan.load import load_plan
from orchestrator.plan.model import Plan
from orchestrator.queueing.slots import CatchUp, Overlap
from orchestrator.queueing.timetable import load_timetable
from orchestrator.queueing.values import Schedule

NOW = 1_780_000_000.0


def load(path: Path, sets: Mapping[str, str]) -> Plan:
    return load_plan(path, environ={}, sets=sets)


def read(folder: Path, text: str) -> tuple[Schedule, ...]:
    (folder / "sweep.yaml").write_text(SMALL_PLAN, "utf-8")
    path = folder / "schedules.yaml"
    path.write_text(text, "utf-8")
    return load_timetable(path, load=load, now=NOW)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(PlanInvalid) as caught:
        read(folder, text)
    return [str(one).removeprefix(f"{folder}/") for one in caught.value.problems]


def test_a_schedule_has_all_that_its_run_is_made_of(tmp_path: Path) -> None:
    (found,) = read(
        tmp_path,
        "schedules:\n"
        '  - {plan: sweep.yaml, organization: acme, cron: "17 5 * * 1-5", timezone: Europe/Berlin,\n'
        "     jitter: 15m, overlap: skip, catch_up: all, catch_up_within: 2h, priority: 3, expires: 1h}\n",
    )
    plan = load(tmp_path / "sweep.yaml", {})
    assert (found.name, found.plan, found.bundle) == (plan.name, plan.name, plan.bundle())
    assert (found.overlap, found.catch_up, found.within) == (Overlap.SKIP, CatchUp.ALL, 7200.0)
    assert (found.priority, found.expires, found.jitter) == (3, 3600.0, 900.0)
    assert 0 <= found.timing.shift < 900


def test_everything_that_is_wrong_is_told_with_its_place(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "schedules:\n"
        '  - {plan: sweep.yaml, organization: acme, cron: "17 25 * * *"}\n'
        '  - {plan: sweep.yaml, organization: acme, cron: "17 5 * * *", timezone: Europe/Berlni}\n'
        '  - {plan: nowhere.yaml, organization: acme, cron: "17 5 * * *"}\n'
        '  - {plan: ../sweep.yaml, organization: acme, cron: "17 5 * * *"}\n',
    )
    assert [one.split(" ", 1)[0] for one in found[:4]] == [
        "schedules.yaml:2:50:",
        "schedules.yaml:3:74:",
        "schedules.yaml:4:12:",
        "schedules.yaml:5:12:",
    ]
    assert found[4].startswith("nowhere.yaml:1:1: the plan cannot be read")


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("{plan: sweep.yaml, organization: a, cron: '1 1 * * *', overlp: skip}", "did you mean 'overlap'"),
        ("{plan: sweep.yaml, organization: a, cron: '1 1 * * *', overlap: both}", "is not skip or queue"),
        ("{plan: sweep.yaml, organization: a, cron: '1 1 * * *', jitter: soon}", "a duration such as"),
        ("{plan: sweep.yaml, organization: a, cron: '1 1 * * *', priority: high}", "whole number"),
        ("{plan: sweep.yaml, organization: a}", "has no key 'cron'"),
        ("7", "must be a mapping"),
    ],
)
def test_a_mistake_says_what_is_wanted(tmp_path: Path, row: str, what: str) -> None:
    assert what in problems(tmp_path, f"schedules:\n  - {row}\n")[0]


@pytest.mark.parametrize("text", ["", "schedules:\n", "schedules: []\n", "- 1\n", "schedules: {a: 1}\n", "{"])
def test_a_file_that_is_none_is_told_and_no_crash(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text)[0].startswith("schedules.yaml:")


def test_two_schedules_of_one_name_need_a_name_each(tmp_path: Path) -> None:
    row = '  - {plan: sweep.yaml, organization: acme, cron: "17 5 * * *"}\n'
    (problem,) = problems(tmp_path, f"schedules:\n{row}{row}")
    assert problem.startswith("schedules.yaml:3:5: organization 'acme' has a schedule")
    named = row.replace("{", "{name: again, ")
    assert [one.name for one in read(tmp_path, f"schedules:\n{row}{named}")][1] == "again"
