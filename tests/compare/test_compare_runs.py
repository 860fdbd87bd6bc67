"""A run that is held against another one at its end: exit codes, what is told, rounds, confirming."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from workplace import Workplace

PLAN = """\
version: 1
name: window
agents:
  cloud: {type: cloud, country: [GB, DE]}
targets:
  sites: ["https://one.example.com", "https://two.example.com", "https://three.example.com"]
tests:
  - {name: web, type: http-server, targets: sites, agents: cloud, expect: ["http-server.responseCode == 200"]}
"""
BROKEN = "--culprit host=two.example.com:http=503"


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    (tmp_path / "plan.yaml").write_text(PLAN)
    return Workplace(tmp_path, "https://api.thousandeyes.com")


def ran(place: Workplace, words: str = "") -> subprocess.CompletedProcess[str]:
    return place.sh(f"orchestrator run plan.yaml --simulate --speed 600 {words}")


def stored(place: Workplace) -> list[Mapping[str, Any]]:
    """The runs in the store, newest first."""
    found: list[Mapping[str, Any]] = json.loads(place.sh("orchestrator runs --json").stdout)["runs"]
    return found


def test_on_the_first_day_there_is_nothing_to_compare_with_and_that_is_said(place: Workplace) -> None:
    ended = ran(place, "--against last-good")
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("nothing to compare with yet") == 1


def test_a_name_that_there_is_not_is_told_before_anything_is_created(place: Workplace) -> None:
    ended = ran(place, "--against pre-chg")
    assert ended.returncode == 2, ended.stderr
    assert "no run and no baseline 'pre-chg'" in ended.stderr
    assert stored(place) == []
    assert ran(place, "--confirm").returncode == 2
    assert ran(place, "--against last --tolerance nonsense").returncode == 2
    assert stored(place) == []


def test_what_fails_since_the_last_good_run_ends_with_1_and_is_told_below_the_summary(
    place: Workplace,
) -> None:
    assert ran(place).returncode == 0
    same = ran(place, "--against last-good")
    assert same.returncode == 0, same.stderr
    assert "nothing is worse" in same.stdout
    worse = ran(place, f"{BROKEN} --against last-good")
    assert worse.returncode == 1, worse.stderr
    assert "https://two.example.com fails from every agent" in worse.stdout
    written = ran(place, f"{BROKEN} --against last-good --gate loose -o page.html -o cases.xml")
    assert written.returncode == 1, written.stderr
    assert "Against the last good run: gate loose: exit 1" in (place.folder / "page.html").read_text()
    assert 'name="gate.level" value="loose"' in (place.folder / "cases.xml").read_text()
    assert "; before it did not" in worse.stdout


def test_the_summary_document_has_the_gate(place: Workplace) -> None:
    assert ran(place).returncode == 0
    [good] = stored(place)
    ended = ran(place, f"{BROKEN} --against last --json")
    document = json.loads(ended.stdout)
    assert document["gate"]["exit_code"] == 1
    assert document["gate"]["base"]["run"] == good["run"]
    assert document["gate"]["base"]["name"] == "last"
    assert document["gate"]["worse"]["now_fail"] > 0
    slower = ran(place, f"--culprit host=two.example.com:slow=x9 --against {good['run']} --json")
    document = json.loads(slower.stdout)
    assert document["verdicts"]["fail"] == 0
    assert slower.returncode == document["exit_code"] == document["gate"]["exit_code"] == 1


def test_what_is_worse_is_run_again_and_counts_if_it_persists(place: Workplace) -> None:
    assert ran(place).returncode == 0
    ended = ran(place, f"{BROKEN} --against last-good --confirm")
    assert ended.returncode == 1, ended.stderr
    assert "confirming: 1 test with what is worse once more" in ended.stderr
    newest, judged, _ = stored(place)
    assert newest["rerun_of"] == judged["run"]
    assert judged["exit_code"] == 1
    shown = json.loads(place.sh("orchestrator show --json").stdout)
    assert shown["run"] == judged["run"], "what only confirms is not the last run"
    evidence = place.sh("orchestrator diff --format json")
    assert (
        json.loads(evidence.stdout)["gate"]
        == json.loads(place.sh("orchestrator diff last-good last --format json").stdout)["gate"]
    )
    assert evidence.returncode == 1
    again = ran(place, f"{BROKEN} --against last-good")
    assert again.returncode == 1, "neither a condemned run nor what confirmed it is a good one"


def test_rounds_are_runs_of_their_own_and_each_counts_its_own_requests(place: Workplace) -> None:
    ended = ran(place, "--rounds 3")
    assert ended.returncode == 0, ended.stderr
    last, second, first = stored(place)
    assert (second["rerun_of"], last["rerun_of"]) == (first["run"], second["run"])
    told = [
        json.loads(place.sh(f"orchestrator show {one['run']} --json").stdout) for one in (first, second, last)
    ]
    counted = [(one["requests"]["creations"], one["requests"]["reruns"]) for one in told]
    assert counted == [(3, 0), (0, 3), (0, 3)]
    assert place.sh("orchestrator baseline set pre-chg").returncode == 0
    held = ran(place, "--against pre-chg --json")
    assert json.loads(held.stdout)["gate"]["history"] == 3, "the rounds are the history"


SLOW = "--culprit host=two.example.com:slow=x3"


def test_a_run_that_only_got_slower_is_no_good_run_for_the_next_one(place: Workplace) -> None:
    assert ran(place, "--rounds 3 --noise 1").returncode == 0
    first = ran(place, f"--noise 4 --against last-good {SLOW}")
    assert first.returncode == 1, first.stdout
    assert stored(place)[0]["exit_code"] == 1
    second = ran(place, f"--noise 5 --against last-good {SLOW}")
    assert second.returncode == 1, second.stdout


def test_rounds_are_not_compared_with_one_another(place: Workplace) -> None:
    assert ran(place, "--rounds 3 --noise 1 -q").stderr == ""
    good = stored(place)[0]["run"]
    ended = ran(place, f"--rounds 2 --noise 2 --against last-good --json {SLOW}")
    assert ended.returncode == 1, ended.stdout
    assert json.loads(ended.stdout)["gate"]["base"]["run"] == good


def test_a_report_is_written_as_the_ending_of_its_file_says(place: Workplace) -> None:
    assert ran(place, "-q").returncode == 0
    assert (
        place.sh(
            "orchestrator report -o a.html && orchestrator report -o a.xml && orchestrator report -o a.md"
        ).returncode
        == 0
    )
    begins = {name: (place.folder / name).read_text()[:20] for name in ("a.html", "a.xml", "a.md")}
    assert begins["a.html"].lower().startswith("<!doctype html")
    assert begins["a.xml"].startswith("<?xml")
    assert begins["a.md"].startswith("# ")
