from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.budget.ledger import LocalLedger
from orchestrator.budget.readings import LimitReading, Limits
from orchestrator.thousandeyes.limits import read_limits

# The published sample of a v6 creation.
SAMPLE = {
    "date": "Tue, 14 Mar 2017 16:21:58 GMT",
    "x-organization-rate-limit-limit": "970",
    "x-organization-rate-limit-remaining": "968",
    "x-organization-rate-limit-reset": "1489508520",
    "x-instant-test-rate-limit-limit": "97",
    "x-instant-test-rate-limit-remaining": "95",
    "x-instant-test-rate-limit-reset": "1489508520",
}
ORGANIZATION = "x-organization-rate-limit-"


def test_the_published_sample_is_read_whole() -> None:
    assert read_limits(SAMPLE) == Limits(
        organization=LimitReading(970, 968, 1489508520.0),
        instant_test=LimitReading(97, 95, 1489508520.0),
        date=1489508518.0,
        retry_after=None,
    )


def test_a_read_carries_the_organization_family_only() -> None:
    headers = {name: value for name, value in SAMPLE.items() if "instant" not in name}
    limits = read_limits(headers)
    assert limits.organization is not None
    assert limits.instant_test is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "-1"),
        ("limit", "2_4"),
        ("limit", "99999999999"),
        ("limit", "٢٤"),
        ("limit", ""),
        ("remaining", "-1"),
        ("remaining", "1000"),
        ("remaining", "nan"),
        ("reset", "1000000000"),
        ("reset", "inf"),
        ("reset", "1e10"),
        ("reset", "soon"),
    ],
)
def test_one_bad_header_takes_its_family_out_and_leaves_the_other(name: str, value: str) -> None:
    limits = read_limits({**SAMPLE, ORGANIZATION + name: value})
    assert limits.organization is None
    assert limits.instant_test == LimitReading(97, 95, 1489508520.0)


@pytest.mark.parametrize("name", ["limit", "remaining", "reset"])
def test_a_family_without_one_of_its_headers_is_none(name: str) -> None:
    assert read_limits({k: v for k, v in SAMPLE.items() if k != ORGANIZATION + name}).organization is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("Tue, 14 Mar 2017 16:22:28 GMT", 30.0),
        ("Tue, 14 Mar 2017 16:00:00 GMT", 0.0),
        ("-3", None),
        ("1e3", None),
        ("864000", None),
        ("soon", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_held_against_the_servers_own(
    value: str, seconds: float | None
) -> None:
    assert read_limits({**SAMPLE, "retry-after": value}).retry_after == seconds


def test_a_retry_after_date_without_a_server_date_says_nothing() -> None:
    assert read_limits({"retry-after": "Tue, 14 Mar 2017 16:22:28 GMT"}).retry_after is None


@pytest.mark.parametrize(
    "value", ["", "yesterday", "Tue, 99 Mar 2017 16:21:58 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"]
)
def test_a_date_that_is_none_or_absurd_is_none(value: str) -> None:
    assert read_limits({"date": value}).date is None


_VALUES = st.one_of(
    st.text(max_size=80),
    st.integers().map(str),
    st.floats().map(str),
    st.datetimes().map(lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S GMT")),
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*SAMPLE, "retry-after"]), _VALUES))
def test_whatever_the_headers_are_readings_are_sane_and_nothing_is_raised(headers: dict[str, str]) -> None:
    limits = read_limits(headers)
    for reading in (limits.organization, limits.instant_test):
        assert reading is None or (0 <= reading.remaining <= reading.limit and 1e9 < reading.reset < 1e11)
    assert limits.retry_after is None or 0 <= limits.retry_after <= 86400


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("limit", "970, 970", (970, 968, 1489508520.0)),
        ("limit", "970;w=60", (970, 968, 1489508520.0)),
        ("limit", "970, 970;w=60, 9000;w=3600", (970, 968, 1489508520.0)),
        ("limit", "970.0", (970, 968, 1489508520.0)),
        ("remaining", "3, 3", (970, 3, 1489508520.0)),
        ("remaining", "5, 3", (970, 3, 1489508520.0)),
        ("remaining", "3.7", (970, 3, 1489508520.0)),
        ("reset", "1489508520, 1489508520", (970, 968, 1489508520.0)),
        ("reset", "1489508520.0", (970, 968, 1489508520.0)),
        ("reset", "1489508520000", (970, 968, 1489508520.0)),
        ("reset", "1489508520000000", (970, 968, 1489508520.0)),
        ("reset", "2", (970, 968, 1489508520.0)),
        ("reset", "2;w=60", (970, 968, 1489508520.0)),
        ("reset", "2017-03-14T16:22:00Z", (970, 968, 1489508520.0)),
        ("reset", "Tue, 14 Mar 2017 16:22:00 GMT", (970, 968, 1489508520.0)),
    ],
)
def test_what_proxies_and_gateways_make_of_the_headers_is_read(
    name: str, value: str, expected: tuple[int, int, float]
) -> None:
    assert read_limits({**SAMPLE, ORGANIZATION + name: value}).organization == LimitReading(*expected)


@pytest.mark.parametrize(
    ("reset", "pause"),
    [
        ("1489508520", 2.0),
        ("1489508520000", 2.0),
        ("30", 30.0),
        ("1489508818", 300.0),
        ("1489508818000", 300.0),
        ("32503680000", 60.0),
        ("soon", 60.0),
        ("", 60.0),
        ("1489508000", 2.0),
        (None, 60.0),
    ],
)
@pytest.mark.parametrize("family", ["organization", "instant_test"])
def test_nothing_remaining_is_a_pause_whatever_the_reset_says(
    family: str, reset: str | None, pause: float
) -> None:
    prefix = {"organization": ORGANIZATION, "instant_test": "x-instant-test-rate-limit-"}[family]
    headers = {**SAMPLE, f"{prefix}remaining": "0", f"{prefix}reset": reset}
    limits = read_limits({name: value for name, value in headers.items() if value is not None})
    assert getattr(limits, f"{family}_pause") == pause
    other = {"organization": "instant_test", "instant_test": "organization"}[family]
    assert getattr(limits, f"{other}_pause") is None


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*SAMPLE, "retry-after"]), _VALUES))
def test_a_pause_is_never_for_ever(headers: dict[str, str]) -> None:
    limits = read_limits({**headers, ORGANIZATION + "remaining": "0"})
    assert limits.organization_pause is not None
    assert 2.0 <= limits.organization_pause <= 3600.0


@pytest.mark.parametrize("reset", ["32503680000", "soon", "1489508818", "30"])
def test_a_budget_of_which_nothing_remains_is_not_spent_from(reset: str) -> None:
    headers = {**SAMPLE, ORGANIZATION + "remaining": "0", ORGANIZATION + "reset": reset}
    ledger = LocalLedger(rng=Random(1), reserve=0.1)
    permit = ledger.try_reserve(1000.0, instant=False)
    assert permit is not None
    ledger.settle(permit, read_limits(headers), 1000.1, status=200)
    for later in (1001.0, 1010.0, 1025.0):
        assert ledger.try_reserve(later, instant=False) is None, "it would be answered 429"
    assert ledger.try_reserve(1000.1 + 400.0, instant=False) is not None, "and not for ever"
