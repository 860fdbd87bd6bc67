"""JSON is read and written as by the standard library, whoever is at work."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import jsontext
from orchestrator.thousandeyes.scalars import parse_object

ODD = [
    "123456789012345678901234567890",
    "-9223372036854775809",
    "18446744073709551616",
    "[18446744073709551615, -0, -0.0, 1e-400, 0.1234567890123456789012345]",
    '{"a":123456789012345678901234567890}',
    '{"a" :\n 123456789012345678901234567890}',
    "[1,\t-123456789012345678901234567890]",
    "[123456789012345678901234567890.5, 1E5]",
    "[NaN, Infinity, -Infinity]",
    "1e400",
    '"\\ud800"',
    '{"a":1,"a":2}',
    '"13512916696327212000"',
    '"\\u0000\\u001b"',
    " 1 ",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def same(one: object, other: object) -> bool:
    """Equal, types and NaN included."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    return json.dumps(one) == json.dumps(other)


@pytest.mark.parametrize("text", ODD)
def test_odd_json_is_what_the_standard_library_makes_of_it(text: str) -> None:
    assert same(jsontext.read(text), json.loads(text))


@pytest.mark.parametrize("text", ["", "01", "1.", "[1,]", "\ufeff1", '"\x00"', "nul", '"', "{1:2}"])
def test_what_is_no_json_is_refused_as_by_the_standard_library(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        jsontext.read(text)


@given(st.lists(st.sampled_from(ODD) | VALUES.map(json.dumps)))
def test_many_texts_are_read_as_each_of_them_is(texts: list[str]) -> None:
    found = jsontext.read_all(texts)
    assert len(found) == len(texts)
    assert all(map(same, found, map(json.loads, texts)))


@pytest.mark.parametrize("texts", [["1", ""], ["[1", "2]"], ["1,2"], ["{}", "nul"]])
def test_a_damaged_text_among_many_is_refused_as_it_is_alone(texts: list[str]) -> None:
    with pytest.raises(json.JSONDecodeError):
        jsontext.read_all(texts)


@given(VALUES)
def test_what_is_written_is_ascii_and_read_again_by_both(value: object) -> None:
    text = jsontext.write(value)
    assert text.isascii()
    assert "\x7f" not in text
    assert same(json.loads(text), json.loads(json.dumps(value)))
    assert same(jsontext.read(text), json.loads(text))


@given(VALUES)
def test_any_spelling_is_read_as_by_the_standard_library(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=1), json.dumps(value, ensure_ascii=False)):
        assert same(jsontext.read(text), json.loads(text))


@pytest.mark.parametrize("digits", ["9223372036854775808", "123456789012345678901234567890", "-" + 25 * "7"])
@pytest.mark.parametrize("shape", ['{"a":%s}', '{"a": %s}', '{"a":[0,%s]}', '{"a":\r\n\t%s\n}'])
def test_a_long_id_of_a_body_keeps_its_digits(shape: str, digits: str) -> None:
    told = parse_object((shape % digits).encode(), "an object")["a"]
    assert (told[1] if isinstance(told, list) else told) == int(digits)
