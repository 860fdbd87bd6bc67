"""Facts of a run as JSON values and back, the same in every store.

What earlier versions stored stays readable: under its name of today where that is possible. What was stored
by another version, or damaged, is :class:`orchestrator.events.Unknown` and can still be shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import StrEnum
from typing import TypeVar, cast

from orchestrator.events import (
    KINDS,
    BudgetStanding,
    Fact,
    Sending,
    Unknown,
    Waiting,
    facts_of,
    kind_of,
)
from orchestrator.events.limits import (
    EndedWindow,
)
from orchestrator.lifecycle import SpecState
from orchestrator.model import Json, JsonObject

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class _Unreadable(ValueError):
    """A value is not what it should be."""


def dump(fact: Fact) -> tuple[str, JsonObject]:
    """The kind of a fact and what it says."""
    return kind_of(fact), cast("JsonObject", facts_of(fact))


def load(kind: str, facts: Mapping[str, Json]) -> Fact:
    """What :func:`dump` was given, in this version or in an earlier one."""
    earlier = _EARLIER.get(kind)
    today, said = (kind, facts) if earlier is None else earlier(facts)
    try:
        return _read(_TYPES[today], said)
    except (KeyError, ValueError, TypeError):
        return Unknown(kind, dict(facts))


def _read(kind: type[T], said: Mapping[str, Json]) -> T:
    """Raises ``ValueError`` for what cannot be read and ``TypeError`` for what is missing."""
    readers = _FIELDS[kind]
    return kind(**{name: readers[name](value) for name, value in said.items() if name in readers})


# -- one value --------------------------------------------------------------------------------------------


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise _Unreadable("no text")
    return value


def _number(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Unreadable("no number")
    return value


def _count(value: Json) -> int:
    return int(_number(value))


def _flag(value: Json) -> bool:
    if not isinstance(value, bool):
        raise _Unreadable("neither true nor false")
    return value


def _texts(value: Json) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _Unreadable("no list")
    return tuple(_text(one) for one in value)


def _word(words: type[E]) -> Callable[[Json], E]:
    return lambda value: words(_text(value))


def _maybe(read: Callable[[Json], T]) -> Callable[[Json], T | None]:
    return lambda value: None if value is None else read(value)


def _nested(kind: type[T]) -> Callable[[Json], T]:
    def read(value: Json) -> T:
        if not isinstance(value, dict):
            raise _Unreadable("no object")
        return _read(kind, value)

    return read


# By the annotations of the facts' fields, which are texts.
_READERS: Mapping[str, Callable[[Json], object]] = {
    "str": _text,
    "int": _count,
    "float": _number,
    "bool": _flag,
    "tuple[str, ...]": _texts,
    "str | None": _maybe(_text),
    "int | None": _maybe(_count),
    "float | None": _maybe(_number),
    "Waiting": _word(Waiting),
    "Waiting | None": _maybe(_word(Waiting)),
    "SpecState": _word(SpecState),
    "Sending": _word(Sending),
    "EndedWindow": _nested(EndedWindow),
    "BudgetStanding": _nested(BudgetStanding),
}
_TYPES: Mapping[str, type[Fact]] = {kind: fact for fact, kind in KINDS.items()}
_FIELDS: Mapping[type, Mapping[str, Callable[[Json], object]]] = {
    kind: {one.name: _READERS[str(one.type)] for one in fields(kind)}
    for kind in (*KINDS, EndedWindow, BudgetStanding)
}


# -- earlier versions -------------------------------------------------------------------------------------

_Told = tuple[str, Mapping[str, Json]]


def _renamed(today: str, **names: str) -> Callable[[Mapping[str, Json]], _Told]:
    return lambda facts: (today, {names.get(name, name): value for name, value in facts.items()})


def _look(facts: Mapping[str, Json]) -> _Told:
    """One kind told of polls that brought a page and of those that did not."""
    status, detail = facts.get("status"), facts.get("detail")
    refused = isinstance(status, int) and not 200 <= status < 300
    if status == "failed" or refused:
        return "poll_failed", {"layer": facts.get("layer"), "detail": detail or f"status {status}"}
    said = {"rows": "answered", "of": "asked"}
    found = {said.get(name, name): value for name, value in facts.items() if name != "status"}
    return "polled", {**found, "empty": status == "empty"}


def _probe(facts: Mapping[str, Json]) -> _Told:
    return "probed", {"answered": facts.get("status") == "answered", "detail": facts.get("detail") or None}


def _limited(facts: Mapping[str, Json]) -> _Told:
    budget = "instant_test" if facts.get("budget") == "creation" else facts.get("budget")
    return "limited", {**facts, "budget": budget}


_EARLIER: Mapping[str, Callable[[Mapping[str, Json]], _Told]] = {
    "waited": _renamed("waited", **{"for": "reason"}),
    "look": _look,
    "circuit": _renamed("circuit_opened"),
    "probe": _probe,
    "limited": _limited,
}
