"""One poll of one layer, or one detail: what came is stored before anything else is done with it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import anyio

from orchestrator.budget.permits import Permit
from orchestrator.events import AnswersStored, HopsRead, Limited, Polled, PollFailed, Probed, Refused
from orchestrator.lifecycle import SpecState
from orchestrator.model import Answer, AnswerStatus
from orchestrator.runner.context import Context, HopsOf, InHand
from orchestrator.runner.create import UNAUTHORIZED_HINT, end_uncreated
from orchestrator.runner.judge import cells_of, tell_judged
from orchestrator.schedule.backoff import Patience
from orchestrator.schedule.closing import CLOSING_GRACE
from orchestrator.schedule.feedback import (
    BaselineRead,
    DetailEnded,
    PageMissed,
    PageRead,
    ProbeEnded,
    ReadAnswered,
    ReadLost,
)
from orchestrator.schedule.progress import FLOOR
from orchestrator.schedule.steps import Detail, Poll, Probe, Purpose
from orchestrator.testtypes import DETAILS, PATHS
from orchestrator.thousandeyes.belonging import from_the_api
from orchestrator.thousandeyes.limits import read_limits
from orchestrator.thousandeyes.outcomes import ReadOutcome, read_outcome
from orchestrator.thousandeyes.protocol import BadAnswer, Page, Place, Reply, Request, TransportError

ELSEWHERE = "the link to its next page leads to another test or layer, and was not followed"
# Seconds by which the clocks of the API's parts may differ.
CLOCKS_APART = 2


async def poll(context: Context, step: Poll, permit: Permit) -> None:
    """Read one page of one layer and tell the schedule what it brought."""
    test = context.tests[step.key]
    request = _request(context, test, step)
    asked = context.clock.now()
    if request is None:
        context.wire.unused(permit)
        context.tell(Refused(ELSEWHERE, layer=step.layer), step.key)
        await _missed(context, PageMissed(step, again=False))
        return
    outcome, reply, problem = await _read(
        context, request, permit, spec=step.key, age=asked - test.created, tries=step.tries
    )
    if reply is not None and reply.status == 403:
        problem = f"{problem} (reading results needs the permission 'View tests')"
    page = None
    if outcome is ReadOutcome.ROWS and reply is not None:
        try:
            page = _about(test, step.layer, context.dialect.read_page(step.layer, reply.body))
            _understood(context)
        except BadAnswer as error:
            outcome, problem = ReadOutcome.AGAIN, f"unreadable answer: {error}"
    if page is None:
        if outcome is not ReadOutcome.LIMITED:
            test.problems[step.layer] = problem
        await _no_page(context, step, outcome, problem)
    elif step.purpose is Purpose.BASELINE and reply is not None:
        await _baseline(context, test, step, page, read_limits(reply.headers).date)
    else:
        await _rows(context, test, step, page, asked)


async def detail(context: Context, step: Detail, permit: Permit) -> None:
    """Read one agent's hops in one round. A detail that cannot be had is noted; the cell does not need it."""
    test = context.tests[step.key]
    assert test.record.test_id is not None  # noqa: S101 - only open tests have details
    request = context.dialect.path_detail(
        test.record.test_id, step.agent_id, step.round_id, context.run.account
    )
    outcome, reply, problem = await _read(
        context, request, permit, spec=step.key, age=context.clock.now() - test.created, tries=step.tries
    )
    rows: tuple[Answer, ...] = ()
    if outcome is ReadOutcome.ROWS and reply is not None:
        try:
            rows = _about(test, DETAILS, context.dialect.read_path_detail(reply.body)).rows
            _understood(context)
        except BadAnswer as error:
            outcome, problem = ReadOutcome.AGAIN, f"unreadable answer: {error}"
        rows = tuple(row for row in rows if (row.agent_id, row.round_id) == (step.agent_id, step.round_id))
        if rows:
            context.tell(HopsRead(step.agent_id, step.round_id), step.key)
            await _store(context, test, rows)
        elif outcome is ReadOutcome.ROWS:
            outcome, problem = ReadOutcome.NOT_YET, "no hops yet"
    again, refused = outcome is not ReadOutcome.ROWS, outcome is ReadOutcome.FAILED
    if outcome is not ReadOutcome.ROWS:
        context.tell(PollFailed(DETAILS, problem, step.agent_id), step.key)
    limited = outcome is ReadOutcome.LIMITED
    ended = DetailEnded(step, again, limited, refused)
    context.schedule.apply(ended, context.clock.now())


