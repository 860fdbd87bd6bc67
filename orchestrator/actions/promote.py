"""Make scheduled tests of the instant ones that told something."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from anyio import CancelScope

from orchestrator.actions.explain import agents_meant, parted, specs_meant
from orchestrator.actions.reading import find, proposed
from orchestrator.actions.session import Session
from orchestrator.actions.source import source_of
from orchestrator.errors import Refused, StoreProblem, Unanswered, UsageProblem
from orchestrator.events import Event
from orchestrator.events.promotions import Promoted as Made
from orchestrator.events.promotions import PromotionFact, PromotionIntended, PromotionRefused
from orchestrator.model import Agent, AgentType, Api, Spec
from orchestrator.records import RunRecord, TestRecord
from orchestrator.report.promotion import MONTH, Promoted, promotion_text
from orchestrator.report.results import named_like
from orchestrator.report.terraform import terraform_text
from orchestrator.runner.order import Declined, InDoubt, order
from orchestrator.store.base import Archive
from orchestrator.store.opening import Opened
from orchestrator.testtypes.prices import milliunits
from orchestrator.thousandeyes.protocol import BadAnswer, Dialect, Reply
from orchestrator.thousandeyes.scheduled import INTERVALS, create_scheduled, scheduled_body

# Seconds between rounds, where nobody says.
INTERVAL = 300
# Names of targets that are listed where none is meant.
_LISTED = 8


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tests of a run: those of a cause (as it is numbered for people), of a cell (TARGET@AGENT: that
    agent only), or of targets like a pattern. Exactly one is set."""

    cause: int | None = None
    cell: str | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """How the scheduled tests are to run. ``interval`` is seconds, one of those that the API knows."""

    interval: int = INTERVAL
    alerts: bool = False
    enabled: bool = True
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Promotion:
    """What was chosen of a run, in the order of its plan."""

    run: RunRecord
    tests: tuple[Promoted, ...]

    def text(self, *, secrets: bool = False) -> str:
        """The bodies as JSON, as ``promote`` writes them: without values that are secret, unless they are
        asked for."""
        return promotion_text(self.tests, secrets=secrets)

    def terraform(self) -> str:
        """Resources of the vendor's provider; what is secret is a variable."""
        return terraform_text(self.tests)


async def promote(
    opened: Opened, name: str, choice: Choice, schedule: Schedule, *, now: float, plan: str | None = None
) -> Promotion:
    """The scheduled tests that the chosen ones become. Creates nothing.

    Raises ``UsageProblem`` for a run, a cause, a cell or a target that there is not, an interval that the API
    does not know, and one name for several tests.
    """
    if schedule.interval not in INTERVALS:
        known = ", ".join(f"{one // 60}m" for one in INTERVALS)
        raise UsageProblem(f"no test runs every {schedule.interval} s", hint=f"the intervals are {known}")
    run = await find(opened, name, plan)
    specs = await _chosen(opened.store, run, choice, now)
    if schedule.name is not None and len(specs) > 1:
        raise UsageProblem(
            f"{len(specs)} tests cannot have one name", hint="leave --name out, or choose one with --cell"
        )
    agents = await opened.store.agents(run.id)
    return Promotion(run, tuple(_promoted(run, spec, schedule, agents) for spec in specs))


def _promoted(run: RunRecord, spec: Spec, schedule: Schedule, agents: Mapping[str, Agent]) -> Promoted:
    name = schedule.name or f"{run.plan}: {spec.test} {spec.target}"
    body = scheduled_body(spec, name, schedule.interval, alerts=schedule.alerts, enabled=schedule.enabled)
    kinds = [agents[one].type if one in agents else AgentType.CLOUD for one in spec.agents]
    once = sum(milliunits(spec.type, {**spec.fields, **spec.raw}, kind) for kind in kinds) / 1000
    path = create_scheduled(spec.type, body, None).path
    units = once * MONTH / schedule.interval if schedule.enabled else 0.0
    return Promoted(spec.key, spec.test, spec.type, spec.target, path, body, units)


@dataclass(frozen=True, slots=True)
class Scheduled:
    """What came of one: the id of its test, which an earlier order may have made already (``before``)."""

    test: Promoted
    test_id: str
    before: bool = False


async def create(
    session: Session,
    promotion: Promotion,
    told: Callable[[Scheduled], None],
    *,
    again: bool = False,
    waiting: Callable[[str], None] = lambda _: None,
) -> None:
    """Create the scheduled tests one after the other; what an earlier order made is not made again.

    Durable before it is sent, so that an order whose answer was lost is not sent twice unless ``again`` says
    so; one order of a run at a time, for the next one is ``waiting``. Each test is ``told`` when it is there.
    The session is one of the run's own world (``begun.as_begun``). Raises ``UsageProblem`` for such an order,
    ``Unanswered`` for one whose answer is lost now or that is not taken, ``Refused`` and ``StoreProblem``.
    """
    run, opened = promotion.run, session.opened
    name = f"promote {run.id}"
    async with opened.lease.hold(name, session.doors.clock, wait=True, told=waiting):
        for one in promotion.tests:
            told(await _once(session, run, one, again=again))


