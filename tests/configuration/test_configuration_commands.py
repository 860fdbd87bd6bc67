"""The file of configuration as a command meets it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from documentation import ROOT

from orchestrator import cli
from orchestrator.cli.configured import SettingOption
from orchestrator.settings import SETTINGS, TOKEN

FILE = """\
store = "runs.db"
notify = ["oncall"]
[profiles.acme]
base_url = "https://api.acme.example"
aid = "1234"
token = "env:ACME"
quiet = true
concurrency = 1000
[profiles.beta]
"""
PLAN = """\
version: 1
name: sweep
account_group: "99"
agents: {every: {type: cloud}}
tests: [{name: web, type: http-server, agents: every, targets: ["https://a.example"]}]
notify: [{to: noc}]
"""

SETTINGS_OF = ("doctor", "--settings", "--json")

Say = Callable[..., tuple[int, str]]


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command in a folder with a file of configuration; its exit code and what it said."""
    (tmp_path / "o.toml").write_text(FILE)
    (tmp_path / "plan.yaml").write_text(PLAN)
    monkeypatch.chdir(tmp_path)
    for one in SETTINGS:
        for name in one.variables:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(tmp_path / "o.toml"))

    def run(*words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            cli.main(words)
        said = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return end.value.code, said.out + said.err

    return run


def rows(said: str) -> dict[str, tuple[object, ...]]:
    return {one["name"]: (one["value"], one["source"], one["place"]) for one in json.loads(said)["settings"]}


def test_every_setting_is_shown_with_its_source(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TE_CA_FILE", "/etc/ca.pem")
    monkeypatch.setenv("TE_EMAIL", "me@acme.example")
    file = str(tmp_path / "o.toml")
    code, said = say(
        "doctor", "--settings", "--json", "--profile", "acme", "--plan", "plan.yaml", "--store", "s.db"
    )
    found = rows(said)
    assert code == 0
    assert list(found) == [one.key for one in SETTINGS]
    assert found["config"] == (file, "environment", "ORCHESTRATOR_CONFIG")
    assert found["profile"] == ("acme", "flag", "--profile")
    assert found["store"] == ("s.db", "flag", "--store")
    assert found["ca_file"] == ("/etc/ca.pem", "environment", "TE_CA_FILE")
    assert found["aid"] == ("99", "plan", "plan.yaml:3")
    assert found["notify"] == (["noc"], "plan", "plan.yaml:6")
    assert found["base_url"] == ("https://api.acme.example", "file", f"{file}:4")
    assert found["token"] == (None, "file", f"{file}:6")
    assert found["email"] == (None, "environment", "TE_EMAIL")
    assert found["gate"] == ("normal", "default", None)
    assert "me@acme.example" not in said
    code, said = say("doctor", "--settings", "--profile", "acme")
    assert re.search(r"^token +set +file .*o\.toml:6$", said, re.MULTILINE)
    assert re.search(r"^aid +1234 +file .*o\.toml:5$", said, re.MULTILINE)
    assert said.endswith("profiles: acme, beta\n")


@pytest.mark.parametrize("words", [("--profile", "beta", "runs"), ("runs", "--profile", "beta")])
def test_a_profile_may_be_named_before_the_command_and_after_it(say: Say, words: tuple[str, ...]) -> None:
    assert say(*words)[0] == 0
    code, said = say(*("acne" if word == "beta" else word for word in words))
    assert (code, "did you mean 'acme'?" in said) == (2, True)


def test_a_value_that_the_command_cannot_take_is_told_of_the_file_not_of_the_flag(say: Say) -> None:
    code, said = say("worker", "--profile", "acme")
    assert code == 2
    assert re.search(r"o\.toml:8: concurrency: 1000 is not in the range", said)
    assert "--concurrency" not in said


def test_a_plan_says_more_than_the_file_and_less_than_the_environment(
    say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*SETTINGS_OF, "--profile", "acme")
    assert rows(say(*words, "--plan", "plan.yaml")[1])["aid"][:2] == ("99", "plan")
    assert rows(say(*words)[1])["aid"][:2] == ("1234", "file")
    monkeypatch.setenv("TE_AID", "7")
    assert rows(say(*words, "--plan", "plan.yaml")[1])["aid"][:2] == ("7", "environment")
    assert rows(say(*words, "--plan", "plan.yaml", "--aid", "8")[1])["aid"][:2] == ("8", "flag")


def test_what_commands_would_refuse_is_told_beside_the_values(
    say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert json.loads(say(*SETTINGS_OF)[1])["wrong"] == []
    monkeypatch.setenv("TE_BASE_URL", "not a url")
    monkeypatch.setenv("ORCHESTRATOR_LOG", "loud")
    code, said = say(*SETTINGS_OF)
    assert code == 2
    assert rows(said)["base_url"][:2] == ("not a url", "environment")
    address, level = json.loads(said)["wrong"]
    assert "not a url" in address
    assert "loud" in level
    assert say("doctor", "--settings")[1].count("\nwrong: ") == 2


@pytest.mark.parametrize("option", ["--profile", "--config"])
def test_an_option_that_is_given_and_empty_is_not_taken_for_the_usual_one(say: Say, option: str) -> None:
    for words in ((option, "", "runs"), ("doctor", "--settings", option, "")):
        code, said = say(*words)
        assert (code, "it is empty" in said) == (2, True), said


def test_a_zone_without_a_time_is_told(say: Say) -> None:
    code, said = say("check", "plan.yaml", "--timezone", "Europe/Berlin")
    assert (code, "--timezone is that of --cron" in said) == (2, True)


def test_what_was_written_together_is_not_parted_by_the_environment(
    say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TE_TOKEN", "a-token-that-is-only-a-test")
    code, said = say("agents", "--profile", "acme")
    assert code == 2
    assert "a token is not sent to an origin that it was not written down with" in said


def test_channels_of_the_file_are_for_plans_that_name_none(say: Say, tmp_path: Path) -> None:
    (tmp_path / "none.yaml").write_text(PLAN.replace("notify: [{to: noc}]\n", ""))
    for plan, channel in (("none.yaml", "oncall"), ("plan.yaml", "noc")):
        code, said = say("run", plan)
        assert code == 2
        assert f"no address is known of the channel '{channel}'" in said


def test_a_file_that_is_wrong_stops_no_help_no_completion_and_no_schema(say: Say, tmp_path: Path) -> None:
    (tmp_path / "o.toml").write_text("quite = true")
    assert say("runs") == (2, f"{tmp_path / 'o.toml'}:1:1: unknown key 'quite', did you mean 'quiet'?\n")
    for words in (("--help",), ("runs", "--help"), ("schema",), ("completion", "bash")):
        assert say(*words)[0] == 0
    shell = ShellComplete(cli.cli, {}, "orchestrator", "_ORCHESTRATOR_COMPLETE")
    assert [one.value for one in shell.get_completions(["runs"], "--js")] == ["--json"]
    assert shell.get_completions(["--profile"], "") == []


def test_a_shell_completes_profiles(say: Say) -> None:
    del say
    shell = ShellComplete(cli.cli, {}, "orchestrator", "_ORCHESTRATOR_COMPLETE")
    for words in (["--profile"], ["runs", "--profile"]):
        assert [one.value for one in shell.get_completions(words, "a")] == ["acme"]


def options() -> list[SettingOption]:
    context = click.Context(cli.cli)
    found: list[SettingOption] = []

    def walk(command: click.Command) -> None:
        found.extend(one for one in command.params if isinstance(one, SettingOption))
        for inner in command.commands.values() if isinstance(command, click.Group) else ():
            walk(inner)

    for name in cli.COMMANDS:
        command = cli.cli.get_command(context, name)
        assert command is not None
        walk(command)
    return found


def test_every_key_of_the_file_is_an_option_of_some_command() -> None:
    elsewhere = {"profile", "log_level", TOKEN.key}
    assert {one.setting.key for one in options()} | elsewhere == {one.key for one in SETTINGS if one.in_file}


def test_the_page_has_the_table_of_settings() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    found = {}
    for line in re.findall(r"^\| `\w+` \|.*$", text, re.MULTILINE):
        key, flag, variables = (re.findall(r"`([^`]+)`", cell) for cell in line.split("|")[1:4])
        found[key[0]] = (flag[:1], variables)
    assert found == {one.key: ([one.flag] if one.flag else [], list(one.variables)) for one in SETTINGS}
