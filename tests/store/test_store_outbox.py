"""The outbox of every store: a state and its notice together or not at all, each notice once, in order."""

from __future__ import annotations

import anyio
from stores import RUN

from orchestrator.outbox import Draft, Known
from orchestrator.store.base import Store

PLACE = ("sweep", "https://api.example -", "oncall")


def draft(event: str = "bad", at: float = 5.0) -> Draft:
    return Draft(event, RUN, at, {"plan": "sweep", "event": event, "text": "x \ud800 \x00 ✕"})


async def kept(store: Store, *events: str) -> None:
    for event in events:
        known = await store.notice_state(*PLACE)
        assert await store.keep_notice(*PLACE, known.version, {"n": known.version}, draft(event))


async def test_nothing_is_known_at_first(store: Store) -> None:
    assert await store.notice_state(*PLACE) == Known(0, None)
    assert await store.notices() == []


async def test_a_state_and_its_notice_are_kept(store: Store) -> None:
    assert await store.keep_notice(*PLACE, 0, {"tracks": [1, "✕"]}, draft())
    assert await store.notice_state(*PLACE) == Known(1, {"tracks": [1, "✕"]})
    (found,) = await store.notices(pending=True)
    assert (found.id, found.channel, found.tries, found.doubtful) == ("sweep/1", "oncall", 0, False)
    assert found.draft == draft()


async def test_of_two_who_change_a_state_one_is_refused_and_writes_nothing(store: Store) -> None:
    assert await store.keep_notice(*PLACE, 0, {}, draft("bad"))
    assert not await store.keep_notice(*PLACE, 0, {"other": 1}, draft("changed"))
    assert await store.keep_notice(*PLACE, 1, {"two": 2}, draft("recovered"))
    assert not await store.keep_notice(*PLACE, 1, {"late": 1}, draft("changed"))
    assert [one.draft.event for one in await store.notices()] == ["bad", "recovered"]
    assert await store.notice_state(*PLACE) == Known(2, {"two": 2})


async def test_of_many_at_once_one_is_first(store: Store) -> None:
    told: list[bool] = []

    async def one() -> None:
        told.append(await store.keep_notice(*PLACE, 0, {}, draft()))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(one)
    assert sorted(told) == [False, False, False, False, True]
    assert len(await store.notices()) == 1


async def test_numbers_count_up_for_each_plan_and_channel_whatever_the_world(store: Store) -> None:
    for plan, world, channel in (("a", "w", "x"), ("a", "v", "x"), ("a", "w", "y"), ("b", "w", "x")):
        assert await store.keep_notice(plan, world, channel, 0, {}, draft())
    found = [(one.plan, one.channel, one.number) for one in await store.notices()]
    assert found == [("a", "x", 1), ("a", "x", 2), ("a", "y", 1), ("b", "x", 1)]


async def test_a_state_without_a_notice_is_no_notice(store: Store) -> None:
    assert await store.keep_notice(*PLACE, 0, {}, None)
    assert await store.notices() == []


async def test_what_was_sent_is_not_pending(store: Store) -> None:
    await kept(store, "bad", "recovered")
    first, second = await store.notices(pending=True)
    await store.begin_notice(first.n)
    await store.end_notice(first.n, sent=9.0)
    assert [one.n for one in await store.notices(pending=True)] == [second.n]
    (told, _) = await store.notices()
    assert (told.sent, told.tries, told.doubtful, told.error) == (9.0, 1, False, None)


async def test_a_try_that_did_not_end_may_have_arrived(store: Store) -> None:
    await kept(store, "bad")
    (one,) = await store.notices()
    await store.begin_notice(one.n)
    assert [(each.tries, each.doubtful) for each in await store.notices(pending=True)] == [(1, True)]
    await store.begin_notice(one.n)
    await store.end_notice(one.n, error="answered 500")
    (told,) = await store.notices(pending=True)
    assert (told.tries, told.doubtful, told.error) == (2, True, "answered 500")


async def test_a_try_that_was_refused_leaves_no_doubt(store: Store) -> None:
    await kept(store, "bad")
    (one,) = await store.notices()
    await store.begin_notice(one.n)
    await store.end_notice(one.n, error="answered 500")
    assert [each.doubtful for each in await store.notices(pending=True)] == [False]
    await store.begin_notice(one.n)
    await store.end_notice(one.n, error="no answer", doubtful=True)
    assert [each.doubtful for each in await store.notices(pending=True)] == [True]


async def test_what_was_given_up_is_not_pending(store: Store) -> None:
    await kept(store, "bad")
    (one,) = await store.notices()
    await store.give_up_notice(one.n, 7.0)
    assert await store.notices(pending=True) == []
    assert [each.given_up for each in await store.notices()] == [7.0]


async def test_pending_notices_come_oldest_first_and_others_newest(store: Store) -> None:
    await kept(store, "bad", "changed", "recovered")
    assert [one.draft.event for one in await store.notices(limit=2)] == ["changed", "recovered"]
    assert [one.draft.event for one in await store.notices(limit=2, pending=True)] == ["bad", "changed"]
    assert [one.draft.event for one in await store.notices(channel="other")] == []
    assert len(await store.notices(run=RUN, plan="sweep", channel="oncall")) == 3
