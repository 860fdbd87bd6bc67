"""Runs go from one store into another and say there what they said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import make_answer
from kept_runs import ended_run
from stores import KINDS, RUN, Kind, answered, new_place, sent, stored_run

from orchestrator.actions.copying import copy
from orchestrator.clock import LoopClock
from orchestrator.errors import UsageProblem
from orchestrator.events import Event, Lost
from orchestrator.lifecycle import SpecState
from orchestrator.records import RunState, SnapshotState
from orchestrator.store.base import Store
from orchestrator.store.opening import open_store


@pytest.fixture(params=KINDS, ids=[f"to-{kind.name}" for kind in KINDS])
def there(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Another place."""
    kind: Kind = request.param
    if kind.server:
        yield from new_place(kind, request)
    else:
        yield str(tmp_path_factory.mktemp("there") / "o.db")


async def everything(store: Store, run: str = RUN) -> list[object]:
    return [
        await store.run(run),
        await store.tests(run),
        await store.counts(run),
        await store.events(run),
        await store.agents(run),
        [row async for row in store.results(run)],
        [cell async for cell in store.cells(run)],
        await store.snapshots(run),
    ]


async def test_a_run_is_there_as_it_was_here(url: str, there: str) -> None:
    async with open_store(url) as one, open_store(there) as other:
        await ended_run(one.store, "aa01", specs=30)
        await stored_run(one.store, count=3)
        await sent(one.store, "k0", "k1")
        await one.store.add_answers(RUN, "k0", [make_answer(round_id=n, agent="\u00e9") for n in range(30)])
        await one.store.close_test(RUN, "k0", SpecState.COMPLETE, answered("1", "2"), 3.0)
        await one.store.intend_snapshot(RUN, "k1", "7", 4.0)
        await one.store.end_snapshot(
            RUN, "k1", SnapshotState.MADE, 4.5, snapshot_id="s", link="https://x.example"
        )
        await one.store.add_events(RUN, [Event(1.0, RUN, None, Lost("\ud800"))])
        await one.store.save_latencies("o", {"t": [1.0]})
        await other.store.save_latencies("o", {"t": [2.0], "u": [3.0]})
        done = await copy(one, other)
        assert (done.taken, done.there) == (("aa01", RUN), ())
        for run in ("aa01", RUN):
            before, after = await everything(one.store, run), await everything(other.store, run)
            assert after[1:] == before[1:]
        assert await other.store.run("aa01") == await one.store.run("aa01")
        assert (await other.store.run(RUN)).state is RunState.INTERRUPTED, "nobody goes on with it there"
        assert [run.id for run in await other.store.runs()] == [RUN, "aa01"]
        assert await other.store.latencies("o") == {"t": [2.0], "u": [3.0]}
        again = await copy(one, other)
        assert (again.taken, again.there) == ((), ("aa01", RUN))


async def test_only_the_runs_that_are_named_are_copied(url: str, there: str) -> None:
    async with open_store(url) as one, open_store(there) as other:
        await ended_run(one.store, "aa01")
        await ended_run(one.store, "aa02")
        assert (await copy(one, other, ["aa02"])).taken == ("aa02",)
        assert [run.id for run in await other.store.runs()] == ["aa02"]
        with pytest.raises(UsageProblem, match="no run"):
            await copy(one, other, ["bb"])


async def test_another_run_of_the_same_id_is_not_touched(url: str, there: str) -> None:
    async with open_store(url) as one, open_store(there) as other:
        await ended_run(one.store, "aa01", specs=3)
        await ended_run(other.store, "aa01", specs=4)
        before = await everything(other.store, "aa01")
        with pytest.raises(UsageProblem, match="has another run aa01"):
            await copy(one, other)
        assert await everything(other.store, "aa01") == before


async def test_a_run_that_goes_on_is_not_copied(url: str, there: str) -> None:
    async with open_store(url) as one, open_store(there) as other:
        await stored_run(one.store)
        assert await one.store.claim(RUN, "me")
        async with one.lease.hold("sweep", LoopClock(), wait=False, told=print):
            with pytest.raises(UsageProblem, match="goes on"):
                await copy(one, other)
        assert await other.store.runs() == []


async def test_a_store_is_not_copied_into_itself(tmp_path: Path) -> None:
    async with open_store(str(tmp_path / "o.db")) as one:
        with pytest.raises(UsageProblem, match="into itself"):
            await copy(one, one)
