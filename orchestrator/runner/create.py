"""One creation or re-run: the intention is durable before the request leaves, the outcome before the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orchestrator import events
from orchestrator.budget.permits import Permit
from orchestrator.errors import LostRun, StoreProblem
from orchestrator.lifecycle import SpecState
from orchestrator.model import CellResult, CellState, Verdict
from orchestrator.records import TestEnd
from orchestrator.runner.context import Context, InHand
from orchestrator.runner.judge import tell_judged
from orchestrator.runner.naming import test_name
from orchestrator.schedule.feedback import (
    CreationAmbiguous,
    CreationAnswered,
    CreationEnded,
    CreationUndone,
)
from orchestrator.schedule.progress import Progress
from orchestrator.thousandeyes.belonging import contradiction
from orchestrator.thousandeyes.outcomes import CreationOutcome, creation_outcome
from orchestrator.thousandeyes.protocol import BadAnswer, Created, NoAnswer, NotSent, Reply, Request
from orchestrator.verdict.judging import Change

PERMISSION_HINT = (
    "creating instant tests needs the permissions 'API Access' and 'View tests', or the role Account Admin, "
    "in the account group of the run; sandbox organizations cannot run instant tests"
)
UNAUTHORIZED_HINT = (
    "check the token with `orchestrator doctor`; nothing more is sent, because repeated refusals (401) block "
    "the address"
)


async def create(context: Context, key: str, permit: Permit) -> None:
    """Create the test of a spec, or run its test again. Every outcome becomes a state in the store."""
    test = context.tests[key]
    spec = test.record.spec
    name = test_name(context.run.plan, context.run.id, spec)
    rerun = context.run.parent is not None
    try:
        context.tell(events.Intended(name), key)
        told = context.take_events()
        await context.durably(context.store.intend(context.run.id, key, name, context.clock.wall(), told))
    except BaseException:
        context.wire.unused(permit)
        raise
    if context.stop.sending is not None or context.stop.creating is not None:
        # The intention waited for the store, and the run has stopped meanwhile: it is taken back.
        context.wire.unused(permit)
        await _not_created(context, key, None)
        return
    if rerun and test.record.test_id is not None:
        what = events.Sending.RERUN
        request = context.dialect.rerun(test.record.test_id, context.run.account)
    else:
        what = events.Sending.CREATION
        request = context.dialect.create(spec, name, context.run.account)
    try:
        reply = await context.wire.send(permit, request, what, spec=key)
    except NotSent as error:
        await _not_created(context, key, f"nothing was sent: {error}", unreached=True)
    except NoAnswer as error:
        await _ambiguous(context, test, f"the answer was lost: {error}", rerun=rerun)
    else:
        await _answered(context, test, request, reply, rerun=rerun)


async def _answered(context: Context, test: InHand, request: Request, reply: Reply, *, rerun: bool) -> None:
    key = test.record.spec.key
    outcome = creation_outcome(reply.status)
    if outcome is CreationOutcome.CREATED:
        await _created(context, test, request, reply, rerun=rerun)
        return
    problem = context.dialect.problem(reply.status, reply.headers, reply.body)
    if outcome is CreationOutcome.LIMITED:
        context.tell(events.Limited(budget=events.Waiting.INSTANT_TEST, detail=problem), key)
        await _not_created(context, key, None)
    elif outcome is CreationOutcome.UNAUTHORIZED:
        context.refuse(f"the API refused the token (401): {problem}", UNAUTHORIZED_HINT, everything=True)
        await _not_created(context, key, problem)
    elif outcome is CreationOutcome.FORBIDDEN:
        context.refuse(f"the API refused a creation (403): {problem}", PERMISSION_HINT, everything=False)
        await end_uncreated(context, test, SpecState.FAILED, f"refused (403): {problem}")
    elif outcome is CreationOutcome.FAILED:
        context.tell(events.Refused(problem, status=reply.status), key)
        await end_uncreated(context, test, SpecState.FAILED, f"refused ({reply.status}): {problem}")
    else:
        await _ambiguous(context, test, f"status {reply.status}: {problem}", rerun=rerun)


async def _created(context: Context, test: InHand, request: Request, reply: Reply, *, rerun: bool) -> None:
    record = test.record
    if rerun and record.test_id is not None:
        made = Created(record.test_id, record.links)
    else:
        try:
            made = context.dialect.read_created(reply.body, reply.headers)
        except BadAnswer as error:
            said = f"created, but its answer is unreadable: {reply.broken or error}"
            await _ambiguous(context, test, said, rerun=False)
            return
        strange = contradiction(made, request, record.spec) or _owned(context, test, made.test_id)
        if strange is not None:
            said = f"the answer to its creation (test {made.test_id}) is not its own: {strange}"
            await _ambiguous(context, test, said, rerun=False)
            return
    context.schedule.apply(CreationAnswered(record.spec.key), context.clock.now())
    fact = events.Rerun if rerun else events.Created
    context.tell(fact(made.test_id, reply.status), record.spec.key)
    await _open(context, test, made)


def _owned(context: Context, test: InHand, test_id: str) -> str | None:
    """The other spec of the run whose test this is, in words."""
    owner = context.owners.get(test_id)
    return None if owner in {None, test.record.spec.key} else f"it is the test of spec {owner}"


async def _open(context: Context, test: InHand, made: Created) -> None:
    record, now = test.record, context.clock.now()
    wall = context.clock.wall()
    spec = record.spec
    told = context.take_events()
    try:
        await context.durably(
            context.store.created(context.run.id, spec.key, made.test_id, made.links, wall, told)
        )
    except LostRun as error:
        # Paid for, for a run that is another process's now: whoever goes on with it finds the id.
        if not await _kept(context, spec.key, made, wall):
            raise _told(context, spec.key, made, error) from error
        raise
    except StoreProblem as error:
        # Paid for, and about to be forgotten: the id is told, so that a person can hand it back.
        raise _told(context, spec.key, made, error) from error
    test.record = replace(
        record, test_id=made.test_id, links=made.links, created=wall, state=SpecState.WAITING
    )
    test.created = now
    context.tell(events.Opened(made.test_id), spec.key)
    context.owners[made.test_id] = spec.key
    context.last_creation = now
    test.progress = Progress(spec, record.baseline)
    context.schedule.opened(spec, test.progress, created=now, deadline=now + spec.deadline, now=now)


async def _kept(context: Context, key: str, made: Created, wall: float) -> bool:
    try:
        await context.durably(context.store.late(context.run.id, key, made.test_id, made.links, wall))
    except StoreProblem:
        return False
    return True


def _told(context: Context, key: str, made: Created, error: StoreProblem) -> StoreProblem:
    adopt = f"orchestrator reconcile {context.run.id} --adopt {key}={made.test_id}"
    return type(error)(
        f"{error.message}; test {made.test_id} exists, and its id could not be stored",
        hint=f"{error.hint}; first say which test it was: {adopt}",
    )


async def _not_created(context: Context, key: str, error: str | None, *, unreached: bool = False) -> None:
    """Certainly not created: back to the queue, without spending an attempt."""
    told = context.take_events()
    await context.durably(
        context.store.move(context.run.id, key, SpecState.PLANNED, context.clock.wall(), error, told)
    )
    context.schedule.apply(CreationUndone(key, unreached), context.clock.now())


async def _ambiguous(context: Context, test: InHand, error: str, *, rerun: bool) -> None:
    """The request may have been taken. A creation is never repeated; a re-run shows by a newer round."""
    key = test.record.spec.key
    context.tell(events.Lost(error), key)
    context.schedule.apply(CreationAmbiguous(key), context.clock.now())
    if rerun and test.record.test_id is not None:
        await _open(context, test, Created(test.record.test_id, test.record.links))
        return
    await end_uncreated(context, test, SpecState.UNKNOWN, error)


async def leave_unanswered(context: Context, key: str) -> None:
    """The run ends while the answer to a creation is on its way: it is ambiguous, unless it was not sent."""
    record = await context.store.test(context.run.id, key)
    if record.state is SpecState.CREATING and (test := context.tests.get(key)) is not None:
        rerun = context.run.parent is not None
        await _ambiguous(context, test, "the run was left before its answer came", rerun=rerun)


async def end_uncreated(context: Context, test: InHand, state: SpecState, reason: str) -> None:
    """The end of a spec without a test: failed, unknown or not run. Its cells say why."""
    await end_all_uncreated(context, [test], state, reason)


async def end_all_uncreated(context: Context, tests: Sequence[InHand], state: SpecState, reason: str) -> None:
    """The same end of several specs, in one write: at a deadline there may be thousands."""
    if state is SpecState.UNKNOWN:
        # It may exist and have cost units, so its cells were run as far as anybody knows.
        cell, verdict = CellState.MISSING, Verdict.NO_ANSWER
    else:
        cell, verdict = CellState.NOT_RUN, Verdict.NOT_RUN
    ends = [
        TestEnd(
            spec.key, state, tuple(CellResult(one, cell, verdict, (reason,)) for one in spec.agents), reason
        )
        for spec in (test.record.spec for test in tests)
    ]
    for end in ends:
        context.tell(events.Closed(state), end.key)
    told, wall = context.take_events(), context.clock.wall()
    await context.durably(context.store.close_tests(context.run.id, ends, wall, told))
    for end in ends:
        tell_judged(context, end.key, [Change(one) for one in end.cells])
        context.tests.pop(end.key, None)
        context.schedule.apply(CreationEnded(end.key), context.clock.now())
