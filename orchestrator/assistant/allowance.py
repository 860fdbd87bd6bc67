"""What a server may still create, for all who ask it together. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.errors import CeilingExceeded

# Sums of prices are not exact; a thousandth of a unit is the smallest price.
_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Cost:
    """What something costs, or may cost: units (our estimate), and instant tests that are created."""

    units: float = 0.0
    creations: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.units + other.units, self.creations + other.creations)


@dataclass(frozen=True, slots=True)
class Allowance:
    """Ceilings of a server, what was spent of them, and what is held for runs that go on."""

    most: Cost
    spent: Cost = Cost()
    held: Cost = Cost()

    @property
    def left(self) -> Cost:
        """What may still be asked for."""
        return Cost(
            max(0.0, self.most.units - self.spent.units - self.held.units),
            max(0, self.most.creations - self.spent.creations - self.held.creations),
        )

    def hold(self, ceilings: Cost) -> Allowance:
        """With the ceilings of a run held, which nobody else can ask for meanwhile.

        Raises ``CeilingExceeded`` if so much is not left.
        """
        left = self.left
        if ceilings.units > left.units + _LEAST or ceilings.creations > left.creations:
            raise CeilingExceeded(
                f"max_units {ceilings.units:g} and max_creations {ceilings.creations} are more than this "
                f"server may still take: {left.units:.2f} units and {left.creations} creations",
                hint="nothing was created; ask for less, or have the server started with more "
                "(--max-units, --max-creations)",
            )
        return Allowance(self.most, self.spent, self.held + ceilings)

    def settle(self, ceilings: Cost, spent: Cost) -> Allowance:
        """With a run over that had held ``ceilings``, and what it came to."""
        held = Cost(self.held.units - ceilings.units, self.held.creations - ceilings.creations)
        return Allowance(self.most, self.spent + spent, held)
