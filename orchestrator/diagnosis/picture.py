"""What a person sees while a diagnosis goes on: a few lines, as values."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.diagnosis import words
from orchestrator.diagnosis.course import Moment
from orchestrator.diagnosis.found import Found
from orchestrator.diagnosis.vantage import is_outside
from orchestrator.insight.values import Observed
from orchestrator.insight.words import Data, Sentence, count
from orchestrator.model import Verdict

# From the best to the worst; of an agent with several cells the worst is shown.
_ORDER = (Verdict.NOT_RUN, Verdict.PASS, Verdict.WARN, Verdict.PARTIAL, Verdict.NO_ANSWER, None, Verdict.FAIL)
_SIGNS = {
    Verdict.PASS: ".",
    Verdict.WARN: "!",
    Verdict.PARTIAL: "?",
    Verdict.NO_ANSWER: "-",
    Verdict.NOT_RUN: "x",
}
OPEN, FAILS = "\u2026", "x"


@dataclass(frozen=True, slots=True)
class Mark:
    """An agent: its country, and a sign (the letter of the layer that broke first)."""

    country: str
    sign: str
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What it has come to: tests, agents, units of so many that it may come to."""

    tests: int
    agents: int
    units: float
    most_units: float


@dataclass(frozen=True, slots=True)
class Picture:
    """One moment. Texts are sentences, so that what is data can be escaped; seconds for times. ``stage`` is
    that of the second round; with ``claim`` it tells what is new from what only counts on."""

    title: Sentence
    elapsed: float
    box: float
    cost: Cost
    sentence: Sentence
    sure: str
    details: tuple[Sentence, ...]
    untold: Sentence
    inside: tuple[Mark, ...]
    outside: tuple[Mark, ...]
    second: str
    next: str
    stage: str
    claim: object


def picture(found: Found, moment: Moment, cost: Cost, *, final: bool = False) -> Picture:
    """How it looks now."""
    told = words.sentence(found, final=final)
    marks = [(is_outside(one.agent), _mark(found, cells)) for one, cells in _by_agent(found) if one.agent]
    return Picture(
        title=(Data(found.asked.title),),
        elapsed=moment.elapsed,
        box=found.asked.box,
        cost=cost,
        sentence=told.text,
        sure=told.sure,
        details=_details(found),
        untold=_joined(words.untold(found)[:2]) if found.bad else (),
        inside=tuple(mark for outside, mark in marks if not outside),
        outside=tuple(mark for outside, mark in marks if outside),
        second=_second(found),
        next=_next(found, moment),
        stage="confirming" if moment.confirming else "confirmed" if moment.confirmed else "",
        claim=words.claim(found),
    )


def _by_agent(found: Found) -> list[tuple[Observed, list[Observed]]]:
    """The main cells of each agent, in the order in which agents were asked."""
    cells: dict[str, list[Observed]] = {agent.id: [] for agent in found.asked.agents}
    for one in found.main:
        cells.setdefault(one.record.agent_id, []).append(one)
    return [(of_one[0], of_one) for of_one in cells.values() if of_one]


def _mark(found: Found, cells: list[Observed]) -> Mark:
    worst = max(cells, key=lambda one: _ORDER.index(one.record.verdict))
    verdict, phase = worst.record.verdict, found.phase(worst)
    if verdict is Verdict.FAIL:
        sign = FAILS if phase is None else phase.letter
    else:
        sign = OPEN if verdict is None else _SIGNS[verdict]
    return Mark(worst.record.country or "??", sign, verdict)


def _details(found: Found) -> tuple[Sentence, ...]:
    first, names = words.layer(found), words.resolving(found)
    parts = [one for one in (first, names) if one is not None]
    return (*parts, *words.beside(found), *(other.text for other in words.others(found)[:1]))


def _joined(parts: tuple[Sentence, ...]) -> Sentence:
    told: list[str] = []
    for n, part in enumerate(parts):
        told += ["; ", *part] if n else [*part]
    return tuple(told)


def _second(found: Found) -> str:
    cells = found.second_asked
    if not cells:
        return ""
    ended = sum(1 for one in cells if one.record.verdict is not None)
    agents = len({one.record.agent_id for one in cells})
    tests = ", ".join(dict.fromkeys(one.record.test for one in cells))
    return f"{tests} from {count(agents, 'agent')}: {ended} of {count(len(cells), 'cell')}"


def _next(found: Found, moment: Moment) -> str:
    if moment.confirming:
        return "asking the same once more, to confirm"
    if moment.confirmed:
        return words.confirmation(found)
    if found.bad:
        return "to be confirmed" if moment.confirm else ""
    return f"{count(found.open, 'cell')} open" if found.open else ""
