"""Which rows one agent gives in one layer of one test, as far as it is known (api-facts 3.1, 3.4, 7.5). Pure.

A row may be about one name server of several, or about one direction of two. Where the number of rows is
not documented they tell themselves: one that names a server (or a direction) is about that one, so that the
others are due too; one that names nothing, or both directions at once, may be all there is.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from orchestrator.model import Answer, Json, Spec
from orchestrator.testtypes.layers import LAYERS
from orchestrator.testtypes.table import TEST_TYPES

DIRECTIONS = ("to-target", "from-target")
BOTH = "bidirectional"
_DNS_PORT = ":53"


@dataclass(frozen=True, slots=True)
class Expected:
    """``least`` rows that every agent gives, ``most`` that it may give; equal where the number is known.

    ``names`` are what each row may be about, in the plan's words, and ``of`` is what they are: ``server``,
    ``direction``, or empty where an agent gives one row about everything.
    """

    least: int
    most: int
    names: tuple[str, ...] = ()
    of: str = ""

    def about(self, row: Answer) -> str:
        """What a row is about; rows that are about the same are one. Empty where the row names nothing."""
        if self.of == "server":
            return _server(row.server or "")
        if self.of == "direction":
            return row.direction or ""
        return f"{row.server or ''}\n{row.direction or ''}"

    def all_there(self, told: Collection[str]) -> bool:
        """Whether no further row can come. ``told`` is what the rows so far are about."""
        return len(told) >= self.most or self._whole(told)

    def enough(self, told: Collection[str]) -> bool:
        """Whether every row that is certain to come is there; more may follow."""
        return len(told) >= self.least

    def lacks(self, told: Collection[str]) -> bool:
        """Whether a row is missing, by the known number or because the others say what they are about."""
        if self.all_there(told):
            return False
        return not self.enough(told) or self._named(told)

    def missing(self, told: Collection[str]) -> tuple[str, ...]:
        """Names of what is missing; none where it has no name, or a row goes by a name that nobody gave."""
        if not self.lacks(told) or not self._named(told):
            return ()
        return tuple(name for name in self.names if self._key(name) not in told)

    def _whole(self, told: Collection[str]) -> bool:
        return self.of == "direction" and BOTH in told

    def _named(self, told: Collection[str]) -> bool:
        return bool(self.names) and bool(told) and {self._key(name) for name in self.names}.issuperset(told)

    def _key(self, name: str) -> str:
        return _server(name) if self.of == "server" else name


ONE = Expected(1, 1)


def expected(spec: Spec, layer: str) -> Expected:
    """What each agent of the spec gives in a layer."""
    known = LAYERS[layer]
    if known.row_for_each is not None:
        names = _listed(spec.fields.get(known.row_for_each))
        number = _number(spec, names)
        return Expected(number, number, names, "server")
    if not known.may_split:
        return ONE
    if spec.servers > 1:
        fields = (LAYERS[one].row_for_each for one in TEST_TYPES[spec.type].layers)
        names = _listed(spec.fields.get(next((name for name in fields if name is not None), "")))
        return Expected(1, _number(spec, names), names, "server")
    if "direction" in TEST_TYPES[spec.type].options and spec.fields.get("direction") == BOTH:
        return Expected(1, len(DIRECTIONS), DIRECTIONS, "direction")
    return ONE


def _listed(value: Json) -> tuple[str, ...]:
    return tuple(str(name) for name in value) if isinstance(value, list | tuple) else ()


def _number(spec: Spec, names: tuple[str, ...]) -> int:
    """How many servers there are: one that is written in two ways is one."""
    return len({_server(name) for name in names}) or spec.servers


def _server(name: str) -> str:
    """A server's name without the port that DNS has anyway: rows of the network have it, plans do not."""
    name = name.strip().casefold()
    host = name.removesuffix(_DNS_PORT)
    # An IPv6 address may end like a port, and has one only behind brackets.
    bare = name if ":" in host and not host.startswith("[") else host
    return bare.strip("[]").removesuffix(".")
