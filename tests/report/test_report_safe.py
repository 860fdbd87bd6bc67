from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import safe
from orchestrator.testtypes import TEST_TYPES
from orchestrator.testtypes.secrets import mask_secrets

if TYPE_CHECKING:
    from orchestrator.model import Json, JsonObject

HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "a\u202egnp.exe",
    "a\u2066b\u2069",
    "nul\x00byte",
    "line\r\nbreak\u2028sep",
    "\ud800",
    "tag\U000e0041",
    "\u200b\ufeff",
]
DANGEROUS = {"Cc", "Cs", "Zl", "Zp"}
any_text = st.text(st.characters(), max_size=60) | st.sampled_from(HOSTILE)


def moves_the_reader(text: str) -> bool:
    return any(
        unicodedata.category(char) in DANGEROUS
        or unicodedata.bidirectional(char) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
        or char in "\u200e\u200f\u061c"
        for char in text
    )


@given(any_text)
def test_terminal_text_never_moves_the_cursor_or_the_reader(text: str) -> None:
    assert not moves_the_reader(safe.terminal(text))


@given(any_text)
def test_text_that_is_safe_for_a_terminal_can_be_encoded(text: str) -> None:
    safe.terminal(text).encode("utf-8")


@pytest.mark.parametrize("text", ["Köln", "東京 agent", "עברית", "زبان", "👩\u200d💻", "a\\b", "x & <y>"])
def test_ordinary_names_of_any_script_are_shown_as_they_are(text: str) -> None:
    assert safe.terminal(text) == text


def test_what_was_hidden_is_written_out() -> None:
    assert safe.terminal("a\x1b[1mb\u202e\x00\n\ud800") == "a\\x1b[1mb\\u202e\\x00\\n\\ud800"


def test_a_megabyte_is_cut_to_the_limit_and_says_so() -> None:
    assert safe.terminal("x" * 1_000_000, 50) == "x" * 49 + "…"


def test_characters_that_grow_when_written_out_do_not_pass_the_limit() -> None:
    assert len(safe.terminal("\x00" * 1_000_000, 50)) == 50


@given(any_text)
def test_a_markdown_span_keeps_one_line_and_cannot_be_left(text: str) -> None:
    span = safe.markdown(text)
    assert not moves_the_reader(span)
    if span == "-":
        return
    opening = re.match("`+", span)
    assert opening, f"{span!r} is not a code span"
    fence = opening.group()
    inside = span[len(fence) : -len(fence)]
    assert span.endswith(fence)
    assert fence not in re.findall("`+", inside), f"{span!r} ends before its end"
    assert "|" not in span


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("plain", "`plain`"),
        ("@everyone", "`@everyone`"),
        ("<script>alert(1)</script>", "`<script>alert(1)</script>`"),
        ("[x](javascript:alert(1))", "`[x](javascript:alert(1))`"),
        ("a|b", "`a¦b`"),
        ("`", "`` ` ``"),
        ("a``b", "```a``b```"),
        ("two\nlines", "`two lines`"),
        ("", "-"),
        (" \n ", "-"),
    ],
)
def test_markdown_carries_data_in_code_spans(text: str, span: str) -> None:
    assert safe.markdown(text) == span


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://app.thousandeyes.com/view?testId=1&roundId=2", "<https://app.thousandeyes.com/view?testId=1&roundId=2>"),
        ("javascript:alert(1)", "`javascript:alert(1)`"),
        ("https://evil.example/><script>", "`https://evil.example/><script>`"),
        ("https://user:pass@host/", "`https://***@host/`"),
        ("http://app.thousandeyes.com/", "`http://app.thousandeyes.com/`"),
        (None, "-"),
    ],
)  # fmt: skip
def test_only_plain_https_addresses_become_links(url: str | None, shown: str) -> None:
    assert safe.markdown_link(url) == shown


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1", '=HYPERLINK("http://x")']
)
def test_a_csv_text_never_starts_a_formula(text: str) -> None:
    cell = safe.csv_cell(text)
    assert isinstance(cell, str)
    assert cell.startswith("'")


@pytest.mark.parametrize("value", [-5, 0, 12.5, -0.25])
def test_csv_numbers_stay_numbers(value: float) -> None:
    assert safe.csv_cell(value) == value
    assert not isinstance(safe.csv_cell(value), str)


