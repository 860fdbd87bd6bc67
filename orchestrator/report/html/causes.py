"""The cards: what the bad cells share, with its evidence, and what is wrong without a common cause."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from orchestrator.insight.kinds import KINDS
from orchestrator.insight.look import Explanation
from orchestrator.insight.silence import Silence
from orchestrator.insight.words import Sentence
from orchestrator.model import Verdict
from orchestrator.report.html.material import Material, Told
from orchestrator.report.html.signs import WORDS, word_of
from orchestrator.report.html.text import WHAT_LIMIT, capital, parts, shown, stopped
from orchestrator.report.html.view import Card, Part

FIRST = 5  # cards that are seen at once
ISOLATED = 5
_COUNT = re.compile(r": (?=\d)")
_ICONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "target": ("target", "Target"),
        "host": ("target", "Host"),
        "server-ip": ("target", "Server"),
        "agent": ("site", "Agent"),
        "endpoint": ("site", "Agent"),
        "block": ("plan", "Kind of test"),
        "run": ("plan", "Run"),
        "spec": ("silence", "Test"),
    }
)


def cards(material: Material) -> tuple[Card, ...]:
    """A card for each cause, numbered from 1."""
    return tuple(_card(number, cause) for number, cause in enumerate(material.causes, 1))


def _card(number: int, cause: Told) -> Card:
    return _silence(number, cause) if isinstance(cause, Silence) else _explanation(number, cause)


def _explanation(number: int, cause: Explanation) -> Card:
    title, rest = headed(cause.text)
    lines = [rest] if rest else []
    lines.append(parts(cause.why, WHAT_LIMIT))
    icon, kind = _icon(cause.group.kind)
    phases = sorted(cause.phases, key=lambda phase: (-cause.phases[phase], phase.level))
    more = f" and {len(phases) - 1} more" if len(phases) > 1 else ""
    return Card(
        number=number,
        css="f" if cause.severity is Verdict.FAIL else "w",
        icon=icon,
        kind=kind,
        title=title,
        lines=tuple(stopped(capital(line)) for line in lines),
        contrast=tuple(stopped(capital(parts(line))) for line in cause.contrast),
        tag=WORDS[phases[0]] + more if phases else cause.level,
        bad=cause.bad,
        known=cause.known,
        unit="cells",
        share=_share(cause.bad, cause.known),
        sure=cause.sure,
    )


def _silence(number: int, cause: Silence) -> Card:
    title, rest = headed(cause.text)
    return Card(
        number=number,
        css="n",
        icon="silence",
        kind="Silence",
        title=capital(title),
        lines=(stopped(capital(rest)),) if rest else (),
        contrast=((Part("Silence is no failure: it says nothing about the targets."),),),
        tag="layer missing" if cause.group.kind == "layer*type" else "agent side",
        bad=cause.bad,
        known=cause.known,
        unit="cells",
        share=_share(cause.bad, cause.known),
        sure=cause.sure,
    )


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


def _icon(kind: str) -> tuple[str, str]:
    if kind in _ICONS:
        return _ICONS[kind]
    known = KINDS.get(kind)
    if known is not None and known.path:
        return "path", "Path"
    return ("place", "Agents") if known is not None and known.agents else ("target", "Answer")


def _share(bad: int, known: int) -> int:
    return round(100 * bad / known) if known else 0


def isolated(material: Material) -> tuple[tuple[Part, ...], ...]:
    """A line for each failure without a common cause, the first few."""
    found = []
    for one in material.insight.isolated[:ISOLATED]:
        cell = material.grid[one.key.test, one.key.target].get(one.key.agent_id)
        line: list[Part] = [
            Part(shown(one.key.target), data=True),
            Part(" from "),
            Part(shown(material.name(one.key.agent_id)), data=True),
        ]
        if cell is not None:
            line.append(Part(f" ({word_of(cell)})"))
            if cell.why:
                line += [Part(": "), Part(shown(cell.why, 200), data=True)]
        found.append(tuple(line))
    return tuple(found)


def isolated_title(material: Material) -> str:
    """What stands over them: how many, and how far the causes came."""
    number = len(material.insight.isolated)
    if not number:
        return ""
    failures = "failure" if number == 1 else "failures"
    more = " more" if _failing(material.causes) else ""
    return f"{number}{more} {failures} without a common cause"


def _failing(causes: Sequence[Told]) -> bool:
    return any(isinstance(one, Explanation) and one.severity is Verdict.FAIL for one in causes)
