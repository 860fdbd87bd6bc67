"""Who may ask: by the name in Host, a token, or a user whom a proxy vouches for."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageProblem
from orchestrator.web.guard import Asked, Terms, is_among, known_host, refusal, terms_of

TOKEN = "0123456789abcdef0123456789abcdef"
HOST = {"host": ["127.0.0.1:8090"]}


def _asked(peer: str | None = "127.0.0.1", **headers: Sequence[str]) -> Asked:
    return Asked(peer, {**HOST, **{name.replace("_", "-"): values for name, values in headers.items()}})


def _status(terms: Terms, asked: Asked) -> int | None:
    found = refusal(terms, asked)
    return None if found is None else found.status


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8090", "localhost", "LOCALHOST:1", "[::1]", "[::1]:8090", "10.1.2.3:80",
     "pages.example.com", "pages.example.com:443", "pages.example.com."],
)  # fmt: skip
def test_addresses_and_our_own_names_are_answered(host: str) -> None:
    assert known_host(host, {"pages.example.com"})


@pytest.mark.parametrize(
    "host",
    ["evil.example.com", "pages.example.com.evil.net", "127.0.0.1.nip.io", "localhost.evil.net", "", " ",
     "127.0.0.1@evil", "::1", "[::1", "pages.example.com:notaport", "pages example.com", "0x7f000001",
     "2130706433",
     "pages.example.com/..", "a" * 300],
)  # fmt: skip
def test_a_name_of_a_stranger_that_leads_here_is_not_answered(host: str) -> None:
    assert not known_host(host, {"pages.example.com"})


@given(st.text(max_size=80) | st.from_regex(r"[a-z0-9.:\[\]-]{1,30}", fullmatch=True))
def test_a_host_that_is_answered_is_an_address_or_known(host: str) -> None:
    if known_host(host, frozenset()):
        bare = host.strip().lower()
        assert bare.startswith(("localhost", "ip6-localhost")) or set(bare) <= set("0123456789abcdef.:[]")


def test_without_terms_whoever_is_on_this_host_is_answered() -> None:
    assert _status(Terms(), _asked()) is None
    assert _status(Terms(), Asked("127.0.0.1", {})) == 421
    assert _status(Terms(), Asked("127.0.0.1", {"host": ["localhost", "localhost"]})) == 421


def test_a_token_is_taken_as_bearer_or_as_the_password_of_any_user() -> None:
    terms = Terms(token=TOKEN)
    basic = base64.b64encode(f"anybody:{TOKEN}".encode()).decode()
    assert _status(terms, _asked(authorization=[f"Bearer {TOKEN}"])) is None
    assert _status(terms, _asked(authorization=[f"bearer  {TOKEN} "])) is None
    assert _status(terms, _asked(authorization=[f"Basic {basic}"])) is None


@pytest.mark.parametrize(
    "given",
    [
        "", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", TOKEN, f"Digest {TOKEN}",
        "Basic !!!!", "Basic",
        f"Basic {base64.b64encode(TOKEN.encode()).decode()}", "Bearer \udcff\udc80", "Bearer \u20ac",
        f"Basic {base64.b64encode(b':').decode()}",
    ],
)  # fmt: skip
def test_anything_else_is_asked_for_its_token(given: str) -> None:
    found = refusal(Terms(token=TOKEN), _asked(authorization=[given]))
    assert found is not None
    assert found.status == 401
    assert "Basic" in found.headers["WWW-Authenticate"]
    assert TOKEN not in found.why


def test_no_token_and_two_tokens_are_none() -> None:
    terms = Terms(token=TOKEN)
    assert _status(terms, _asked()) == 401
    assert _status(terms, _asked(authorization=[f"Bearer {TOKEN}", "Bearer other"])) == 401
    assert TOKEN not in repr(terms)


def test_a_user_counts_only_from_the_proxy_and_only_one() -> None:
    terms = terms_of("127.0.0.1", user_header="X-Remote-User", proxies=["10.0.0.7", "2001:db8::/64"])
    assert _status(terms, _asked("10.0.0.7", x_remote_user=["ann"])) is None
    assert _status(terms, _asked("::ffff:10.0.0.7", x_remote_user=["ann"])) is None
    assert _status(terms, _asked("2001:db8::1%eth0", x_remote_user=["ann"])) is None
    assert _status(terms, _asked("10.0.0.8", x_remote_user=["ann"])) == 403
    assert _status(terms, _asked(None, x_remote_user=["ann"])) == 403
    assert _status(terms, _asked("10.0.0.7")) == 403
    assert _status(terms, _asked("10.0.0.7", x_remote_user=["  "])) == 403
    assert _status(terms, _asked("10.0.0.7", x_remote_user=["ann", "root"])) == 403


def test_without_a_word_on_it_the_proxy_is_on_this_host() -> None:
    terms = terms_of("127.0.0.1", user_header="X-User")
    assert is_among("127.0.0.1", terms.proxies)
    assert is_among("::1", terms.proxies)
    assert not is_among("10.0.0.1", terms.proxies)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "pages.example.com", ""])  # noqa: S104 - refused here
def test_beyond_loopback_somebody_must_say_who_may_ask(host: str) -> None:
    with pytest.raises(UsageProblem, match="everybody would read"):
        terms_of(host)
    assert terms_of(host, token=TOKEN).token == TOKEN
    with pytest.raises(UsageProblem, match="everybody could name a user"):
        terms_of(host, user_header="X-User")
    assert terms_of(host, user_header="X-User", proxies=["10.0.0.7"]).user_header == "X-User"


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"token": "short"}, "has 5 characters"),
        ({"token": TOKEN, "user_header": "X-User"}, "two ways"),
        ({"user_header": "X User"}, "no name of a header"),
        ({"proxies": ["10.0.0.7"]}, "give --trust-proxy-user"),
        ({"user_header": "X-User", "proxies": ["proxy.example"]}, "no address or network"),
        ({"names": ["https://pages.example.com"]}, "no name of a host"),
        ({"names": ["a b"]}, "no name of a host"),
    ],
)
def test_terms_that_cannot_be_are_told(said: dict[str, str], match: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        terms_of("127.0.0.1", **said)
    assert match in f"{caught.value.message} {caught.value.hint}"