@pytest.mark.parametrize(("value", "cell"), [(None, ""), (True, "true"), (float("nan"), ""), ("a", "a")])
def test_other_csv_values_have_one_form(value: str | float | None, cell: str) -> None:
    assert safe.csv_cell(value) == cell


def test_a_csv_cell_is_never_longer_than_a_spreadsheet_takes() -> None:
    assert len(str(safe.csv_cell("=" + "x" * 1_000_000))) <= safe.CSV_LIMIT


@pytest.mark.parametrize("first", ["x", "=", "\n"])
def test_what_a_csv_cell_does_not_hold_is_cut_and_the_cut_is_shown(first: str) -> None:
    whole, longer = first + "x" * 32_765, first + "x" * 32_766
    cell, cut = str(safe.csv_cell(whole)), str(safe.csv_cell(longer))
    assert cell.endswith("x" if first != "\n" else "…")
    assert cut.endswith("x…")
    assert len(cut.removeprefix("'")) == 32_766


def test_whatever_is_printable_needs_no_escape() -> None:
    """So a look at that spares the search."""
    printable = "".join(char for char in map(chr, range(0x110000)) if char.isprintable())
    assert safe._UNSEEN.search(printable) is None


@given(any_text)
def test_xml_text_has_no_character_that_xml_forbids(text: str) -> None:
    allowed = re.compile("[\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
    assert allowed.fullmatch(safe.xml_text(text))
    assert allowed.fullmatch(safe.xml_attribute(text))
    assert "\n" not in safe.xml_attribute(text)


# A high surrogate right before a low one is one character in JSON; no JSON document can tell them apart.
@given(any_text.filter(lambda text: not re.search("[\ud800-\udbff][\udc00-\udfff]", text)))
def test_json_carries_any_text_unchanged_in_one_ascii_line(text: str) -> None:
    line = safe.json_line({"a": text})
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line) == {"a": text}


def test_json_refuses_what_it_cannot_say() -> None:
    with pytest.raises(ValueError, match="JSON"):
        safe.json_line({"a": float("nan")})


def test_user_and_password_in_an_address_are_hidden() -> None:
    shown = safe.terminal("see https://user:s3cret@host.example/a@b and ftp://me@h/")
    assert shown == "see https://***@host.example/a@b and ftp://***@h/"


def test_secret_fields_are_masked_wherever_they_stand() -> None:
    fields: JsonObject = {
        "url": "https://u:p@portal.example.com",
        "username": "reader",
        "password": "hunter2",
        "headers": ["Authorization: Bearer abc", "Accept: text/html"],
        "customHeaders": {"root": {"X-Api-Key": "abc", "Accept": "*/*"}},
        "requests": [{"name": "r", "headers": [{"key": "Cookie", "value": "abc"}], "bearerToken": "abc"}],
    }
    # No type of the table, so that only the names count.
    assert mask_secrets("not-a-type", fields) == {
        "url": "https://***@portal.example.com",
        "username": "reader",
        "password": "***",
        "headers": ["Authorization: ***", "Accept: text/html"],
        "customHeaders": {"root": {"X-Api-Key": "***", "Accept": "*/*"}},
        "requests": [{"name": "r", "headers": [{"key": "Cookie", "value": "***"}], "bearerToken": "***"}],
    }


def test_the_table_of_types_says_which_part_is_secret() -> None:
    secret: JsonObject = {"port": 5060, "user": "alice", "password": "s3cret"}
    shown = mask_secrets("sip-server", {"targetSipCredentials": secret})
    assert shown == {"targetSipCredentials": {"port": 5060, "user": "alice", "password": "***"}}


@pytest.mark.parametrize("name", sorted(TEST_TYPES))
def test_no_secret_of_any_type_is_shown(name: str) -> None:
    for path in TEST_TYPES[name].secrets():
        inner: Json = "s3cret"
        for step in reversed(path):
            inner = {step: inner}
        assert isinstance(inner, dict)
        assert "s3cret" not in str(mask_secrets(name, inner)), f"{'.'.join(path)} is shown"


def test_a_secret_that_is_not_set_is_not_shown_as_set() -> None:
    assert mask_secrets("http-server", {"password": "", "postBody": None}) == {
        "password": "",
        "postBody": None,
    }
