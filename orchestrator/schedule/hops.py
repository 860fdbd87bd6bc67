"""Whose hops are worth their reads, where the plan leaves it to us (``path_details: auto``). Pure.

A read for each path would be as many again as there are cells. Hops tell something where a target fails in a
way that its paths can be to blame for, and only beside those of cells of the same target that pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from orchestrator.model import Spec

# Failing cells of a target whose hops are read; and as many passing ones.
MOST_FAILING = 50
# Of the reads that are left in the window.
SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Traced:
    """A cell whose path was measured, so that its hops can be read; ``key`` is its spec's.

    ``failing``: in a way that a path can be to blame for; else it passes. ``country`` and ``network`` are the
    agent's.
    """

    key: str
    target: str
    agent_id: str
    round_id: int
    failing: bool
    country: str | None = None
    network: str | None = None


def allowance(room: int, owed: int) -> int:
    """How many more hops may be asked for: ``room`` reads are left in the window, ``owed`` are promised."""
    return max(0, int(SHARE * room) - owed)


def chosen(cells: Iterable[Traced], allowed: int) -> tuple[Traced, ...]:
    """At most so many cells, of all targets that fail in turn: a failing one, a passing one, and so on."""
    targets: dict[str, list[Traced]] = {}
    for cell in cells:
        targets.setdefault(cell.target, []).append(cell)
    in_turn = zip_longest(*(_of_target(own) for own in targets.values()))
    wanted = [cell for cell in chain.from_iterable(in_turn) if cell is not None]
    return tuple(wanted[:allowed])


def _of_target(cells: Sequence[Traced]) -> Iterator[Traced]:
    failing = _spread((cell for cell in cells if cell.failing), MOST_FAILING)
    passing = _spread((cell for cell in cells if not cell.failing), len(failing), failing)
    for pair in zip_longest(failing, passing):
        yield from (cell for cell in pair if cell is not None)


def _spread(cells: Iterable[Traced], most: int, others: Sequence[Traced] = ()) -> list[Traced]:
    """So many of the cells: next is always one whose country and network are new, beside ``others`` too."""
    left, found = list(cells), list[Traced]()
    countries, networks = {cell.country for cell in others}, {cell.network for cell in others}
    while left and len(found) < most:
        best = max(left, key=lambda cell: (cell.country not in countries) + (cell.network not in networks))
        left.remove(best)
        found.append(best)
        countries.add(best.country)
        networks.add(best.network)
    return found


class Choices:
    """Tests whose hops are to be chosen, by block: it is done for all that fail, when the block is in.

    A test of a target of which nothing fails so far waits for nobody. One whose deadline has come does not
    wait any longer, and takes the others of its block along.
    """

    def __init__(self) -> None:
        self._open: dict[str, Spec] = {}
        self._reading: dict[str, set[str]] = {}
        self._failing: set[tuple[str, str]] = set()
        self._held: dict[str, dict[str, None]] = {}
        self._due: set[str] = set()

    def expect(self, spec: Spec) -> None:
        """A spec of the run; it may be told more than once."""
        if spec.path_details != "auto" or spec.key in self._open:
            return
        self._open[spec.key] = spec
        self._reading.setdefault(spec.test, set()).add(spec.key)

    def over(self, key: str) -> None:
        """Its hops are chosen, or there will be none to choose."""
        spec = self._open.pop(key, None)
        if spec is not None:
            self._reading[spec.test].discard(key)
            self._held.get(spec.test, {}).pop(key, None)

    def holds(self, key: str, *, failing: bool, last: bool) -> bool:
        """Whether a test that has all of its layers waits for the choice. ``last``: its deadline has come."""
        spec = self._open.get(key)
        if spec is None:
            return False
        if failing:
            self._failing.add((spec.test, spec.target))
        if not last and (spec.test, spec.target) not in self._failing:
            self.over(key)
            return False
        if key in self._reading[spec.test]:
            self._reading[spec.test].discard(key)
            self._held.setdefault(spec.test, {})[key] = None
        if last and self._held.get(spec.test):
            self._due.add(spec.test)
        return True

    def ready(self) -> tuple[str, ...]:
        """Tests whose hops are to be chosen now, of one block; each is named once."""
        block = self._next()
        if block is None:
            return ()
        self._due.discard(block)
        return tuple(self._held.pop(block))

    @property
    def waiting(self) -> bool:
        """Whether some are ready."""
        return self._next() is not None

    def _next(self) -> str | None:
        for block, held in self._held.items():
            if held and (block in self._due or not self._reading[block]):
                return block
        return None
