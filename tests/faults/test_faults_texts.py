"""What the API and a plan say is data in every format, through the whole command line."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

import pytest
from command_line import CommandLine, Said
from mirror import TEXTS, mirror

# What a plan may say in a name: everything but control characters.
PLAN = """
version: 1
name: 'plan =1+1 <b>|*x*'
agents: {every: {type: cloud}}
tests:
  - name: '=web <script>alert(1)</script>'
    type: http-server
    agents: every
    layers: [http-server]
    expect: ["http-server.responseCode == 200"]
    targets:
      - {name: '=cmd() [x](javascript:alert(1)) `@everyone`', url: "https://a.example"}
      - {name: '+2 ]]> &amp; <!--', url: "https://b.example"}
"""
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "check": ("check", "PLAN"),
    "check json": ("check", "PLAN", "--json"),
    "run": ("--log-level", "debug", "run", "PLAN"),
    "show": ("show",),
    "show json": ("show", "--json"),
    "runs": ("runs",),
    "table": ("results",),
    "jsonl": ("results", "--format", "jsonl"),
    "csv": ("results", "--format", "csv"),
    "markdown": ("report",),
    "junit": ("report", "--format", "junit"),
    "explain": ("explain", "last", "+2 ]]> &amp; <!--"),
    "explain json": ("explain", "last", "=cmd() [x](javascript:alert(1)) `@everyone`", "--json"),
    "agents": ("agents",),
    "agents json": ("agents", "--json"),
    "doctor": ("doctor",),
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Said]:
    """What every command said of the same hostile world."""
    folder = tmp_path_factory.mktemp("texts")
    return asyncio.run(_say(folder))


async def _say(folder: Path) -> Mapping[str, Said]:
    plan = folder / "plan.yaml"
    plan.write_text(PLAN, "utf-8")
    found: dict[str, Said] = {}
    async with mirror() as (origin, _):
        line = CommandLine(folder, origin, {"TE_TOKEN": "simulated", "PYTHONUTF8": "1"})
        pairs = asyncio.Semaphore(2)

        async def say(name: str) -> None:
            async with pairs:
                words = [str(plan) if word == "PLAN" else word for word in COMMANDS[name]]
                found[name] = await line(*words)

        for name in ("check", "check json", "run"):
            await say(name)
        async with asyncio.TaskGroup() as tasks:
            for name in COMMANDS.keys() - found.keys():
                tasks.create_task(say(name))
    return found


def text_of(said: Mapping[str, Said], name: str) -> str:
    one = said[name]
    assert one.code == (3 if name == "run" else 0), str(one)
    return one.out.decode("utf-8")


@pytest.mark.parametrize("name", ["check", "run", "show", "table", "markdown", "explain", "agents"])
def test_a_text_of_a_megabyte_is_cut_for_people(said: Mapping[str, Said], name: str) -> None:
    longest = max(map(len, text_of(said, name).splitlines()))
    assert longest < 2_000, f"a line of {name} has {longest} characters"


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_writes_a_character_that_a_terminal_obeys(said: Mapping[str, Said], name: str) -> None:
    text_of(said, name)
    for stream in (said[name].out, said[name].err):
        text = stream.decode("utf-8")  # a lone surrogate would not even encode
        bad = {
            letter
            for letter in text
            if unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and letter not in "\n\t"
        }
        assert not bad, f"{name} writes {sorted(map(ascii, bad))}"


def test_json_carries_names_unchanged(said: Mapping[str, Said]) -> None:
    agents = json.loads(text_of(said, "agents json"))["agents"]
    names = {agent["agent_id"]: agent["agent"] for agent in agents}
    assert len(names) == len(TEXTS)
    for number, text in enumerate(TEXTS, 1):
        assert names[str(number)].startswith(f"{text} {number}"), f"agent {number}"
    rows = [json.loads(line) for line in text_of(said, "jsonl").splitlines()]
    assert {row["agent"] for row in rows} == {_stored(name) for name in names.values()}
    for row in rows:
        assert _stored(TEXTS[int(row["agent_id"]) % len(TEXTS)]) in _stored(row["error"])
    assert {row["target"] for row in rows} == {"=cmd() [x](javascript:alert(1)) `@everyone`"}


def _stored(text: str) -> str:
    """Stores have no lone surrogates, and one of them no NUL: they are kept as escapes."""
    return text.replace("\ud800", "\\ud800").replace("\0", "\\x00")


@pytest.mark.parametrize("name", ["check json", "show json", "explain json", "jsonl", "agents json"])
def test_json_is_ascii_and_parses(said: Mapping[str, Said], name: str) -> None:
    text = text_of(said, name)
    assert text.isascii()
    for document in text.splitlines() if name == "jsonl" else [text]:
        assert json.loads(document)["schema"] == 1


def test_no_cell_of_the_csv_is_a_formula(said: Mapping[str, Said]) -> None:
    rows = list(csv.reader(io.StringIO(text_of(said, "csv"), newline="")))
    assert len(rows) == 1 + len(TEXTS)
    assert len({len(row) for row in rows}) == 1, "a text broke out of its cell"
    number = re.compile(r"[+-]?[0-9.eE+-]+\Z")
    formulas = [
        cell for row in rows for cell in row if cell[:1] in "=+-@" and cell and not number.match(cell)
    ]
    assert formulas == []
    assert any(cell.startswith("'=cmd()") for row in rows for cell in row)


def test_the_junit_report_parses_and_counts_every_cell(said: Mapping[str, Said]) -> None:
    root = ET.fromstring(said["junit"].out)  # noqa: S314 - our own output
    assert len(root.findall(".//testcase")) == 2 * len(TEXTS)
    assert not root.findall(".//script")


def test_the_markdown_report_holds_every_text_in_code_spans(said: Mapping[str, Said]) -> None:
    text = text_of(said, "markdown")
    outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    for active in ("<script", "javascript:", "@everyone", "HYPERLINK", "<b>"):
        assert active in text, f"{active} was never there, so nothing was shown"
        assert active not in outside, f"{active} stands outside of a code span"
    tables = [line for line in text.splitlines() if line.startswith("| 1 |")]
    assert tables
    assert {line.count("|") for line in tables} == {7}, "a text broke out of its table cell"


def test_the_reason_of_a_refusal_is_one_line(said: Mapping[str, Said]) -> None:
    lines = [line for line in text_of(said, "explain").splitlines() if "refused, status 400" in line]
    assert len(lines) == 1
