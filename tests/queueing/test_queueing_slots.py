"""When schedules fire: every zone, every change of clocks, every pause of the workers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.queueing.slots import (
    MOST_CAUGHT_UP,
    ON_TIME,
    CatchUp,
    Timing,
    check_cron,
    coming,
    due,
    shift_of,
    slots,
)

# Changes at midnight, of half an hour, at other times of the year, abolished, against the sun, and none.
ZONES = (
    *("Europe/Berlin", "Europe/London", "Europe/Dublin", "America/New_York", "America/Sao_Paulo"),
    *("America/Havana", "America/Santiago", "America/Asuncion", "America/St_Johns", "Africa/Cairo"),
    *("Africa/Casablanca", "Asia/Beirut", "Asia/Tehran", "Asia/Gaza", "Asia/Kolkata"),
    *("Australia/Lord_Howe", "Australia/Sydney", "Pacific/Auckland", "Pacific/Chatham", "UTC"),
)
FIRST, LAST = date(2018, 1, 1), date(2028, 1, 1)


def epoch(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def stepped(cron: str, zone: str, begin: float, end: float) -> list[float]:
    """As workers meet them: each slot is asked for anew from the one before."""
    return list(takewhile(lambda slot: slot < end, slots(cron, zone, begin)))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("cron", ["30 2 * * *", "0 0 * * *"])
def test_a_daily_schedule_fires_exactly_once_on_each_local_day_of_ten_years(cron: str, zone: str) -> None:
    begin = datetime(FIRST.year, 1, 1, tzinfo=ZoneInfo(zone)).timestamp() - 1
    end = datetime(LAST.year, 1, 1, tzinfo=ZoneInfo(zone)).timestamp()
    fired = [datetime.fromtimestamp(slot, ZoneInfo(zone)).date() for slot in stepped(cron, zone, begin, end)]
    assert fired == [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days)]


@pytest.mark.parametrize("zone", ZONES)
def test_looking_once_a_minute_around_a_change_of_clocks_fires_each_slot_once(zone: str) -> None:
    """Each look begins from what the look before decided, in the middle of an hour that comes twice, too."""
    tz = ZoneInfo(zone)
    changes = [
        day
        for day in (datetime(2023, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(24 * 365))
        if day.astimezone(tz).utcoffset() != (day + timedelta(hours=1)).astimezone(tz).utcoffset()
    ]
    for change in changes[:2]:
        begin = change.timestamp() - 4 * 3600
        for cron in ("30 1 * * *", "30 2 * * *", "15 0 * * *"):
            timing, last = Timing(cron, zone), begin
            fired: list[float] = []
            for minute in range(0, 30 * 60, 7):
                found = due(timing, last, begin + minute * 60.0)
                fired += found.slots
                last = found.last
            days = [datetime.fromtimestamp(slot, tz).date() for slot in fired]
            assert len(days) == len(set(days)), (zone, change, cron, days)
            assert fired == stepped(cron, zone, begin, last + 1), (zone, change, cron)


def test_an_hour_that_the_clocks_skip_fires_at_the_next_minute_that_there_is() -> None:
    slot = next(slots("30 2 * * *", "Europe/Berlin", epoch("2026-03-29T00:00", "Europe/Berlin")))
    assert datetime.fromtimestamp(slot, ZoneInfo("Europe/Berlin")).isoformat() == "2026-03-29T03:00:00+02:00"


def test_an_hour_that_comes_twice_fires_in_its_first() -> None:
    found = slots("30 2 * * *", "Europe/Berlin", epoch("2026-10-25T00:00", "Europe/Berlin"))
    assert datetime.fromtimestamp(next(found), UTC).isoformat() == "2026-10-25T00:30:00+00:00"
    assert datetime.fromtimestamp(next(found), UTC).isoformat() == "2026-10-26T01:30:00+00:00"


def test_the_shift_is_the_same_for_ever_and_another_for_each_schedule() -> None:
    shifts = [shift_of("acme", f"plan {n}", 900.0) for n in range(200)]
    assert shifts == [shift_of("acme", f"plan {n}", 900.0) for n in range(200)]
    assert len(set(shifts)) > 150
    assert all(0 <= shift < 900 and shift == int(shift) for shift in shifts)
    assert shift_of("acme", "plan", 0.0) == 0.0


DAILY = Timing("0 5 * * *", "UTC")
DAY = 86_400.0
FIVE = epoch("2026-06-01T05:00")


def test_a_slot_is_due_when_its_time_has_come_shift_included() -> None:
    timing = Timing("0 5 * * *", "UTC", shift=420.0)
    early = due(timing, FIVE - DAY, FIVE + 419)
    assert (early.slots, early.next_at) == ((), FIVE + 420)
    then = due(timing, early.last, FIVE + 420)
    assert (then.slots, then.next_at) == ((FIVE,), FIVE + DAY + 420)
    assert due(timing, then.last, FIVE + 421).slots == ()


def test_latest_makes_up_for_the_newest_missed_slot_within_its_reach() -> None:
    hourly = Timing("0 * * * *", "UTC", catch_up=CatchUp.LATEST, within=6 * 3600.0)
    found = due(hourly, FIVE - 10 * 3600.0, FIVE + 60)
    assert (found.slots, found.last) == ((FIVE,), FIVE)
    assert due(DAILY, FIVE - DAY, FIVE + 7 * 3600.0).slots == ()
    assert due(DAILY, FIVE - DAY, FIVE + 5 * 3600.0).slots == (FIVE,)


def test_none_runs_only_what_is_on_time() -> None:
    timing = Timing("0 5 * * *", "UTC", catch_up=CatchUp.NONE)
    assert due(timing, FIVE - DAY, FIVE + ON_TIME - 1).slots == (FIVE,)
    late = due(timing, FIVE - DAY, FIVE + ON_TIME + 1)
    assert (late.slots, late.missed) == ((), 1)
    assert due(timing, late.last, FIVE + ON_TIME + 60).missed == 0


def test_all_makes_up_for_each_slot_but_not_for_a_year_of_them() -> None:
    hourly = Timing("0 * * * *", "UTC", catch_up=CatchUp.ALL, within=6 * 3600.0)
    assert due(hourly, FIVE - DAY, FIVE + 60).slots == tuple(FIVE - 3600.0 * n for n in (5, 4, 3, 2, 1, 0))
    minutely = Timing("* * * * *", "UTC", catch_up=CatchUp.ALL, within=7 * DAY)
    assert len(due(minutely, FIVE - DAY, FIVE).slots) == MOST_CAUGHT_UP


@settings(max_examples=60, derandomize=True)
@given(
    looks=st.lists(st.floats(1.0, 5 * 3600.0), min_size=1, max_size=30),
    shift=st.integers(0, 899),
    cron=st.sampled_from(["17 5 * * *", "*/20 * * * *", "0 3,15 * * 1-5", "0 0 1 * *", "30 2 * * 0"]),
    zone=st.sampled_from(ZONES),
    begin=st.integers(1_767_225_600, 1_800_000_000),
)
def test_whenever_one_looks_no_slot_fires_twice_or_early_and_none_within_reach_is_lost(
    looks: list[float], shift: int, cron: str, zone: str, begin: int
) -> None:
    timing = Timing(cron, zone, float(shift), CatchUp.ALL, 6 * 3600.0)
    last = now = float(begin)
    fired: list[float] = []
    for pause in looks:
        now += pause
        found = due(timing, last, now)
        assert found.last >= last
        assert all(slot + shift <= now for slot in found.slots)
        assert found.next_at is None or found.next_at > now
        fired += found.slots
        last = found.last
    assert fired == stepped(cron, zone, float(begin), now - shift + 0.001)


def test_coming_times_have_the_shift_in_them() -> None:
    assert coming(Timing("0 5 * * *", "UTC", 60.0), FIVE + 30, 2) == [FIVE + 60, FIVE + DAY + 60]


@pytest.mark.parametrize(
    ("cron", "zone", "what"),
    [
        ("17 5 * *", "UTC", "five fields"),
        ("0 17 5 * * *", "UTC", "five fields"),
        ("17 25 * * *", "UTC", "Bad hour"),
        ("0 0 31 2 *", "UTC", "day-of-month"),
        ("@daily", "UTC", "five fields"),
        ("17 5 * * *", "Europe/Berlni", "no time zone"),
        ("17 5 * * *", "", "no time zone"),
        ("17 5 * * *", "/etc/passwd", "no time zone"),
        ("17 5 * * *", "../x", "no time zone"),
        ("17 5 * * *", "Europe", "no time zone"),
    ],
)
def test_what_never_fires_is_told(cron: str, zone: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        check_cron(cron, zone, FIVE)
