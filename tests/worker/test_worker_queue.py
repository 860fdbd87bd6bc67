"""The queue in PostgreSQL: who is handed out when, what is swept up, what is over. No engine is needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

import anyio
import psycopg
import pytest
from builders import make_run, make_spec, make_tests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import LostRun, UsageProblem
from orchestrator.lifecycle import SpecState
from orchestrator.queueing.values import Cancel, Here, Place
from orchestrator.records import RunState
from orchestrator.store.opening import Opened, open_store
from orchestrator.store.queue import Queue


def queue_of(opened: Opened) -> Queue:
    assert opened.queue is not None
    return opened.queue


async def put(
    opened: Opened, run: str, organization: str = "acme", plan: str = "sweep", **place: float
) -> None:
    values = {"priority": 0, **place}
    await queue_of(opened).submit(
        make_run(run, plan=plan, state=RunState.QUEUED),
        Place(organization, **values),  # type: ignore[arg-type] # numbers, as the dataclass wants them
    )


async def fed(opened: Opened, most: int = 10, free: int = 10) -> list[str]:
    await queue_of(opened).here(Here("w", "host", "1", 10, free))
    return [one.run for one in await queue_of(opened).feed(most, free)]


async def begun(opened: Opened, run: str, owner: str = "w/1") -> None:
    assert await opened.store.claim(run, owner)
    assert await queue_of(opened).take(run) is not None


async def test_a_run_that_waits_is_handed_out_once_and_again_only_after_a_while(
    opened: Opened, url: str
) -> None:
    await put(opened, "r1")
    assert await fed(opened) == ["r1"]
    assert await fed(opened) == []
    with psycopg.connect(url) as db:  # nobody has taken it for half a minute
        db.execute("UPDATE orchestrator.queue SET handed = handed - interval '31 s'")
    assert await fed(opened) == ["r1"]


async def test_priority_goes_first_then_each_organization_in_turn(opened: Opened) -> None:
    for number in range(3):
        for organization in ("a", "b"):
            await put(opened, f"{organization}{number}", organization)
    await put(opened, "urgent", "b", priority=1)
    assert await fed(opened, free=4) == ["urgent", "a0", "b0", "a1"]
    assert await fed(opened, free=4) == ["a2", "b1", "b2"]


async def test_who_was_served_longest_ago_is_served_next(opened: Opened) -> None:
    for number in range(2):
        for organization in ("a", "b", "c"):
            await put(opened, f"{organization}{number}", organization)
    served = [await fed(opened, free=1) for _ in range(6)]
    assert [run[0][0] for run in served] == ["a", "b", "c"] * 2


async def test_an_organization_has_no_more_under_way_than_it_may(opened: Opened) -> None:
    for number in range(5):
        await put(opened, f"a{number}", "a")
    await put(opened, "b0", "b")
    assert await fed(opened, most=2) == ["a0", "b0", "a1"]
    await begun(opened, "a0")
    await begun(opened, "a1")
    assert await fed(opened, most=2) == []
    await queue_of(opened).over("a0", RunState.COMPLETE, 0, None)
    assert await fed(opened, most=2) == ["a2"]


async def test_a_run_is_not_handed_out_before_its_time_and_not_after_it(opened: Opened, url: str) -> None:
    now = await queue_of(opened).now()
    await put(opened, "early", not_before=now + 3600)
    await put(opened, "late", expires=now + 3600)
    with psycopg.connect(url) as db:
        db.execute("UPDATE orchestrator.queue SET expires = now() - interval '1 s' WHERE run = 'late'")
    assert await fed(opened) == []
    run = await opened.store.run("late")
    assert (run.state, run.exit_code) == (RunState.SKIPPED, 3)
    assert [one.run for one in await queue_of(opened).waiting()] == ["early"]


async def test_two_that_hand_out_at_once_hand_out_each_run_once(url: str) -> None:
    async with open_store(url) as one, open_store(url) as two:
        for number in range(20):
            await put(one, f"r{number:02d}", f"org{number % 4}")
        handed: list[str] = []

        async def feed(opened: Opened) -> None:
            while len(handed) < 20:  # nothing is handed out while the other one does it
                handed.extend(await fed(opened, free=3))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(feed, one)
            tasks.start_soon(feed, two)
        assert sorted(handed) == [f"r{number:02d}" for number in range(20)]


async def test_a_run_whose_worker_died_is_swept_up_when_its_lease_is_over(opened: Opened, url: str) -> None:
    await put(opened, "r1")
    await fed(opened)
    await begun(opened, "r1")
    assert await queue_of(opened).sweep(5) == []
    with psycopg.connect(url) as db:
        db.execute("UPDATE orchestrator.runs SET leased_until = now() - interval '1 s'")
        db.execute("UPDATE orchestrator.queue SET handed = now() - interval '31 s'")
    assert [one.run for one in await queue_of(opened).sweep(5)] == ["r1"]
    assert await queue_of(opened).sweep(5) == [], "it was told of already"


async def test_a_run_that_was_let_go_is_swept_up_at_once(opened: Opened) -> None:
    await put(opened, "r1")
    await fed(opened)
    await begun(opened, "r1")
    await opened.store.begin_run(make_run("r1"), make_tests([make_spec("k0")], "r1"), [], [])
    await queue_of(opened).later("r1", 0.0, None)
    await opened.store.let_go("r1")
    assert await fed(opened) == []
    assert [one.run for one in await queue_of(opened).sweep(5)] == ["r1"]


async def test_a_run_that_could_not_begin_waits_again_and_takes_no_place(opened: Opened) -> None:
    await put(opened, "r1")
    await put(opened, "r2")
    assert await fed(opened, most=1) == ["r1"]
    await begun(opened, "r1")
    await queue_of(opened).later("r1", 60.0, "the plan is busy")
    await opened.store.let_go("r1")
    assert await fed(opened, most=1) == ["r2"]
    waiting = {one.run: one for one in await queue_of(opened).waiting()}
    assert waiting["r1"].reason == "the plan is busy"


async def test_attempts_are_counted_and_begin_anew_with_any_progress(opened: Opened, url: str) -> None:
    await put(opened, "r1")
    counts = []
    for attempt in range(4):
        if attempt == 1:
            await opened.store.begin_run(make_run("r1"), make_tests([make_spec("k0")], "r1"), [], [])
        if attempt == 3:
            await opened.store.intend("r1", "k0", "name", 1.0)
            await opened.store.let_go("r1")
        assert await opened.store.claim("r1", f"w/{attempt}")
        taken = await queue_of(opened).take("r1")
        assert taken is not None
        counts.append((taken.begun, taken.attempts.count))
        if attempt < 2:
            await opened.store.let_go("r1")
    assert counts == [(False, 1), (True, 2), (True, 3), (True, 1)]


async def test_cancelling_a_run_that_waits_ends_it_and_one_under_way_is_asked(opened: Opened) -> None:
    await put(opened, "waits")
    await put(opened, "runs")
    await begun(opened, "runs")
    assert await queue_of(opened).cancel("waits", Cancel.GRACE)
    assert (await opened.store.run("waits")).state is RunState.SKIPPED
    assert not await queue_of(opened).cancel("runs", Cancel.NOW)
    assert await opened.store.renew(["runs"]) == {"runs": True}
    assert await queue_of(opened).cancelled(["runs", "waits"]) == {
        "runs": Cancel.NOW,
        "waits": Cancel.GRACE,
    }
    with pytest.raises(UsageProblem, match="no run"):
        await queue_of(opened).cancel("nonsense", Cancel.NOW)


async def test_a_run_begins_once_under_its_id(opened: Opened) -> None:
    await put(opened, "r1")
    await begun(opened, "r1")
    specs = make_tests([make_spec("k0")], "r1")
    await opened.store.begin_run(make_run("r1", started=5.0), specs, [], [])
    run = await opened.store.run("r1")
    assert (run.state, run.started) == (RunState.RUNNING, 5.0)
    assert [test.state for test in await opened.store.tests("r1")] == [SpecState.PLANNED]
    with pytest.raises(UsageProblem, match="begun already"):
        await opened.store.begin_run(make_run("r1"), specs, [], [])


async def test_nothing_is_handed_out_that_no_worker_serves(opened: Opened) -> None:
    await put(opened, "a0", "a")
    await put(opened, "b0", "b")
    assert await queue_of(opened).feed(10, 10) == []
    await queue_of(opened).here(Here("w", "host", "1", 10, 10, ("b", "c")))
    assert [one.run for one in await queue_of(opened).feed(10, 10)] == ["b0"]


async def test_a_plan_that_is_busy_speaks_not_against_its_runs(opened: Opened) -> None:
    await put(opened, "r1")
    for _ in range(8):
        assert await opened.store.claim("r1", "w/1")
        taken = await queue_of(opened).take("r1")
        assert taken is not None
        assert taken.attempts.count == 1
        await queue_of(opened).later("r1", 0.0, "the plan is busy")
        await opened.store.let_go("r1")
    for count in range(1, 4):
        assert await opened.store.claim("r1", "w/1")
        taken = await queue_of(opened).take("r1")
        assert taken is not None
        assert taken.attempts.count == count
        await queue_of(opened).later("r1", 0.0, "it broke", counts=True)
        await opened.store.let_go("r1")


async def test_only_workers_that_were_seen_count(opened: Opened, url: str) -> None:
    for name in ("w1", "w2", "w3"):
        await queue_of(opened).here(Here(name, "host", "1", 10, 4))
    await queue_of(opened).here(Here("w2", "host", "1", 10, 1))
    await queue_of(opened).gone("w3")
    with psycopg.connect(url) as db:
        db.execute("UPDATE orchestrator.workers SET seen = seen - interval '31 s' WHERE name = 'w1'")
    assert await queue_of(opened).free() == 1


@dataclass(frozen=True)
class Row:
    """A run that waits, for the model below."""

    run: str
    organization: str
    priority: int


def model(waiting: list[Row], served: list[str], busy: Counter[str], most: int, free: int) -> list[str]:
    """The rule in few words: sort by priority, then by place in the own line, then by whose turn it is."""
    lines: Counter[str] = Counter()
    places = []
    for row in sorted(waiting, key=lambda row: (-row.priority, waiting.index(row))):
        lines[row.organization] += 1
        if lines[row.organization] <= most - busy[row.organization]:
            turn = served.index(row.organization) if row.organization in served else -1
            places.append((-row.priority, lines[row.organization], turn, waiting.index(row), row.run))
    return [place[-1] for place in sorted(places)[:free]]


@settings(
    max_examples=25,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 10_000), most=st.integers(1, 4), free=st.integers(1, 8))
def test_what_is_handed_out_is_what_the_rule_says(url: str, seed: int, most: int, free: int) -> None:
    rng = Random(seed)
    rows = [
        Row(f"s{seed}-{most}-{free}-{n:02d}", rng.choice("abcd"), rng.choice([0, 0, 0, 1, 2]))
        for n in range(14)
    ]

    async def work() -> None:
        with psycopg.connect(url) as db:
            db.execute("TRUNCATE orchestrator.queue, orchestrator.served, orchestrator.runs CASCADE")
        async with open_store(url) as opened:
            for row in rows:
                await put(opened, row.run, row.organization, priority=row.priority)
            waiting, served, busy = list(rows), list[str](), Counter[str]()
            for _ in range(4):
                expected = model(waiting, served, busy, most, free)
                assert await fed(opened, most, free) == expected
                whose = {row.run: row.organization for row in rows}
                busy.update(whose[run] for run in expected)
                turn = sorted({whose[run] for run in expected})
                served = [one for one in served if one not in turn] + turn
                waiting = [row for row in waiting if row.run not in expected]

    anyio.run(work)


SETTLED: dict[str, Callable[[Queue], Awaitable[None]]] = {
    "over": lambda queue: queue.over("r1", RunState.SKIPPED, 5, "the plan is busy"),
    "later": lambda queue: queue.later("r1", 60.0, "the plan is busy"),
}


@pytest.mark.parametrize("name", SETTLED)
async def test_who_has_lost_a_run_says_no_more_what_becomes_of_it(
    opened: Opened, url: str, name: str
) -> None:
    await put(opened, "r1")
    await begun(opened, "r1")
    async with open_store(url) as other:
        with psycopg.connect(url) as db:  # its lease is over, and another worker has it
            db.execute(
                "UPDATE orchestrator.runs SET epoch = epoch + 1, owner = 'w/2', "
                "leased_until = clock_timestamp() + interval '30 s' WHERE id = 'r1'"
            )
        before = await queue_of(other).place_of("r1")
        for late in (opened, other):  # who had it, and who never did
            with pytest.raises(LostRun):
                await SETTLED[name](queue_of(late))
        assert before == await queue_of(other).place_of("r1") is not None
        assert (await other.store.run("r1")).state is RunState.QUEUED
