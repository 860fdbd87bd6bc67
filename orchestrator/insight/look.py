"""The whole of it: cells in, what is wrong out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from orchestrator.insight.along import along
from orchestrator.insight.contrast import contrast
from orchestrator.insight.facts import Facts
from orchestrator.insight.groups import JUDGED, seen
from orchestrator.insight.headline import Standing, headline
from orchestrator.insight.jumps import Shared, shared
from orchestrator.insight.kinds import KINDS
from orchestrator.insight.levels import MOST_CELLS, Cause, World, blame
from orchestrator.insight.sentences import first, reason, why
from orchestrator.insight.silence import Silence, silences
from orchestrator.insight.values import PATH_LEVELS, CellKey, Group, Observed, Phase, Seen
from orchestrator.insight.within import level_word
from orchestrator.insight.words import Names, Sentence
from orchestrator.model import Answer, AnswerStatus, CellState, Verdict
from orchestrator.records import Counts, Paths


@dataclass(frozen=True, slots=True)
class Alike:
    """What else a cause could be. ``bad``, ``known`` and ``bits`` are those of ``near``, else ``None``."""

    group: Group
    label: str
    bad: int | None = None
    known: int | None = None
    bits: float | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A cause with its evidence, told. ``cells`` are its bad cells, ``seen_by`` where its hops are from,
    ``jumps`` where the paths of a cause on a path get slow or lossy.

    ``why`` begins with the layer; ``reason`` is the same without it, and may be empty.
    """

    rank: int
    group: Group
    label: str
    severity: Verdict
    level: str
    phases: Mapping[Phase, int]
    bad: int
    known: int
    outside_bad: int
    outside_known: int
    agents: int
    countries: int
    targets: int
    bits: float
    p: float
    sure: str
    same: tuple[Alike, ...]
    near: tuple[Alike, ...]
    text: Sentence
    why: Sentence
    reason: Sentence
    contrast: tuple[Sentence, ...]
    jumps: tuple[Shared, ...]
    seen_by: str | None
    cells: tuple[CellKey, ...]


@dataclass(frozen=True, slots=True)
class Isolated:
    """A failure without a common cause."""

    key: CellKey
    phase: Phase | None


@dataclass(frozen=True, slots=True)
class Insight:
    """What is wrong with a run. ``bad`` counts failures, ``unjudged`` the cells that say nothing, by why.

    ``phases`` has every bad cell. ``from_history`` are bad cells of whose hops an earlier run knew more;
    ``limits`` is what cannot be told.
    """

    run: str
    judged: int
    bad: int
    background: float
    explanations: tuple[Explanation, ...]
    silences: tuple[Silence, ...]
    isolated: tuple[Isolated, ...]
    unjudged: Mapping[str, int]
    paths: Paths
    from_history: int
    limits: tuple[str, ...]
    standing: Standing
    phases: Mapping[CellKey, Phase]

    @property
    def headline(self) -> str:
        """The one line over everything, plain text with data of others in it."""
        return headline(self.standing)

    @property
    def points(self) -> tuple[Explanation | Silence, ...]:
        """All that is told, as it is numbered for people: what fails, what is silent, what has warnings."""
        fails = [one for one in self.explanations if one.severity is Verdict.FAIL]
        warns = [one for one in self.explanations if one.severity is not Verdict.FAIL]
        return (*fails, *self.silences, *warns)


def look(run: str, cells: Iterable[Observed], names: Names, paths: Paths = Paths()) -> Insight:  # noqa: B008 - frozen
    """What is wrong with a run, from all of its cells, in whatever order they come."""
    observed = Observations()
    for cell in cells:
        observed.take(cell)
    return observed.told(run, names, paths)


def nothing_wrong(run: str, counts: Counts) -> Insight:
    """What :func:`look` says of a run without a cell that is bad, silent or partial: it needs no cells."""
    observed = Observations()
    observed.verdicts.update(counts.verdicts)
    observed.verdicts[None] = counts.cells.get(CellState.PENDING, 0)
    observed.left_out = counts.left_out
    return observed.told(run, Names(), counts.paths)


class Observations:
    """Takes the cells of a run one after the other, and keeps of each only what is needed at the end."""

    def __init__(self) -> None:
        self.verdicts: Counter[Verdict | None] = Counter()
        self.left_out = 0
        self._seen: list[Seen] = []
        self._sent: list[Observed] = []

    def take(self, cell: Observed) -> None:
        """Take in one more cell."""
        verdict = cell.record.verdict
        self.verdicts[verdict] += 1
        self.left_out += verdict is Verdict.NOT_RUN and cell.record.spec is None
        found = seen(cell)
        if found is not None:
            self._seen.append(found)
        self._sent.append(_for_silences(cell))

    def told(self, run: str, names: Names, paths: Paths) -> Insight:
        """What is wrong with the run that all of them are."""
        verdicts, world = self.verdicts, World.of(self._seen)
        silent = frozenset(_key(one) for one in self._sent if one.record.verdict is Verdict.NO_ANSWER)
        blamed, quiet = blame(world), silences(self._sent, names)
        told = tuple(
            _explanation(rank, Facts(world, cause, silent), names)
            for rank, cause in enumerate(blamed.causes, start=1)
        )
        judged = sum(verdicts[verdict] for verdict in JUDGED)
        return Insight(
            run=run,
            judged=judged,
            bad=verdicts[Verdict.FAIL],
            background=blamed.background,
            explanations=told,
            silences=quiet,
            isolated=tuple(Isolated(cell.key, cell.phase) for cell in world.cells_of(blamed.isolated)),
            unjudged={
                "no_answer": verdicts[Verdict.NO_ANSWER],
                "not_run": verdicts[Verdict.NOT_RUN],
                "pending": verdicts[None],
                "partial": verdicts[Verdict.PARTIAL],
            },
            paths=paths,
            from_history=sum(1 for cell in world.cells if cell.recalled),
            limits=tuple(_limits(world, judged, verdicts, paths)),
            standing=_standing(verdicts, told, quiet, silent=silent, left_out=self.left_out),
            phases={cell.key: cell.phase for cell in world.cells if cell.phase is not None},
        )


