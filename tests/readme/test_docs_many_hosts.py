"""docs/many-hosts.md: its commands are executed over a real database, its tables name what there is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
import pytest
from documentation import ROOT, blocks
from prometheus_client import CollectorRegistry
from ruamel.yaml import YAML
from workplace import Workplace

from orchestrator.cli import cli
from orchestrator.queueing.timetable import _Row
from orchestrator.worker.metrics import Metrics

if TYPE_CHECKING:
    from postgres_server import PostgresServer

DOCUMENT = ROOT / "docs" / "many-hosts.md"
TEXT = DOCUMENT.read_text("utf-8")
DEPLOY = ROOT / "docs" / "deploy"
PATIENCE = 120.0


def example(name: str) -> str:
    """The block of this name."""
    return next(block.text for block in blocks(DOCUMENT) if block.name == name)


@contextmanager
def working(place: Workplace, store: str) -> Iterator[None]:
    """A worker as the page starts it, on another port."""
    line = re.sub(r"--listen \S+", "--listen 127.0.0.1:0", example("worker").strip())
    environment = place.environment | {"ORCHESTRATOR_STORE": store}
    with (place.folder / "worker.log").open("w") as log:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {line}"], cwd=place.folder, env=environment, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def test_the_commands_of_the_page_do_what_it_says(workplace: Workplace, postgres: PostgresServer) -> None:
    store = postgres.create()
    place = workplace

    def sh(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euc", line],
            cwd=place.folder,
            env=place.environment | {"ORCHESTRATOR_STORE": store},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    done = sh(example("setup"))
    assert done.returncode == 0, done.stderr
    assert "0003_fleet" in done.stdout
    assert "the engine's tables" in done.stdout
    assert sh("orchestrator store migrate").stdout == "nothing to do\n"
    with working(place, store):
        done = sh(example("submit"))
        log = (place.folder / "worker.log").read_text("utf-8")
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{log}"
        assert "All " in done.stdout
        first = done.stdout.splitlines()[0]
        (place.folder / "schedules.yaml").write_text(example("schedules"), "utf-8")
        scheduled = sh("\n".join(block.text for block in blocks(DOCUMENT, "sh") if block.name == "schedules"))
        assert scheduled.returncode == 0, scheduled.stderr
        assert "quickstart" in scheduled.stdout
        assert "CET" in scheduled.stdout or "CEST" in scheduled.stdout
        _until_over(sh, first)
        asked = sh(example("cancel").replace("RUN", first))
        assert asked.returncode == 2, "it has ended"
        assert "has ended" in asked.stderr
    assert "has ended" in (place.folder / "worker.log").read_text("utf-8")
    queue = json.loads(sh("orchestrator queue --json").stdout)
    assert queue["runs"] == []
    assert queue["workers"] == []
    postgres.drop(store)


def _until_over(sh: object, run: str) -> None:
    assert callable(sh)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if json.loads(sh(f"orchestrator show {run} --json").stdout)["state"] == "complete":
            return
    raise AssertionError(f"{run} is not over: {sh('orchestrator queue').stdout}")


def test_every_option_of_the_tables_is_one_of_its_command() -> None:
    worker, submit = (cli.get_command(click.Context(cli), name) for name in ("worker", "submit"))
    assert worker is not None
    assert submit is not None
    for command, heading in ((worker, "## Workers"), (submit, "### Submit, look, cancel")):
        known = {option for parameter in command.params for option in parameter.opts}
        told = re.findall(r"^\| `(--[a-z-]+)", TEXT.partition(heading)[2].partition("\n#")[0], re.MULTILINE)
        assert told
        assert set(told) <= known


def test_every_key_of_a_schedule_is_in_the_table() -> None:
    table = TEXT.partition("### Schedules")[2].partition("\n## ")[0]
    told = {
        key
        for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
        for key in re.findall(r"`([a-z_]+)`", row)
    }
    assert set(_Row.model_fields) == told


def _metrics() -> set[str]:
    registry = CollectorRegistry()
    Metrics(registry)
    names = set()
    for family in registry.collect():
        names.add(f"{family.name}_total" if family.type == "counter" else family.name)
        if family.type == "histogram":
            names.add(f"{family.name}_bucket")
    return names


def test_the_table_of_metrics_is_what_workers_tell() -> None:
    table = TEXT.partition("### Health and metrics")[2].partition("\n### ")[0]
    assert set(re.findall(r"`(orchestrator_[a-z0-9_]+)", table)) == {
        name.removesuffix("_bucket") for name in _metrics()
    }


@pytest.mark.parametrize("name", ["alerts.yaml", "dashboard.json"])
def test_what_is_shipped_asks_only_for_metrics_that_there_are(name: str) -> None:
    text = (DEPLOY / name).read_text("utf-8")
    asked = set(re.findall(r"orchestrator_[a-z0-9_]+", text))
    assert asked
    assert asked <= _metrics()


def test_the_alert_rules_are_rules() -> None:
    loaded = YAML(typ="safe", pure=True).load((DEPLOY / "alerts.yaml").read_text("utf-8"))
    rules = [rule for group in loaded["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"].keys() == {"summary", "description"}
        assert rule["expr"].count("(") == rule["expr"].count(")")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus' own tool is not here")
def test_the_alert_rules_fire_when_they_must_and_only_then() -> None:
    for arguments in (("check", "rules", "alerts.yaml"), ("test", "rules", "alerts_test.yaml")):
        done = subprocess.run(
            ["promtool", *arguments], cwd=DEPLOY, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_unit_stops_a_worker_gently() -> None:
    unit = example("orchestrator-worker@.service")
    assert "KillSignal=SIGTERM" in unit
    seconds = re.search(r"TimeoutStopSec=(\d+)", unit)
    assert seconds is not None
    assert int(seconds[1]) >= 30 + 15
    words = re.search(r"^ExecStart=\S+/orchestrator (.*)$", unit, re.MULTILINE)
    assert words is not None
    command = cli.get_command(click.Context(cli), words[1].split()[0])
    assert command is not None
    known = {option for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"--[a-z-]+", words[1])) <= known
    assert os.sep in unit
