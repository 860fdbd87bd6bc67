"""Starting is resuming: what an earlier session of the run left is put in order, and the schedule is filled.

The store is asked what remains; a run that has just begun has left nothing, and all remains.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import anyio

from orchestrator.events import KINDS, Event, HopsChosen, Intended
from orchestrator.lifecycle import SpecState
from orchestrator.model import Answer, Verdict
from orchestrator.records import TestRecord
from orchestrator.runner.context import Context, InHand
from orchestrator.runner.create import end_all_uncreated
from orchestrator.runner.hops import chosen_before
from orchestrator.runner.judge import keep_judged
from orchestrator.runner.poll import owed_details, wanted_details
from orchestrator.schedule.kinds import Kinds
from orchestrator.schedule.latency import LatencyModel
from orchestrator.schedule.order import creation_order
from orchestrator.testtypes import TEST_TYPES

# Tests whose answers are read at once: a part of them that is no strain on the memory.
REOPENED = 200
LOST = "its creation's answer was lost when an earlier session of this run ended"


async def recover(
    context: Context, latencies: Mapping[str, LatencyModel], kinds: Kinds, unknown: str
) -> None:
    """Fill the schedule, and say in ``context.before`` what earlier sessions did.

    ``unknown`` is what to do with ambiguous creations, one of ``UNKNOWN_POLICIES``.
    """
    store, run, before = context.store, context.run, context.before
    await context.durably(store.adopt_late(run.id))
    tests = await store.tests(run.id)
    before.planned = len(tests)
    context.owners.update({one.test_id: one.spec.key for one in tests if one.test_id is not None})
    _tell_courtesy(context, tests)
    tests = await _put_in_order(context, tests, unknown)
    counts = await store.counts(run.id)
    before.created, before.cells = counts.created, sum(counts.cells.values())
    # What this session has told itself, of creations that were lost, is counted there.
    told = context.telling.statistics.verdicts
    before.verdicts = {verdict: counts.verdicts.get(verdict, 0) - told.get(verdict, 0) for verdict in Verdict}
    # Of a killed session only the intentions are certain: each was durable before its request left.
    sent = await store.told(run.id, KINDS[Intended])
    before.requests = replace(before.requests, **{"creations" if run.parent is None else "reruns": sent})
    planned = [test for test in tests if test.state is SpecState.PLANNED]
    waiting = [test for test in tests if test.state is SpecState.WAITING]
    for test in (*planned, *waiting):
        context.tests[test.spec.key] = InHand.of(test)
    _fill(context, planned, latencies, kinds)
    chosen = await _chosen_before(context, waiting)
    for first in range(0, len(waiting), REOPENED):
        await _reopen(context, waiting[first : first + REOPENED], chosen)


def _tell_courtesy(context: Context, tests: Sequence[TestRecord]) -> None:
    """Tests that earlier sessions began, or may have: their hosts and agents may still be at it."""
    if not context.run.settings.courtesy.limits:
        return
    wall, now = context.clock.wall(), context.clock.now()
    for test in tests:
        at = test.intended if test.created is None else test.created
        if at is None or test.state not in _MAY_HAVE_BEGUN:
            continue
        context.schedule.began_before(
            test.spec,
            now - max(0.0, wall - at),
            now,
            over=test.state is SpecState.COMPLETE,
            again=test.test_id is None,
        )


_MAY_HAVE_BEGUN = frozenset(
    {SpecState.CREATING, SpecState.WAITING, SpecState.UNKNOWN}
    | {SpecState.COMPLETE, SpecState.PARTIAL, SpecState.TIMED_OUT}
)


async def _put_in_order(context: Context, tests: Sequence[TestRecord], unknown: str) -> list[TestRecord]:
    """End what was lost, and open again what can go on: one write for each kind of move, however many there
    are. Returns the tests as they are then."""
    lost = [test for test in tests if test.state is SpecState.CREATING and not _can_be_seen(context, test)]
    if lost:
        await end_all_uncreated(context, [InHand.of(test) for test in lost], SpecState.UNKNOWN, LOST)
    gone = {test.spec.key for test in lost}
    now = [replace(test, state=SpecState.UNKNOWN) if test.spec.key in gone else test for test in tests]
    # In groups, since each is a write of its own: those of a group share a commit.
    async with anyio.create_task_group() as tasks:
        for test in now:
            if test.state is SpecState.CREATING:
                tasks.start_soon(_seen_as_created, context, test)
            elif test.state is SpecState.UNKNOWN and unknown == "skip":
                tasks.start_soon(_given_up, context, test)
    goes = {test.spec.key: _goes_to(test, unknown) for test in now}
    for state in (SpecState.PLANNED, SpecState.WAITING):
        keys = [test.spec.key for test in now if goes[test.spec.key] is state and test.state in _MOVED]
        if keys:
            await context.durably(context.store.move_all(context.run.id, keys, state))
    wall = context.clock.wall()
    return [_moved(test, goes[test.spec.key], wall) for test in now]


_MOVED = frozenset(
    {SpecState.UNKNOWN, SpecState.NOT_RUN, SpecState.FAILED, SpecState.PARTIAL, SpecState.TIMED_OUT}
)


def _can_be_seen(context: Context, test: TestRecord) -> bool:
    """Whether a re-run was taken can be seen: by a newer round."""
    return context.run.parent is not None and test.test_id is not None


async def _seen_as_created(context: Context, test: TestRecord) -> None:
    assert test.test_id is not None  # noqa: S101 - that is why it can be seen
    at = context.clock.wall()
    await context.durably(context.store.created(context.run.id, test.spec.key, test.test_id, test.links, at))


async def _given_up(context: Context, test: TestRecord) -> None:
    await context.durably(context.store.give_up(context.run.id, test.spec.key, context.clock.wall()))


def _goes_to(test: TestRecord, unknown: str) -> SpecState | None:
    """Where a test goes at the start of a session; ``None``: it stays where it is."""
    # What was given up is not tried again: somebody has decided that it is not worth paying twice.
    retry = test.state is SpecState.UNKNOWN and unknown == "retry" and not test.given_up
    # A refused creation was not paid for, and what refused it (a permission) may be mended by now.
    if retry or test.state in {SpecState.NOT_RUN, SpecState.FAILED}:
        return SpecState.PLANNED
    if test.state in {SpecState.CREATING, SpecState.PARTIAL, SpecState.TIMED_OUT}:
        return SpecState.WAITING
    return None


def _moved(test: TestRecord, state: SpecState | None, wall: float) -> TestRecord:
    if state is None:
        return test
    created = wall if test.state is SpecState.CREATING else test.created
    return replace(test, state=state, created=created, closed=None, error=None)


def _fill(
    context: Context, planned: Sequence[TestRecord], latencies: Mapping[str, LatencyModel], kinds: Kinds
) -> None:
    run, by_key = context.run, {test.spec.key: test for test in planned}
    # A type is as slow as the slowest kind of it.
    medians: dict[str, float] = {}
    for kind, test_type in {(kinds.of(test.spec), test.spec.type) for test in planned}:
        medians[test_type] = max(medians.get(test_type, 0.0), latencies[kind].quantile(0.5))
    order = creation_order(
        [test.spec for test in planned],
        medians.__getitem__,
        in_order=run.settings.in_order,
        boxed=run.settings.boxed,
    )
    for spec in order:
        if run.parent is None or by_key[spec.key].test_id is None:
            context.schedule.add(spec)
        else:
            # Also where they were read by an earlier session: the test may have been run since.
            context.schedule.add_rerun(spec, layer=TEST_TYPES[spec.type].layers[0])


async def _reopen(
    context: Context, waiting: Sequence[TestRecord], chosen: Mapping[str | None, Sequence[Event]]
) -> None:
    """Tests that an earlier session created: their answers so far count, their deadlines go on."""
    stored = await context.store.open_answers(context.run.id, [test.spec.key for test in waiting])
    wall, now = context.clock.wall(), context.clock.now()
    async with anyio.create_task_group() as tasks:
        for test in waiting:
            hand, (answers, judged) = context.tests[test.spec.key], stored[test.spec.key]
            kept = _accepted(hand, answers)
            before = _chosen(test, chosen)
            hand.detailed = {path for path in wanted_details(kept) if before is None or path[:2] in before}
            hand.judging.know(judged)
            changes = hand.judging.take(kept)
            if changes:  # by a session of an earlier version; the writes of many share a commit
                tasks.start_soon(keep_judged, context, test.spec.key, changes)
    for test in waiting:
        hand = context.tests[test.spec.key]
        hand.created = now - max(0.0, wall - (test.created or wall))
        context.schedule.opened(
            test.spec,
            hand.progress,
            created=hand.created,
            deadline=hand.created + test.spec.deadline,
            now=now,
            details=owed_details(hand.detailed, stored[test.spec.key][0]),
            failing=hand.judging.failing,
            chosen=bool(_chosen(test, chosen)),
        )


def _accepted(hand: InHand, answers: Sequence[Answer]) -> list[Answer]:
    """The answers that count."""
    kept: list[Answer] = []
    for layer in hand.record.spec.layers:
        harvest = hand.progress.accept(layer, [row for row in answers if row.layer == layer])
        kept.extend(harvest.kept)
    return kept


async def _chosen_before(
    context: Context, waiting: Sequence[TestRecord]
) -> Mapping[str | None, Sequence[Event]]:
    """What earlier sessions chose of the hops of these tests, by spec."""
    found: dict[str | None, list[Event]] = {}
    if any(not isinstance(test.spec.path_details, bool) for test in waiting):
        for event in await context.store.events(context.run.id, kind=KINDS[HopsChosen]):
            found.setdefault(event.spec, []).append(event)
    return found


def _chosen(
    test: TestRecord, events: Mapping[str | None, Sequence[Event]]
) -> Collection[tuple[str, int]] | None:
    """Agents and rounds whose hops are wanted, as far as that was chosen before; ``None`` is all of them."""
    if test.spec.path_details is True:
        return None
    if test.spec.path_details is False:
        return ()
    return chosen_before(events.get(test.spec.key, ()))
