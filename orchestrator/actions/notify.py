"""What a run changed is noted for each channel that wants to hear of it; what is noted is delivered apart.

A notice is written together with the state that it tells, so a process that dies before has noted nothing,
and one that dies after has lost nothing. Runs that ended and that nobody lived to note are noted by the next
run of their plan, in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.actions.insight import insight
from orchestrator.compare.look import Comparison
from orchestrator.errors import OrchestratorError
from orchestrator.insight.look import Insight
from orchestrator.notices.document import document
from orchestrator.notices.kept import dump, load
from orchestrator.notices.machine import step
from orchestrator.notices.reading import STOPPED, nothing_came, seen_of
from orchestrator.notices.text import Told
from orchestrator.notices.values import Change, Event, Seen, State
from orchestrator.outbox import Channel, Draft, On
from orchestrator.records import RunRecord, RunState
from orchestrator.store.base import Store

# So many runs of a plan are looked through for those that nobody noted.
_RUNS = 50
# Others note the same plan at the same time, each with one write: so often it is tried again.
_TRIES = 100
_ENDED = frozenset({RunState.COMPLETE, RunState.INCOMPLETE, RunState.REFUSED, RunState.INTERRUPTED})

Mask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that has ended, with what is known of it. ``code`` is what it ended with at last, ``comparison``
    what it was held against."""

    run: RunRecord
    code: int
    insight: Insight | None = None
    comparison: Comparison | None = None


@dataclass(frozen=True, slots=True)
class _Noted:
    """A run in the form in which it is noted for every channel."""

    plan: str
    world: str
    seen: Seen
    run: RunRecord | None = None
    insight: Insight | None = None
    problem: str | None = None


async def note(
    store: Store,
    ended: Ended,
    channels: Sequence[Channel],
    mask: Mask = str,
    *,
    first: RunRecord | None = None,
) -> None:
    """Note a run that has ended for these channels, and before it what nobody lived to note.

    ``first`` is the first round of a run of several, if it is another one. A run that somebody stopped is not
    noted: it can be resumed. Raises ``StoreProblem``.
    """
    await catch_up(store, first or ended.run, channels, mask)
    if ended.code in STOPPED or ended.run.state not in _ENDED:
        return
    noted = await _noted(store, ended, mask)
    for channel in channels:
        await _note(store, noted, channel, mask)


async def note_problem(
    store: Store,
    plan: str,
    world: tuple[str, str | None],
    problem: OrchestratorError,
    at: float,
    channels: Sequence[Channel],
    mask: Mask = str,
) -> None:
    """Note that a plan could not be run at all. Raises ``StoreProblem``."""
    seen = nothing_came(at, int(problem.exit_code))
    noted = _Noted(plan, _world(world), seen, problem=problem.message.partition("\n")[0])
    for channel in channels:
        await _note(store, noted, channel, mask)


async def catch_up(
    store: Store, before: RunRecord | None, channels: Sequence[Channel], mask: Mask = str, *, plan: str = ""
) -> None:
    """Note the runs of a plan that ended before a run (``None``: all of ``plan``) and that nobody lived to
    note, for those of the channels that were to hear of them. Raises ``StoreProblem``."""
    stored = await store.runs(_RUNS, plan if before is None else before.plan)
    if before is not None:
        place = next((n for n, one in enumerate(stored) if one.id == before.id), 0)
        stored = [one for one in stored[place + 1 :] if one.world == before.world]
    known: dict[str, _Noted] = {}
    for channel in channels:
        for run in await _missed(store, stored, channel):
            if run.id not in known:
                known[run.id] = await _noted(store, Ended(run, run.exit_code or 0), mask)
            wanted = next(one for one in run.settings.notify if one.to == channel.to)
            await _note(store, known[run.id], wanted, mask)


async def catch_up_all(store: Store, mask: Mask = str) -> None:
    """The same for every plan of the newest runs, and the channels that these were for."""
    channels: dict[str, dict[str, Channel]] = {}
    for run in await store.runs(_RUNS):
        for channel in run.settings.notify:
            channels.setdefault(run.plan, {}).setdefault(channel.to, channel)
    for plan, wanted in channels.items():
        await catch_up(store, None, [*wanted.values()], mask, plan=plan)


async def _missed(store: Store, stored: Sequence[RunRecord], channel: Channel) -> list[RunRecord]:
    """Of these runs, newest first, those that were for a channel and are not noted for it; oldest first."""
    missed: list[RunRecord] = []
    states: dict[str, State] = {}
    done: set[str] = set()
    for run in stored:
        world = _world(run.world)
        if world in done:
            continue
        if world not in states:
            states[world] = load((await store.notice_state(run.plan, world, channel.to)).state)
        state = states[world]
        if run.id == state.last:
            done.add(world)
            if run.finished == state.ended:
                continue
        wanted = any(one.to == channel.to for one in run.settings.notify)
        if wanted and run.state in _ENDED and run.exit_code not in STOPPED:
            missed.append(run)
    return missed[::-1]


async def _noted(store: Store, ended: Ended, mask: Mask) -> _Noted:
    run = ended.run
    found = ended.insight or await insight(store, run)
    seen = seen_of(run, found, ended.code, ended.comparison, mask=mask)
    problem = run.facts.stopped if run.state is RunState.REFUSED else None
    return _Noted(run.plan, _world(run.world), seen, run, found, problem)


async def _note(store: Store, noted: _Noted, channel: Channel, mask: Mask) -> None:
    seen = noted.seen
    for _ in range(_TRIES):
        known = await store.notice_state(noted.plan, noted.world, channel.to)
        state = load(known.state)
        if seen.run is not None and (seen.run, seen.at) == (state.last, state.ended):
            return
        change = step(state, seen)
        event = told_event(change, seen, channel.on)
        draft = None if event is None else _draft(noted, event, change, mask)
        if await store.keep_notice(
            noted.plan, noted.world, channel.to, known.version, dump(change.after), draft
        ):
            return


def told_event(change: Change, seen: Seen, on: On) -> Event | None:
    """What a channel is told of a run; ``None`` for nothing."""
    if on is On.CHANGE:
        return change.event
    if on is On.BAD and seen.event is Event.GOOD:
        return None
    return change.event or seen.event


def _draft(noted: _Noted, event: Event, change: Change, mask: Mask) -> Draft:
    told = Told(noted.plan, event, noted.seen, change, noted.run, noted.insight, noted.problem, mask)
    return Draft(event.value, noted.seen.run, noted.seen.at, document(told))


def _world(world: tuple[str, str | None]) -> str:
    origin, account = world
    return f"{origin} {account or '-'}"
