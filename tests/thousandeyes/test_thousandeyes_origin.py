from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import UsageProblem
from orchestrator.thousandeyes.origin import below, is_loopback, parse_origin

ORIGIN = "https://api.thousandeyes.com"


@pytest.mark.parametrize(
    "text",
    [
        ORIGIN,
        "https://api.thousandeyes.com/",
        "https://API.ThousandEyes.com:443/v7",
        "https://api.thousandeyes.com/v6/",
        "  HTTPS://api.thousandeyes.com/V7/ ",
    ],
)
def test_an_origin_has_one_form(text: str) -> None:
    assert parse_origin(text) == ORIGIN


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("http://127.0.0.1:8089", "http://127.0.0.1:8089"),
        ("http://[::1]:8089/v7", "http://[::1]:8089"),
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
        ("http://localhost:80", "http://localhost"),
    ],
)
def test_addresses_and_ports_are_kept(text: str, origin: str) -> None:
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.thousandeyes.com",
        "ftp://api.thousandeyes.com",
        "https://",
        "https:///v7",
        "https://user:hush@api.thousandeyes.com",
        "https://api.thousandeyes.com/v7?aid=1",
        "https://api.thousandeyes.com/#x",
        "https://api.thousandeyes.com/gateway",
        "https://api.thousandeyes.com:0",
        "https://api.thousandeyes.com:99999",
        "https://api.thousandeyes.com:x",
        "https://[::1",
        "https://api thousandeyes.com",
        "https://äpi.example",
        "https://api.thousandeyes.com\\@evil.example",
    ],
)
def test_what_is_no_origin_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        parse_origin(text)
    assert "hush" not in caught.value.message, "a password in the address must not be shown"
    assert caught.value.hint


def test_loopback_is_this_machine_only() -> None:
    assert is_loopback("http://127.8.9.1:1")
    assert is_loopback("http://localhost:8089")
    assert is_loopback("http://[::1]:8089")
    assert not is_loopback("http://127.0.0.1.evil.example")
    assert not is_loopback("http://10.0.0.1")


@pytest.mark.parametrize(
    "href",
    [
        "https://api.thousandeyes.com/v7/test-results/1/network?cursor=a%2Bb&aid=7",
        "https://API.thousandeyes.com:443/v7/test-results/1/network?cursor=a%2Bb&aid=7",
        "/v7/test-results/1/network?cursor=a%2Bb&aid=7",
    ],
)
def test_a_link_below_the_origin_and_version_is_followed_with_its_query(href: str) -> None:
    place = below(href, ORIGIN, "v7")
    assert place is not None
    assert place.path == "/v7/test-results/1/network"
    assert place.query == (("cursor", "a+b"), ("aid", "7"))


@pytest.mark.parametrize(
    "href",
    [
        "https://evil.example/v7/test-results/1/network",
        "http://api.thousandeyes.com/v7/test-results/1/network",
        "https://api.thousandeyes.com:8443/v7/test-results/1/network",
        "https://api.thousandeyes.com.evil.example/v7/x",
        "https://api.thousandeyes.com@evil.example/v7/x",
        "https://user@api.thousandeyes.com/v7/x",
        "//evil.example/v7/test-results/1/network",
        "https:/v7/x",
        "/v6/net/metrics/1",
        "/v7",
        "/v7/../admin",
        "/v7/%2e%2e/admin",
        "/v7/x/..%2fadmin",
        "/v7//evil.example",
        "/v7/a\\b",
        "/v7/a b",
        "/v7/a\r\nHost: evil.example",
        "/v7/ä",
        "v7/test-results/1/network",
        "javascript:alert(1)",
        "file:///v7/x",
        "https://api.thousandeyes.com:x/v7/x",
        "https://[/v7/x",
        "",
        "/v7/" + "a" * 9000,
    ],
)
def test_a_link_that_leaves_the_origin_or_the_version_is_refused(href: str) -> None:
    assert below(href, ORIGIN, "v7") is None


@settings(deadline=None)
@given(st.text(max_size=60) | st.from_regex(r"https?://[a-z@:/\\.]{0,20}/v7/[a-z%./]{0,20}", fullmatch=True))
def test_no_link_ever_leads_elsewhere_or_raises(href: str) -> None:
    place = below(href, ORIGIN, "v7")
    if place is not None:
        assert place.path.startswith("/v7/")
        assert ".." not in place.path
        assert href.startswith("/v7/") or href.lower().startswith("https://api.thousandeyes.com")
