"""What an organization admits, how it may be called, and where its token may be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.actions import organizations as actions
from orchestrator.credentials import find_own_or_referenced, find_referenced
from orchestrator.errors import UsageProblem
from orchestrator.organizations import (
    Organization,
    admit,
    at_home,
    check_name,
    check_reference,
    same_name,
)
from orchestrator.settings import Settings
from orchestrator.store.opening import open_store

ORIGIN = "https://api.example.com"
ACME = Organization("acme", ORIGIN, account_groups=("11", "12"))
SETTINGS = Settings(ORIGIN, "store", account="11", organization="acme")


def test_what_fits_is_admitted() -> None:
    admit(ACME, SETTINGS)
    admit(replace(ACME, account_groups=()), replace(SETTINGS, account=None))


@pytest.mark.parametrize(
    ("organization", "settings", "told"),
    [
        (replace(ACME, paused=True, paused_reason="why not"), SETTINGS, "paused: why not"),
        (ACME, replace(SETTINGS, origin="https://elsewhere.example.com"), "not at https://elsewhere"),
        (ACME, replace(SETTINGS, account="13"), "account group 13 is not one"),
        (ACME, replace(SETTINGS, account=None), "own account group is not one"),
    ],
)
def test_what_does_not_fit_is_refused(organization: Organization, settings: Settings, told: str) -> None:
    with pytest.raises(UsageProblem, match=told):
        admit(organization, settings)


@pytest.mark.parametrize(
    ("home", "admitted"),
    [
        (ORIGIN, True),
        ("https://also.example.com", True),
        ("https://api.thousandeyes.com", True),
        ("https://api.eu1.thousandeyes.com", True),
        ("https://elsewhere.example.com", False),
        ("http://api.thousandeyes.com", False),
        ("https://api.thousandeyes.com.example.com", False),
        ("https://notthousandeyes.com", False),
    ],
)
def test_an_organization_is_talked_to_at_its_own_origin_if_this_host_or_the_vendor_knows_that(
    home: str, admitted: bool
) -> None:
    unnamed = replace(SETTINGS, origin_named=False, origins=(ORIGIN, "https://also.example.com"))
    settings = at_home(replace(ACME, origin=home), unnamed)
    assert settings.origin == home
    # Also the second time: what the store names does not become what this host names.
    settings = at_home(replace(ACME, origin=home), settings)
    if admitted:
        admit(replace(ACME, origin=home), settings)
    else:
        with pytest.raises(UsageProblem, match="which nobody named on this host"):
            admit(replace(ACME, origin=home), settings)


def test_an_origin_that_was_named_is_not_left_for_that_of_the_organization() -> None:
    assert at_home(replace(ACME, origin="https://elsewhere.example.com"), SETTINGS) == SETTINGS


@pytest.mark.parametrize("name", ["", "a b", "-a", "a/b", "ä", "a" * 101, "a\n"])
def test_no_name(name: str) -> None:
    with pytest.raises(UsageProblem):
        check_name(name)


@pytest.mark.parametrize(
    "reference",
    [
        *("", "sesame-123", "env:", "env:HOME", "env:AWS_SECRET", "env:te_token", "file:../x", "file:/etc/x"),
        *("file:..", "file:a..b", "credential:a/b", "vault:x", "env:TE_TOKEN_X\n", "env:TE_TOKENS"),
    ],
)
def test_a_reference_names_neither_any_variable_nor_any_file_and_is_not_repeated(reference: str) -> None:
    with pytest.raises(UsageProblem) as refused:
        check_reference(reference)
    assert not reference.strip() or reference not in refused.value.message


@pytest.mark.parametrize(
    "reference", ["env:TE_TOKEN", "env:TE_TOKEN_ACME", "file:acme", "credential:te-token.acme"]
)
def test_a_reference(reference: str) -> None:
    assert check_reference(reference) == reference


def test_a_token_is_found_where_the_reference_says(tmp_path: Path) -> None:
    (tmp_path / "acme").write_text("sesame-0123456789\n", "utf-8")
    (tmp_path / "acme").chmod(0o600)
    environ = {
        "TE_TOKEN_ACME": "sesame-1\n",
        "ORCHESTRATOR_TOKENS": str(tmp_path),
        "CREDENTIALS_DIRECTORY": str(tmp_path),
    }
    assert find_referenced("env:TE_TOKEN_ACME", environ).token == "sesame-1"
    assert find_referenced("file:acme", environ).token == "sesame-0123456789"
    assert find_referenced("credential:acme", environ).token == "sesame-0123456789"
    for missing in ("env:TE_TOKEN_B", "file:b", "credential:b"):
        with pytest.raises(UsageProblem):
            find_referenced(missing, environ)
    with pytest.raises(UsageProblem, match="CREDENTIALS_DIRECTORY"):
        find_referenced("credential:acme", {})


@pytest.mark.parametrize(
    ("told", "same"), [("ACME", True), ("Acme, Inc.", False), ("Acme Incorporated", True), ("", False)]
)
def test_the_name_of_the_api(told: str, same: bool) -> None:
    assert same_name(replace(ACME, called="acme incorporated"), told) is same


REFERENCE = "env:TE_TOKEN_ACME"


@pytest.mark.parametrize(
    ("reference", "environ", "found"),
    [
        (None, {"TE_TOKEN": "mine"}, "mine"),
        (REFERENCE, {"TE_TOKEN_ACME": "theirs"}, "theirs"),
        (REFERENCE, {"TE_TOKEN": "mine"}, "mine"),
        (REFERENCE, {"TE_TOKEN": "one", "TE_TOKEN_ACME": "one"}, "one"),
    ],
)
def test_a_command_without_a_token_of_its_own_takes_that_of_the_organization(
    reference: str | None, environ: dict[str, str], found: str
) -> None:
    assert find_own_or_referenced(reference, environ).token == found


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"TE_TOKEN": "mine", "TE_TOKEN_ACME": "theirs"}, "is not the one of the organization"),
        ({}, "env:TE_TOKEN_ACME is not set on this host"),
        ({"TE_TOKEN": "Bearer mine", "TE_TOKEN_ACME": "theirs"}, "begins with the word 'Bearer'"),
    ],
)
def test_two_tokens_none_and_one_that_is_none_are_refused(environ: dict[str, str], told: str) -> None:
    with pytest.raises(UsageProblem, match=told) as refused:
        find_own_or_referenced(REFERENCE, environ)
    assert "mine" not in f"{refused.value.message} {refused.value.hint}"


async def test_a_file_has_no_organizations_and_takes_any_name(tmp_path: Path) -> None:
    async with open_store(str(tmp_path / "store.db")) as opened:
        assert await actions.settled(opened, "anything") is None
        with pytest.raises(UsageProblem, match="this one is a file"):
            await actions.listed(opened)
