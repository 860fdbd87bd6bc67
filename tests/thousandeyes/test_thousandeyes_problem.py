from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.model import Api
from orchestrator.thousandeyes.dialects import dialect
from orchestrator.thousandeyes.problem import LONGEST

VALIDATION = {
    "type": "about:blank",
    "title": "Request validation failed",
    "status": 400,
    "detail": "Your request object contains invalid fields.",
    "errors": [
        {"code": "AM-5432", "field": "agents", "message": "unknown agent 5"},
        {"message": "url is not an address"},
        "something else",
    ],
}


@pytest.mark.parametrize("api", list(Api))
@pytest.mark.parametrize(
    ("status", "body", "line"),
    [
        (
            400,
            VALIDATION,
            (
                "Request validation failed: Your request object contains invalid fields. "
                "(agents: unknown agent 5 [AM-5432]; url is not an address; something else)"
            ),
        ),
        (
            404,
            {"title": "URI Resource Not Found", "status": 404, "detail": "no such test", "errors": None},
            None,
        ),
        (401, {"error": "invalid_token", "error_description": "Invalid access token"}, None),
        (400, {"errorMessage": "Agent 5 does not exist"}, "Agent 5 does not exist"),
        (
            500,
            {"timestamp": 1, "status": 500, "errors": "Internal Server Error", "path": "/"},
            "Internal Server Error",
        ),
        (400, {"httpStatus": 400, "errors": ["one", "two"]}, "one; two"),
        (429, {"title": "Too Many Requests", "detail": "Too Many Requests"}, "Too Many Requests"),
    ],
)
def test_the_vendors_error_bodies_become_a_line(
    api: Api, status: int, body: dict[str, object], line: str | None
) -> None:
    said = dialect(api).problem(status, {}, json.dumps(body).encode())
    expected = {404: "URI Resource Not Found: no such test", 401: "invalid_token: Invalid access token"}
    assert said == (line if line is not None else expected[status])


def test_what_stands_before_the_api_says_little_but_something() -> None:
    problem = dialect(Api.V7).problem
    page = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body>"
    assert problem(502, {}, page) == "Bad Gateway (a web page: 502 Bad Gateway)"
    assert problem(502, {}, b"<html><body>x") == "Bad Gateway (a web page)"
    assert problem(503, {}, b"") == "Service Unavailable (empty body)"
    assert problem(503, {}, b"maintenance\nuntil noon") == "Service Unavailable: maintenance until noon"
    assert problem(599, {}, b"{}") == "an unknown status: {}"


def test_a_long_list_of_errors_is_cut() -> None:
    body = json.dumps({"title": "no", "errors": [{"message": f"m{i}"} for i in range(9)]}).encode()
    assert dialect(Api.V7).problem(400, {}, body) == "no (m0; m1; m2; m3; m4; and 4 more)"


HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["title", "detail", "errors", "error", "field", "message", "code"]), inner
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.integers(), HOSTILE.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200))
def test_any_body_gives_one_printable_line(status: int, body: bytes) -> None:
    said = dialect(Api.V7).problem(status, {}, body)
    assert said
    assert said.isprintable()
    assert len(said) <= LONGEST


def test_a_megabyte_and_deep_nesting_give_a_line_too() -> None:
    problem = dialect(Api.V6).problem
    for body in (
        b'{"title": "' + b"x" * 1_000_000 + b'"}',
        b"[" * 60_000,
        b'{"title": "' + b"y" * 50_000 + b'"}',
    ):
        assert 0 < len(problem(500, {}, body)) <= LONGEST
