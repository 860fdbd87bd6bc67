"""The one line over everything: how many causes explain how many bad cells, or that all is well."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from orchestrator.insight.words import Data, Sentence, count, plain

_WORDS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")


class Mark(Enum):
    """How a run stands, as one sign; the plain one is for who cannot write the other."""

    BAD = ("\u2715", "x")
    WARNED = ("\u25b2", "!")
    SILENT = ("\u2013", "-")
    OPEN = ("\u2026", "...")
    GOOD = ("\u2713", "+")

    def __init__(self, sign: str, plain_sign: str) -> None:
        self.sign = sign
        self.plain_sign = plain_sign


@dataclass(frozen=True, slots=True)
class Standing:
    """Cells by what they came to, and how many of them are explained. ``open`` cells are not judged yet.

    ``not_run`` are cells that were to be run; what was left out beforehand is no part of it.
    ``only_silence`` is the label of what did not answer, where that is one thing.
    """

    passing: int = 0
    failing: int = 0
    warning: int = 0
    silent: int = 0
    partial: int = 0
    not_run: int = 0
    open: int = 0
    causes: int = 0
    explained: int = 0
    warning_causes: int = 0
    warnings_explained: int = 0
    only_silence: str | None = None


def mark(standing: Standing) -> Mark:
    """The sign of what the headline says."""
    if standing.open:
        return Mark.OPEN
    if standing.failing:
        return Mark.BAD
    if standing.silent or standing.partial or standing.not_run or not (standing.passing or standing.warning):
        return Mark.SILENT
    return Mark.WARNED if standing.warning else Mark.GOOD


def headline(standing: Standing) -> str:
    """One sentence, plain text; what a plan or the API said in it is data (:func:`said` keeps it apart)."""
    return plain(said(standing))


def said(standing: Standing) -> Sentence:
    """The headline as a sentence."""
    told = _told(standing)
    if standing.not_run:
        were = "was" if standing.not_run == 1 else "were"
        told = (*told, f"; {count(standing.not_run, 'cell')} {were} not run")
    if not standing.open:
        return told
    begun = f"{told[0][:1].lower()}{told[0][1:]}"
    return (f"So far: {begun}", *told[1:], f"; {count(standing.open, 'cell')} open")


def _told(standing: Standing) -> Sentence:
    bad = standing.failing + standing.silent
    if standing.failing and standing.causes:
        explained = f"{_causes(standing.causes)} {standing.explained} of {count(bad, 'bad cell')}"
        return (f"{explained}{_with_warnings(standing.warning_causes)}",)
    if standing.failing:
        silent = f"; {standing.silent} without an answer" if standing.silent else ""
        return (f"{count(standing.failing, 'failure')} without a common cause{silent}",)
    if standing.silent:
        sent = bad + standing.passing + standing.warning + standing.partial
        who = (": ", Data(standing.only_silence)) if standing.only_silence else ()
        have = "has" if standing.silent == 1 else "have"
        return (f"{standing.silent} of {count(sent, 'cell')} {have} no answer", *who)
    return (_not_bad(standing),)


def _not_bad(standing: Standing) -> str:
    if standing.warning_causes:
        explained = f"{standing.warnings_explained} of {count(standing.warning, 'cell')}"
        return f"Nothing fails; {_causes(standing.warning_causes).lower()} {explained} with warnings"
    if standing.warning:
        return f"Nothing fails; {count(standing.warning, 'cell')} with warnings, without a common cause"
    return _fine(standing)


def _fine(standing: Standing) -> str:
    passing = standing.passing
    if standing.partial:
        verb = "passes" if passing == 1 else "pass"
        lack = "lacks a part of its answer" if standing.partial == 1 else "lack a part of their answer"
        return f"{count(passing, 'cell')} {verb}; {standing.partial} {lack}"
    if not passing:
        return "Nothing was judged"
    if standing.not_run:  # then these are not all
        return f"{count(passing, 'cell')} {'passes' if passing == 1 else 'pass'}"
    return "The one cell passes" if passing == 1 else f"All {passing} cells pass"


def _with_warnings(number: int) -> str:
    """That so many more of those that are numbered below have no failures."""
    if not number:
        return ""
    word = _WORDS[number].lower() if number < len(_WORDS) else str(number)
    return f"; {word} more {'has' if number == 1 else 'have'} warnings only"


def _causes(number: int) -> str:
    word = _WORDS[number] if number < len(_WORDS) else str(number)
    return f"{word} cause explains" if number == 1 else f"{word} causes explain"
