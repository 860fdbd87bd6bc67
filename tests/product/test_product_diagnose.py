"""`orchestrator diagnose` as a user meets it: a process, its exit codes, its files, what it says."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from process_forked import orchestrator

from orchestrator.diagnosis.ticket import MOST
from orchestrator.plan.load import load_plan

ROOT = Path(__file__).parents[2]
URL = "https://shop.example.com"
DEAD = ("--culprit", "target=shop.example.com:dead", "--noise", "3")


def ask(folder: Path, *words: str, simulate: bool = True) -> subprocess.CompletedProcess[str]:
    world = ("--simulate", "--speed", "1000") if simulate else ()
    return orchestrator(*words, *world, "--store", folder / "o.db", env={"HOME": str(folder)}, cwd=folder)


def test_a_dead_target_ends_with_1_and_prints_a_ticket_and_a_line_for_each_change(tmp_path: Path) -> None:
    done = ask(tmp_path, "diagnose", URL, *DEAD)
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith(f"**`{URL}` fails from every agent: 12 of 12** (clear, confirmed ")
    assert len(done.stdout) <= MOST
    lines = done.stderr.splitlines()
    assert lines[0].startswith("run ")
    assert all(line[0].isdigit() for line in lines[1:])
    assert 3 <= len(lines) <= 10
    shown = ask(tmp_path, "show", "last", simulate=False)
    assert shown.returncode == 0
    assert f"diagnose {URL}" in shown.stdout
    assert "fails from every agent" in ask(tmp_path, "report", "last", simulate=False).stdout


def test_json_is_the_one_thing_on_stdout_and_files_are_written_whole(tmp_path: Path) -> None:
    done = ask(
        tmp_path,
        *("diagnose", URL, *DEAD, "--json", "--quiet"),
        *("-o", "ticket.md", "-o", "report.html", "--save", "again.yaml"),
    )
    assert done.returncode == 1, done.stderr
    assert not done.stderr
    document = json.loads(done.stdout)
    assert document["diagnose"]["targets"] == [URL]
    assert document["diagnose"]["exit_code"] == 1
    assert document["explanations"][0]["kind"] == "target"
    assert (tmp_path / "ticket.md").read_text("utf-8").startswith("**")
    assert (tmp_path / "report.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert load_plan(tmp_path / "again.yaml", environ={}).name == f"diagnose {URL}"
    checked = ask(tmp_path, "check", "again.yaml")
    assert checked.returncode == 0, checked.stderr


def test_a_healthy_target_ends_with_0(tmp_path: Path) -> None:
    done = ask(tmp_path, "diagnose", URL, "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert "passes from all 12 agents" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("diagnose",), 2, "what is to be diagnosed"),
        (("diagnose", ""), 2, "empty"),
        (("diagnose", "intranet"), 2, "neither an agent nor a name"),
        (("diagnose", "hq-londno"), 2, "hq-london"),
        (("diagnose", "ftp://x.example.com"), 2, "ftp"),
        (("diagnose", "https://u:pw@x.example.com"), 2, "a user and a password"),
        (("diagnose", URL, "--time-box", "soon"), 2, "is no time"),
        (("diagnose", URL, "--time-box", "1s"), 2, "30 seconds"),
        (("diagnose", URL, "--agents", "0"), 2, "0 is not in the range"),
        (("diagnose", URL, "--from", "contry=GB"), 2, "country"),
        (("diagnose", URL, "--from", "country=QQ"), 2, "no agent can be asked"),
        (("diagnose", URL, "--from", "deadbeefdeadbeef"), 2, "deadbeef"),
        (("diagnose", URL, "--against", "nothing"), 2, "nothing"),
        (("diagnose", URL, "--preset", "voise"), 2, "voice"),
        (("diagnose", URL, "--preset", "no/such.yaml"), 2, "no/such.yaml"),
        (("diagnose", URL, "x.example.com", "--preset", "voice"), 2, "one target"),
        (("diagnose", URL, "-o", "ticket.docx"), 2, "ticket.docx"),
        (("diagnose", URL, "--save", "no/such/folder/p.yaml"), 2, "no/such/folder"),
        (("diagnose", *(f"https://s{n}.example.com" for n in range(9))), 6, "budget.max_tests"),
    ],
)
def test_nonsense_is_refused_with_a_sentence_and_its_code(
    words: tuple[str, ...], code: int, says: str, tmp_path: Path
) -> None:
    done = ask(tmp_path, *words)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "pw@" not in done.stderr
    assert not done.stdout


@pytest.mark.parametrize(
    ("preset", "target"),
    [
        ("diagnose-url", URL),
        ("diagnose-dns", "example.com"),
        ("diagnose-tcp", "vpn.example.com:443"),
        ("diagnose-agent", "hq-london"),
        ("vpn-edge", "vpn.example.com"),
        ("saas-suite", "https://www.example.com"),
        ("voice", "hq-new-york"),
    ],
)
def test_each_preset_is_diagnosed_from_wherever_one_is(preset: str, target: str, tmp_path: Path) -> None:
    done = ask(tmp_path, "diagnose", target, "--preset", preset, "--json", "-q")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["diagnose"]
    assert (told["targets"], told["stopped"], told["waves"]) == ([target], "nothing bad", 1)


def test_an_own_plan_takes_the_place_of_a_preset_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    text = (ROOT / "plans" / "diagnose-tcp.yaml").read_text("utf-8").replace("name: reach", "name: ours")
    (tmp_path / "plans" / "diagnose-tcp.yaml").write_text(text)
    assert ask(tmp_path, "diagnose", "vpn.example.com:443", "--preset", "diagnose-tcp", "-q").returncode == 0
    assert "ours" in ask(tmp_path, "results", "last", "--format", "csv", simulate=False).stdout
