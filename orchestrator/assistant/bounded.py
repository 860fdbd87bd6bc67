"""What an answer may hold: data made harmless to read, and no more of it than can be read. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from orchestrator.safe import clip, hide_userinfo, visible

# Characters of an answer as JSON; about a quarter as many tokens.
MOST = 32_000
# Characters of one text, and of one when little room is left.
_TEXT, _SHORT_TEXT = 2_000, 160
# How many items lists keep, tried in turn until the answer fits; mappings of a document's keys are never that
# long.
_ITEMS = (1_000, 300, 100, 50, 20, 10, 5, 3, 1, 0)
_KEYS = 64


@dataclass(frozen=True, slots=True)
class Cut:
    """A list of a document that is not whole: where it is, how many items it keeps, and of how many."""

    where: str
    kept: int
    of: int

    def __str__(self) -> str:
        return f"{self.where}: {self.kept} of {self.of} are shown"


def harmless(value: object, mask: Callable[[str], str]) -> object:
    """The same value for a reader: secrets masked, what cannot be seen or moves others written out, numbers
    that JSON lacks as null."""
    if isinstance(value, str):
        return _text(value, mask)
    if isinstance(value, Mapping):
        return {_text(str(key), mask): harmless(one, mask) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [harmless(one, mask) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float) else _text(str(value), mask)


def _text(text: str, mask: Callable[[str], str]) -> str:
    # Line breaks stay: JSON writes them out, and a ticket has them.
    return "\n".join(visible(hide_userinfo(line)) for line in mask(text).split("\n"))


def bounded(value: object, most: int = MOST) -> tuple[object, tuple[Cut, ...]]:
    """The value with its lists and texts cut until it is at most ``most`` characters of JSON; and what was
    cut.

    What cannot be made to fit is ``None``.
    """
    for items in _ITEMS:
        cuts: list[Cut] = []
        length = _TEXT if items > 10 else _SHORT_TEXT
        made = _cut(value, items, length, "", cuts)
        if len(as_json(made)) <= most:
            return made, tuple(_together(cuts))
    return None, (Cut("everything", 0, 1),)


def as_json(value: object) -> str:
    """As JSON, with letters as they are: they were made harmless before."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _cut(value: object, items: int, length: int, where: str, cuts: list[Cut]) -> object:
    if isinstance(value, str):
        return clip(value, length)
    if isinstance(value, list):
        if len(value) > items:
            cuts.append(Cut(where or "all", items, len(value)))
        return [_cut(one, items, length, f"{where}[]", cuts) for one in value[:items]]
    if isinstance(value, dict):
        most = max(_KEYS, items)
        if len(value) > most:
            cuts.append(Cut(where or "all", most, len(value)))
        kept = list(value.items())[:most]
        return {
            clip(key, _SHORT_TEXT): _cut(one, items, length, f"{where}.{key}" if where else key, cuts)
            for key, one in kept
        }
    return value


def _together(cuts: list[Cut]) -> Iterator[Cut]:
    """One for each place: of many lists of the same kind, the sum."""
    sums: dict[str, tuple[int, int]] = {}
    for cut in cuts:
        kept, of = sums.get(cut.where, (0, 0))
        sums[cut.where] = kept + cut.kept, of + cut.of
    for where, (kept, of) in sums.items():
        yield Cut(clip(where, _SHORT_TEXT), kept, of)
