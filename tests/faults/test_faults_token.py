"""The token, and the secrets of plans, are in nothing that anybody sees or keeps."""

from __future__ import annotations

import asyncio
import base64
import os
import stat
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import click
import pytest
from command_line import CommandLine, Said
from mirror import mirror
from process_clock import Pace, ProcessClock
from simulated_run import TOKEN

from orchestrator.cli import COMMANDS, cli
from orchestrator.simulator.server import serve
from orchestrator.simulator.service import Service
from orchestrator.simulator.settings import Fault
from orchestrator.simulator.settings import Settings as World

EMAIL = "ops@example.com"
ENVIRONMENT = {"TE_TOKEN": TOKEN, "ORCHESTRATOR_LOG": "debug"}
PLAN = """
version: 1
name: leaks
api: {api}
tests:
  - name: web
    type: http-server
    targets: ["https://a.example", "https://b.example"]
    agents: {{type: cloud}}
    layers: [http-server]
    expect: ["http-server.responseCode == 200"]
"""


def forms(token: str) -> list[bytes]:
    """The token as it travels, and in base64 at each of the three phases in which it can stand."""
    found = [token.encode(), base64.b64encode(f"{EMAIL}:{token}".encode())]
    for before in range(3):
        shifted = base64.b64encode(b"x" * before + token.encode())
        found.append(shifted[4 if before else 0 : -4])
    return found


def leaks(seen: Iterable[tuple[str, bytes]]) -> list[str]:
    return [f"{form!r} in {where}" for where, what in seen for form in forms(TOKEN) if form in what]


def everywhere(line: CommandLine, said: Iterable[Said]) -> list[str]:
    """Leaks in the outputs, in the process list and in every file."""
    shown = [(" ".join(one.arguments), one.everything) for one in said]
    return leaks([*shown, *((str(place), content) for place, content in line.files().items())])


def test_the_search_finds_a_token_in_each_of_its_forms() -> None:
    for hidden in (
        f"Bearer {TOKEN}",
        base64.b64encode(f"{EMAIL}:{TOKEN}".encode()).decode(),
        base64.b64encode(f"a{TOKEN}".encode()).decode(),
        base64.b64encode(TOKEN.encode()).decode(),
    ):
        assert leaks([("here", hidden.encode())]), hidden


def all_commands(plan: Path) -> list[tuple[str | Path, ...]]:
    return [
        ("doctor",),
        ("agents",),
        ("check", plan),
        ("run", plan),
        ("show",),
        ("show", "--json"),
        ("results", "--format", "jsonl"),
        ("results", "--format", "csv"),
        ("report", "-o", plan.parent / "report.md"),
        ("report", "--format", "junit", "-o", plan.parent / "report.xml"),
        ("explain", "last", "https://b.example"),
        ("resume",),
    ]


@pytest.mark.parametrize("api", ["v7", "v6"])
async def test_an_api_that_echoes_the_token_gets_it_nowhere(tmp_path: Path, api: str) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN.format(api=api), "utf-8")
    async with mirror() as (origin, hostile):
        line = CommandLine(tmp_path, origin, {**ENVIRONMENT, "TE_EMAIL": EMAIL})
        commands = all_commands(plan) if api == "v7" else [("run", plan), ("agents", "--api", "v6")]
        said = [await line(*command) for command in commands]
    assert hostile.seen >= 4, "the token was never echoed, so nothing was shown"
    assert all(one.code != 70 for one in said), "\n".join(map(str, said))
    assert b"***" in b"".join(one.everything for one in said), "the echo was not even masked"
    assert everywhere(line, said) == []


async def test_faults_and_refusals_do_not_show_the_token_at_any_level(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN.format(api="v7"), "utf-8")
    faults = (
        Fault("reset-after", "create", nth=1),
        Fault("invalid-json", "read", nth=1),
        Fault("500", "read", nth=2),
        Fault("401", "read", nth=3),
    )
    pace = Pace.from_now(30.0)
    clock = ProcessClock(pace)
    service = Service(World(faults=faults, token=TOKEN))
    async with serve(service, clock.wall, clock.sleep) as origin:
        line = CommandLine(tmp_path, origin, ENVIRONMENT, pace)
        said = [await line("--log-level", "debug", "--log-json", "run", plan), await line("show")]
        wrong = replace(line, environment={**ENVIRONMENT, "TE_TOKEN": TOKEN + "x"})
        said += [await wrong("run", plan), await wrong("doctor")]
    assert [one.code for one in said] == [4, 0, 4, 4], "\n".join(map(str, said))
    assert b"401" in said[0].err
    assert everywhere(line, said) == []


