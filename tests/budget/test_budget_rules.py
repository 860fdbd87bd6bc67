"""One limit, rule by rule; the rules and what they prevent stand in ``orchestrator/budget/budget.py``."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.budget.budget import BLIND_ROOM, Budget
from orchestrator.budget.clock import ServerClock
from orchestrator.budget.readings import LimitReading
from orchestrator.budget.windows import LONGEST_WINDOW, Heard

SERVER = 1_700_000_040.0  # server epoch seconds at our monotonic second 0; a multiple of 60
END = SERVER + 60.0
DELAY = 0.1


class World:
    """A budget, and answers that come a tenth of a second after they were asked for."""

    def __init__(self, kind: type[Budget] = Budget, *, share: float = 0.0, floor: int = 0) -> None:
        self.clock = ServerClock()
        self.budget = kind(self.clock, share=share, floor=floor, expiry=90.0, transit=10.0)
        self.last = 0

    def send(self, now: float) -> int:
        self.last += 1
        self.budget.reserve(self.last, now)
        return self.last

    def answer(
        self, request: int, now: float, remaining: int, reset: float, *, limit: int = 5, status: int = 200
    ) -> Heard:
        sent = now - DELAY
        self.clock.observe(float(math.floor(SERVER + now - DELAY / 2)), sent, now)
        reading = LimitReading(limit, remaining, reset)
        return self.budget.settle(request, reading, sent=sent, now=now, status=status)

    def silence(self, request: int, now: float, status: int = 200) -> None:
        self.budget.settle(request, None, sent=now - DELAY, now=now, status=status)

    def opened(self, remaining: int = 4, limit: int = 5, now: float = 1.0) -> World:
        self.answer(self.send(now - DELAY), now, remaining, END, limit=limit)
        return self


def test_at_the_start_one_probe_may_go_and_nothing_else() -> None:
    world = World()
    assert world.budget.free(0.0) == 1
    assert world.budget.reserve(1, 0.0), "the first request is the probe"
    assert world.budget.free(0.0) == 0
    assert world.budget.opens_at(0.0) == math.inf


def test_a_probe_that_was_never_sent_gives_its_place_back() -> None:
    world = World()
    world.budget.release(world.send(0.0))
    assert world.budget.free(0.0) == 1
    assert world.budget.state.flying == {}


def test_what_is_in_flight_is_spent() -> None:
    world = World().opened(remaining=4)
    for _ in range(3):
        world.send(2.0)
    assert world.budget.free(2.0) == 1


def scenario_old_window(kind: type[Budget]) -> int:
    """A straggler of the old window answers after the new one was named. What is free then?"""
    world = World(kind).opened(remaining=4)
    straggler = world.send(59.0)
    world.budget.advance(63.0)
    world.answer(world.send(63.0), 63.1, 2, END + 60)
    world.answer(straggler, 63.2, 3, END)
    return world.budget.free(63.3)


def scenario_folded(kind: type[Budget]) -> int:
    """A request is lost; then comes an answer that does not count it: there is one less than it says."""
    world = World(kind).opened(remaining=4)
    lost, other = world.send(2.0), world.send(2.0)
    world.budget.lost(lost, 3.0, 2.0)
    world.answer(other, 3.1, 3, END)
    return world.budget.free(3.1)


def scenario_forgiven(kind: type[Budget]) -> int:
    """A request is lost; the next answer was asked for before the lost one was certainly counted."""
    world = World(kind).opened(remaining=4)
    lost = world.send(2.0)
    world.budget.lost(lost, 3.0, 2.0)
    world.answer(world.send(3.9), 4.0, 3, END)
    return world.budget.free(4.0)


def scenario_crowded(kind: type[Budget]) -> int:
    """Stragglers that can fill the next window are still out when the old one ends. May a probe go?"""
    world = World(kind).opened(remaining=2, limit=2)
    for _ in range(2):
        world.send(55.0)
    return world.budget.free(63.0)


def scenario_stragglers(kind: type[Budget]) -> int:
    """Two requests are out at the rollover; the new window may count them after its probe."""
    world = World(kind).opened(remaining=4)
    for _ in range(2):
        world.send(59.0)
    world.budget.advance(63.0)
    world.answer(world.send(63.0), 63.1, 4, END + 60)
    return world.budget.free(63.2)


class ForgetsAtRollover(Budget):
    def _roll(self) -> None:
        super()._roll()
        self.state.flying.clear()


class OldWindowsCount(Budget):
    def _place(self, reset: float, sent: float) -> Heard:
        heard = super()._place(reset, sent)
        return Heard.NEW_WINDOW if heard is Heard.OLD_WINDOW else heard


class LostIsFolded(Budget):
    def _owe(self, certain: float) -> None:
        self.state.remaining -= 1


class LostIsForgivenAtOnce(Budget):
    def _owe(self, certain: float) -> None:
        super()._owe(-math.inf)


class ProbeIgnoresStragglers(Budget):
    def _crowded(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("scenario", "mutant", "free"),
    [
        (scenario_old_window, OldWindowsCount, 2),
        (scenario_folded, LostIsFolded, 2),
        (scenario_forgiven, LostIsForgivenAtOnce, 2),
        (scenario_crowded, ProbeIgnoresStragglers, 0),
        (scenario_stragglers, ForgetsAtRollover, 2),
    ],
)
def test_the_rule_gives_what_is_free_and_without_it_the_answer_is_wrong(
    scenario: object, mutant: type[Budget], free: int
) -> None:
    assert callable(scenario)
    assert scenario(Budget) == free
    assert scenario(mutant) != free, "the scenario does not need the rule that it is about"


# -- windows of another length ------------------------------------------------------------------------------


class NeverFollows(Budget):
    def _follows(self, current: float, reset: float, sent: float) -> bool:
        return False


def short_windows(kind: type[Budget], seconds: float = 10.0) -> tuple[World, list[Heard]]:
    """A window of a few seconds after another, each asked for when the last is certainly over."""
    world, heard, now, end = World(kind), list[Heard](), 0.5, SERVER + seconds
    for _ in range(4):
        heard.append(world.answer(world.send(now), now + DELAY, 4, end))
        now = max(world.budget.clock.when(end + 1.1), now + seconds)
        end += seconds
    return world, heard


@pytest.mark.parametrize("seconds", [5.0, 10.0, 30.0])
def test_an_answer_that_was_asked_for_when_the_window_was_over_names_another_however_near(
    seconds: float,
) -> None:
    world, heard = short_windows(Budget, seconds)
    assert heard == [Heard.NEW_WINDOW] * 4
    assert world.budget.length() == seconds
    assert short_windows(NeverFollows, seconds)[1][1] is Heard.SAME_WINDOW, "this needs the rule"


@pytest.mark.parametrize("seconds", [10.0, 290.0])
def test_in_windows_of_another_length_too_there_is_room_at_the_time_that_was_promised(seconds: float) -> None:
    world, _ = short_windows(Budget, seconds)
    world.budget.share, now = 0.6, 3 * seconds + 2.0
    world.answer(world.send(now), now + DELAY, 2, SERVER + 4 * seconds)
    opens = world.budget.opens_at(now + 0.2)
    assert now + 0.3 < opens < 4 * seconds, "the reserve shrinks within the window"
    assert world.budget.room(opens - 0.1) == 0
    assert world.budget.room(opens) >= 1


def test_a_straggler_of_an_older_short_window_tells_nothing_of_this_one() -> None:
    world, _ = short_windows(Budget)
    before = world.budget.state.remaining
    straggler, reading = world.send(29.5), LimitReading(5, 0, SERVER + 30)
    assert world.budget.settle(straggler, reading, sent=29.5, now=35.0, status=200) is Heard.OLD_WINDOW
    assert world.budget.state.remaining == before


def test_what_names_the_next_window_too_soon_is_kept_for_it() -> None:
    world, _ = short_windows(Budget)  # the last one ends at 40
    assert world.answer(world.send(40.6), 40.7, 1, SERVER + 50) is Heard.SAME_WINDOW
    assert world.budget.free(40.8) == 1
    assert world.budget.free(41.3) == 1, "one is left of the next window, and no probe is needed"
    assert world.budget.state.reset == SERVER + 50


@pytest.mark.parametrize("ahead", [10.0, 60.0, 290.0])
def test_a_server_that_slides_its_reset_is_read_anew_when_the_first_one_is_over(ahead: float) -> None:
    """It degrades to a slow limit, and never freezes: nothing is spent that an answer has not shown."""
    world, new, waited = World(), 0, 0.0
    now = 0.5
    for _ in range(40):
        opens = world.budget.opens_at(now)
        waited = max(waited, opens - now)
        now = max(now + 0.5, opens)
        heard = world.answer(world.send(now), now + DELAY, 2, float(math.floor(SERVER + now + ahead)))
        new += heard is Heard.NEW_WINDOW
        now += DELAY
    assert new >= 2
    assert waited <= ahead + 3.0


@pytest.mark.parametrize("ahead", [5.0, 37.0, 150.0, 300.0])
def test_that_nothing_remains_is_obeyed_until_the_reset_however_far_it_is(ahead: float) -> None:
    world = World()
    world.answer(world.send(0.0), DELAY, 0, SERVER + ahead)
    assert world.budget.free(ahead - 0.5) == 0
    assert ahead <= world.budget.opens_at(1.0) <= ahead + 1.2


def test_a_reset_farther_ahead_than_any_window_is_garbage() -> None:
    world = World()
    assert world.answer(world.send(0.0), DELAY, 0, SERVER + 2 * LONGEST_WINDOW) is Heard.NOTHING


def test_a_limit_that_changes_within_a_run_is_the_limit_from_then_on() -> None:
    world, _ = short_windows(Budget)
    world.answer(world.send(35.0), 35.1, 1, SERVER + 40, limit=3)
    assert world.budget.state.limit == 3
    assert world.budget.free(35.2) == 1
    world.answer(world.send(41.2), 41.3, 11, SERVER + 50, limit=12)
    assert (world.budget.state.limit, world.budget.free(41.4)) == (12, 11)


def test_a_loss_is_cleared_by_an_answer_to_a_request_sent_after_it() -> None:
    world = World().opened(remaining=4)
    world.budget.lost(world.send(2.0), 3.0, 2.0)  # certainly counted by 12.0
    world.answer(world.send(13.0), 13.1, 2, END)
    assert world.budget.state.limbo == []
    assert world.budget.free(13.1) == 2


def test_a_loss_is_forgiven_when_its_window_is_certainly_over() -> None:
    world = World().opened(remaining=2, limit=2)
    for _ in range(2):
        world.budget.lost(world.send(2.0), 3.0, 2.0)
    assert world.budget.free(63.0) == 0, "both may still be counted in the window that has begun"
    assert world.budget.opens_at(63.0) == pytest.approx(12.0 + 61.0)
    assert world.budget.free(73.0) == 1


def test_a_reservation_that_nobody_settles_becomes_a_loss_at_its_expiry() -> None:
    world = World()
    world.send(0.0)
    assert world.budget.free(89.9) == 0
    world.budget.advance(90.0)
    assert world.budget.state.flying == {}
    assert world.budget.state.probing is None
    assert len(world.budget.state.limbo) == 1


def test_without_knowing_when_it_began_a_window_ends_a_second_after_its_truncated_reset() -> None:
    world = World().opened(now=1.0)
    assert world.budget.free(60.9) == 4
    assert world.budget.ends_by() == pytest.approx(END + 1.0, abs=0.06)


def test_a_window_that_began_with_a_request_of_ours_ends_a_window_after_its_answer() -> None:
    world = World()
    world.answer(world.send(0.4), 0.5, 4, END)  # anchored: it truly ends at 60.4..60.5
    for tenth in range(1, 20):  # more answers narrow the server's time
        world.clock.observe(float(math.floor(SERVER + 1 + tenth / 10)), 0.95 + tenth / 10, 1.05 + tenth / 10)
    end = world.budget.ends_by()
    assert end is not None
    assert END + 0.5 <= end < END + 0.8


def test_where_windows_end_on_whole_minutes_the_guard_shrinks() -> None:
    world = World()
    for window in range(5):
        start = 60.0 * window + 1
        world.answer(world.send(start), start + DELAY, 4, END + 60 * window)
    assert world.budget.ends_by() == pytest.approx(END + 240 + 0.25)


def test_a_probe_that_met_the_old_window_makes_the_guard_grow() -> None:
    world = World().opened(remaining=4)
    world.budget.advance(63.0)
    probe = world.send(63.0)
    assert world.budget.state.probing == probe
    world.answer(probe, 63.1, 3, END)
    assert world.budget.state.guard == 1.0
    assert world.budget.free(63.2) == 0, "the next probe waits"
    assert world.budget.free(64.2) == 1


def test_an_answer_so_late_that_its_window_is_over_does_not_open_the_budget() -> None:
    world = World().opened(remaining=0)
    straggler = world.send(30.0)
    world.budget.advance(63.0)
    probe = world.send(63.0)
    world.clock.observe(SERVER + 125.0, 125.0, 125.1)
    world.budget.settle(straggler, LimitReading(5, 4, END + 60), sent=30.0, now=125.2, status=200)
    assert world.budget.free(125.2) == 0
    assert world.budget.state.probing == probe, "the probe that is out stays the only one"


def test_after_a_lost_probe_the_next_one_waits_longer_and_longer() -> None:
    def waits(kind: type[Budget]) -> list[float]:
        world, now, seen = World(kind), 0.0, []
        for _ in range(6):
            world.budget.lost(world.send(now), now, now)
            opens = world.budget.opens_at(now)
            seen.append(opens - now)
            now = opens
        return seen

    class NeverWaits(Budget):
        def _back_off(self, now: float, longest: float) -> None:
            pass

    assert waits(Budget) == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert waits(NeverWaits) == [0.0] * 6


def test_the_last_token_of_the_organization_is_only_for_a_probe() -> None:
    def room(kind: type[Budget]) -> int:
        world = World(kind, floor=1).opened(remaining=1)
        return world.budget.room(2.0)

    class SpendsTheLast(Budget):
        def keep(self, now: float) -> int:
            return 0

    assert room(Budget) == 0
    assert room(SpendsTheLast) == 1
    world = World(floor=1).opened(remaining=1)
    assert world.budget.room(63.0) == 1, "the probe of the next window needs no reserve"


def test_the_reserve_shrinks_with_the_window_and_is_given_back_at_its_end() -> None:
    world = World(share=0.5).opened(remaining=90, limit=100, now=1.0)
    world.budget.state.mine = 10  # all of it was ours: nobody else was seen
    kept = [world.budget.keep(now) for now in (1.0, 30.0, 45.0, 60.0)]
    assert kept == sorted(kept, reverse=True)
    assert kept[0] == pytest.approx(50, abs=1)
    assert kept[-1] <= 1


def test_what_others_spent_in_the_last_window_is_left_to_them_in_this_one() -> None:
    world = World(share=0.1)
    world.answer(world.send(0.0), 0.1, 99, END, limit=100)
    world.answer(world.send(50.0), 50.1, 58, END, limit=100)  # 2 ours, 40 of others
    world.budget.advance(63.0)
    world.answer(world.send(63.0), 63.1, 99, END + 60, limit=100)
    assert world.budget.others(63.2) == pytest.approx(40)
    assert 50 <= world.budget.keep(63.2) <= 56

    class LeavesNothing(Budget):
        def _others_at(self, fraction: float) -> float:
            return 0.0

    world.budget.__class__ = LeavesNothing
    assert world.budget.keep(63.2) <= 10, "the test does not need the rule that it is about"


def test_however_much_others_spend_some_of_the_window_is_ours() -> None:
    world = World().opened(remaining=99, limit=100)
    world.budget.state.others = 1e6
    assert world.budget.keep(1.0) <= 60


def test_others_seen_in_a_first_window_that_was_under_way_are_extrapolated() -> None:
    world = World()
    world.answer(world.send(30.0), 30.1, 69, END, limit=100)  # 30 in half a window
    assert world.budget.others(30.2) == pytest.approx(60, rel=0.1)


def test_an_answer_without_headers_is_a_debt_and_teaches_nothing() -> None:
    world = World().opened(remaining=4)
    world.silence(world.send(2.0), 2.1)
    assert world.budget.free(2.2) == 3
    assert world.budget.state.remaining == 4
    assert world.budget.state.flying == {}


def test_after_three_answers_without_headers_the_budget_is_blind_until_one_has_them() -> None:
    world, now = World(), 0.0
    for _ in range(3):
        assert not world.budget.blind
        world.silence(world.send(now), now + DELAY)
        now = max(now + DELAY, world.budget.opens_at(now + DELAY))
    assert world.budget.blind
    assert world.budget.room(now) == BLIND_ROOM
    world.answer(world.send(now), now + DELAY, 3, END)
    assert not world.budget.blind
    assert world.budget.free(now + DELAY) == 3


def test_a_server_error_without_headers_does_not_make_the_budget_blind() -> None:
    world, now = World(), 0.0
    for _ in range(10):
        world.silence(world.send(now), now + DELAY, status=502)
        now = world.budget.opens_at(now + DELAY)
    assert not world.budget.blind


READINGS = st.builds(
    LimitReading,
    limit=st.integers(-(10**12), 10**12) | st.integers(-1, 6),
    remaining=st.integers(-(10**12), 10**12) | st.integers(-1, 6),
    reset=st.floats() | st.floats(END - 300, END + 300) | st.sampled_from([0.0, 37.0, END, 4e9]),
)


@given(readings=st.lists(READINGS, max_size=12), status=st.sampled_from([200, 429, 500]))
def test_whatever_the_headers_say_the_budget_stays_sane_and_opens_again(
    readings: list[LimitReading], status: int
) -> None:
    world, now = World(), 0.5
    world.clock.observe(SERVER, 0.0, 0.4)
    for reading in readings:
        request = world.send(now)
        heard = world.budget.settle(request, reading, sent=now, now=now + DELAY, status=status)
        if status == 429:
            world.budget.refuse(heard, now + DELAY)
        state = world.budget.state
        assert state.limit is None or 1 <= state.limit <= 100_000
        assert 0 <= state.remaining <= (state.limit or 0)
        assert state.reset is None or state.reset <= SERVER + now + LONGEST_WINDOW + 10
        assert state.flying == {}
        now += 0.5
    for _ in range(300):
        if world.budget.room(now) >= 1:
            break
        now = min(now + 5.0, world.budget.opens_at(now))
    assert world.budget.room(now) >= 1, "the budget never opened again"
    assert now < 400, "the budget stayed closed for minutes"


@given(
    remaining=st.integers(0, 100),
    others=st.floats(0, 200),
    share=st.floats(0, 0.6),
    flying=st.integers(0, 20),
    spare=st.integers(0, 40),
    at=st.floats(1.0, 59.0),
)
def test_at_the_time_it_promised_there_is_room(
    *, remaining: int, others: float, share: float, flying: int, spare: int, at: float
) -> None:
    world = World(share=share, floor=1).opened(remaining=remaining, limit=100)
    world.budget.state.others = others
    for _ in range(flying):
        world.send(at)
    opens = world.budget.opens_at(at, spare)
    assert at <= opens < 63
    if opens > at + 0.1:
        assert world.budget.room(opens - 0.1, spare) == 0, "it could have been asked earlier"
    assert world.budget.room(opens, spare) >= 1, "who sleeps until then and no longer would spin"


def test_a_state_survives_json_and_goes_on_as_if_nothing_had_happened() -> None:
    world = World().opened(remaining=4)
    world.budget.lost(world.send(2.0), 3.0, 2.0)
    world.send(4.0)
    copy = Budget(world.clock, share=0.0, floor=0)
    copy.load(json.loads(json.dumps(world.budget.dump(), allow_nan=False)))
    assert copy.dump() == world.budget.dump()
    assert copy.free(5.0) == world.budget.free(5.0) == 2


@pytest.mark.parametrize("damage", [{}, {"flying": 3}, {"limbo": ["x"]}, {"remaining": "many"}])
def test_a_damaged_state_is_refused(damage: dict[str, object]) -> None:
    world = World()
    data = world.budget.dump() | damage if damage else {}
    with pytest.raises((ValueError, KeyError, TypeError)):
        world.budget.load(data)
