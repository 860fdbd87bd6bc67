"""The one line over everything: how many causes explain how many bad cells, or that all is well."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.insight.words import count

_WORDS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")


@dataclass(frozen=True, slots=True)
class Standing:
    """Cells by what they came to, and how many of them are explained. ``open`` cells are not judged yet.

    ``only_silence`` is the label of what did not answer, where that is one thing.
    """

    passing: int = 0
    failing: int = 0
    warning: int = 0
    silent: int = 0
    partial: int = 0
    open: int = 0
    causes: int = 0
    explained: int = 0
    warning_causes: int = 0
    warnings_explained: int = 0
    only_silence: str | None = None


def headline(standing: Standing) -> str:
    """One sentence, plain text; what a plan or the API said in it is data."""
    told = _told(standing)
    if not standing.open:
        return told
    return f"So far: {told[:1].lower()}{told[1:]}; {count(standing.open, 'cell')} open"


def _told(standing: Standing) -> str:
    bad = standing.failing + standing.silent
    if standing.failing and standing.causes:
        return f"{_causes(standing.causes)} {standing.explained} of {count(bad, 'bad cell')}"
    if standing.failing:
        silent = f"; {standing.silent} without an answer" if standing.silent else ""
        return f"{count(standing.failing, 'failure')} without a common cause{silent}"
    if standing.silent:
        sent = bad + standing.passing + standing.warning + standing.partial
        who = f": {standing.only_silence}" if standing.only_silence else ""
        have = "has" if standing.silent == 1 else "have"
        return f"{standing.silent} of {count(sent, 'cell')} {have} no answer{who}"
    if standing.warning_causes:
        explained = f"{standing.warnings_explained} of {count(standing.warning, 'cell')}"
        return f"Nothing fails; {_causes(standing.warning_causes).lower()} {explained} with warnings"
    if standing.warning:
        return f"Nothing fails; {count(standing.warning, 'cell')} with warnings, without a common cause"
    return _fine(standing)


def _fine(standing: Standing) -> str:
    if standing.partial:
        return f"{count(standing.passing, 'cell')} pass; {standing.partial} lack a part of their answer"
    if not standing.passing:
        return "Nothing was judged"
    return "The one cell passes" if standing.passing == 1 else f"All {standing.passing} cells pass"


def _causes(number: int) -> str:
    word = _WORDS[number] if number < len(_WORDS) else str(number)
    return f"{word} cause explains" if number == 1 else f"{word} causes explain"
