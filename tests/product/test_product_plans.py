"""The shipped plans as a user runs them, over both versions of the API: each run is a process."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from command_line import InProcess
from process_forked import orchestrator

ROOT = Path(__file__).parents[2]
PLANS = sorted(path.name for path in (ROOT / "plans").glob("*.yaml"))
# Over v6 there is no api test.
OVER_BOTH = [name for name in PLANS if name != "web-and-page-load.yaml"]
RUNS = [(name, "v7") for name in PLANS] + [(name, "v6") for name in OVER_BOTH]


def command(*arguments: str, store: Path, code: int = 0) -> str:
    """Run the command and return its standard output."""
    done = orchestrator(*arguments, "--store", store, env={"HOME": str(store.parent)})
    assert done.returncode == code, f"exit {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def said(*arguments: str, store: Path) -> str:
    """What a command that runs nothing says, asked in this process."""
    done = InProcess(store.parent, "", {"TE_BASE_URL": ""}).say(*arguments, "--store", store)
    assert done.code == 0, str(done)
    return done.out.decode()


@functools.cache
def run_once(name: str, api: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The summary and the results of a plan, run once for all tests of this process."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "o.db"
        summary = command("run", f"plans/{name}", "--simulate", "--json", "--api", api, store=store)
        lines = said("results", "last", "--format", "jsonl", store=store).splitlines()
    return json.loads(summary), [json.loads(line) for line in lines]


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for name in ("TE_TOKEN", "TE_BASE_URL", "TE_AID", "ORCHESTRATOR_STORE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("name", "api"), RUNS)
def test_a_shipped_plan_is_answered_completely_without_a_429(name: str, api: str) -> None:
    summary, results = run_once(name, api)
    cells, tests, requests = summary["cells"], summary["tests"], summary["requests"]
    assert summary["state"] == "complete"
    assert cells["planned"] == cells["answered"], cells
    assert tests["planned"] == tests["complete"] == tests["created"], tests
    assert requests["refused_429"] == 0
    assert requests["errors"] == 0
    assert {row["status"] for row in results} == {"ok"}


@pytest.mark.parametrize(("name", "api"), RUNS)
def test_a_shipped_plan_makes_one_creation_per_target_and_test_block(name: str, api: str) -> None:
    summary, results = run_once(name, api)
    pairs = {(row["spec"], row["target"], row["type"]) for row in results}
    assert len(pairs) == len({row["spec"] for row in results}) == summary["requests"]["creations"]


def _comparable(row: dict[str, Any]) -> dict[str, Any]:
    # Test ids, rounds and dates are those of the run; everything else is the world's.
    return {key: row[key] for key in row if key not in {"run", "test_id", "round_id", "date"}}


@pytest.mark.parametrize("name", OVER_BOTH)
def test_both_versions_of_the_api_give_the_same_answers_row_for_row(name: str) -> None:
    _, new = run_once(name, "v7")
    _, old = run_once(name, "v6")
    assert [_comparable(row) for row in new] == [_comparable(row) for row in old]


def test_every_type_of_test_is_in_a_shipped_plan() -> None:
    kinds = {row["type"] for name in PLANS for row in run_once(name, "v7")[1]}
    assert kinds == {
        "agent-to-agent", "agent-to-server", "api", "dns-server", "dns-trace", "dnssec", "ftp-server",
        "http-server", "page-load", "sip-server", "voice", "web-transactions",
    }  # fmt: skip


@pytest.mark.parametrize("name", PLANS)
def test_check_of_a_shipped_plan_says_what_the_run_then_does(name: str, tmp_path: Path) -> None:
    document = json.loads(said("check", f"plans/{name}", "--simulate", "--json", store=tmp_path / "o.db"))
    summary, _ = run_once(name, "v7")
    assert document["tests"]["planned"] == summary["tests"]["planned"]
    assert document["cells"]["planned"] == summary["cells"]["planned"]
    assert document["units"]["estimated"] == summary["units"]["estimated"]


PACKED = """\
version: 1
name: packed
agents: {clouds: {type: cloud, sample: {count: 20}}}
targets: {sites: {csv: sites.csv}}
tests:
  - {name: web, type: http-server, targets: sites, agents: clouds}
"""


def test_200_targets_from_20_agents_are_200_creations_and_4000_cells(tmp_path: Path) -> None:
    (tmp_path / "packed.yaml").write_text(PACKED)
    rows = "".join(f"site{n},https://site{n}.example.com\n" for n in range(200))
    (tmp_path / "sites.csv").write_text("name,url\n" + rows)
    plan = str(tmp_path / "packed.yaml")
    document = json.loads(command("check", plan, "--simulate", "--json", store=tmp_path / "o.db"))
    assert document["tests"]["planned"] == 200
    assert document["cells"]["planned"] == 4000
    text = said("check", plan, "--simulate", store=tmp_path / "o.db")
    assert "4000 cells in 200 creations" in text


def test_a_ceiling_refuses_with_6_before_the_first_creation(tmp_path: Path) -> None:
    (tmp_path / "packed.yaml").write_text(PACKED + "budget: {max_tests: 3}\n")
    rows = "".join(f"site{n},https://site{n}.example.com\n" for n in range(5))
    (tmp_path / "sites.csv").write_text("name,url\n" + rows)
    plan, store = str(tmp_path / "packed.yaml"), tmp_path / "o.db"
    command("run", plan, "--simulate", store=store, code=6)
    assert json.loads(said("runs", "--json", store=store))["runs"] == []


@pytest.mark.parametrize("name", ["duplicate", "nothing"])
def test_a_wrong_plan_ends_with_2_file_and_line_and_no_traceback(name: str, tmp_path: Path) -> None:
    plans = {
        "duplicate": "version: 1\nversion: 1\n",
        "nothing": "version: 1\nname: x\ntests:\n  - {name: a, type: http-serve, targets: [x], agents: y}\n",
    }
    plan = tmp_path / "bad.yaml"
    plan.write_text(plans[name])
    store = tmp_path / "o.db"
    done = orchestrator(
        "run", plan, "--base-url", "http://127.0.0.1:9", "--store", store, env={"HOME": str(store.parent)}
    )
    assert done.returncode == 2
    assert f"{plan}:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not store.exists()


def test_quiet_prints_nothing_on_success(tmp_path: Path) -> None:
    words = ("run", "plans/incident-runbook.yaml", "--simulate", "-q", "--store", tmp_path / "o.db")
    done = orchestrator(*words, env={"HOME": str(tmp_path)})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_failed_expectation_ends_with_1_and_the_rest_is_collected(tmp_path: Path) -> None:
    output = command(
        "run",
        "plans/incident-runbook.yaml",
        "--simulate",
        "--json",
        "--set",
        "target=down.example.com",
        store=tmp_path / "o.db",
        code=1,
    )
    summary = json.loads(output)
    assert summary["exit_code"] == 1
    assert summary["cells"]["errors"] == summary["cells"]["planned"] == summary["verdicts"]["fail"]
