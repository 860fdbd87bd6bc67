"""The purse of a process: what lies in it, what is told, and what becomes of it when the database is away."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from shared_row import THERE, Database, Host, World

from orchestrator.budget.budget import TRANSIT
from orchestrator.budget.errands import Errand
from orchestrator.budget.permits import Permit
from orchestrator.budget.purse import FRESH, PurseLedger
from orchestrator.budget.readings import LimitReading, Limits
from orchestrator.budget.teller import ERA_PAUSE, UNSEEN, Teller
from orchestrator.events.limits import BudgetReset

THERE_AND_BACK = 3 * THERE


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def database(world: World) -> Database:
    return Database(world, ahead=-500.0)


def settled_in(world: World, database: Database, *names: str) -> list[Host]:
    """Hosts in an era whose pause is over, and whose windows one of them has learned."""
    hosts = [Host(world, database, name, ahead=1000.0 * n) for n, name in enumerate(names)]
    hosts[0].ledger.try_reserve(hosts[0].now(), instant=True)
    world.advance(ERA_PAUSE + 1.0)
    permit = got(hosts[0], instant=True)
    assert permit is not None
    answered(hosts[0], permit)
    world.advance(1.0)
    return hosts


def got(host: Host, *, instant: bool = False, spare: int = 0) -> Permit | None:
    """A permit, after the way to the database and back if it takes that."""
    permit = host.ledger.try_reserve(host.now(), instant=instant, spare=spare)
    if permit is None:
        host.world.advance(THERE_AND_BACK)
        permit = host.ledger.try_reserve(host.now(), instant=instant, spare=spare)
    return permit


def answered(host: Host, permit: Permit, remaining: int = 238, status: int = 200) -> None:
    """An answer came that names windows of a minute."""
    reset = float(int(host.world.time) + 60)
    organization = LimitReading(240, remaining, reset)
    instant = LimitReading(24, min(24, remaining), reset) if permit.instant else None
    limits = Limits(organization, instant, float(int(host.world.time)), None)
    host.ledger.settle(permit, limits, host.now(), status=status)


def in_flight(host: Host) -> int:
    host.world.advance(2.0)
    return host.ledger.view(host.now()).organization.in_flight


def test_a_permit_is_fetched_and_whoever_waits_for_it_is_woken(world: World, database: Database) -> None:
    (host,) = settled_in(world, database, "a")
    before = host.woken
    assert host.ledger.try_reserve(host.now(), instant=False) is None
    world.advance(THERE_AND_BACK)
    assert host.woken == before + 1
    permit = host.ledger.try_reserve(host.now(), instant=False)
    assert permit is not None
    assert permit.sent <= host.now(), "not later than it is sent, by the clock of this host"
    assert host.ledger.stands(permit, host.now())


def test_a_permit_that_nobody_takes_is_given_back(world: World, database: Database) -> None:
    (host,) = settled_in(world, database, "a")
    host.ledger.try_reserve(host.now(), instant=False)
    world.advance(THERE_AND_BACK)
    assert host.ledger.view(host.now()).organization.in_flight == 1
    world.advance(FRESH + 1.0)
    assert host.ledger.view(host.now()).organization.in_flight == 0


def test_a_permit_counts_as_free_to_the_process_that_has_it(world: World, database: Database) -> None:
    (host,) = settled_in(world, database, "a")
    free = host.ledger.view(host.now()).organization.free
    host.ledger.try_reserve(host.now(), instant=False)
    world.advance(THERE_AND_BACK)
    assert host.ledger.view(host.now()).organization.free == free
    assert host.ledger.opens_at(host.now(), instant=False) == host.now()


def test_one_who_must_leave_more_than_there_is_gets_no_permit(world: World, database: Database) -> None:
    (host,) = settled_in(world, database, "a")
    assert got(host, spare=500) is None
    assert got(host, spare=5) is not None


def test_what_was_spent_on_one_host_is_gone_on_the_other(world: World, database: Database) -> None:
    one, other = settled_in(world, database, "a", "b")
    permit = got(one)
    assert permit is not None
    answered(one, permit, remaining=1)
    world.advance(1.0)
    assert got(other) is None, "the last token of the organization is kept"
    assert other.ledger.opens_at(other.now(), instant=False) > other.now() + 5.0


def test_an_end_whose_turn_was_stored_unheard_is_counted_once(world: World, database: Database) -> None:
    (host,) = settled_in(world, database, "a")
    permit = got(host)
    assert permit is not None
    host.answers_lost = 2
    answered(host, permit, remaining=0, status=429)
    world.advance(3.0)
    assert host.ledger.refused().organization <= 1
    assert in_flight(host) == 0


def test_permits_that_never_came_home_are_released(world: World, database: Database) -> None:
    (host,) = settled_in(world, database, "a")
    host.answers_lost = 1
    host.ledger.try_reserve(host.now(), instant=False)
    world.advance(THERE_AND_BACK)
    assert in_flight(host) <= 1, "the one that was fetched again, at most"
    world.advance(FRESH + 2.0)
    assert in_flight(host) == 0


def test_without_the_database_nothing_is_sent_and_what_ended_is_told_later(
    world: World, database: Database
) -> None:
    one, other = settled_in(world, database, "a", "b")
    permit = got(one)
    assert permit is not None
    database.away = True
    world.advance(FRESH + 1.0)
    assert got(one) is None
    answered(one, permit, remaining=7)
    world.advance(5.0)
    assert got(one) is None
    assert math.isfinite(one.ledger.opens_at(one.now(), instant=False))
    database.away = False
    world.advance(1.0)
    assert one.ledger.view(one.now()).organization.in_flight == 0
    got(other)
    assert other.ledger.view(other.now()).organization.remaining == 7


def test_a_permit_does_not_stand_when_an_era_may_have_gone_on_without_it(
    world: World, database: Database
) -> None:
    (host,) = settled_in(world, database, "a")
    permit = got(host)
    assert permit is not None
    database.away = True
    world.advance(ERA_PAUSE)
    assert not host.ledger.stands(permit, host.now())
    host.ledger.release(permit, host.now())
    assert not host.ledger.stands(permit, host.now())


def test_a_new_era_pauses_and_knows_what_is_in_flight(world: World, database: Database) -> None:
    one, other = settled_in(world, database, "a", "b")
    permit = got(one)
    assert permit is not None
    database.crash()
    assert got(other) is None
    world.advance(ERA_PAUSE - 1.0)
    assert got(other) is None
    assert any(isinstance(fact, BudgetReset) for fact in [*one.told[1:], *other.told])
    assert other.ledger.view(other.now()).organization.in_flight == 1
    world.advance(2.0)
    assert got(other) is not None, "a probe, because there is room by what is remembered"
    assert one.ledger.eras == other.ledger.eras + 1 == 2


def test_a_window_that_was_full_is_full_in_a_new_era(world: World, database: Database) -> None:
    (host,) = settled_in(world, database, "a")
    permit = got(host, instant=True)
    assert permit is not None
    answered(host, permit, remaining=0)
    world.advance(1.0)
    database.crash()
    world.advance(ERA_PAUSE + 5.0)
    assert all(got(host, instant=True) is None for _ in range(20))
    world.advance(60.0)
    assert any(got(host, instant=True) for _ in range(20))


def test_a_window_that_unanswered_requests_may_have_filled_is_full_in_a_new_era(
    world: World, database: Database
) -> None:
    (host,) = settled_in(world, database, "a")
    spent = 0
    while (permit := got(host, instant=True)) is not None:
        host.ledger.lost(permit, host.now())
        spent += 1
    assert spent > 15
    world.advance(TRANSIT + ERA_PAUSE + 2.0)
    database.crash()
    assert got(host, instant=True) is None
    world.advance(ERA_PAUSE + 1.0)
    assert got(host, instant=True) is None, "the window is not over"
    world.advance(60.0)
    assert got(host, instant=True) is not None


@pytest.mark.parametrize("seconds", [-100.0, 100.0])
def test_a_clock_that_was_set_begins_an_era(world: World, database: Database, seconds: float) -> None:
    (host,) = settled_in(world, database, "a")
    world.advance(0.5)
    database.ahead += seconds
    host.told.clear()
    got(host)
    assert any(isinstance(fact, BudgetReset) for fact in host.told)
    assert got(host) is None


def test_who_is_not_seen_is_buried_and_its_requests_are_debts(world: World, database: Database) -> None:
    one, other = settled_in(world, database, "a", "b")
    assert got(one) is not None
    one.stop()
    world.advance(UNSEEN - 1.0)
    mine = [got(other)]
    assert other.ledger.view(other.now()).organization.in_flight == 2
    world.advance(3.0)
    mine.append(got(other))
    mirror = other.ledger._known
    assert mirror is not None
    assert list(mirror.ledger.organization.state.flying) == [permit.id for permit in mine if permit]
    assert len(mirror.ledger.organization.state.limbo) == 1


def test_one_who_leaves_leaves_nothing_in_flight(world: World, database: Database) -> None:
    one, other = settled_in(world, database, "a", "b")
    permit = got(one)
    assert permit is not None
    one.ledger.try_reserve(one.now(), instant=False)
    answered(one, permit)
    one.ledger.close()
    one.ledger.close()
    got(other)
    assert other.ledger.view(other.now()).organization.in_flight == 1, "its own"


def test_idle_processes_are_quiet(world: World, database: Database) -> None:
    settled_in(world, database, "a")
    world.advance(200.0)
    before = database.turns
    world.advance(100.0)
    assert database.turns == before


def test_a_far_database_is_asked_for_several_at_once(world: World, database: Database) -> None:
    (host,) = settled_in(world, database, "a")
    for round_trip, lying in ((0.001, 1), (0.05, 4)):
        host.ledger._way.quickest = [round_trip]
        assert got(host) is not None
        assert len(host.ledger._lying) == lying - 1


# Rules taken out, each with the trace that needs it: chance finds none of them in seconds.


@pytest.mark.parametrize(
    ("untold", "trace"),
    [
        ({"held": ()}, test_a_new_era_pauses_and_knows_what_is_in_flight),
        ({"windows": (None, None)}, test_a_window_that_was_full_is_full_in_a_new_era),
        ({"debts": ()}, test_a_window_that_unanswered_requests_may_have_filled_is_full_in_a_new_era),
    ],
    ids=["in flight", "windows", "lost"],
)
def test_a_trace_fails_where_a_new_era_is_not_told(
    untold: dict[str, Any],
    trace: Callable[[World, Database], None],
    world: World,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = Teller._tell_again

    def tell_again(self: Teller, shared: Any, errand: Errand, *rest: Any) -> Any:
        return whole(self, shared, replace(errand, **untold), *rest)

    monkeypatch.setattr(Teller, "_tell_again", tell_again)
    with pytest.raises(AssertionError):
        trace(world, database)


def test_a_trace_fails_where_permits_stand_for_ever(
    world: World, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PurseLedger, "stands", lambda *_: True)
    with pytest.raises(AssertionError):
        test_a_permit_does_not_stand_when_an_era_may_have_gone_on_without_it(world, database)
