"""The cards: what the bad cells share, with its evidence, and what is wrong without a common cause."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from orchestrator.insight.kinds import KINDS
from orchestrator.insight.look import Explanation
from orchestrator.insight.silence import Silence
from orchestrator.insight.words import Sentence
from orchestrator.model import Verdict
from orchestrator.report.html.material import Material
from orchestrator.report.html.signs import SIGNS, WORDS
from orchestrator.report.html.text import WHAT_LIMIT, capital, parts, shown, stopped
from orchestrator.report.html.view import Card, Lone, Part
from orchestrator.report.overview import BadCell, Point

FIRST = 5  # cards that are seen at once
BRIEF = 20  # cards in a summary for a mail
LONE = 5  # cells of a verdict that are named without a cause
_COUNT = re.compile(r": (?=\d)")
_BARE = re.compile(r"\d+ of \d+( cells| agents)?")
_ICONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "target": ("target", "Target"),
        "host": ("target", "Host"),
        "server-ip": ("target", "Server"),
        "agent": ("site", "Agent"),
        "endpoint": ("site", "Agent"),
        "block": ("plan", "Kind of test"),
        "run": ("plan", "Run"),
    }
)
_ALONE = {
    Verdict.FAIL: ("failure", "failures"),
    Verdict.NO_ANSWER: ("cell without an answer", "cells without an answer"),
    Verdict.PARTIAL: ("cell with a part of its answer", "cells with a part of their answer"),
    Verdict.WARN: ("warning", "warnings"),
}


def cards(material: Material) -> tuple[Card, ...]:
    """A card for each explanation, numbered as in every other report."""
    return tuple(_card(point) for point in material.overview.points)


def _card(point: Point) -> Card:
    cause = point.found
    title, rest = headed(cause.text)
    lines, contrast = ([] if _only_counts(rest) else [rest]), []
    if isinstance(cause, Explanation):
        lines.append(parts(cause.why, WHAT_LIMIT))
        contrast = [parts(line) for line in cause.contrast]
    elif cause.group.kind != "run":
        contrast = [(Part("Silence is no failure, and says nothing about the targets."),)]
    icon, kind = icon_of(cause.group.kind) if isinstance(cause, Explanation) else ("silence", "Silence")
    return Card(
        number=point.number,
        css=SIGNS[point.severity].css,
        icon=icon,
        kind=kind,
        title=title,
        text=_joined(lines),
        contrast=_joined(contrast),
        tag=_tag(point),
        bad=cause.bad,
        known=cause.known,
        share=round(100 * cause.bad / cause.known) if cause.known else 0,
        sure=cause.sure,
        age="" if point.age is None else point.age.short,
    )


def _tag(point: Point) -> str:
    cause, phase = point.found, point.phase
    if isinstance(cause, Silence) or phase is None:
        return point.word
    more = len(cause.phases) - 1
    return WORDS[phase] + (f" and {more} more" if more else "")


def headed(sentence: Sentence) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """The sentence up to its counts, and the rest. Counts stand behind a colon in words of ours."""
    whole = parts(sentence)
    for at, part in enumerate(whole):
        found = None if part.data else _COUNT.search(part.text)
        if found is not None:
            head = (*whole[:at], Part(part.text[: found.start()]))
            rest = (Part(part.text[found.end() :]), *whole[at + 1 :])
            return capital(head), tuple(one for one in rest if one.text)
    return capital(whole), ()


def _joined(sentences: Iterable[tuple[Part, ...]]) -> str:
    return " ".join("".join(part.text for part in stopped(capital(one))) for one in sentences)


def _only_counts(rest: tuple[Part, ...]) -> bool:
    """Whether nothing is said but the counts, which stand beside it anyway."""
    return not rest or (len(rest) == 1 and _BARE.fullmatch(rest[0].text) is not None)


def icon_of(kind: str) -> tuple[str, str]:
    """The picture of a kind of group, and what it is called."""
    if kind in _ICONS:
        return _ICONS[kind]
    known = KINDS.get(kind)
    if known is not None and known.path:
        return "path", "Path"
    return ("place", "Agents") if known is not None and known.agents else ("target", "Answer")


def lone(material: Material) -> tuple[Lone, ...]:
    """What no explanation covers, by verdict, with the first few cells."""
    found = []
    explained = {point.severity for point in material.overview.points}
    for rest in material.overview.rest:
        one, several = _ALONE[rest.verdict]
        more = " more" if rest.verdict in explained else ""
        left = rest.total - min(LONE, len(rest.cells))
        found.append(
            Lone(
                title=f"{rest.total}{more} {one if rest.total == 1 else several} without a common cause",
                cells=tuple(_alone(cell) for cell in rest.cells[:LONE]),
                more=f"and {left} more" if left > 0 else "",
            )
        )
    return tuple(found)


def _alone(cell: BadCell) -> tuple[Part, ...]:
    record = cell.record
    line = [
        Part(shown(record.target), data=True),
        Part(" from "),
        Part(shown(record.agent or record.agent_id), data=True),
    ]
    if cell.phase is not None:
        line.append(Part(f" ({WORDS[cell.phase]})"))
    if record.reasons:
        line += [Part(": "), Part(shown("; ".join(record.reasons), 200))]
    return tuple(line)
