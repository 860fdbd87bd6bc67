"""From where to look, as it is said in one word: a run's agents, or what agents have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from orchestrator.errors import UsageProblem
from orchestrator.model import AgentState, AgentType
from orchestrator.near import near
from orchestrator.plan.selectors import Selector
from orchestrator.safe import terminal

T = TypeVar("T", AgentType, AgentState)

_RUN = re.compile(r"last|[0-9a-f]{8,}", re.IGNORECASE)
_HINT = (
    "write type=cloud, country=GB,DE, name=branch-*, location=London*, label=hq, state=online, id=1001 "
    "(several with a blank between them), a name or a pattern of names, or a run to ask its agents again"
)


@dataclass(frozen=True, slots=True)
class From:
    """Whom to ask: those of a selector, or those that a ``run`` asked, first."""

    selector: Selector = field(default_factory=Selector)
    run: str | None = None


def places(texts: Iterable[str]) -> From:
    """What the words of ``--from`` mean; each may hold several. Raises ``UsageProblem``."""
    selector, run = Selector(), None
    for text in texts:
        if "=" not in text:
            if _RUN.fullmatch(text.strip()):
                run = text.strip()
            elif text.strip():
                selector = replace(selector, names=(*selector.names, text.strip()))
            continue
        for word in text.split():
            selector = _with(selector, word)
    return From(selector, run)


def _with(selector: Selector, word: str) -> Selector:
    key, sign, told = word.partition("=")
    values = tuple(one for one in told.split(",") if one)
    if not sign or key not in _KEYS or not values:
        meant = near(key, _KEYS)
        proposal = f", did you mean {meant!r}?" if meant and key not in _KEYS else ""
        raise UsageProblem(f"{terminal(word, 80)!r} says of no agents{proposal}", hint=_HINT)
    return _KEYS[key](selector, values)


def _types(selector: Selector, values: tuple[str, ...]) -> Selector:
    return replace(selector, types=tuple(_one_of(AgentType, value) for value in values))


def _states(selector: Selector, values: tuple[str, ...]) -> Selector:
    return replace(selector, states=tuple(_one_of(AgentState, value) for value in values))


def _one_of(kind: type[T], value: str) -> T:
    try:
        return kind(value.lower())
    except ValueError as error:
        known = ", ".join(one.value for one in kind)
        raise UsageProblem(f"{terminal(value, 80)!r} is not known", hint=f"it is one of {known}") from error


_KEYS: Mapping[str, Callable[[Selector, tuple[str, ...]], Selector]] = {
    "type": _types,
    "name": lambda selector, values: replace(selector, names=values),
    "country": lambda selector, values: replace(selector, countries=tuple(map(str.upper, values))),
    "location": lambda selector, values: replace(selector, locations=values),
    "label": lambda selector, values: replace(selector, labels=values),
    "state": _states,
    "id": lambda selector, values: replace(selector, ids=values),
}
