"""What keeps a store small: which runs may go, and taking them away while others write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from orchestrator.actions.finding import no_run_of
from orchestrator.actions.organizations import whose
from orchestrator.clock import Clock
from orchestrator.errors import UsageProblem
from orchestrator.holdings import Holding, Holdings, RunOutline, Size
from orchestrator.organizations import Organization
from orchestrator.records import FINISHED, RunRecord, RunState
from orchestrator.report.upkeep import Pruned
from orchestrator.store.base import Upkeep
from orchestrator.store.opening import Opened

T = TypeVar("T")

# Why runs stay, in the words of a report.
UNFINISHED = "not finished: they can be resumed"
GOING_ON = "a run of their plan is going on"
LAST_GOOD = "the last good run of a plan"
BASE = "a re-run that stays is compared with them"
NEWEST = "among the newest of their plan"
YOUNG = "younger than was asked for"
THINNED = "without raw rows already"
EMPTIED = "without answers already"

# Between two steps others have the store for as long as the step took, at most so long (seconds).
LONGEST_PAUSE = 0.25
# A file that cannot give pages back one by one is written anew if so much of it is free.
REBUILT_FROM = 0.1


@dataclass(frozen=True, slots=True)
class Rule:
    """Which runs may go: all that neither ``keep`` (so many of each plan, the newest) nor ``older_than``
    (seconds since their start) lets stay. ``plan``, ``simulated``, ``organization`` leave all others alone.
    With ``raw`` the runs stay and their raw rows go, with ``answers`` the runs and their cells stay and their
    answers go."""

    keep: int | None = None
    older_than: float | None = None
    plan: str | None = None
    raw: bool = False
    simulated: bool | None = None
    answers: bool = False
    organization: str | None = None

    @property
    def runs_stay(self) -> bool:
        """Whether only something of them goes."""
        return self.raw or self.answers


@dataclass(frozen=True, slots=True)
class Choice:
    """``taken`` may go; ``stay`` counts the others that the rule is about, by why."""

    rule: Rule
    taken: tuple[RunOutline, ...]
    stay: Mapping[str, int]


def choose(
    runs: Sequence[RunOutline],
    rule: Rule,
    *,
    now: float,
    must_stay: Mapping[str, str],
    going_on: Collection[str] = (),
) -> Choice:
    """What the rule takes of all ``runs`` of a store, newest first. ``going_on`` are the ids of those
    of whose plan one is alive."""
    good = _last_good(runs)
    of_plan: Counter[tuple[str, str, bool]] = Counter()
    why: dict[str, str] = {}
    about = [one for one in runs if _is_about(rule, one)]
    for run in about:
        of_plan[_series(run)] += 1
        reason = must_stay.get(run.id)
        if reason is None and run.state not in FINISHED:
            reason = UNFINISHED
        elif reason is None and run.id in going_on and run.state is not RunState.COMPLETE:
            reason = GOING_ON  # it may be this one, resumed
        elif reason is None and rule.keep is not None and of_plan[_series(run)] <= rule.keep:
            reason = NEWEST
        elif reason is None and rule.older_than is not None and now - run.started <= rule.older_than:
            reason = YOUNG
        elif reason is None and (gone := _gone_already(rule, run)) is not None:
            reason = gone
        elif reason is None and run.id in good and not rule.raw:
            reason = LAST_GOOD
        if reason is not None:
            why[run.id] = reason
    if not rule.runs_stay:
        # Also by runs that the rule is not about; a base of a base is compared with by nobody any more.
        staying = {one.parent for one in runs if one.id in why or not _is_about(rule, one)}
        why |= {one.id: BASE for one in about if one.id not in why and one.id in staying}
    taken = tuple(one for one in about if one.id not in why)
    return Choice(rule, taken, dict(Counter(why.values())))


def _series(run: RunOutline) -> tuple[str, str, bool]:
    """The runs that are counted together: plans of two organizations may have one name."""
    return run.organization, run.plan, run.simulated


def _gone_already(rule: Rule, run: RunOutline) -> str | None:
    if rule.raw and run.raw_pruned is not None:
        return THINNED
    return EMPTIED if rule.answers and run.answers_pruned is not None else None


def _is_about(rule: Rule, run: RunOutline) -> bool:
    return (
        rule.plan in (None, run.plan)
        and rule.simulated in (None, run.simulated)
        and rule.organization in (None, run.organization)
    )


def _last_good(runs: Sequence[RunOutline]) -> set[str]:
    """The newest good run of each plan in each world: what the next one will be compared with."""
    found: dict[tuple[object, ...], str] = {}
    for run in runs:
        if run.exit_code == 0 and not run.partial:
            found.setdefault((run.organization, run.plan, run.world), run.id)
    return set(found.values())


async def candidates(opened: Opened, rule: Rule, *, now: float) -> Choice:
    """What a rule would take. Raises ``UsageProblem`` for one that says nothing, and for an unknown plan."""
    if rule.keep is None and rule.older_than is None:
        raise UsageProblem(
            "nothing says which runs may go",
            hint="give --keep N (the newest of each plan that stay), --older-than 30d, or both",
        )
    runs = await opened.store.outlines()
    if rule.plan is not None and all(run.plan != rule.plan for run in runs):
        raise UsageProblem(await no_run_of(opened.store, rule.plan), hint="`orchestrator runs` lists them")
    going_on = await _going_on(
        opened, [run for run in runs if run.state is not RunState.COMPLETE and _is_about(rule, run)]
    )
    must_stay = await opened.store.must_stay()
    return choose(runs, rule, now=now, must_stay=must_stay, going_on=going_on)


async def would_take(opened: Opened, choice: Choice) -> Pruned:
    """What a choice comes to, with nothing done."""
    size = await opened.store.size()
    holds = await opened.store.holding([run.id for run in choice.taken])
    return _told(choice, choice.taken, holds, size, size, dry_run=True)


def _told(
    choice: Choice,
    taken: tuple[RunOutline, ...],
    holds: Holding,
    before: Size,
    after: Size,
    *,
    dry_run: bool = False,
) -> Pruned:
    rule = choice.rule
    return Pruned(
        taken,
        choice.stay,
        holds,
        before,
        after,
        raw=rule.raw,
        dry_run=dry_run,
        answers=rule.answers,
        organization=rule.organization,
    )


async def carry_out(opened: Opened, choice: Choice, clock: Clock) -> Pruned:
    """Take away what was chosen, and what an earlier prune left when it was killed; give the space back.

    Everybody else goes on meanwhile. Raises ``StoreProblem``; what was begun then is for the next prune.
    """
    store, before = opened.store, await opened.store.size()
    ids = [run.id for run in choice.taken]
    holds = await store.holding(ids)
    if choice.rule.raw:
        for run in ids:
            await _thin(store, run, clock)
        taken = choice.taken
    else:
        answers = choice.rule.answers
        gone = set(await (store.forget_answers(ids, clock.wall()) if answers else store.condemn(ids)))
        taken = tuple(run for run in choice.taken if run.id in gone)
    await _step_by_step(store.clear, clock)
    after = await _given_back(opened, clock)
    return _told(choice, taken, holds, before, after)


async def prune(opened: Opened, rule: Rule, clock: Clock, *, dry_run: bool = False) -> Pruned:
    """Both in one. Raises ``UsageProblem`` as :func:`candidates`, ``StoreProblem``."""
    choice = await candidates(opened, rule, now=clock.wall())
    return await (would_take(opened, choice) if dry_run else carry_out(opened, choice, clock))


def rules_of(organizations: Iterable[Organization]) -> list[Rule]:
    """What organizations say of how long is kept what, whole runs first: their answers go with them."""
    kept = [(one, one.runs_kept, one.answers_kept, one.raw_kept) for one in organizations]
    rules = []
    for one, runs, answers, raw in kept:
        if runs is not None:
            rules.append(Rule(older_than=runs, organization=one.name))
        if answers is not None:
            rules.append(Rule(older_than=answers, organization=one.name, answers=True))
        if raw is not None:
            rules.append(Rule(older_than=raw, organization=one.name, raw=True))
    return rules


async def rules(opened: Opened, organization: str | None = None) -> list[Rule]:
    """Those of all organizations of a store, or of one; none where nothing is written down."""
    if opened.organizations is None:
        return []
    listed = await opened.organizations.listed()
    return rules_of(one for one in listed if organization in (None, one.name))


async def by_organizations(
    opened: Opened, clock: Clock, *, dry_run: bool = False, organization: str | None = None
) -> list[Pruned]:
    """Take away what organizations no longer keep, in the order of :func:`rules_of`.

    Raises ``NoRight`` where the role may not, ``StoreProblem``.
    """
    found = await rules(opened, organization)
    return [await prune(opened, rule, clock, dry_run=dry_run) for rule in found]


async def info(opened: Opened) -> Holdings:
    """What the store holds."""
    return await opened.store.holdings()


async def keep_to(opened: Opened, run: RunRecord, clock: Clock) -> None:
    """Take away what a plan no longer keeps (``keep`` of its run), runs of the same world only. Raises
    ``StoreProblem``."""
    if run.settings.keep is not None and run.state in FINISHED:
        rule = Rule(
            keep=run.settings.keep,
            plan=run.plan,
            simulated=run.simulated,
            organization=await whose(opened, run.id),
        )
        await prune(opened, rule, clock)


async def _thin(store: Upkeep, run: str, clock: Clock) -> None:
    at = clock.wall()
    place = await _rested(lambda: store.thin(run, at), clock)
    while place is not None:
        after = place
        place = await _rested(lambda: store.thin(run, at, after), clock)  # noqa: B023 - awaited before it changes


async def _given_back(opened: Opened, clock: Clock) -> Size:
    """The size of the store when all that can be given back has been."""
    store = opened.store
    await _step_by_step(store.give_back, clock)
    size = await store.size()
    if size.free >= REBUILT_FROM * size.bytes and not await _anybody_runs(opened):
        await store.rebuild()
        size = await store.size()
    return size


async def _anybody_runs(opened: Opened) -> bool:
    running = [run for run in await opened.store.outlines() if run.state is RunState.RUNNING]
    return bool(await _going_on(opened, running))


async def _going_on(opened: Opened, runs: Iterable[RunOutline]) -> set[str]:
    """Those of the runs whose plan is held, as a plan of the run's own organization."""
    found: set[str] = set()
    held: dict[tuple[str, str], bool] = {}
    for run in runs:
        owner = await whose(opened, run.id) or ""
        if (owner, run.plan) not in held:
            held[owner, run.plan] = await opened.of(owner).lease.is_held(run.plan)
        if held[owner, run.plan]:
            found.add(run.id)
    return found


async def _step_by_step(step: Callable[[], Awaitable[bool]], clock: Clock) -> None:
    while await _rested(step, clock):
        pass


async def _rested(step: Callable[[], Awaitable[T]], clock: Clock) -> T:
    """One step, and then as much time for others as it took."""
    began = clock.now()
    value = await step()
    await clock.sleep(min(LONGEST_PAUSE, clock.now() - began))
    return value
