"""docs/opentelemetry.md: its table is that of the code; its command runs, also into a dead end."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from documentation import ROOT
from otlp_receiver import collecting

from orchestrator.telemetry import sending
from orchestrator.testtypes.published import PUBLISHED

TEXT = (ROOT / "docs" / "opentelemetry.md").read_text("utf-8")
COMMAND = Path(sys.executable).parent / "orchestrator"


def test_every_metric_is_in_the_table_with_its_unit() -> None:
    rows = re.findall(r"^\| ([a-z-]*) ?\| `([a-z_.]+)` \| (\S+) \|(.*)\|$", TEXT, re.MULTILINE)
    found, layer = [], ""
    for named, metric, unit, of in rows:
        layer = named or layer
        found.append((layer, metric, unit, *re.findall(r"`([A-Za-z]+)`", of)[:1]))
    assert found == [
        (name, one.name, one.unit, *([] if one.metric is None else [one.metric]))
        for name, published in PUBLISHED.items()
        for one in published
    ]


def test_the_seconds_of_the_page_are_those_of_the_code() -> None:
    assert f"what is left has {sending.FLUSH:.0f} s" in TEXT
    assert f"nothing is taken {sending.TROUBLED:.0f} s" in TEXT


def ordered(url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    plan = ROOT / "plans" / "incident-runbook.yaml"
    words = ["run", str(plan), "--simulate", "--speed", "3000", "--otlp", url]
    return subprocess.run(
        [COMMAND, *words, "--store", str(folder / "o.db")],
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_the_command_sends_to_a_collector(tmp_path: Path) -> None:
    with collecting() as collector:
        done = ordered(collector.url, tmp_path)
    assert (done.returncode, "OpenTelemetry" in done.stderr) == (0, False), done.stderr
    assert collector.points()
    assert [one.name for one in collector.spans()].count("run") == 1


def test_a_dead_collector_costs_the_command_a_warning(tmp_path: Path) -> None:
    done = ordered("http://127.0.0.1:9", tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^warning: OpenTelemetry: \d+ tests and spans were not sent", done.stderr, re.MULTILINE)