async def _once(session: Session, run: RunRecord, one: Promoted, *, again: bool) -> Scheduled:
    body = _fingerprint(one)
    made, open_ = await _earlier(session.opened.store, run, body)
    if made is not None:
        return Scheduled(one, made, before=True)
    if open_ and not again:
        raise UsageProblem(
            f"{one.name!r} was ordered before, and whether it exists is not known: its answer was lost",
            hint="look for it among the tests of the product; --again creates it whatever came of that",
        )
    return Scheduled(one, await _ordered(session, run, one, body))


async def _ordered(session: Session, run: RunRecord, one: Promoted, body: str) -> str:
    doors, speaks = session.doors, session.dialect(Api.V7)

    async def told(fact: PromotionFact) -> None:
        with CancelScope(shield=True):
            await session.opened.store.add_events(run.id, [Event(doors.clock.wall(), run.id, one.spec, fact)])

    intended = False

    async def intend() -> None:
        nonlocal intended
        await told(PromotionIntended(body, one.name))
        intended = True

    request = create_scheduled(one.type, one.body, session.settings.account)
    try:
        test_id = await order(
            doors.wire, doors.ledger, doors.clock, speaks, request, _read_id(speaks), intend
        )
    except (Declined, Refused, Unanswered) as error:
        if intended:
            await told(PromotionRefused(body, session.mask(str(error))))
        if not isinstance(error, Declined):
            raise
        raise Unanswered(f"the API did not take {one.name!r}: {error}") from error
    except (InDoubt, BadAnswer) as error:
        raise Unanswered(
            f"whether {one.name!r} exists now is not known: {error}",
            hint="look for it among the tests of the product before you order it with --again",
        ) from error
    try:
        await told(Made(body, test_id))
    except StoreProblem as error:
        said = f"{error.message}; the scheduled test {test_id} exists, and its id could not be stored"
        raise StoreProblem(said, hint=error.hint) from error
    return test_id


def _read_id(speaks: Dialect) -> Callable[[Reply], str]:
    return lambda reply: speaks.read_created(reply.body, reply.headers).test_id


def _fingerprint(one: Promoted) -> str:
    text = json.dumps([one.path, one.body], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


async def _earlier(store: Archive, run: RunRecord, body: str) -> tuple[str | None, bool]:
    """The test that an earlier order of this body made; whether one's outcome is open."""
    made, open_ = None, 0
    for event in await store.events(run.id):
        match event.fact:
            case PromotionIntended(body=same) if same == body:
                open_ += 1
            case PromotionRefused(body=same) if same == body:
                open_ -= 1
            case Made(body=same, test_id=test_id) if same == body:
                made = test_id
    return made, open_ > 0


async def _chosen(archive: Archive, run: RunRecord, choice: Choice, now: float) -> list[Spec]:
    if choice.cause is not None:
        return await _of_cause(archive, run, choice.cause, now)
    if choice.cell is not None:
        return await _of_cell(archive, run, choice.cell)
    pattern = choice.target or "*"
    tests = [test.spec async for test in archive.each_test(run.id)]
    found = [spec for spec in tests if named_like(spec.target, [pattern])]
    if not found:
        raise _none(run, "target", pattern, {spec.target for spec in tests})
    return found


async def _of_cause(archive: Archive, run: RunRecord, number: int, now: float) -> list[Spec]:
    """The tests that have a cell of it, with all their agents: who passes is what tells a cause."""
    points = (await source_of(archive, run, now).insight()).points
    if not 1 <= number <= len(points):
        raise UsageProblem(
            f"run {run.id} has no explanation {number}", hint=f"`orchestrator explain {run.id}` lists them"
        )
    places = {(one.test, one.target) for one in points[number - 1].cells}
    return [test.spec async for test in archive.each_test(run.id) if _place(test) in places]


def _place(test: TestRecord) -> tuple[str, str]:
    return test.spec.test, test.spec.target


async def _of_cell(archive: Archive, run: RunRecord, cell: str) -> list[Spec]:
    planned = await archive.spec_names(run.id)
    target, agent = parted(cell, None, planned)
    if not target.strip():
        raise UsageProblem(f"{cell!r} names no target", hint="give TARGET@AGENT, or targets with --target")
    keys = {one.key for one in specs_meant(target, planned)}
    specs = [test.spec async for test in archive.each_test(run.id) if test.spec.key in keys]
    if not specs:
        raise _none(run, "cell", cell, {one.target for one in planned})
    if agent is None:
        return specs
    names = {one.id: one.name for one in (await archive.agents(run.id)).values()}
    wanted = agents_meant(agent, names)
    only = [replace(spec, agents=_those(spec.agents, wanted)) for spec in specs]
    found = [spec for spec in only if spec.agents]
    if not found:
        raise _none(run, "agent", agent, {*names.values()})
    return found


def _those(agents: Sequence[str], wanted: set[str]) -> tuple[str, ...]:
    return tuple(one for one in agents if one in wanted)


def _none(run: RunRecord, what: str, asked: str, known: set[str]) -> UsageProblem:
    some = "; ".join(sorted(known)[:_LISTED])
    return UsageProblem(
        f"run {run.id} has no {what} {asked!r}{proposed(asked, known)}",
        hint=f"it has {some}" if some else None,
    )
