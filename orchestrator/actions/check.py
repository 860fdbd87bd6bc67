"""Everything before the first creation, and nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.actions.prepare import Prepared, prepare, refuse_the_token
from orchestrator.actions.session import Session
from orchestrator.actions.units import runs_a_month, units_left
from orchestrator.addresses import AddressBook
from orchestrator.allotment import Monthly, Told
from orchestrator.errors import Exit
from orchestrator.plan.model import Plan
from orchestrator.plan.offline import Offline, offline
from orchestrator.report.check import check_document, notify_document, offline_document


@dataclass(frozen=True, slots=True)
class Checked:
    """A plan with its agents, its specs and what they would take. ``reached`` are the channels of the plan of
    which an address is known, ``told`` is what the vendor says of its units, and ``monthly`` what the plan
    takes a month, where it is known when it runs."""

    prepared: Prepared
    reached: frozenset[str] = frozenset()
    told: Told | None = None
    monthly: Monthly | None = None

    @property
    def exit_code(self) -> Exit:
        """``CEILING`` if the plan would go beyond one of its own ceilings."""
        return Exit.CEILING if self.prepared.estimate.exceeded else Exit.OK

    def document(self) -> dict[str, object]:
        """The document of ``check --json``."""
        plan, expansion = self.prepared.plan, self.prepared.expansion
        told = check_document(
            plan.name,
            plan.api,
            expansion.specs,
            expansion.not_run,
            self.prepared.estimate,
            (*plan.notes, *expansion.notes),
            keep=plan.keep,
            courtesy=plan.courtesy,
            told=self.told,
            monthly=self.monthly,
        )
        return told | notify_document(plan.notify, self.reached)


@dataclass(frozen=True, slots=True)
class CheckedOffline:
    """A plan that has no mistake that can be found without the list of agents."""

    plan: Plan
    found: Offline
    reached: frozenset[str] = frozenset()

    @property
    def exit_code(self) -> Exit:
        """``CEILING`` if the plan goes beyond a ceiling whatever its selectors match."""
        return Exit.CEILING if self.found.exceeded else Exit.OK

    def document(self) -> dict[str, object]:
        """The document of ``check --offline --json``."""
        return offline_document(self.plan, self.found) | notify_document(self.plan.notify, self.reached)


def check_offline(plan: Plan, book: AddressBook | None = None) -> CheckedOffline:
    """What can be said of a plan without token and network; its channels are looked for in ``book``."""
    return CheckedOffline(plan, offline(plan), reached(plan, book))


def reached(plan: Plan, book: AddressBook | None) -> frozenset[str]:
    """The channels of a plan of which an address is known. Raises ``UsageProblem`` for one that is none."""
    return frozenset(one.to for one in plan.notify if book is not None and book.find(one.to) is not None)


def refuse_token_in(plan: Plan, mask: Callable[[str], str]) -> None:
    """Raise ``UsageProblem`` for a plan that holds the token, which ``mask`` takes out of a text."""
    refuse_the_token(mask, plan.bundle())
    for block in plan.tests:
        refuse_the_token(mask, f"{block.fields} {block.raw}")
        for target in block.targets:
            refuse_the_token(mask, f"{target.name} {target.fields}")


async def check(
    session: Session,
    plan: Plan,
    *,
    seed: int = 0,
    book: AddressBook | None = None,
    cron: str | None = None,
    timezone: str = "UTC",
) -> Checked:
    """Resolve the plan's agents, expand it, estimate what it takes. Creates nothing.

    The plan's channels are looked for in ``book``; ``cron`` in ``timezone`` is when it is to run. Raises
    ``UsageProblem`` for what is no such thing, ``PlanInvalid`` for selectors and names that match
    nothing, ``Refused`` and ``Unanswered``.
    """
    known = reached(plan, book)
    runs = None if cron is None else runs_a_month(cron, timezone, session.doors.clock.wall())
    prepared = await prepare(session, plan, seed=seed)
    told = prepared.told or await units_left(session, plan.api)
    monthly = None
    if cron is not None and runs is not None:
        monthly = Monthly(cron, timezone, runs, round(runs * prepared.estimate.units, 4))
    return Checked(prepared, known, told, monthly)
