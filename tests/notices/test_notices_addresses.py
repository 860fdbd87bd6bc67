"""Addresses are found, checked, masked, and repeated nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.addresses import AddressBook, channels_of
from orchestrator.credentials import mask_of_secrets
from orchestrator.errors import UsageProblem
from orchestrator.outbox import Channel, On

SECRET = "https://hooks.example.com/services/T0123456789/B0123456789/abcdefghijklmnop"


def test_the_file_comes_before_systemd_and_that_before_the_environment(tmp_path: Path) -> None:
    book = tmp_path / "channels"
    book.write_text(f"# ours\n\nOnCall = {SECRET}-file\n")
    (tmp_path / "notify-oncall").write_text(f"{SECRET}-systemd\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "ORCHESTRATOR_NOTIFY_ONCALL": f"{SECRET}-environ"}
    for have in (
        AddressBook(environ, str(book)),
        AddressBook(environ),
        AddressBook({**environ, "CREDENTIALS_DIRECTORY": ""}),
    ):
        found = have.find("oncall")
        assert found is not None
        assert (
            found.url.rpartition("-")[2]
            == {0: "file", 1: "systemd", 2: "environ"}[
                (have.file is None) + (have.environ["CREDENTIALS_DIRECTORY"] == "")
            ]
        )


def test_a_dash_is_an_underscore_in_the_environment() -> None:
    assert AddressBook({"ORCHESTRATOR_NOTIFY_NOC_EU": SECRET}).find("noc-eu") is not None


def test_a_channel_without_an_address_says_where_to_put_it() -> None:
    with pytest.raises(UsageProblem, match="'oncall'") as caught:
        AddressBook({}).require([Channel("oncall")])
    assert "ORCHESTRATOR_NOTIFY_ONCALL" in str(caught.value.hint)


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example.com/secret-secret-secret",
        "http://hooks.example.com/secret-secret-secret",
        "https://",
        "https:///secret-secret-secret",
        "https://hooks.example.com:99999/secret-secret-secret",
        "https://hooks.example.com/secret secret-secret",
        "https://[::1/secret-secret-secret",
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        AddressBook({"ORCHESTRATOR_NOTIFY_X": url}).find("x")
    assert "secret" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:80"])
def test_plain_http_is_for_this_machine(host: str) -> None:
    assert AddressBook({"ORCHESTRATOR_NOTIFY_X": f"http://{host}/hook"}).find("x") is not None


@pytest.mark.parametrize("line", ["oncall", "= https://a.example", "a b = https://a.example", "oncall ="])
def test_a_line_that_is_none_is_told_by_its_number(tmp_path: Path, line: str) -> None:
    book = tmp_path / "channels"
    book.write_text(f"noc = {SECRET}\n{line}\n")
    with pytest.raises(UsageProblem, match="line 2") as caught:
        AddressBook({}, str(book)).find("noc")
    assert "https" not in caught.value.message


def test_a_file_that_others_can_read_is_told(tmp_path: Path) -> None:
    book = tmp_path / "channels"
    book.write_text(f"noc = {SECRET}\n")
    book.chmod(0o600)
    found = AddressBook({}, str(book)).find("noc")
    assert found is not None
    assert found.caution is None


def test_an_address_on_the_command_line_is_a_channel_of_its_own() -> None:
    channels, given = channels_of(["oncall", SECRET, SECRET], On.BAD)
    assert [one.to for one in channels] == ["oncall", *given]
    assert all(one.on is On.BAD for one in channels)
    assert SECRET not in "".join(given)
    book = AddressBook({}, None, given)
    assert [one.url for one in book.require(channels[1:])] == [SECRET]


@pytest.mark.parametrize("word", ["", "two words", "-x", "ünï", "a" * 41, "//hooks.example.com/x"])
def test_what_is_neither_a_name_nor_an_address_is_refused(word: str) -> None:
    with pytest.raises(UsageProblem, match="neither"):
        channels_of([word], On.CHANGE)


def test_an_address_is_masked_whole_and_in_parts_and_never_shown() -> None:
    found = AddressBook({"ORCHESTRATOR_NOTIFY_X": SECRET}).find("x")
    assert found is not None
    assert "example" not in repr(found)
    mask = mask_of_secrets(found.secrets())
    for text in (SECRET, "/services/T0123456789/B0123456789/abcdefghijklmnop", "token=abcdefghijklmnop"):
        assert "abcdefghijklmnop" not in mask(f"POST {text} failed")
    assert mask("a plan of services") == "a plan of services"


def test_the_tokens_of_a_service_are_masked() -> None:
    found = AddressBook(
        {"ORCHESTRATOR_NOTIFY_X": "slack://TOKENTOKENTOKENTOKEN/B1/Cverysecretsecretone"}
    ).find("x")
    assert found is not None
    mask = mask_of_secrets(found.secrets())
    assert mask("at TOKENTOKENTOKENTOKEN and Cverysecretsecretone") == "at *** and ***"
