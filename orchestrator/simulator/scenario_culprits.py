"""Culprits in a scenario file: mappings with a kind, a value and an effect."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from orchestrator.simulator.culprits import EFFECTS, made, near, parse_culprit
from orchestrator.simulator.settings import Culprit


def culprits_of(value: object) -> tuple[Culprit, ...]:
    """Each as on the command line or as a mapping. Raises ValueError: a line for each, with its place."""
    if not isinstance(value, list):
        raise ValueError("must be a list")  # noqa: TRY004 - readers have one kind of error
    found, problems = [], []
    for place, item in enumerate(value, 1):
        try:
            found.append(_one(item))
        except ValueError as error:
            problems.append(f"culprit {place}: {error}")
    if problems:
        raise ValueError("\n".join(problems))
    return tuple(found)


def _one(item: object) -> Culprit:
    if isinstance(item, str):
        return parse_culprit(item)
    if isinstance(item, dict):
        return culprit_of(item)
    raise ValueError("must be a string or a mapping with kind, value and effect")


def culprit_of(document: Mapping[object, object]) -> Culprit:
    """A culprit ``{kind, value, effect, text, share, from, until}``. Raises ValueError."""
    for key in document:
        if key not in KEYS:
            raise ValueError(f"unknown key '{key}'{near(str(key), KEYS)}")
    for key in ("kind", "value", "effect"):
        if document.get(key) is None:
            raise ValueError(f"{key} is missing")
    words = KEYS["kind"](document["kind"]).split("*")
    values = KEYS["value"](document["value"])
    if len(words) != len(values):
        raise ValueError(
            f"value must be {'one text' if len(words) == 1 else f'a list of {len(words)} texts'}"
        )
    effect, amount = KEYS["effect"](document["effect"])
    given = {key: KEYS[key](document[key]) for key in ("share", "from", "until") if key in document}
    text = KEYS["text"](document["text"]) if "text" in document else None
    return made(list(zip(words, values, strict=True)), effect, amount, given, text)


def _text(name: str) -> Callable[[Any], str]:
    def read(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{name} must be a string")  # noqa: TRY004 - readers have one kind of error
        return value

    return read


def _value(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, str | int) and not isinstance(item, bool) for item in items):
        raise ValueError("value must be a string or a list of strings")
    return tuple(map(str, items))


def _effect(value: object) -> tuple[str, str | None]:
    """``dead``, ``"loss: 30%"`` or ``{loss: 30%}``."""
    if isinstance(value, dict) and len(value) == 1:
        ((name, amount),) = value.items()
    elif isinstance(value, str):
        name, sign, amount = re.sub(r" *[:=] *", "=", value, count=1).partition("=")
        amount = amount if sign else None
    else:
        raise ValueError("effect must be a string such as dead or 'loss: 30%'")
    if name not in EFFECTS:
        raise ValueError(
            f"effect must be one of {', '.join(EFFECTS)}, not '{name}'{near(str(name), EFFECTS)}"
        )
    return str(name), None if amount is None else str(amount)


def _number_or_text(name: str) -> Callable[[Any], str]:
    def read(value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(f"{name} must be a number or a string")  # noqa: TRY004 - as above
        return str(value)

    return read


KEYS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "kind": _text("kind"),
    "value": _value,
    "effect": _effect,
    "text": _text("text"),
    "share": _number_or_text("share"),
    "from": _number_or_text("from"),
    "until": _number_or_text("until"),
}
