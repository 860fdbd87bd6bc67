"""Rounds of a run, and a run that is held against another one at its end: what it is judged by, and told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from orchestrator.actions import compare as actions
from orchestrator.actions.compare import Held, Terms
from orchestrator.actions.run import Outcome
from orchestrator.actions.session import Session
from orchestrator.cli.bodies.common import say
from orchestrator.cli.bodies.compare import terms_of
from orchestrator.cli.options import Judged
from orchestrator.errors import Exit, NoBase, UsageProblem
from orchestrator.records import RunRecord
from orchestrator.report.headline import many

# A run that ended so came to its end, so that it can be judged.
_ENDED = frozenset({Exit.OK, Exit.EXPECTATION_FAILED, Exit.INCOMPLETE})

# Runs tests of a run again: all of them, or only those of some specs.
Again = Callable[[RunRecord, list[str] | None], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Against:
    """What a run is held against: ``base`` is known before there is a run, unless its word depends on it."""

    name: str
    base: RunRecord | None
    terms: Terms
    confirm: bool


async def against(session: Session, judged: Judged) -> Against | None:
    """What was asked for, found before anything is created. Raises ``UsageProblem`` for what there is not."""
    terms, asked = terms_of(judged.gate), judged.judging
    if asked.against is None:
        if asked.confirm:
            raise UsageProblem("--confirm needs --against BASE", hint="name what the run is compared with")
        return None
    base = await actions.known_base(session.doors.store, asked.against)
    return Against(asked.against, base, terms, asked.confirm)


async def rounds(outcome: Outcome, number: int, again: Again, *, quiet: bool) -> Outcome:
    """The last of so many rounds; with the worst exit code of all of them."""
    worst = outcome.exit_code
    for done in range(1, number):
        if outcome.exit_code not in _ENDED:
            return outcome
        if not quiet:
            say(f"round {done} of {number}: run {outcome.run.id}, exit {int(outcome.exit_code)}")
        outcome = await again(outcome.run, None)
        worst = max(worst, outcome.exit_code)
    return replace(outcome, exit_code=worst)


async def held(
    session: Session, first: RunRecord, outcome: Outcome, asked: Against | None, again: Again, *, quiet: bool
) -> Held | None:
    """The run held against its base, which is older than its ``first`` round; with ``confirm`` what is worse
    was run again. ``None`` without a base, and for a run that came to no end."""
    if asked is None or outcome.exit_code not in _ENDED:
        return None
    store, run = session.doors.store, outcome.run
    try:
        base = asked.base or await actions.base_of(store, first, asked.name)
    except NoBase as nothing:
        say(f"nothing to compare with yet: {nothing.message}")
        return None
    found = await actions.hold(store, run, asked.name, asked.terms, base=base)
    only = actions.suspicious(found) if asked.confirm else []
    if only:
        if not quiet:
            say(f"confirming: {many(len(only), 'test')} with what is worse once more")
        second = await again(run, only)
        if second.exit_code in _ENDED:
            found = await actions.hold(store, run, asked.name, asked.terms, base=base, again=second.run)
        else:
            say("it could not be confirmed: what is worse counts as it was seen")
    code = actions.code_of(outcome.exit_code, found.comparison.judgement.exit_code)
    await actions.record_judgement(store, run.id, code)
    return found
