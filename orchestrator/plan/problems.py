"""Collects everything that is wrong in a plan, each with its place, instead of stopping at the first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.errors import PlanInvalid, PlanProblem
from orchestrator.near import near
from orchestrator.safe import hide_userinfo

# A plan that is wrong in more places than this is wrong in one place that we do not understand.
_SHOWN = 200


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands. Lines and columns count from 1."""

    file: str
    line: int = 1
    column: int = 1


class Problems:
    """A growing list of problems; the same problem at the same place is one."""

    def __init__(self) -> None:
        self._found: dict[PlanProblem, None] = {}
        self._files: list[str] = []
        self._settled: set[Place] = set()

    def __len__(self) -> int:
        return len(self._found)

    def add(self, place: Place, message: str, *, settles: bool = False) -> None:
        """Note a problem. The message is one line; what it quotes from the plan is kept short.

        A problem that ``settles`` its place makes what else is found there a consequence, not worth a line.
        """
        if place in self._settled:
            return
        if settles:
            self._settled.add(place)
        if place.file not in self._files:
            self._files.append(place.file)
        self._found[PlanProblem(place.file, place.line, place.column, " ".join(message.split()))] = None

    def add_common(self, several: Sequence[Problems]) -> None:
        """Note the problems of the first if each of these has some: what is wrong in any reading."""
        if several and all(len(one) for one in several):
            for one in several[0].listed():
                self.add(Place(one.file, one.line, one.column), one.message)

    def listed(self) -> tuple[PlanProblem, ...]:
        """All problems in the order of the files and of their lines."""
        order = {file: position for position, file in enumerate(self._files)}
        found = sorted(self._found, key=lambda one: (order[one.file], one.line, one.column))
        if len(found) <= _SHOWN:
            return tuple(found)
        last = found[_SHOWN - 1]
        more = PlanProblem(last.file, last.line, last.column, f"and {len(found) - _SHOWN + 1} more problems")
        return (*found[: _SHOWN - 1], more)

    def raise_if_any(self) -> None:
        """Raise :class:`PlanInvalid` with all problems, if there are any."""
        if self._found:
            raise PlanInvalid(self.listed())


def quoted(value: object) -> str:
    """A value of the plan as a message shows it: quoted, at most 60 characters, without a URL's password."""
    text = hide_userinfo(value if isinstance(value, str) else str(value))
    text = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text[:61])
    return f"'{text[:57]}...'" if len(text) > 60 else f"'{text}'"


def nearest(name: str, known: Iterable[str], *, at_least: float = 0.6) -> str:
    """``, did you mean 'x'?`` if a known name is near, else the empty string."""
    found = near(name, known, at_least=at_least)
    return "" if found is None else f", did you mean {quoted(found)}?"


def listing(names: Iterable[str], limit: int = 12) -> str:
    """Names in one line, the first ``limit`` of them."""
    known = list(names)
    shown = ", ".join(known[:limit])
    return f"{shown}, ... ({len(known)} in all)" if len(known) > limit else shown
