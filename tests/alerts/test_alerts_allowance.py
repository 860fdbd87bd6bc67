"""There is room or there is none: not the same target so soon, not too many an hour, not too many units a
day."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.alerts.allowance import DAY, HOUR, MOST_TARGETS, UNITS_EACH, Past, decided
from orchestrator.alerts.values import ANY, Alert, Begun, Finding, Hook, Proof

NOW = 1_795_749_125.0


def _hook(**changes: Any) -> Hook:
    hook = Hook("shop", Proof(), Finding("target"), ("*.example.com",), per_hour=3, units_a_day=10.0)
    return dataclasses.replace(hook, **changes)


def _status(past: Sequence[Begun], *targets: str, at: float | None = None, **changes: Any) -> int:
    found = [Alert(target, at) for target in targets or ("a",)]
    return decided(_hook(**changes), found, Past(tuple(past)), NOW).status


def test_a_target_is_not_diagnosed_again_for_ten_minutes_whoever_asked() -> None:
    assert _status([Begun("A", NOW - 599, 1.0)]) == 200
    assert _status([Begun("A", NOW - 600, 1.0)]) == 202
    assert _status([Begun("b", NOW, 1.0, "other")]) == 202


def test_a_target_is_the_same_however_it_is_spelled() -> None:
    same = ["https://Shop.example.com", "HTTPS://shop.example.com/", "https://shop.example.com.:443/#x"]
    verdict = decided(_hook(), [Alert(target) for target in same], Past(), NOW)
    assert verdict.targets == (same[0],)
    for one in same:
        for other in same:
            assert _status([Begun(one, NOW - 10, 0.1)], other) == 200, (one, other)
    assert _status([Begun(same[0], NOW - 10, 0.1)], "https://shop.example.com/Cart") == 202
    assert _status([Begun("Shop.example.com.:8443", NOW - 10, 0.1)], "shop.example.com:8443") == 200
    assert _status([Begun("shop.example.com:8443", NOW - 10, 0.1)], "shop.example.com") == 202


def test_one_that_failed_counts_and_its_target_may_be_asked_for_again() -> None:
    past = Past().with_begun(["a"], "shop", NOW).with_failed("a", NOW, 0.0, "no token")
    assert past.begun[0].why == "no token"
    assert decided(_hook(), [Alert("a")], past, NOW + 1).status == 202
    assert decided(_hook(per_hour=1), [Alert("a")], past, NOW + 1).status == 429


def test_a_long_target_is_known_by_the_name_that_the_store_has() -> None:
    past = Past((Begun("cut 1234", NOW - 10, 0.1, ANY),), lambda target: f"cut {target[-4:]}")
    assert decided(_hook(), [Alert("https://x.example.com/?1234")], past, NOW).status == 200
    assert decided(_hook(), [Alert("https://x.example.com/?1235")], past, NOW).status == 202
    assert past.with_begun([], "shop", NOW).named is past.named


def test_an_alert_that_is_old_or_comes_too_early_is_not_believed() -> None:
    assert _status([], at=NOW - 300) == 202
    assert _status([], at=NOW - 301) == 403
    assert _status([], at=NOW + 301) == 403
    verdict = decided(_hook(), [Alert("a", NOW - 999), Alert("b", NOW)], Past(), NOW)
    assert (verdict.status, verdict.targets) == (202, ("b",))


def test_so_many_an_hour_and_then_when_there_is_room_again() -> None:
    past = [Begun(str(n), NOW - HOUR + 60 * n, 0.1, "shop") for n in (1, 2, 3)]
    verdict = decided(_hook(), [Alert("a")], Past(tuple(past)), NOW)
    assert (verdict.status, verdict.again) == (429, 60.0)
    assert _status(past[1:]) == 202
    assert _status([dataclasses.replace(one, hook="other") for one in past]) == 202
    assert _status([dataclasses.replace(one, hook=None) for one in past]) == 202, "people's do not count"
    assert _status([dataclasses.replace(one, hook=ANY) for one in past]) == 429, "it may have been ours"


def test_so_many_units_a_day_and_then_when_there_is_room_again() -> None:
    past = [Begun("x", NOW - DAY + 500, 5.0, "shop"), Begun("y", NOW - DAY + 900, 4.0, "shop")]
    verdict = decided(_hook(), [Alert("a")], Past(tuple(past)), NOW)
    assert (verdict.status, verdict.again) == (429, 500.0)
    assert _status(past, units_a_day=11.0) == 202
    assert _status([dataclasses.replace(one, at=one.at - DAY) for one in past]) == 202


def test_the_first_targets_stand_for_a_long_list_and_no_more_than_there_is_room_for() -> None:
    many = [Alert(f"t{n}") for n in range(20)]
    assert len(decided(_hook(per_hour=100, units_a_day=100.0), many, Past(), NOW).targets) == MOST_TARGETS
    verdict = decided(_hook(per_hour=1), many, Past(), NOW)
    assert (verdict.targets, "19 more targets left out" in verdict.why) == (("t0",), True)
    assert len(decided(_hook(units_a_day=2 * UNITS_EACH), many, Past(), NOW).targets) == 2


def test_what_is_begun_counts_with_the_most_until_its_end_tells() -> None:
    past = Past().with_begun(["a"], "shop", NOW)
    assert past.begun == (Begun("a", NOW, UNITS_EACH, "shop"),)
    assert past.with_ended("a", NOW, 0.2).begun[0].units == 0.2
    assert past.with_ended("b", NOW, 0.2) == past
    assert Past(past.begun).with_begun([], "shop", NOW + DAY) == Past()


_PASTS = st.lists(
    st.builds(
        Begun,
        st.sampled_from("abc"),
        st.floats(NOW - 1.5 * DAY, NOW),
        st.floats(0, 5),
        st.sampled_from(["shop", "other", None]),
    ),
    max_size=12,
)


@given(_PASTS, st.integers(1, 5), st.floats(2.0, 20.0))
def test_no_sequence_of_alerts_goes_beyond_the_limits(past: list[Begun], hour: int, units: float) -> None:
    hook = _hook(per_hour=hour, units_a_day=units)
    known = Past(tuple(past))
    for n in range(8):
        verdict = decided(hook, [Alert(f"t{n}"), Alert(f"u{n}")], known, NOW)
        if verdict.status == 429:
            assert verdict.again is not None
            assert verdict.again > 0
            later = decided(hook, [Alert("later")], known, NOW + verdict.again + 0.001)
            assert later.status == 202, "there is room when it was said that there is"
            break
        known = known.with_begun(verdict.targets, "shop", NOW)
    own = [one for one in known.begun if one.hook == "shop" and one not in past]
    before = [one for one in past if one.hook == "shop" and NOW - one.at < HOUR]
    assert len(own) <= max(0, hour - len(before))
    spent = sum(one.units for one in past if one.hook == "shop" and NOW - one.at < DAY)
    assert not own or spent + UNITS_EACH * len(own) <= units + 1e-9
