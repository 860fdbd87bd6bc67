"""What the sentences about a cause need to know of it: counts inside the group and outside of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from orchestrator.insight.levels import Cause, World, positions_of
from orchestrator.insight.score import fisher
from orchestrator.insight.values import CellKey, Group, Phase, Seen
from orchestrator.model import Verdict

T = TypeVar("T")
CLEAN_LOSS = 1.0  # percent
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Facts:
    """One cause with the world it is in. ``silent`` are cells without an answer: never a part of a count."""

    world: World
    cause: Cause
    silent: frozenset[CellKey] = frozenset()

    @cached_property
    def bad(self) -> int:
        return self.cause.bad.bit_count()

    @cached_property
    def known(self) -> int:
        return self.cause.known.bit_count()

    @cached_property
    def bad_cells(self) -> tuple[Seen, ...]:
        return self.world.cells_of(self.cause.bad)

    @property
    def level(self) -> int:
        """The lowest level at which it is seen."""
        return min(phase.level for phase in self.cause.phases)

    @cached_property
    def phase(self) -> Phase:
        """The phase that most of its cells have, the lowest of several."""
        return min(
            self.cause.phases, key=lambda phase: (-self.cause.phases[phase], phase.level, phase.letter)
        )

    @cached_property
    def agents(self) -> int:
        return len({cell.key.agent_id for cell in self.bad_cells})

    @cached_property
    def countries(self) -> int:
        return len({cell.country for cell in self.bad_cells if cell.country})

    @cached_property
    def targets(self) -> tuple[str, ...]:
        return tuple(sorted({cell.key.target for cell in self.bad_cells}))

    @cached_property
    def earlier(self) -> int:
        """Bad cells of the group that broke at a lower level: they never came to this one."""
        return sum(
            1
            for n in positions_of(self._whole & self.world.bad(self.cause.severity) & ~self.cause.bad)
            if (phase := self.world.cells[n].phase) is not None and phase.level < self.level
        )

    @cached_property
    def elsewhere(self) -> int:
        """Bad cells of the group that are counted with another cause, or broke at another level."""
        return (self._whole & self.world.bad(self.cause.severity) & ~self.cause.bad).bit_count()

    @cached_property
    def passing(self) -> int:
        """Cells of the group that pass, whatever they tell of its level."""
        return sum(1 for cell in self.world.cells_of(self._whole) if cell.verdict is Verdict.PASS)

    @property
    def _whole(self) -> int:
        return self.world.masks.get(self.cause.group, self.cause.known)

    @property
    def is_everything(self) -> bool:
        """Whether every judged cell of the run is of the group, so that nothing is beside it."""
        return self._whole == self.world.everything

    def of_group(self, group: Group) -> tuple[int, int]:
        """Bad and judged cells of another group."""
        mask = self.world.masks.get(group, 0)
        return (mask & self.world.bad(self.cause.severity)).bit_count(), mask.bit_count()

    @cached_property
    def rest_of_targets(self) -> tuple[int, int]:
        """Bad and judged cells of the same targets outside the group."""
        pairs = {cell.key[:2] for cell in self.bad_cells}
        inside = 0
        for test, target in pairs:
            inside |= self.world.masks.get(Group("target", (test, target)), 0)
        rest = inside & ~self._whole
        return (rest & self.world.bad(self.cause.severity)).bit_count(), rest.bit_count()

    def passing_elsewhere(self) -> int:
        """Cells of the same agents to other targets that pass."""
        agents = {cell.key.agent_id for cell in self.bad_cells}
        return sum(1 for cell in self.outside if cell.key.agent_id in agents and cell.verdict is Verdict.PASS)

    @cached_property
    def outside(self) -> tuple[Seen, ...]:
        return self.world.cells_of(self.world.everything & ~self._whole)

    def avoiding(self) -> int:
        """Cells with a known path that is not through it, and that pass."""
        return sum(1 for cell in self.outside if cell.hops_known and cell.verdict is Verdict.PASS)

    def from_history(self) -> int:
        """Of its bad cells, those that an earlier run only knows to be in the group."""
        return sum(1 for cell in self.bad_cells if self.cause.group in cell.recalled)

    def losses(self) -> list[float]:
        """The packet loss of its bad cells, percent, where it was measured and is no artefact."""
        found = (cell.metrics.get("network.loss") for cell in self.bad_cells if not cell.filtered)
        return sorted(loss for loss in found if loss is not None)

    def countrymen(self) -> tuple[int, int]:
        """Of an agent: passing and judged cells of the other agents of its country."""
        country = self.bad_cells[0].country
        others = [cell for cell in self.outside if country is not None and cell.country == country]
        return sum(1 for cell in others if cell.verdict is Verdict.PASS), len(others)

    def why(self) -> tuple[str, int]:
        """The text that most of its bad cells have, blind to numbers, and how many different ones it stands
        for; empty where no text is that of at least half of them."""
        texts = [cell.why[0] for cell in self.bad_cells if cell.why]
        if not texts:
            return "", 0
        alike = _most_common(_NUMBER.sub("#", text) for text in texts)
        chosen = [text for text in texts if _NUMBER.sub("#", text) == alike]
        if 2 * len(chosen) < self.bad:
            return "", 0
        return _most_common(chosen), len(set(chosen))

    def p(self) -> float:
        """Fisher's exact probability of the group against all judged cells."""
        bad = self.world.bad(self.cause.severity).bit_count()
        return fisher(self.bad, self.known, bad, len(self.world.cells))


def _most_common(values: Iterable[T]) -> T:
    """The most frequent value, of several the first in their order."""
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], str(value)))


def median(values: Sequence[float]) -> float:
    """The middle value; of an even number the lower of the two middle ones."""
    return sorted(values)[(len(values) - 1) // 2]