async def probe(context: Context, step: Probe, permit: Permit) -> None:
    """Ask something harmless after a creation whose answer was lost."""
    request = context.dialect.account_groups()
    outcome, reply, problem = await _read(context, request, permit, spec=None, age=math.inf, tries=step.tries)
    answered = outcome is not ReadOutcome.AGAIN
    if outcome is ReadOutcome.ROWS and reply is not None:
        try:
            context.dialect.read_account_groups(reply.body)
            _understood(context)
        except BadAnswer as error:
            # A portal or gateway that answers for the API: a creation would be lost in it.
            answered, problem = False, f"unreadable answer: {error}"
            context.schedule.apply(ReadLost(), context.clock.now())
    elif reply is not None and not from_the_api(reply):
        answered = False
    context.tell(Probed(answered, problem or None))
    context.schedule.apply(ProbeEnded(), context.clock.now())


def _about(test: InHand, layer: str, page: Page) -> Page:
    """The page, if it is about what was asked. Raises ``BadAnswer`` for one of another request."""
    strange = page.strange(test.record.test_id or "", layer)
    if strange is not None:
        raise BadAnswer(strange)
    return page


def _understood(context: Context) -> None:
    """An answer brought what was asked for, so the API is there."""
    context.schedule.apply(ReadAnswered(good=True), context.clock.now())


def _request(context: Context, test: InHand, step: Poll) -> Request | None:
    origin = context.run.origin
    if step.href is not None:
        return context.dialect.follow(step.href, origin, _place(test, step.layer))
    record = test.record
    assert record.test_id is not None  # noqa: S101 - only tests with an id are polled
    link = record.links.get(step.layer)
    return context.dialect.poll(record.spec, record.test_id, step.layer, link, origin, context.run.account)


def _place(test: InHand, layer: str) -> Place:
    return Place(layer, test.record.test_id or "")


async def _read(
    context: Context, request: Request, permit: Permit, *, spec: str | None, age: float, tries: int
) -> tuple[ReadOutcome, Reply | None, str]:
    asked = anyio.current_time()
    try:
        reply = await context.wire.send(
            permit, request, spec=spec, patience=context.patience.wait(tries), most=_longest(context, spec)
        )
    except TransportError as error:
        context.schedule.apply(ReadLost(), context.clock.now())
        return ReadOutcome.AGAIN, None, str(error)
    context.patience.answered(anyio.current_time() - asked)
    outcome = read_outcome(reply.status, age)
    if outcome is ReadOutcome.ROWS:  # what it is worth is known when its body was read
        return outcome, reply, ""
    if outcome is ReadOutcome.FAILED and not from_the_api(reply):
        outcome = ReadOutcome.AGAIN  # what stands between refuses nothing in the API's name
    if outcome is ReadOutcome.AGAIN:
        context.schedule.apply(ReadLost(), context.clock.now())
    elif from_the_api(reply):
        context.schedule.apply(ReadAnswered(good=False), context.clock.now())
    problem = context.dialect.problem(reply.status, reply.headers, reply.body)
    if outcome is ReadOutcome.UNAUTHORIZED:
        context.refuse(f"the API refused the token (401): {problem}", UNAUTHORIZED_HINT, everything=True)
    return outcome, reply, f"status {reply.status}: {problem}"


def _longest(context: Context, spec: str | None) -> float:
    """Seconds that even an answer which makes progress may take: until its test is closed, or the run."""
    now = context.clock.now()
    left = context.before.began + context.run.settings.deadline + Patience.LONGEST - now
    test = context.tests.get(spec or "")
    if test is not None and test.created:
        left = min(left, test.created + test.record.spec.deadline + CLOSING_GRACE - now)
    return left


async def _no_page(context: Context, step: Poll, outcome: ReadOutcome, problem: str) -> None:
    limited = outcome is ReadOutcome.LIMITED
    fact = Limited(step.layer, detail=problem) if limited else PollFailed(step.layer, problem)
    context.tell(fact, step.key)
    await _missed(context, PageMissed(step, outcome is not ReadOutcome.FAILED, limited))


async def _missed(context: Context, missed: PageMissed) -> None:
    context.schedule.apply(missed, context.clock.now())
    if missed.forbids_rerun:
        reason = "its newest rounds could not be read, so a new round could not be told from an old one"
        await end_uncreated(context, context.tests[missed.poll.key], SpecState.NOT_RUN, reason)


