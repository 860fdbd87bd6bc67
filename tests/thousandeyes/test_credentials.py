from __future__ import annotations

import base64
import html
import io
import json
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.credentials import (
    SHORTEST_ECHO,
    Credentials,
    Masker,
    _spelled,
    find_credentials,
    masked_bytes,
)
from orchestrator.errors import UsageProblem
from orchestrator.model import Api
from orchestrator.safe import MASK

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


def test_a_file_that_cannot_be_read_is_told_by_the_way_that_named_it(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="there is no file of the name in --token-file"):
        find_credentials({}, str(tmp_path / "none"), None)
    with pytest.raises(UsageProblem, match="TE_TOKEN_FILE cannot be read: Is a directory"):
        find_credentials({"TE_TOKEN_FILE": str(tmp_path)}, None, None)


@pytest.mark.parametrize("secret", [TOKEN, "a/b+c=0123456789abcdef", "t" * 5000, "nul\0byte-0123456789"])
def test_a_token_in_the_place_of_its_file_is_not_repeated(secret: str) -> None:
    for environ, flag in (({"TE_TOKEN_FILE": secret}, None), ({}, secret)):
        with pytest.raises(UsageProblem) as caught:
            find_credentials(environ, flag, None)
        assert secret not in f"{caught.value.message} {caught.value.hint}"


def in_json(text: str) -> str:
    return "".join(f"\\u{ord(letter):04x}" for letter in text)


ECHOES: dict[str, Callable[[str], str]] = {
    "as it is": lambda token: token,
    "one character escaped": lambda token: token.replace("=", "\\u003d"),
    "upper-case digits": lambda token: token.replace("=", "\\u003D"),
    "all escaped": in_json,
    "JSON within JSON": lambda token: in_json(token).replace("\\", "\\\\"),
    "an escaped slash": lambda token: token.replace("/", "\\/"),
    "percent-encoded": lambda token: quote(token, safe=""),
    "percent-encoded twice": lambda token: quote(quote(token, safe=""), safe=""),
    "percent-encoded whole": lambda token: "".join(f"%{ord(letter):02x}" for letter in token),
    "as HTML": lambda token: token.replace("=", "&#61;").replace("/", "&#x2F;"),
    "HTTP Basic": lambda token: base64.b64encode(f"ops@example.com:{token}".encode()).decode(),
    "HTTP Basic of nobody": lambda token: base64.b64encode(f"x:{token}".encode()).decode(),
}


@pytest.mark.parametrize("echo", ECHOES)
def test_a_token_is_masked_however_it_is_spelled(echo: str) -> None:
    token = "sesame/0123456789abcdef+abcdef0123=open"
    text = f'{{"detail": "bad token {ECHOES[echo](token)}"}}'
    credentials = Credentials(token, "ops@example.com")
    for masked in (Masker(credentials)(text), masked_bytes(credentials)(text.encode()).decode()):
        assert MASK in masked
        said = unquote(unquote(html.unescape(str(json.loads(masked)["detail"]))))
        for form in (token, "0123456789abcdef", base64.b64encode(b"0123456789abcdef").decode()[:12]):
            assert form not in said
        assert "0123456789" not in said.encode().decode("unicode_escape")


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


_SPELLINGS: list[Callable[[str], str]] = [
    str,
    lambda one: f"\\u00{ord(one):02x}",
    lambda one: f"\\\\\\u00{ord(one):02X}",
    lambda one: f"%{ord(one):02x}",
    lambda one: f"%2525{ord(one):02X}",
    lambda one: f"&#{ord(one):04d};",
    lambda one: f"&#x0{ord(one):X};",
    lambda one: f"\\{one}" if one in '/"\\' else one,
]
_AROUND = st.lists(
    st.sampled_from(
        [
            *"ae0/%\\&;u ",
            "%20",
            "%25",
            "%2541",
            "\\u00e3",
            "\\n",
            '\\"',
            "&#39;",
            "&amp;",
            "&#x;",
            "u00",
            "25",
        ]
    ),
    max_size=12,
).map("".join)


@given(
    token=st.sampled_from(
        ["0123456789abcdef-01234567", "abcdefghij/klmn+opqrst==", "%41%25abcdefghijklm\\n&#"]
    ),
    spell=st.lists(st.sampled_from(_SPELLINGS), min_size=26, max_size=26),
    before=_AROUND,
    after=_AROUND,
)
def test_no_spelling_of_a_token_is_passed_over_for_the_sake_of_speed(
    token: str, spell: list[Callable[[str], str]], before: str, after: str
) -> None:
    echo = "".join(way(one) for way, one in zip(spell, token, strict=False))
    body = f"{before}{echo}{after}".encode()
    slowly = re.compile(
        b"|".join(
            _spelled(form).encode() for form in Credentials(token).secrets() if len(form) >= SHORTEST_ECHO
        )
    )
    assert masked_bytes(Credentials(token))(body) == slowly.sub(b"***", body)


def test_a_body_with_escapes_of_other_characters_is_not_searched_for_every_spelling() -> None:
    """Nothing but speed, so what is held is that the patterns are not even made."""
    body = b'{"name":"S\\u00e3o Paulo","url":"https://h/a%20b"}' * 1000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(re, "compile", lambda *_: pytest.fail("compiled"))
        assert masked_bytes(Credentials("0123456789_abcdef_01234567"))(body) == body
