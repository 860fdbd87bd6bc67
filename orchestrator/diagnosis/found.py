"""What is known of an incident at a moment: what was asked, what came, what that means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from orchestrator.diagnosis.blocks import WAYS
from orchestrator.diagnosis.subjects import Kind, Subject
from orchestrator.insight.groups import JUDGED, host_of, normalised
from orchestrator.insight.look import Explanation, Insight, look
from orchestrator.insight.values import CellKey, Observed, Phase
from orchestrator.insight.words import Names
from orchestrator.model import Agent, AgentType, Answer, AnswerStatus, Verdict
from orchestrator.testtypes.layers import DETAILS, LAYERS

# Of the first wave so many may be mute.
MOST_MUTE = 0.25
_RESOLVES = frozenset(layer.name for layer in LAYERS.values() if layer.resolves)


@dataclass(frozen=True)
class Asked:
    """What a diagnosis asks first: of what, from whom (in their order), in which ``blocks``, and which of
    them are ``main``: what it is about. ``box`` is the time box in seconds. ``unasked`` are countries with
    agents of which none is asked.
    """

    subjects: tuple[Subject, ...]
    controls: tuple[Subject, ...]
    agents: tuple[Agent, ...]
    blocks: frozenset[str]
    main: frozenset[str]
    box: float
    unasked: tuple[str, ...] = ()

    @cached_property
    def title(self) -> str:
        """What it is called: the targets."""
        return ", ".join(one.text for one in self.subjects)

    def is_control(self, cell: CellKey) -> bool:
        """Whether a cell is about something that is known to work."""
        named = {one.text for one in self.controls}
        named |= {f"https://{one.host}/" for one in self.controls if one.kind is Kind.NAME}
        own = {one.text for one in self.subjects}
        return cell.target in named - own


@dataclass(frozen=True, slots=True)
class Round:
    """The cells of one round at a moment, and what things are called."""

    cells: Sequence[Observed] = ()
    names: Names = field(default_factory=Names)


def key_of(cell: Observed) -> CellKey:
    """Which cell it is."""
    return CellKey(cell.record.test, cell.record.target, cell.record.agent_id)


def joined(first: Iterable[Observed], second: Iterable[Observed]) -> tuple[Observed, ...]:
    """Both rounds: of each cell the newer one that was judged."""
    again = {key_of(one): one for one in second if one.record.verdict in JUDGED}
    return tuple(again.get(key_of(one), one) for one in first)


@dataclass(frozen=True)
class Found:
    """What is known. ``before`` are the verdicts of the first round where there was a second one, ``again``
    those of the second; ``rounds`` are those in which something failed. ``awaited`` are cells of the second
    round that nothing has been said of yet."""

    asked: Asked
    insight: Insight
    cells: tuple[Observed, ...]
    names: Names
    before: Mapping[CellKey, Verdict] = field(default_factory=dict)
    again: Mapping[CellKey, Verdict] = field(default_factory=dict)
    rounds: tuple[int, ...] = ()
    awaited: tuple[CellKey, ...] = ()

    @classmethod
    def of(
        cls,
        run: str,
        asked: Asked,
        first: Round,
        second: Round | None = None,
        before: Mapping[CellKey, Verdict] | None = None,
    ) -> Found:
        """What these cells mean; ``before`` are verdicts of the first round when the second one began."""
        again = () if second is None else second.cells
        cells = tuple(map(_as_inside, joined(first.cells, again)))
        insight = look(run, with_ways(cells), first.names)
        rounds = rounds_of(one for one in (*first.cells, *again) if one.record.verdict is Verdict.FAIL)
        awaited = tuple(key_of(one) for one in again if one.record.verdict is None)
        return cls(asked, insight, cells, first.names, before or {}, verdicts_of(again), rounds, awaited)

    # -- cells ------------------------------------------------------------------------------------------

    @cached_property
    def main(self) -> tuple[Observed, ...]:
        """The cells that the incident is about: no control, nothing that only tells where it breaks."""
        return tuple(one for one in self.cells if self._is_main(one))

    def _is_main(self, one: Observed) -> bool:
        return one.record.test in self.asked.main and not self.asked.is_control(key_of(one))

    @cached_property
    def first_asked(self) -> tuple[Observed, ...]:
        """The main cells of the agents of the first wave."""
        own = {agent.id for agent in self.asked.agents}
        return tuple(one for one in self.main if one.record.agent_id in own)

    @cached_property
    def second_asked(self) -> tuple[Observed, ...]:
        """The cells of the second wave: other agents, or other tests."""
        own = {agent.id for agent in self.asked.agents}
        return tuple(
            one
            for one in self.cells
            if one.record.agent_id not in own or one.record.test not in self.asked.blocks
        )

    @cached_property
    def bad(self) -> tuple[Observed, ...]:
        """Every cell that fails, but for controls and for the ways, which are looked at because of it."""
        return tuple(
            one
            for one in self.cells
            if one.record.verdict is Verdict.FAIL
            and one.record.test != WAYS
            and not self.asked.is_control(key_of(one))
        )

    @cached_property
    def open(self) -> int:
        """Cells that nothing has been said of yet."""
        return sum(1 for one in self.cells if one.record.verdict is None)

    @cached_property
    def silent(self) -> tuple[str, ...]:
        """Agents that answered nothing, or not all, of what the incident is about; by id."""
        lacking = {Verdict.NO_ANSWER, Verdict.PARTIAL}
        quiet = (one.record.agent_id for one in self.main if one.record.verdict in lacking)
        return tuple(dict.fromkeys(quiet))

    @cached_property
    def mute(self) -> tuple[Agent, ...]:
        """Agents of the first wave of which nothing has come, whatever they were asked, while all the others
        have answered what it is about: most likely it is they who are silent. At most a quarter of the wave:
        more are no exception."""
        heard = {one.record.agent_id for one in self.cells if one.rows or one.record.verdict in JUDGED}
        open_ = {one.record.agent_id for one in self.first_asked if one.record.verdict is None}
        if open_ & heard or len(open_) > MOST_MUTE * len(self.asked.agents):
            return ()
        return tuple(agent for agent in self.asked.agents if agent.id in open_)

    @cached_property
    def stand_ins_came(self) -> bool:
        """Whether others were asked in the place of the mute ones, and each of them was judged."""
        asked = [one for one in self.second_asked if one.record.test in self.asked.main]
        return bool(asked) and all(one.record.verdict in JUDGED for one in asked)

    @cached_property
    def share_judged(self) -> float:
        """Which part of the first wave has been judged, of what it is about."""
        every = self.first_asked
        judged = sum(1 for one in every if one.record.verdict in JUDGED)
        return judged / len(every) if every else 0.0

    @cached_property
    def clear(self) -> bool:
        """Whether there are causes, and nothing else could be any of them."""
        return bool(self.causes) and all(one.sure == "clear" for one in self.causes)

    def judged(self) -> tuple[int, int]:
        """Main cells that fail, and that were judged."""
        known = [one for one in self.main if one.record.verdict in JUDGED]
        return sum(1 for one in known if one.record.verdict is Verdict.FAIL), len(known)

    def phase(self, one: Observed) -> Phase | None:
        """Which layer of a bad cell broke first."""
        return self.insight.phases.get(key_of(one))

    # -- what it means ----------------------------------------------------------------------------------

    @cached_property
    def causes(self) -> tuple[Explanation, ...]:
        """What the failures share, the largest first."""
        return tuple(one for one in self.insight.explanations if one.severity is Verdict.FAIL)

    @cached_property
    def first(self) -> Explanation | None:
        """The first of them."""
        return self.causes[0] if self.causes else None

    @cached_property
    def told_apart(self) -> bool:
        """Whether there are causes, and each is at least likely."""
        return bool(self.causes) and all(one.sure != "possible" for one in self.causes)

    @cached_property
    def recovered(self) -> tuple[CellKey, ...]:
        """Cells that failed and pass in the second round."""
        return tuple(
            key
            for key, verdict in self.before.items()
            if verdict is Verdict.FAIL and self.again.get(key) in {Verdict.PASS, Verdict.WARN}
        )

    @cached_property
    def confirmed(self) -> bool:
        """Whether what failed was seen again: from three agents (all, if they are fewer), and in half of what
        was asked again."""
        before = [key for key, verdict in self.before.items() if verdict is Verdict.FAIL]
        asked = [key for key in before if self.again.get(key) in JUDGED]
        still = [key for key in asked if self.again.get(key) is Verdict.FAIL]
        least = max(1, min(3, len({key.agent_id for key in before})))
        return len({key.agent_id for key in still}) >= least and 2 * len(still) >= len(asked)

    # -- names ------------------------------------------------------------------------------------------

    @cached_property
    def answers_of_names(self) -> tuple[str, ...]:
        """What names were resolved to, one text for each agent that was told something."""
        return tuple(
            normalised(told)
            for one in self.cells
            for row in one.rows
            if row.layer in _RESOLVES and row.status is AnswerStatus.OK
            if isinstance(told := row.metrics.get("mappings"), str) and told.strip()
        )

    @cached_property
    def names_failing(self) -> tuple[int, int]:
        """Cells of resolving alone that fail, and that were judged."""
        cells = [one for one in self.cells if one.spec is not None and {*one.spec.layers} <= _RESOLVES]
        known = [one for one in cells if one.record.verdict in JUDGED]
        return sum(1 for one in known if one.record.verdict is Verdict.FAIL), len(known)


def with_ways(cells: Sequence[Observed]) -> list[Observed]:
    """The cells with the hops of the ways to their hosts, which are no cells of their own: what fails from
    somewhere is one thing, whether its page or its packets are looked at."""
    ways: dict[tuple[str, str | None], list[Answer]] = {}
    for one in cells:
        if one.record.test == WAYS and one.spec is not None:
            details = [row for row in one.rows if row.layer == DETAILS]
            ways.setdefault((one.record.agent_id, host_of(one.spec)), []).extend(details)
    return [
        one._replace(rows=(*one.rows, *more)) if (more := _way(one, ways)) else one
        for one in cells
        if one.record.test != WAYS
    ]


def _way(one: Observed, ways: Mapping[tuple[str, str | None], Sequence[Answer]]) -> Sequence[Answer]:
    resolves = one.spec is None or {*one.spec.layers} <= _RESOLVES
    return () if resolves or one.spec is None else ways.get((one.record.agent_id, host_of(one.spec)), ())


def rounds_of(cells: Iterable[Observed]) -> tuple[int, ...]:
    """The rounds in which these were seen, epoch seconds, in their order."""
    return tuple(sorted({row.round_id for one in cells for row in one.rows if row.round_id > 0}))


def verdicts_of(cells: Iterable[Observed]) -> dict[CellKey, Verdict]:
    """The verdicts of those that have one."""
    return {key_of(one): one.record.verdict for one in cells if one.record.verdict is not None}


def _as_inside(one: Observed) -> Observed:
    """A cluster looks from inside like any other agent there."""
    if one.agent is None or one.agent.type is not AgentType.CLUSTER:
        return one
    return one._replace(agent=replace(one.agent, type=AgentType.ENTERPRISE))
