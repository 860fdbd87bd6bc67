from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import UsageProblem
from orchestrator.thousandeyes.origin import Place, below, is_loopback, parse_origin

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
        "https://api.thousandeyes.com/a/../b",
        "https://api.thousandeyes.com/a//b",
        "https://api.thousandeyes.com/%2e/b",
        "https://api.thousandeyes.com/a b",
        "https://api.thousandeyes.com/" + "a" * 200,
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
        # Behind a gateway the API knows itself by another name: only path and query are used.
        "https://backend.example/v7/test-results/1/network?cursor=a%2Bb&aid=7",
        "http://10.0.0.7:8080/internal/te/v7/test-results/1/network?cursor=a%2Bb&aid=7",
        "//backend.example/v7/test-results/1/network?cursor=a%2Bb&aid=7",
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
        "https://api.thousandeyes.com@evil.example/v7/x",
        "https://user@api.thousandeyes.com/v7/x",
        "https:/v7/x",
        "https://evil.example/admin?x=/v7/y",
        "ftp://api.thousandeyes.com/v7/x",
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
        "test-results/1/network",
        "javascript:alert(1)",
        "file:///v7/x",
        "https://api.thousandeyes.com:x/v7/x",
        "https://[/v7/x",
        "",
        "/v7/" + "a" * 9000,
    ],
)
def test_a_link_that_is_odd_or_leaves_the_version_is_refused(href: str) -> None:
    assert below(href, ORIGIN, "v7") is None


@settings(deadline=None)
@given(st.text(max_size=60) | st.from_regex(r"https?://[a-z@:/\\.]{0,20}/v7/[a-z%./]{0,20}", fullmatch=True))
def test_no_link_ever_leads_elsewhere_or_raises(href: str) -> None:
    place = below(href, ORIGIN, "v7")
    if place is not None:
        assert place.path.startswith("/v7/")
        assert ".." not in place.path.split("/")
        assert "//" not in place.path


GATEWAY = "https://gateway.example/network/te"


@pytest.mark.parametrize(
    "text", [GATEWAY, f"{GATEWAY}/", f"{GATEWAY}/v7", "https://GATEWAY.example:443/network/te/v6/"]
)
def test_the_path_of_a_gateway_belongs_to_the_origin(text: str) -> None:
    assert parse_origin(text) == GATEWAY


@pytest.mark.parametrize(
    "href",
    [
        f"{GATEWAY}/v7/test-results/1/network?aid=7",
        "/network/te/v7/test-results/1/network?aid=7",
        "/v7/test-results/1/network?aid=7",
        "https://api.thousandeyes.com/v7/test-results/1/network?aid=7",
        "https://backend.example/other/v7/test-results/1/network?aid=7",
    ],
)
def test_behind_a_gateway_a_link_is_followed_from_its_version_on(href: str) -> None:
    assert below(href, GATEWAY, "v7") == Place("/v7/test-results/1/network", (("aid", "7"),))


def test_a_gateway_whose_path_has_a_version_of_its_own_is_no_puzzle() -> None:
    place = below("https://gateway.example/v7/te/v7/x", "https://gateway.example/v7/te", "v7")
    assert place == Place("/v7/x", ())
