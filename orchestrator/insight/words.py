"""Sentences as parts: what the API or a plan said stays apart from our own words, and each format escapes it.

:class:`Data` marks such a part. JSON takes the sentence as it stands (:func:`plain`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from orchestrator.insight.values import Group


class Data(str):
    """A part of a sentence that is not ours."""

    __slots__ = ()


Sentence: TypeAlias = tuple[str, ...]


def plain(sentence: Sentence) -> str:
    """The sentence in one text, its data as they are."""
    return "".join(sentence)


def written(sentence: Sentence, escape: Callable[[str], str]) -> str:
    """The sentence with its data escaped."""
    return "".join(escape(part) if isinstance(part, Data) else part for part in sentence)


def our_words(sentence: Sentence) -> str:
    """What we say ourselves in a sentence."""
    return written(sentence, lambda _: "_")


@dataclass(frozen=True, slots=True)
class Names:
    """What things are called: agents by id, hops by address with what is known of each.

    ``doubled`` are targets that are in more than one block: there the block has to be said too.
    """

    agents: Mapping[str, str] = field(default_factory=dict)
    hops: Mapping[str, str] = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)
    doubled: frozenset[str] = frozenset()

    def of(self, group: Group) -> str:
        """The label of a group."""
        kind, value = group
        if kind == "target":
            return self.target(value)
        if kind.endswith("*target"):
            return f"{value[0]} to {self.target(value[1:])}"
        if kind in {"agent", "endpoint"}:
            return self.agents.get(value[0], value[0])
        if kind in {"hop", "last-hop"}:
            return self.hops.get(value[0], value[0])
        if kind == "link":
            return " - ".join(self.hops.get(one, one) for one in value)
        return " of ".join(value)

    def target(self, value: tuple[str, ...]) -> str:
        """A target, with its test block where the name alone does not tell."""
        test, target = value
        return f"{target} ({test})" if target in self.doubled else target


def count(number: int, one: str, many: str = "") -> str:
    """A number with its word."""
    return f"{number} {one if number == 1 else many or one + 's'}"