def _for_silences(cell: Observed) -> Observed:
    """The cell without what was measured: of its rows only their layers."""
    return Observed(
        cell.record, cell.spec, _bare(tuple(row.layer for row in cell.rows)), silence=cell.silence
    )


@lru_cache(maxsize=1024)
def _bare(layers: tuple[str, ...]) -> tuple[Answer, ...]:
    return tuple(Answer(one, "", "", None, None, 0, None, AnswerStatus.OK, None, {}, "") for one in layers)


def _key(cell: Observed) -> CellKey:
    return CellKey(cell.record.test, cell.record.target, cell.record.agent_id)


def _explanation(rank: int, facts: Facts, names: Names) -> Explanation:
    cause, world = facts.cause, facts.world
    kind = KINDS[cause.group.kind]
    seen_by, steps = None, tuple[Shared, ...]()
    if kind.path:
        steps = shared(cell.jumps for cell in facts.bad_cells)
        seen_by = "last good run" if 2 * facts.from_history() >= facts.bad else "this run"
    return Explanation(
        rank=rank,
        group=cause.group,
        label=names.of(cause.group),
        severity=cause.severity,
        level=level_word(facts),
        phases=cause.phases,
        bad=facts.bad,
        known=facts.known,
        outside_bad=world.bad(cause.severity).bit_count() - facts.bad,
        outside_known=len(world.cells) - facts.known,
        agents=facts.agents,
        countries=facts.countries,
        targets=len(facts.targets),
        bits=cause.bits,
        p=facts.p(),
        sure=cause.sure,
        same=tuple(Alike(group, names.of(group)) for group in cause.same),
        near=_near(cause, names),
        text=first(facts, names),
        why=why(facts),
        reason=reason(facts),
        contrast=(*along(steps, facts.bad, names), *contrast(facts, names)),
        jumps=steps,
        seen_by=seen_by,
        cells=tuple(cell.key for cell in facts.bad_cells),
    )


def _near(cause: Cause, names: Names) -> tuple[Alike, ...]:
    return tuple(
        Alike(near.group, names.of(near.group), near.bad, near.known, near.bits) for near in cause.near
    )


def _limits(world: World, judged: int, verdicts: Mapping[Verdict | None, int], paths: Paths) -> Iterator[str]:
    told = {
        Verdict.NOT_RUN: "cells were not run",
        None: "cells are open: this is what is known so far",
        Verdict.NO_ANSWER: "cells have no answer: nothing is said about their targets",
        Verdict.PARTIAL: "cells lack a part of their answer and are not judged",
    }
    yield from (f"{verdicts[verdict]} {text}" for verdict, text in told.items() if verdicts[verdict])
    if paths.got < paths.wanted:
        yield f"the hops of {paths.wanted - paths.got} of {paths.wanted} paths did not come"
    on_paths = [cell for cell in world.cells if cell.phase is not None and cell.phase.level in PATH_LEVELS]
    if on_paths and not any(cell.hops_known and cell.phase is None for cell in world.cells):
        yield "no hop is named: the paths of cells that pass are not known"
    if any(cell.phase is not None for cell in world.cells):
        yield from _too_few(len({cell.key.agent_id for cell in world.cells}), "agent")
        yield from _too_few(len({cell.key[:2] for cell in world.cells}), "target")
    if judged > MOST_CELLS:
        yield f"{judged} cells are too many to look for pairs and links"


def _too_few(different: int, what: str) -> Iterator[str]:
    if different == 1:
        yield f"one {what} only was judged: it cannot be told from the plan"


def _standing(
    verdicts: Mapping[Verdict | None, int],
    told: Sequence[Explanation],
    quiet: Sequence[Silence],
    *,
    silent: frozenset[CellKey],
    left_out: int,
) -> Standing:
    fails = [one for one in told if one.severity is Verdict.FAIL]
    warns = [one for one in told if one.severity is Verdict.WARN]
    # Missing layers are told, but the cells that lack them are not without an answer.
    unheard = [one for one in quiet if silent.intersection(one.cells)]
    explained = silent.intersection(key for one in unheard for key in one.cells)
    return Standing(
        passing=verdicts[Verdict.PASS],
        failing=verdicts[Verdict.FAIL],
        warning=verdicts[Verdict.WARN],
        silent=verdicts[Verdict.NO_ANSWER],
        partial=verdicts[Verdict.PARTIAL],
        not_run=verdicts[Verdict.NOT_RUN] - left_out,
        open=verdicts[None],
        causes=len(fails) + len(unheard),
        explained=sum(one.bad for one in fails) + len(explained),
        warning_causes=len(warns),
        warnings_explained=sum(one.bad for one in warns),
        only_silence=unheard[0].label if len(unheard) == 1 and unheard[0].group.kind != "run" else None,
    )
