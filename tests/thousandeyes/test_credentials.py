from __future__ import annotations

import base64
import io
import traceback
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.credentials import Credentials, Masker, find_credentials
from orchestrator.errors import UsageProblem
from orchestrator.model import Api

TOKEN = "0123456789abcdef-sesame"


def place(tmp_path: Path, name: str, content: str) -> str:
    path = tmp_path / name
    path.write_text(content)
    return str(path)


def test_the_places_have_an_order(tmp_path: Path) -> None:
    place(tmp_path, "te-token", "from-systemd\n")
    environ = {
        "CREDENTIALS_DIRECTORY": str(tmp_path),
        "TE_TOKEN_FILE": place(tmp_path, "named", "from-file\r\n"),
        "TE_TOKEN": "from-environment",
    }
    flag = place(tmp_path, "flag", "from-flag")
    assert find_credentials(environ, flag, None).token == "from-flag"
    assert find_credentials(environ, "-", io.StringIO("from-stdin\n")).token == "from-stdin"
    assert find_credentials(environ, None, None).token == "from-systemd"
    environ["CREDENTIALS_DIRECTORY"] = str(tmp_path / "empty")
    assert find_credentials(environ, None, None).token == "from-file"
    del environ["TE_TOKEN_FILE"]
    assert find_credentials(environ, None, None).token == "from-environment"


def test_no_token_says_where_was_looked() -> None:
    with pytest.raises(UsageProblem, match="--token-file, TE_TOKEN_FILE, TE_TOKEN") as caught:
        find_credentials({"TE_TOKEN": ""}, None, None)
    assert "TE_TOKEN" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["BEARER_TOKEN", "TE_BEARER"])
def test_a_token_under_another_name_is_pointed_at_but_not_used(name: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        find_credentials({name: TOKEN}, None, None)
    assert str(caught.value.hint).startswith(f"{name} is set, but the name is TE_TOKEN")
    assert TOKEN not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n",
        "two words-sesame",
        "sesame\nsesame",
        "sésame-sesame",
        "sesame\x00x",
        "Bearer sesame-sesame",
        "Basic c2VzYW1l-sesame",
        '"sesame-sesame"',
        " sesame-sesame",
        "sesame\tsesame",
    ],
)
def test_what_is_no_token_is_refused_without_being_shown(content: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(content)
    with pytest.raises(UsageProblem) as caught:
        find_credentials({}, str(path), None)
    shown = "".join(traceback.format_exception(caught.value)) + str(caught.value.hint)
    assert str(path) in shown
    assert "sesame" not in shown.lower().replace(str(path).lower(), "")
    with pytest.raises(UsageProblem):
        find_credentials({"TE_TOKEN": content}, None, None)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for environ, flag in (({}, str(tmp_path / "none")), ({"TE_TOKEN_FILE": str(tmp_path)}, None)):
        with pytest.raises(UsageProblem, match=r"cannot be read: (No such file|Is a directory)"):
            find_credentials(environ, flag, None)


def test_standard_input_that_is_not_there_is_wrong_usage() -> None:
    with pytest.raises(UsageProblem, match="standard input"):
        find_credentials({"TE_TOKEN": TOKEN}, "-", None)


def test_basic_is_for_v6_with_an_address_and_bearer_for_the_rest() -> None:
    plain = find_credentials({"TE_TOKEN": TOKEN}, None, None)
    basic = find_credentials({"TE_TOKEN": TOKEN, "TE_EMAIL": "ops@example.com"}, None, None)
    encoded = base64.b64encode(f"ops@example.com:{TOKEN}".encode()).decode()
    assert plain.authorization(Api.V6) == plain.authorization(Api.V7) == f"Bearer {TOKEN}"
    assert basic.authorization(Api.V7) == f"Bearer {TOKEN}"
    assert basic.authorization(Api.V6) == f"Basic {encoded}"


@pytest.mark.parametrize("email", ["a b@example.com", "ops:x@example.com", "ops@exämple.com"])
def test_an_address_that_basic_cannot_carry_is_refused(email: str) -> None:
    with pytest.raises(UsageProblem, match="TE_EMAIL"):
        find_credentials({"TE_TOKEN": TOKEN, "TE_EMAIL": email}, None, None)


def test_credentials_do_not_show_themselves() -> None:
    credentials = Credentials(TOKEN, "ops@example.com")
    assert TOKEN not in f"{credentials!r} {credentials}"
    assert "ops@" not in repr(credentials)


@settings(deadline=None)
@given(st.text(max_size=40), st.text(max_size=40), st.from_regex(r"[!-~]{6,40}", fullmatch=True))
def test_the_masker_leaves_no_form_of_the_token_in_any_text(before: str, after: str, token: str) -> None:
    credentials = Credentials(token, "ops@example.com")
    mask = Masker(credentials)
    for form in credentials.secrets():
        masked = mask(f"{before}{form}{after}")
        assert "***" in masked
        assert not any(
            len(secret) > 6 and secret in masked.replace("***", " ") for secret in credentials.secrets()
        )


def test_the_masker_knows_how_a_token_travels() -> None:
    credentials = Credentials("abc/def+ghi", "ops@example.com")
    mask = Masker(credentials)
    header = credentials.authorization(Api.V6)
    assert mask(f"Authorization: {header}") == "Authorization: Basic ***"
    assert mask('{"t": "abc\\/def+ghi"}') == '{"t": "***"}'
    assert mask("?t=abc%2Fdef%2Bghi&x=1") == "?t=***&x=1"


def test_without_a_token_or_with_a_stand_in_text_stays_as_it_is() -> None:
    assert Masker(None)("a text") == "a text"
    assert Masker(Credentials("t"))("a text") == "a text"
