"""What every ledger promises, alone or shared."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from orchestrator.budget.ledger import LocalLedger
from orchestrator.budget.permits import Ledger, Permit
from orchestrator.budget.readings import LimitReading, Limits
from orchestrator.events import Fact, kind_of
from orchestrator.events.limits import WindowOpened

MakeLedger = Callable[..., Ledger]

SERVER = 1_700_000_040.0  # server epoch seconds at our monotonic second 0; a multiple of 60
END = SERVER + 60.0


def said(
    now: float,
    organization: int | None = None,
    instant: int | None = None,
    *,
    reset: float = END,
    retry_after: float | None = None,
    limit: int = 240,
) -> Limits:
    """Headers of an answer: what remains of 240 and of 24."""
    return Limits(
        None if organization is None else LimitReading(limit, organization, reset),
        None if instant is None else LimitReading(24, instant, reset),
        float(math.floor(SERVER + now)),
        retry_after,
    )


def take(ledger: Ledger, now: float, *, instant: bool = False, spare: int = 0) -> Permit:
    permit = ledger.try_reserve(now, instant=instant, spare=spare)
    assert permit is not None, f"no permit at {now}: {ledger.view(now)}"
    return permit


def opened(ledger: Ledger, organization: int = 239, instant: int = 23, limit: int = 240) -> Ledger:
    answer = said(0.6, organization, instant, limit=limit)
    ledger.settle(take(ledger, 0.5, instant=True), answer, 0.6, status=201)
    return ledger


def test_the_first_creation_shows_both_budgets(make_ledger: MakeLedger) -> None:
    ledger = make_ledger()
    probe = take(ledger, 0.5, instant=True)
    assert set(probe.probes) == {"organization", "instant_test"}
    assert ledger.try_reserve(0.5, instant=True) is None
    assert ledger.try_reserve(0.5, instant=False) is None
    ledger.settle(probe, said(0.6, 239, 23), 0.6, status=201)
    view = ledger.view(0.7)
    assert (view.organization.limit, view.organization.remaining, view.organization.reset) == (240, 239, END)
    assert (view.instant_test.limit, view.instant_test.remaining, view.instant_test.free) == (24, 23, 23)
    assert ledger.opens_at(0.7, instant=True) == 0.7
    assert SERVER - 1 <= view.server_time <= SERVER + 1


def test_both_budgets_are_reserved_or_none(make_ledger: MakeLedger) -> None:
    ledger = opened(make_ledger(), organization=200, instant=0)
    assert ledger.try_reserve(1.0, instant=True) is None
    assert ledger.view(1.0).organization.in_flight == 0, "the organization's token was taken all the same"
    assert ledger.try_reserve(1.0, instant=False) is not None


def test_a_creation_that_the_organization_forbids_leaves_the_instant_budget_alone(
    make_ledger: MakeLedger,
) -> None:
    ledger = opened(make_ledger(), organization=1, instant=23)
    assert ledger.try_reserve(1.0, instant=True) is None
    assert ledger.view(1.0).instant_test.in_flight == 0


def test_reads_leave_what_is_set_aside_for_creations(make_ledger: MakeLedger) -> None:
    ledger = opened(make_ledger(), organization=12, instant=23, limit=13)
    assert ledger.try_reserve(1.0, instant=False, spare=11) is None
    assert ledger.opens_at(1.0, instant=False, spare=11) > 50
    assert ledger.try_reserve(1.0, instant=False, spare=10) is not None
    assert ledger.try_reserve(1.0, instant=True) is not None


def test_the_reserve_of_the_organization_is_left_and_given_back(make_ledger: MakeLedger) -> None:
    ledger = opened(make_ledger(reserve=0.5), organization=19, limit=20)
    taken = 0
    while ledger.try_reserve(1.0, instant=False) is not None:
        taken += 1
    assert taken == 9, "ten of twenty are left to others"
    opens = ledger.opens_at(1.0, instant=False)
    assert 2 < opens < 10, "a twentieth of the window later one of them is given back"
    assert ledger.try_reserve(opens + 0.01, instant=False) is not None


def test_a_released_ticket_gives_everything_back(make_ledger: MakeLedger) -> None:
    ledger = make_ledger()
    ledger.release(take(ledger, 0.5, instant=True), 0.6)
    assert set(take(ledger, 0.6, instant=True).probes) == {"organization", "instant_test"}


def test_a_lost_ticket_costs_a_token_until_a_later_answer_counts_it(make_ledger: MakeLedger) -> None:
    ledger = opened(make_ledger())
    ledger.lost(take(ledger, 1.0), 2.0)
    assert ledger.view(2.0).organization.free == 238
    assert ledger.view(2.0).organization.in_flight == 0
    ledger.settle(take(ledger, 15.0), said(15.1, 237), 15.1, status=200)
    assert ledger.view(15.2).organization.free == 237


def test_a_refusal_closes_the_exhausted_budget_for_everybody_until_its_reset(make_ledger: MakeLedger) -> None:
    ledger = opened(make_ledger())
    ledger.settle(take(ledger, 1.0), said(1.1, 0), 1.1, status=429)
    assert ledger.try_reserve(2.0, instant=False) is None
    assert ledger.try_reserve(2.0, instant=True) is None
    opens = ledger.opens_at(2.0, instant=False)
    assert 60.0 <= opens <= 63.0
    assert len(take(ledger, opens + 0.01, instant=True).probes) == 2, "one probe, then what it says"
    assert ledger.try_reserve(opens + 0.01, instant=False) is None
    assert ledger.refused().organization == 1


def test_a_creation_refused_by_its_own_limit_leaves_reads_alone(make_ledger: MakeLedger) -> None:
    ledger = opened(make_ledger())
    ledger.settle(take(ledger, 1.0, instant=True), said(1.1, 238, 0), 1.1, status=429)
    assert ledger.try_reserve(2.0, instant=True) is None
    assert ledger.try_reserve(2.0, instant=False) is not None
    assert ledger.refused().instant_test == 1


def test_a_creation_refused_by_the_organization_leaves_the_instant_budget_open(
    make_ledger: MakeLedger,
) -> None:
    ledger = opened(make_ledger())
    ledger.settle(take(ledger, 1.0, instant=True), said(1.1, 0, 23), 1.1, status=429)
    view = ledger.view(1.2)
    assert view.instant_test.free == 23
    assert view.organization.free == 0
    assert ledger.refused().organization == 1


@pytest.mark.parametrize(("instant", "blamed"), [(True, "instant_test"), (False, "organization")])
def test_a_refusal_without_headers_blames_the_scarcer_limit_that_was_asked(
    make_ledger: MakeLedger, instant: bool, blamed: str
) -> None:
    ledger = opened(make_ledger())
    ledger.settle(take(ledger, 1.0, instant=instant), said(1.1), 1.1, status=429)
    view = ledger.view(1.2)
    assert getattr(view, blamed).free == 0
    other = view.organization if instant else view.instant_test
    assert other.free > 0
    assert ledger.refused().bare == 1


def test_three_refusals_without_headers_in_a_row_pause_everything_for_a_minute_or_more(
    make_ledger: MakeLedger,
) -> None:
    events: list[str] = []

    def tell(fact: Fact) -> None:
        events.append(kind_of(fact))

    ledger, now, pauses = make_ledger(tell=tell), 0.5, []
    for _ in range(6):
        ledger.settle(take(ledger, now), Limits(None, None, None, None), now + 0.1, status=429)
        opens = ledger.opens_at(now + 0.1, instant=False)
        if opens > now + 59.0:
            pauses.append(opens - now - 0.1)
            assert ledger.try_reserve(now + 30.0, instant=True) is None
        now = max(now + 0.1, opens)
    assert len(pauses) == 4
    assert [60 * 2**n <= pause <= 75 * 2**n for n, pause in enumerate(pauses)] == [True] * 4
    assert events.count("budget.paused") == 4


def test_retry_after_is_never_shortened_by_the_reset(make_ledger: MakeLedger) -> None:
    ledger = opened(make_ledger())
    ledger.settle(take(ledger, 1.0), said(1.1, 0, retry_after=200.0), 1.1, status=429)
    assert ledger.opens_at(2.0, instant=False) == pytest.approx(201.1)
    assert ledger.try_reserve(200.0, instant=False) is None
    assert ledger.try_reserve(201.2, instant=False) is not None


def test_a_short_retry_after_does_not_shorten_the_reset(make_ledger: MakeLedger) -> None:
    ledger = opened(make_ledger())
    ledger.settle(take(ledger, 1.0), said(1.1, 0, retry_after=1.0), 1.1, status=429)
    assert ledger.opens_at(5.0, instant=False) > 59


def test_an_absurd_retry_after_does_not_stop_the_run_for_ever(make_ledger: MakeLedger) -> None:
    ledger = opened(make_ledger())
    ledger.settle(take(ledger, 1.0), said(1.1, 0, retry_after=1e9), 1.1, status=429)
    assert ledger.opens_at(2.0, instant=False) < 1000


def test_headers_that_stop_coming_make_the_budgets_blind_and_not_deaf(make_ledger: MakeLedger) -> None:
    ledger, now = make_ledger(), 0.5
    for _ in range(3):
        ledger.settle(take(ledger, now, instant=True), Limits(None, None, None, None), now, status=201)
        now += 1.1
    view = ledger.view(now)
    assert view.organization.blind
    assert view.instant_test.blind
    for _ in range(50):
        take(ledger, now, instant=True)


def test_answers_in_any_order_end_with_the_smallest_remaining(make_ledger: MakeLedger) -> None:
    ledger = opened(make_ledger())
    permits = [take(ledger, 1.0) for _ in range(3)]
    for permit, remaining in zip(permits, (236, 238, 237), strict=True):
        ledger.settle(permit, said(1.2, remaining), 1.2, status=200)
    assert ledger.view(1.3).organization.free == 236


def test_the_views_add_up(make_ledger: MakeLedger) -> None:
    ledger = opened(make_ledger(), organization=200)
    for _ in range(5):
        take(ledger, 1.0)
    view = ledger.view(1.0).organization
    assert view.free == 195
    assert view.in_flight == 5
    assert view.mine == 1
    assert view.known
    assert view.others >= 39, "40 were gone before our first request was counted"


def test_the_end_of_a_window_is_told_with_what_became_of_it() -> None:
    told: list[Fact] = []
    ledger = LocalLedger(rng=random.Random(1), tell=told.append)
    opened(ledger)
    ledger.settle(take(ledger, 63.0), said(63.1, 239, reset=END + 60), 63.1, status=200)
    windows = [fact for fact in told if isinstance(fact, WindowOpened) and fact.budget == "organization"]
    assert len(windows) == 2
    assert windows[1].ended.unused == 239
    assert windows[1].ended.mine == 1


def test_probes_are_spread_only_when_other_processes_are_known() -> None:
    def opens(peers: bool, seed: int) -> float:
        ledger = LocalLedger(rng=random.Random(seed), peers=peers)
        opened(ledger, organization=0)
        return ledger.opens_at(1.0, instant=False)

    alone = opens(peers=False, seed=1)
    spread = {opens(peers=True, seed=seed) for seed in range(8)}
    assert opens(peers=False, seed=2) == alone
    assert len(spread) == 8
    assert alone <= min(spread) < max(spread) <= alone + 0.5
