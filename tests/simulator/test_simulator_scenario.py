"""Scenario files, and the command that serves a world."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from click.testing import CliRunner
from documentation import ROOT

from orchestrator.cli import cli
from orchestrator.cli.simulator_command import simulator
from orchestrator.errors import UsageProblem
from orchestrator.simulator.scenario import ScenarioError, load_scenario
from orchestrator.simulator.service import Fault, Settings
from orchestrator.simulator.settings import AccountGroup

GOOD = """\
seed: 7
instant_limit: 10
window: 30
aligned: false
countries: [NO, SE]     # countries, not False
medians: {dnssec: 5}
account_groups: [{aid: 9, name: Nine}]
faults:
  - reset-after:create:0.1
  - {kind: silent-agent, target: 3}
  - {kind: "503", match: read, layer: network, nth: 2}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "scenario.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_scenario_is_read_into_settings(tmp_path: Path) -> None:
    settings = load_scenario(written(tmp_path, GOOD))
    assert (settings.seed, settings.instant_limit, settings.window) == (7, 10, 30.0)
    assert settings.countries == ("NO", "SE")
    assert settings.medians["dnssec"] == 5.0
    assert settings.medians["page-load"] == 50.0, "what is not named keeps its default"
    assert settings.account_groups == (AccountGroup(9, "Nine"),)
    assert settings.faults == (
        Fault("reset-after", "create", probability=0.1),
        Fault("silent-agent", target="3"),
        Fault("503", "read", layer="network", nth=2),
    )


def test_json_is_read_too_and_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load_scenario(written(tmp_path, json.dumps({"others": 0.3}))) == Settings(others=0.3)
    assert load_scenario(written(tmp_path, "")) == Settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sede: 7", "unknown setting 'sede', did you mean 'seed'?"),
        ("seed: many", "seed: must be a whole number"),
        ("seed: true", "seed: must be a whole number"),
        ("window: .nan", "window: must be a number"),
        ("window: 0", "window must be positive"),
        ("others: 2", "others must be between 0 and 1"),
        ("cloud_agents: -1", "cloud_agents must not be negative"),
        ("network_delay: -0.1", "network_delay must not be negative"),
        ("shortest: 200", "shortest must be between 0 and longest"),
        ("latency: .inf", "latency: must be a number"),
        ("faults: [{kind: slow-body, type: http}]", "fault 'slow-body': unknown test type 'http'"),
        ("aligned: 1", "aligned: must be true or false"),
        ("token: 7", "token: must be a string"),
        ("countries: NO", "countries: must be a list"),
        ("medians: {dnsec: 5}", "unknown test type 'dnsec', did you mean 'dnssec'?"),
        ("medians: {dnssec: 0}", "seconds must be positive"),
        ("links: some", "links must be documented, complete or missing"),
        ("account_groups: [1]", "an account group is a mapping"),
        ("faults: [flood]", "unknown fault 'flood'"),
        ("faults: [{kind: '503', mach: read}]", "unknown key 'mach' in a fault, did you mean 'match'?"),
        ("faults: [{kind: '503', match: writes}]", "match must be one of"),
        ("faults: [{kind: '503', nth: x}]", "nth must be a whole number"),
        ("faults: [{match: read}]", "a fault is a string or a mapping with a kind"),
        ("- seed", "a scenario is a mapping"),
        ("seed: [", "scenario.yaml:1:"),
        ("seed: 1\nseed: 2", "duplicate"),
    ],
)
def test_a_scenario_that_cannot_be_is_an_error_that_names_file_and_setting(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ScenarioError, match=re.escape(message)) as problem:
        load_scenario(written(tmp_path, text))
    assert "scenario.yaml" in str(problem.value)


def test_all_problems_of_a_scenario_are_shown_at_once(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as problem:
        load_scenario(written(tmp_path, "sede: 1\nwindow: x\n"))
    assert len(str(problem.value).splitlines()) == 2


def test_files_that_are_missing_or_no_text_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot be read"):
        load_scenario(tmp_path / "none.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioError, match="not UTF-8"):
        load_scenario(binary)
    with pytest.raises(ScenarioError, match="cannot be read"):
        load_scenario(tmp_path)


# --- the command


def test_the_command_lists_the_faults() -> None:
    listed = CliRunner().invoke(simulator, ["--list-faults"])
    assert listed.exit_code == 0
    assert "reset-after" in listed.output


def test_the_command_lists_what_can_be_broken() -> None:
    listed = CliRunner().invoke(simulator, ["--list-culprits"])
    assert listed.exit_code == 0
    assert "tr2-san-jose-0" in listed.output
    assert "branch-09-oslo" in listed.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--culprit", "hop=tr2-san-jose-0:dead"], "they need --simulate"),
        (["--noise", "7"], "they need --simulate"),
        (["--simulate", "--culprit", "hop=tr2-sanjose-0:dead"], "did you mean 'tr2-san-jose-0'?"),
    ],
)
def test_a_run_breaks_only_what_is_in_a_simulated_world(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    plan = str(ROOT / "plans" / "branch-sweep.yaml")
    done = CliRunner().invoke(cli, ["run", plan, "--store", str(tmp_path / "o.db"), *arguments])
    told = done.exception
    assert (told.exit_code if isinstance(told, UsageProblem) else done.exit_code) == 2
    assert message in done.output + str(told)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fault", "flood"], "unknown fault 'flood'"),
        (["--fault", "silent-agent"], "needs a target"),
        (["--others", "2"], "others"),
        (["--window", "0"], "window"),
        (["--instant-limit", "0"], "instant-limit"),
        (["--scenario", "none.yaml"], "none.yaml: cannot be read"),
        (["--culprit", "hop=tr2-sanjose-0:dead"], "did you mean 'tr2-san-jose-0'?"),
        (["--culprit", "hop:dead"], "it is written KIND=VALUE:EFFECT"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_why(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(simulator, arguments)
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_command_serves_says_how_to_use_it_and_ends_with_0_on_a_signal(number: int) -> None:
    environment = {**os.environ, "TE_TOKEN": "the-secret-token"}
    command = "from orchestrator.cli.simulator_command import simulator; simulator()"
    arguments = ["--port", "0", "--instant-limit", "2", "--seed", "3", "--anchored"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        command,
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    origin = (await process.stderr.readline()).decode().split()[3]
    hint = (await process.stderr.readline()).decode().strip()
    assert hint == f"export TE_BASE_URL={origin}"
    await _use(origin)
    process.send_signal(number)
    out, err = await process.communicate()
    assert process.returncode == 0
    assert out == b"", "talk goes to stderr"
    assert b"the-secret-token" not in err, "the token is never shown"


async def _use(origin: str) -> None:
    async with aiohttp.ClientSession(origin) as client:
        refused = await client.get("/v7/agents", headers={"Authorization": "Bearer wrong"})
        assert refused.status == 401
        headers: dict[str, Any] = {"Authorization": "Bearer the-secret-token"}
        body = {"domain": "example.com", "agents": [{"agentId": "3"}]}
        statuses = [
            (await client.post("/v7/tests/dnssec/instant", json=body, headers=headers)).status
            for _ in range(3)
        ]
        assert statuses == [201, 201, 429], "the limit of the command line holds"


def test_a_port_that_is_taken_is_wrong_usage() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = CliRunner().invoke(simulator, ["--port", str(taken.getsockname()[1])])
    assert result.exit_code == 2
    assert "choose another --port" in result.output
