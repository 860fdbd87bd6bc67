"""Everything before the first creation, and nothing of it."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.actions.prepare import Prepared, prepare
from orchestrator.actions.session import Session
from orchestrator.errors import Exit
from orchestrator.plan.model import Plan
from orchestrator.report.check import check_document


@dataclass(frozen=True, slots=True)
class Checked:
    """A plan with its agents, its specs and what they would take."""

    prepared: Prepared

    @property
    def exit_code(self) -> Exit:
        """``CEILING`` if the plan would go beyond one of its own ceilings."""
        return Exit.CEILING if self.prepared.estimate.exceeded else Exit.OK

    def document(self) -> dict[str, object]:
        """The document of ``check --json``."""
        plan, expansion = self.prepared.plan, self.prepared.expansion
        return check_document(plan.name, plan.api, expansion.specs, expansion.not_run, self.prepared.estimate)


async def check(session: Session, plan: Plan, *, seed: int = 0) -> Checked:
    """Resolve the plan's agents, expand it, estimate what it takes. Creates nothing.

    Raises ``PlanInvalid`` for selectors and names that match nothing, ``Refused`` and ``Unanswered``.
    """
    return Checked(await prepare(session, plan, seed=seed))
