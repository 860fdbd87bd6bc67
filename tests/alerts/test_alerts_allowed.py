"""A target passes if its host is on the list, however it is dressed up."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.alerts.allowed import host_of, is_allowed

ALLOW = ["*.example.com", "shop.example.net", "10.0.0.*"]


@pytest.mark.parametrize(
    "target",
    [
        "https://a.example.com", "https://a.b.example.com:8443/path?q=1#x", "HTTP://A.EXAMPLE.COM/",
        "a.example.com",
        "a.example.com:443", "shop.example.net", "https://shop.example.net./", "10.0.0.7", "10.0.0.7:22",
        "https://10.0.0.7/x%40y",
    ],
)  # fmt: skip
def test_a_host_of_the_list_passes(target: str) -> None:
    assert is_allowed(target, ALLOW)


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.net/?x=.example.com", "https://evil.net#a.example.com", "https://a.example.com@evil.net/",
        "https://evil.net\\@a.example.com", "https://evil.net/a.example.com", "evil.net/a.example.com",
        "evil.net?a.example.com", "example.com", "https://example.com", "a.example.com.evil.net", "ftp://a.example.com",
        "file:///etc/passwd", "//a.example.com", "javascript:a.example.com", "https://", "", " a.example.com",
        "a.example.com A", "a.example.com\n", "a.example.com\u202e", "https://[::1]/", "[::1]:80", "::1",
        "10.0.1.7",
        "https://10.0.0.7.evil.net", "a.example.com:443:1", "https://a.example.com:port/",
        "http://0:", "http://a.example.com:", "0:", "a.example.com:", "a\u3002example.com",
        "http://a.example.com:80@evil.net", "https:a.example.com", "https:///a.example.com", "x" * 600,
    ],
)  # fmt: skip
def test_nothing_else_does(target: str) -> None:
    assert not is_allowed(target, ALLOW)


@given(st.text(max_size=60) | st.from_regex(r"(https?://)?[a-z.@:/?#\[\]\\%0-9-]{0,40}", fullmatch=True))
def test_whatever_passes_has_one_host_to_every_parser(target: str) -> None:
    host = host_of(target)
    if host is not None and "://" in target:
        assert urlsplit(target).hostname == host
    if is_allowed(target, ["*.example.com"]):
        assert host is not None
        assert host.rstrip(".").endswith(".example.com")


def test_an_address_in_brackets_is_its_host() -> None:
    assert host_of("[2001:db8::1]:443") == "2001:db8::1"
    assert host_of("https://[2001:DB8::1]/") == "2001:db8::1"
    assert host_of("2001:db8::1") == "2001:db8::1"