# A defect in the middle of a request, whose traceback would carry the headers along.
DEFECT = """
import sys
from orchestrator.thousandeyes.client import HttpTransport
async def broken(self, request, *rest):
    headers = self._headers(request)
    raise RuntimeError(f"a defect with {headers} and {self._credentials.token!r}")
HttpTransport._exchange = broken
from orchestrator.cli import main
main(sys.argv[1:])
"""


async def test_the_traceback_of_a_defect_is_shown_without_the_token(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN.format(api="v7"), "utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", DEFECT, "run", str(plan), "--base-url", "http://127.0.0.1:9"),
        *("--store", str(tmp_path / "runs.db")),
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **ENVIRONMENT},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 70
    assert b"RuntimeError" in err
    assert b"Traceback" in err, "the level is debug: the traceback is what it is for"
    assert leaks([("stdout", out), ("stderr", err)]) == []


SECRETS = {
    "FTP": "hush-ftp-1",
    "SIP": "hush-sip-2",
    "SCRIPT": "hush-script-3",
    "BASIC": "hush-basic-4",
    "HEADER": "hush-header-5",
    "URL": "hush-url-6",
}
SECRET_PLAN = """
version: 1
name: secrets
tests:
  - name: files
    type: ftp-server
    targets: ["ftp://files.example/a"]
    agents: ["3"]
    options: {requestType: download, username: someone, password: "${env:FTP}"}
  - name: calls
    type: sip-server
    agents: ["3"]
    targets:
      - name: registrar
        targetSipCredentials:
          {sipRegistrar: sip.example, port: 5060, protocol: tcp, authUser: one, password: "${env:SIP}"}
  - name: shop
    type: web-transactions
    targets: ["https://shop.example"]
    agents: ["3"]
    options: {transactionScript: "await driver.get('${env:SCRIPT}')"}
  - name: web
    type: http-server
    targets: ["https://user:${env:URL}@web.example/"]
    agents: ["3"]
    options: {authType: basic, username: one, password: "${env:BASIC}", headers: ["X-Key: ${env:HEADER}"]}
"""


def plan_leaks(said: Iterable[Said], places: Iterable[tuple[str, bytes]]) -> list[str]:
    shown = [(" ".join(one.arguments), one.everything) for one in said]
    return [
        f"{secret} in {where}"
        for where, what in [*shown, *places]
        for secret in SECRETS.values()
        if secret.encode() in what
    ]


async def test_secrets_of_a_plan_are_shown_nowhere(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(SECRET_PLAN, "utf-8")
    pace = Pace.from_now(30.0)
    clock = ProcessClock(pace)
    service = Service(World(error_rate=0.5, faults=(Fault("404", "create", nth=2),)))
    async with serve(service, clock.wall, clock.sleep) as origin:
        line = CommandLine(tmp_path, origin, {**ENVIRONMENT, **SECRETS}, pace)
        said = [await line(*command) for command in (("check", plan), ("check", plan, "--json"))]
        said.append(await line("--log-level", "debug", "run", plan, "--json"))
        assert said[-1].code in {0, 1, 3}, str(said[-1])
        assert len(service.witness()["creations"]) == 3
        more = (*all_commands(plan)[6:-2], ("show",), ("explain", "last", "registrar"))
        said += [await line(*command) for command in more]
    reports = [(str(place), place.read_bytes()) for place in tmp_path.glob("report.*")]
    assert len(reports) == 2
    assert plan_leaks(said, reports) == []
    # What a resume needs is in the store, and only its owner reads that.
    holding = [place for place, content in line.files().items() if plan_leaks([], [("", content)])]
    assert line.store in holding
    open_to_others = [
        str(place) for place in holding if stat.S_IMODE(place.stat().st_mode) & 0o077 and place != plan
    ]
    assert open_to_others == []


@pytest.mark.parametrize("wrong", ['["${env:FTP}", 1]', '{a: "${env:FTP}"}'])
async def test_a_problem_with_a_secret_field_does_not_show_its_value(tmp_path: Path, wrong: str) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(SECRET_PLAN.replace('"${env:FTP}"', wrong), "utf-8")
    line = CommandLine(tmp_path, "http://127.0.0.1:9", {**ENVIRONMENT, **SECRETS})
    said = await line("check", plan)
    assert said.code == 2, str(said)
    assert b"password" in said.err
    assert plan_leaks([said], []) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_takes_the_token_where_the_process_list_shows_it(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    options = {
        option
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
        if "token" in option or "password" in option or "secret" in option
    }
    # The last is a switch: whether what a plan holds may be written.
    assert options <= {"--token-file", "token_file", "--with-secrets"}
