"""Public snapshots in every store: of each test one, whoever asks when, kept with its run."""

from __future__ import annotations

import anyio
import pytest
from kept_runs import ended_run
from stores import RUN, sent, stored_run

from orchestrator.errors import UsageProblem
from orchestrator.records import SHARED_FOR, SnapshotState
from orchestrator.store.base import Store, WholeStore

LINK = "https://abc.share.example/view/tests/?testId=\u2713"


async def kept(store: Store, key: str = "k0", at: float = 5.0) -> None:
    await stored_run(store, count=3)
    await sent(store, key)
    assert await store.intend_snapshot(RUN, key, f"id-{key}", at)


async def test_what_is_intended_may_exist_until_it_is_answered(store: Store) -> None:
    await kept(store)
    (found,) = await store.snapshots(RUN)
    assert (found.spec, found.test_id, found.state, found.at) == ("k0", "id-k0", SnapshotState.SENT, 5.0)
    await store.end_snapshot(RUN, "k0", SnapshotState.MADE, 7.0, snapshot_id="abc", link=LINK)
    (found,) = await store.snapshots(RUN)
    assert (found.state, found.id, found.link, found.at) == (SnapshotState.MADE, "abc", LINK, 7.0)
    assert found.expires == 7.0 + SHARED_FOR


@pytest.mark.parametrize("state", [SnapshotState.SENT, SnapshotState.MADE])
async def test_of_a_test_there_is_one_unless_another_is_wanted(store: Store, state: SnapshotState) -> None:
    await kept(store)
    await store.end_snapshot(RUN, "k0", state, 6.0, link=LINK, error="lost")
    assert not await store.intend_snapshot(RUN, "k0", "id-k0", 9.0)
    assert [one.at for one in await store.snapshots(RUN)] == [6.0]
    assert await store.intend_snapshot(RUN, "k0", "id-k0", 9.0, again=True)
    (found,) = await store.snapshots(RUN)
    assert (found.state, found.at, found.link, found.error) == (SnapshotState.SENT, 9.0, None, None)


async def test_one_that_was_refused_may_be_asked_for_once_more(store: Store) -> None:
    await kept(store)
    await store.end_snapshot(RUN, "k0", SnapshotState.REFUSED, 6.0, error="no \ud800 \x00 right")
    assert (await store.snapshots(RUN))[0].error is not None
    assert await store.intend_snapshot(RUN, "k0", "id-k0", 9.0)


async def test_of_many_who_ask_at_once_one_may(store: Store) -> None:
    await stored_run(store, count=1)
    told: list[bool] = []

    async def one() -> None:
        told.append(await store.intend_snapshot(RUN, "k0", "1", 1.0))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(one)
    assert sorted(told) == [False, False, False, False, True]


async def test_the_times_of_an_origin_are_those_of_all_its_runs_but_for_refusals(store: Store) -> None:
    await kept(store, "k0", 5.0)
    await store.intend_snapshot(RUN, "k1", "2", 8.0)
    await store.intend_snapshot(RUN, "k2", "3", 9.0)
    await store.end_snapshot(RUN, "k2", SnapshotState.REFUSED, 9.0)
    origin = (await store.run(RUN)).origin
    assert await store.snapshot_times(origin, 0.0) == [5.0, 8.0]
    assert await store.snapshot_times(origin, 6.0) == [8.0]
    assert await store.snapshot_times("https://other.example", 0.0) == []


async def test_there_is_none_of_a_run_or_spec_that_is_not_there(store: Store) -> None:
    assert await store.snapshots("nothing") == []
    await stored_run(store, count=1)
    with pytest.raises(UsageProblem):
        await store.intend_snapshot(RUN, "k9", "1", 1.0)


async def test_they_go_with_their_run(store: WholeStore) -> None:
    await ended_run(store, "aa01", specs=2)
    origin = (await store.run("aa01")).origin
    key = (await store.tests("aa01"))[0].spec.key
    assert await store.intend_snapshot("aa01", key, "1", 1.0)
    assert await store.condemn(["aa01"]) == ["aa01"]
    while await store.clear():
        pass
    assert await store.snapshot_times(origin, 0.0) == []
