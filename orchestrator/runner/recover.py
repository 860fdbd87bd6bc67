"""Starting is resuming: what an earlier session of the run left is put in order, and the schedule is filled.

The store is asked what remains; a run that has just begun has left nothing, and all remains.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from orchestrator.events import Intended
from orchestrator.lifecycle import SpecState
from orchestrator.model import Answer, Verdict
from orchestrator.records import TestRecord
from orchestrator.runner.context import Context, InHand
from orchestrator.runner.create import end_uncreated
from orchestrator.runner.hops import chosen_before
from orchestrator.runner.journal import durably
from orchestrator.runner.judge import judge_stored
from orchestrator.runner.poll import owed_details, wanted_details
from orchestrator.schedule.latency import LatencyModel
from orchestrator.schedule.order import creation_order
from orchestrator.testtypes import TEST_TYPES

LOST = "its creation's answer was lost when an earlier session of this run ended"


async def recover(context: Context, latencies: Mapping[str, LatencyModel], unknown: str) -> None:
    """Fill the schedule, and say in ``context.before`` what earlier sessions did.

    ``unknown`` is what to do with ambiguous creations, one of ``UNKNOWN_POLICIES``.
    """
    store, run, before = context.store, context.run, context.before
    tests = await store.tests(run.id)
    before.planned = len(tests)
    context.owners.update({one.test_id: one.spec.key for one in tests if one.test_id is not None})
    for test in tests:
        await _put_in_order(context, test, unknown)
    counts = await store.counts(run.id)
    before.created, before.cells = counts.created, sum(counts.cells.values())
    # What this session has told itself, of creations that were lost, is counted there.
    told = context.telling.statistics.verdicts
    before.verdicts = {verdict: counts.verdicts.get(verdict, 0) - told.get(verdict, 0) for verdict in Verdict}
    # Of a killed session only the intentions are certain: each was durable before its request left.
    sent = sum(isinstance(event.fact, Intended) for event in await store.events(run.id))
    before.requests = replace(before.requests, **{"creations" if run.parent is None else "reruns": sent})
    remaining = await store.tests(run.id, [SpecState.PLANNED, SpecState.WAITING])
    for test in remaining:
        context.tests[test.spec.key] = InHand.of(test)
    _fill(context, [test for test in remaining if test.state is SpecState.PLANNED], latencies)
    await _reopen(context, [test for test in remaining if test.state is SpecState.WAITING])


async def _put_in_order(context: Context, test: TestRecord, unknown: str) -> None:
    store, run, clock = context.store, context.run, context.clock
    key, state = test.spec.key, test.state
    if state is SpecState.CREATING and run.parent is not None and test.test_id is not None:
        # Whether a re-run was taken can be seen: by a newer round.
        await durably(store.created(run.id, key, test.test_id, test.links, clock.wall()))
    elif state is SpecState.CREATING:
        await end_uncreated(context, InHand.of(test), SpecState.UNKNOWN, LOST)
        state = SpecState.UNKNOWN
    if state is SpecState.UNKNOWN and unknown == "skip":
        await durably(store.give_up(run.id, key, clock.wall()))
    # What was given up is not tried again: somebody has decided that it is not worth paying twice.
    retry = state is SpecState.UNKNOWN and unknown == "retry" and not test.given_up
    # A refused creation was not paid for, and what refused it (a permission) may be mended by now.
    if retry or state in {SpecState.NOT_RUN, SpecState.FAILED}:
        await durably(store.move(run.id, key, SpecState.PLANNED, clock.wall()))
    elif state in {SpecState.PARTIAL, SpecState.TIMED_OUT}:
        await durably(store.move(run.id, key, SpecState.WAITING, clock.wall()))


def _fill(context: Context, planned: Sequence[TestRecord], latencies: Mapping[str, LatencyModel]) -> None:
    run, by_key = context.run, {test.spec.key: test for test in planned}
    order = creation_order(
        [test.spec for test in planned],
        lambda kind: latencies[kind].quantile(0.5),
        in_order=run.settings.in_order,
        boxed=run.settings.boxed,
    )
    for spec in order:
        if run.parent is None or by_key[spec.key].test_id is None:
            context.schedule.add(spec)
        else:
            # Also where they were read by an earlier session: the test may have been run since.
            context.schedule.add_rerun(spec, layer=TEST_TYPES[spec.type].layers[0])


async def _reopen(context: Context, waiting: Sequence[TestRecord]) -> None:
    """Tests that an earlier session created: their answers so far count, their deadlines go on."""
    wall, now = context.clock.wall(), context.clock.now()
    for test in waiting:
        hand = context.tests[test.spec.key]
        answers = await context.store.answers(context.run.id, test.spec.key)
        kept: list[Answer] = []
        for layer in test.spec.layers:
            harvest = hand.progress.accept(layer, [row for row in answers if row.layer == layer])
            kept.extend(harvest.kept)
        before = await _chosen(context, test)
        hand.detailed = {path for path in wanted_details(kept) if before is None or path[:2] in before}
        await judge_stored(context, hand, kept)
        hand.created = now - max(0.0, wall - (test.created or wall))
        context.schedule.opened(
            test.spec,
            hand.progress,
            created=hand.created,
            deadline=hand.created + test.spec.deadline,
            now=now,
            details=owed_details(hand.detailed, answers),
            failing=hand.judging.failing,
            chosen=bool(before),
        )


async def _chosen(context: Context, test: TestRecord) -> Collection[tuple[str, int]] | None:
    """Agents and rounds whose hops are wanted, as far as that was chosen before; ``None`` is all of them."""
    if test.spec.path_details is True:
        return None
    if test.spec.path_details is False:
        return ()
    return chosen_before(await context.store.events(context.run.id, test.spec.key))
