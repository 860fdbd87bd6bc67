"""What is kept: take runs away, see what is held, settle lost creations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.actions import prune as pruning
from orchestrator.actions import reconcile as reconciling
from orchestrator.actions.reconcile import LostCreations
from orchestrator.clock import LoopClock
from orchestrator.holdings import Holdings
from orchestrator.library.doors import Place, stored
from orchestrator.report.upkeep import Pruned


async def prune(
    *,
    keep: int | None = None,
    older_than: float | None = None,
    plan: str | None = None,
    raw: bool = False,
    answers: bool = False,
    organization: str | None = None,
    dry_run: bool = False,
    store: Place = None,
) -> Pruned:
    """Take away the runs that neither ``keep`` (the newest so many of each plan) nor ``older_than`` (seconds)
    lets stay, or with ``raw`` their raw rows only, with ``answers`` their answers; a ``dry_run`` only says
    which. ``organization``: of a shared store, only its runs.

    Raises ``UsageProblem`` if neither is given or there is no such plan, ``StoreProblem``.
    """
    rule = pruning.Rule(keep, older_than, plan, raw, answers=answers, organization=organization)
    async with stored(store) as opened:
        return await pruning.prune(opened, rule, LoopClock(), dry_run=dry_run)


async def store_info(*, store: Place = None) -> Holdings:
    """What the store holds, plan by plan. Raises ``UsageProblem``, ``StoreProblem``."""
    async with stored(store) as opened:
        return await pruning.info(opened)


async def reconcile(
    run: str = "last",
    *,
    adopt: Mapping[str, str] | None = None,
    give_up: Sequence[str] = (),
    again: Sequence[str] = (),
    organization: str = "",
    store: Place = None,
) -> LostCreations:
    """Adopt lost creations whose tests were found (test ids by spec), give up others; returns what is left.

    A :func:`resume` creates those of ``again`` once more: may pay twice. Raises ``UsageProblem`` if any of it
    is wrong, also for a run of another ``organization`` than was named, and then nothing is changed;
    ``PlanBusy`` while the run goes on, ``StoreProblem``.
    """
    pairs = tuple((adopt or {}).items())
    async with stored(store) as opened:
        return await reconciling.reconcile(
            opened,
            run,
            LoopClock(),
            adopt=pairs,
            give_up=give_up,
            again=again,
            organization=organization,
        )