async def _baseline(context: Context, test: InHand, step: Poll, page: Page, date: float | None) -> None:
    if date is not None and step.page == 1:
        # A round's id is the second of its start: late rows of an earlier one are older than this.
        test.newest[FLOOR] = int(date) - CLOCKS_APART
    for row in page.rows:
        test.newest[row.agent_id] = max(row.round_id, test.newest.get(row.agent_id, 0))
    following = None if page.next_href is None else step.following(page.next_href)
    if following is not None:
        context.schedule.apply(BaselineRead(step.key, following), context.clock.now())
        return
    test_id = test.record.test_id or ""
    for agent_id, round_id in (await context.store.newest_rounds(context.run.origin, test_id)).items():
        test.newest[agent_id] = max(round_id, test.newest.get(agent_id, 0))
    await context.durably(context.store.set_baseline(context.run.id, step.key, test.newest))
    test.record = replace(test.record, baseline=dict(test.newest))
    context.schedule.apply(BaselineRead(step.key, None), context.clock.now())


async def _rows(context: Context, test: InHand, step: Poll, page: Page, asked: float) -> None:
    harvest = test.progress.accept(step.layer, page.rows)
    spec = test.record.spec
    test.problems.pop(step.layer, None)
    next_href = page.next_href
    here = _place(test, step.layer)
    if next_href is not None and context.dialect.follow(next_href, context.run.origin, here) is None:
        # What the first page shows is still worth the next polls.
        test.problems[step.layer] = ELSEWHERE
        context.tell(Refused(ELSEWHERE, layer=step.layer), step.key)
        next_href = None
    polled = Polled(
        step.layer,
        answered=test.progress.answered(step.layer),
        asked=len(spec.agents),
        complete=test.progress.complete(step.layer),
        strangers=harvest.strangers,
        stale=harvest.stale,
        skipped=page.skipped,
        age=round(asked - test.created, 2),
        empty=not page.rows,
    )
    context.tell(polled, step.key)
    await _store(context, test, harvest.kept)
    details: set[HopsOf] = set()
    if spec.path_details is True and step.layer == PATHS.name:
        details = wanted_details(harvest.kept) - test.detailed
        test.detailed |= details
    read = PageRead(step, harvest, next_href, asked, rounds_of(details), test.judging.failing)
    context.schedule.apply(read, context.clock.now())


def wanted_details(rows: Iterable[Answer]) -> set[HopsOf]:
    """The paths that were measured, so that their hops can be asked for."""
    return {hops_of(row) for row in rows if row.layer == PATHS.name and row.status is AnswerStatus.OK}


def owed_details(wanted: Iterable[HopsOf], rows: Iterable[Answer]) -> tuple[tuple[str, int], ...]:
    """Agents and rounds whose hops are not all among the rows. What a row does not name may be any."""
    have: dict[tuple[str, int], list[HopsOf]] = {}
    for row in rows:
        if row.layer == DETAILS:
            have.setdefault((row.agent_id, row.round_id), []).append(hops_of(row))
    return rounds_of(
        path for path in wanted if not any(_the_same(path, came) for came in have.get(path[:2], ()))
    )


def _the_same(path: HopsOf, other: HopsOf) -> bool:
    return all(one is None or two is None or one == two for one, two in zip(path, other, strict=True))


def hops_of(row: Answer) -> HopsOf:
    """Whose path it is: one agent may have several in a round, whose rows need not come at once."""
    return row.agent_id, row.round_id, row.server, row.direction


def rounds_of(paths: Iterable[HopsOf]) -> tuple[tuple[str, int], ...]:
    """Agents and rounds: all paths of a round are read at once."""
    return tuple(sorted({(agent, started) for agent, started, _, _ in paths}))


async def _store(context: Context, test: InHand, rows: Sequence[Answer]) -> None:
    if not rows:
        return
    key = test.record.spec.key
    # Taken in before they are stored: of two pages that complete a cell together, one must know the other.
    judged = test.judging.take(rows)
    write = context.store.add_answers(context.run.id, key, rows, context.take_events(), cells_of(judged))
    new = await context.durably(write)
    errors = min(new, sum(row.status is AnswerStatus.ERROR for row in rows))
    context.tell(AnswersStored(rows[0].layer, new, errors), key)
    tell_judged(context, key, judged)
