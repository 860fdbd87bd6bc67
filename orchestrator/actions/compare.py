"""Better or worse than before: which runs are compared, what is read of them, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from orchestrator.actions.asked import DEFAULT_TERMS, Terms
from orchestrator.actions.finding import find, proposed
from orchestrator.actions.insight import gathered
from orchestrator.actions.looked import Looked, times_before, which_of
from orchestrator.compare.cells import Past
from orchestrator.compare.gate import CANNOT_JUDGE
from orchestrator.compare.look import Now, compare
from orchestrator.compare.samples import Sampling
from orchestrator.compare.values import Change, Sample, Which
from orchestrator.errors import NoBase, UsageProblem
from orchestrator.model import Json, Spec, Verdict
from orchestrator.records import Baseline, RunRecord, RunState
from orchestrator.report.comparison import LAST_GOOD, Held
from orchestrator.store.base import Archive, Store
from orchestrator.store.opening import Opened
from orchestrator.testtypes.norms import NORMS, Norm
from orchestrator.verdict.expect import newest, newest_details

BEFORE = "before"
RESERVED = frozenset({LAST_GOOD, BEFORE, "last"})
# So many tests are run again at most to confirm what got worse.
MOST_CONFIRMED = 12
# How far back runs of a plan are looked through for good ones.
_SEARCHED = 200
_ENDED = frozenset({RunState.COMPLETE, RunState.INCOMPLETE, RunState.INTERRUPTED})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_AMOUNT = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|%|points?|)", re.ASCII)


async def base_of(archive: Archive, run: RunRecord, name: str = LAST_GOOD) -> RunRecord:
    """The run that another one is compared with, by a word, a baseline's name, an id or the beginning of one.

    Raises ``UsageProblem`` if there is none.
    """
    if name == LAST_GOOD:
        good = await archive.good_runs(run.id)
        if not good:
            raise NoBase(
                f"plan {run.plan!r} has no good run before {run.id}",
                hint="name a run to compare with: `orchestrator runs` lists them",
            )
        return good[0]
    if name == BEFORE:
        return await _before(archive, run)
    base = await known_base(archive, name)
    if base is None:
        raise UsageProblem(f"there is no run {name!r}", hint=f"compare with {LAST_GOOD} or {BEFORE}")
    return base


async def earlier_runs(archive: Archive, run: RunRecord) -> list[RunRecord]:
    """Runs of the same plan in the same world that were stored before a run, newest first.

    By the order in the store: the clocks of two simulated worlds say nothing of each other.
    """
    stored = await archive.runs(_SEARCHED, run.plan)
    place = next((n for n, one in enumerate(stored) if one.id == run.id), len(stored))
    return [one for one in stored[place + 1 :] if one.world == run.world]


async def _before(archive: Archive, run: RunRecord) -> RunRecord:
    if run.parent is not None:
        return await archive.run(run.parent)
    found = next(iter(await earlier_runs(archive, run)), None)
    if found is None:
        raise NoBase(f"plan {run.plan!r} has no run before {run.id}", hint="`orchestrator runs` lists them")
    return found


async def hold(
    archive: Archive,
    run: RunRecord,
    name: str = LAST_GOOD,
    terms: Terms = DEFAULT_TERMS,
    *,
    base: RunRecord | None = None,
    again: RunRecord | None = None,
    looked: Looked | None = None,
) -> Held:
    """A run held against its base and that one's history; ``name`` is what the base is called by, if it is
    not found by that. What is no longer worse in ``again`` is flaky. A run is as it is: held against itself
    it has no history. ``looked`` are the cells of the run, where somebody has read them already.

    Raises ``UsageProblem`` without a base.
    """
    if run.settings.confirms and run.parent is not None:
        run, again = await archive.run(run.parent), run
    if base is None:
        base = await base_of(archive, run, name)
    if again is None:
        again = await _confirming(archive, run)
    norms = {**NORMS, **terms.tolerances}
    sampling = Sampling(norms)
    if looked is None:
        looked = Looked(norms)
        for one in (await gathered(archive, run)).cells:
            looked.take(one)
    names = await looked.names(archive, run)
    now = Now(looked.samples, looked.judged, {} if again is None else await samples(archive, again, sampling))
    alone = terms.history == 0 or base.id == run.id
    history = [] if alone else await _history(archive, base, terms.history - 1)
    # What is left out now is no new cell where the base, a re-run, knows of its tests only.
    left_out = {which: sample for which, sample in now.samples.items() if sample.verdict is Verdict.NOT_RUN}
    past = Past(
        left_out | await samples(archive, base, sampling),
        [await samples(archive, one, sampling) for one in history],
        norms,
    )
    return Held(
        run=run,
        base=base,
        name=name,
        comparison=compare(now, past, names, terms.strictness, terms.min_cover),
        names=names,
        records=looked.records,
        options=tuple(await _options_changed(archive, base, run)),
        times=times_before(past.samples, now.samples),
        now=times_before(lambda which: [now.samples[which]], now.samples),
    )


async def diff(
    opened: Opened, run: str, base: str, terms: Terms = DEFAULT_TERMS, plan: str | None = None
) -> Held:
    """A run held against another one, both by name.

    Raises ``UsageProblem`` if there is no such run, or if they have no cell in common.
    """
    held = await hold(opened.store, await find(opened, run, plan), base, terms)
    check_common(held)
    return held


def check_common(held: Held) -> None:
    """Raise ``UsageProblem`` for runs that have no cell in common."""
    if {*held.comparison.counts} <= {Change.NEW, Change.GONE}:
        raise UsageProblem(
            f"runs {held.base.id} and {held.run.id} have no cell in common",
            hint="compare runs of one plan: a cell is its test block, type, target and agent",
        )


async def _confirming(archive: Archive, run: RunRecord) -> RunRecord | None:
    """The re-run that was made to confirm what got worse in a run, if there is one that has ended."""
    for one in await archive.runs(_SEARCHED, run.plan):
        if one.parent == run.id and one.settings.confirms and has_ended(one):
            return one
    return None


async def record_judgement(store: Store, run: str, code: int) -> None:
    """The exit code that a run ended with because of what it was held against: such a run is no good one."""
    found = await store.run(run)
    if found.exit_code != code:
        await store.update_run(
            run, state=found.state, finished=found.finished, exit_code=code, facts=found.facts
        )


async def _history(archive: Archive, base: RunRecord, most: int) -> list[RunRecord]:
    """The rounds of which the base is the last one, then good runs before it."""
    rounds: list[RunRecord] = []
    parent = base.parent
    while parent is not None and len(rounds) < most:
        try:
            one = await archive.run(parent)
        except UsageProblem:
            break  # it was pruned
        rounds.append(one)
        parent = one.parent
    known = {base.id, *(one.id for one in rounds)}
    good = [one for one in await archive.good_runs(base.id, most) if one.id not in known]
    return [*rounds, *good][:most]


async def samples(archive: Archive, run: RunRecord, sampling: Sampling) -> dict[Which, Sample]:
    """Every cell of a run; one that was left out has its verdict and nothing else."""
    found: dict[Which, Sample] = {}
    async for one in archive.collected(run.id):
        for cell in one.cells:
            answers = one.answers.get(cell.agent_id, ())
            rows = (*newest(one.test.spec, cell.agent_id, answers), *newest_details(answers))
            found[which_of(cell)] = sampling.of(cell.verdict, rows)
    async for cell in archive.left_out(run.id):
        found.setdefault(which_of(cell), sampling.of(cell.verdict, ()))
    return found


async def _options_changed(archive: Archive, base: RunRecord, run: RunRecord) -> list[str]:
    """What the tests of a block were asked with, where that is another thing now, each told once."""
    before = {(test.spec.test, test.spec.target): test.spec for test in await archive.tests(base.id)}
    told: dict[str, None] = {}
    for test in await archive.tests(run.id):
        old = before.get((test.spec.test, test.spec.target))
        if old is not None:
            told.update(dict.fromkeys(_differences(old, test.spec)))
    return [*told]


def _differences(old: Spec, new: Spec) -> list[str]:
    names = sorted({*old.fields, *new.fields})
    changed = [name for name in names if old.fields.get(name) != new.fields.get(name)]
    return [
        f"{name} {_short(old.fields.get(name))} -> {_short(new.fields.get(name))} in {new.test}"
        for name in changed
    ]


def _short(value: Json) -> str:
    if value is None:
        return "unset"
    return str(value) if isinstance(value, str | int | float | bool) else "another value"


def suspicious(held: Held, most: int = MOST_CONFIRMED) -> list[str]:
    """The specs that hold what got worse, what cells share first, at most so many."""
    found = held.comparison
    together = [which for told in found.worse.told for which in told.cells]
    alone = sorted(found.worse.isolated | found.worse.alone)
    records = (held.records.get(which) for which in (*together, *alone))
    keys = dict.fromkeys(record.spec for record in records if record is not None and record.spec is not None)
    return [*keys][:most]


def code_of(run: int, gate: int) -> int:
    """The exit code of a run that was held against another: its own where that says more than the gate."""
    if run > 1:
        return run
    return 1 if 1 in (run, gate) else gate


async def known_base(archive: Archive, name: str) -> RunRecord | None:
    """The run that a name means before there is the run to compare: ``None`` for words that depend on it.

    Raises ``UsageProblem`` if there is none of that name.
    """
    if name in (LAST_GOOD, BEFORE):
        return None
    pinned = await archive.baselines()
    if name in pinned:
        return await archive.run(pinned[name].run)
    try:
        return await archive.run(name)
    except UsageProblem as problem:
        raise UsageProblem(
            f"there is no run and no baseline {name[:80]!r}{proposed(name, pinned)}",
            hint="`orchestrator baseline list` and `orchestrator runs` list them",
        ) from problem


def has_ended(run: RunRecord) -> bool:
    """Whether a run has come to an end, so that it can be judged."""
    return run.state in _ENDED


async def pin(
    opened: Opened, name: str, run: RunRecord, note: str | None, at: float, *, force: bool = False
) -> Baseline:
    """Name a run as a baseline. Raises ``UsageProblem`` for a name that cannot be one, that another run has
    already (unless ``force``), or for a run that goes on."""
    check_name(name)
    if not has_ended(run):
        raise UsageProblem(f"run {run.id} is {run.state.value}", hint="pin a run that has ended")
    there = (await opened.store.baselines()).get(name)
    if there is not None and there.run != run.id and not force:
        raise UsageProblem(
            f"baseline {name} is run {there.run} of plan {there.plan!r}",
            hint="choose another name, or move it with --force",
        )
    await opened.store.pin(name, run.id, note, at)
    return (await opened.store.baselines())[name]


def check_name(name: str) -> None:
    """Raise ``UsageProblem`` for what is no name of a baseline."""
    if name.lower() in RESERVED:
        raise UsageProblem(f"{name} means something of its own", hint="choose another name for the baseline")
    if not _NAME.fullmatch(name):
        raise UsageProblem(
            f"{name[:80]!r} cannot be the name of a baseline",
            hint="letters, digits, dots, dashes and underscores, at most 64, a letter or digit first",
        )


async def unpin(opened: Opened, name: str) -> None:
    """Forget the name of a baseline; its run stays. Raises ``UsageProblem`` if there is none."""
    if not await opened.store.unpin(name):
        known = await opened.store.baselines()
        raise UsageProblem(
            f"there is no baseline {name[:80]!r}{proposed(name, known)}", hint="`orchestrator baseline list`"
        )


def tolerance(text: str) -> tuple[str, Norm]:
    """``LAYER.METRIC=ABSOLUTE,RELATIVE%`` as the floors of a metric. Raises ``UsageProblem``."""
    name, _, floors = text.partition("=")
    norm = NORMS.get(name)
    if norm is None:
        raise UsageProblem(
            f"no metric is compared by the name {name[:80]!r}{proposed(name, NORMS)}",
            hint="write LAYER.METRIC=ABSOLUTE,RELATIVE% as in http-server.totalTime=200ms,30%",
        )
    absolute, _, relative = floors.partition(",")
    found = replace(norm, absolute=_number(absolute, "ms"), relative=_number(relative or "0", "%") / 100)
    if found.absolute <= 0:
        raise UsageProblem(f"the floor of {name} must be more than 0", hint="0.1 is nearly nothing")
    return name, found


def _number(text: str, unit: str) -> float:
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise UsageProblem(f"{text[:80]!r} is no amount", hint=f"write a number, with or without {unit}")
    value = float(found["number"])
    if unit == "ms" and found["unit"] == "s":
        value *= 1000.0
    return value


__all__: Sequence[str] = (
    "CANNOT_JUDGE",
    "LAST_GOOD",
    "Held",
    "Terms",
    "base_of",
    "check_name",
    "code_of",
    "diff",
    "has_ended",
    "hold",
    "known_base",
    "pin",
    "record_judgement",
    "samples",
    "suspicious",
    "tolerance",
    "unpin",
)
