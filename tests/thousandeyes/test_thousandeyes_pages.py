"""Envelopes of result pages: not ready, not readable, more to come, and the row as it came."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.thousandeyes.protocol import BadAnswer, Dialect, Page
from orchestrator.thousandeyes.v6 import V6
from orchestrator.thousandeyes.v7 import V7


def v7_body(**more: Any) -> bytes:
    return json.dumps({"results": [], "test": {"testId": "1"}, **more}).encode()


def test_raw_is_the_row_as_it_came_and_lone_surrogates_survive() -> None:
    agent = b'{"agentId": "11", "agentName": "\\ud800<b>"}'
    body = b'{"results": [{"agent": ' + agent + b', "roundId": 5, "loss": 0}], "test": {}}'
    (answer,) = V7().read_page("network", body).rows
    assert answer.raw.isascii()
    assert json.loads(answer.raw) == json.loads(body)["results"][0]
    assert answer.agent == "\ud800<b>"


@pytest.mark.parametrize("dialect", [V7(), V6()])
def test_not_ready_is_no_row_and_no_error(dialect: Dialect) -> None:
    bodies = {
        "v7": [b'{"results": [], "test": {"testId": "1"}}', b'{"test": {"testId": "1"}}', b'{"results": []}'],
        "v6": [
            b'{"web": {"test": {"testId": 1}}}',
            b'{"web": {"pageLoad": []}}',
            b'{"web": {"pageLoad": null}}',
        ],
    }
    for body in bodies[dialect.api]:
        assert dialect.read_page("page-load", body) == Page((), None, 0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"<html>",
        b"\xff\xfe",
        b'{"errorMessage": "no"}',
        b"[" * 100_000,
        b"{}",
        b'{"results": {}, "test": {}, "web": {"pageLoad": {}}}',
        b'{"results": "x", "web": []}',
    ],
)
@pytest.mark.parametrize("dialect", [V7(), V6()])
def test_a_body_that_is_no_page_is_a_bad_answer(dialect: Dialect, body: bytes) -> None:
    with pytest.raises(BadAnswer, match="expected"):
        dialect.read_page("page-load", body)


def test_a_bad_answer_shows_the_beginning_of_what_came_on_one_harmless_line() -> None:
    with pytest.raises(BadAnswer) as caught:
        V7().read_page("network", b"<html>\n\x1b[31m" + b"x" * 1000)
    said = str(caught.value)
    assert "<html>" in said
    assert said.isprintable()
    assert len(said) < 300


def test_a_byte_order_mark_is_no_problem() -> None:
    assert V7().read_page("network", b"\xef\xbb\xbf" + v7_body()) == Page(())


def test_the_next_page_is_told_as_the_api_gave_it() -> None:
    v7 = V7().read_page("network", v7_body(_links={"next": {"href": "https://a.example/v7/x?cursor=1"}}))
    paged = {"net": {"metrics": []}, "pages": {"current": 1, "next": "https://a.example/v6/x"}}
    v6 = V6().read_page("network", json.dumps(paged).encode())
    assert v7.next_href == "https://a.example/v7/x?cursor=1"
    assert v6.next_href == "https://a.example/v6/x"
    odd_links: list[Any] = [{"next": None}, {"next": []}, {"next": "x"}, [], 7]
    for odd in odd_links:
        assert V7().read_page("network", v7_body(_links=odd)).next_href is None
