"""What was diagnosed in the last day, so that nobody who begins anew forgets it."""

from __future__ import annotations

from collections import defaultdict

from orchestrator.alerts.allowance import DAY
from orchestrator.alerts.values import ANY, Begun
from orchestrator.catalogue import Which
from orchestrator.diagnosis.naming import PREFIX, plan_name
from orchestrator.store.opening import Opened

_PAGE, _MOST = 200, 10_000


def named(target: str) -> str:
    """A target as the name of its diagnosis has it: one that is long is cut, and told apart by its hash."""
    return plan_name((target,)).removeprefix(PREFIX)


async def diagnosed(opened: Opened, now: float) -> tuple[Begun, ...]:
    """The diagnoses of the last day, whoever began them, the newest first; ``now`` is epoch seconds.

    The store does not know who began one: it may have been any hook. What a re-run took counts with the run
    that it belongs to; what was simulated took nothing.
    """
    found: list[Begun] = []
    again = defaultdict[str, float](float)
    before: str | None = None
    for _ in range(0, _MOST, _PAGE):
        page = await opened.store.runs_page(Which(), before, _PAGE)
        for run in page:
            if now - run.started >= DAY:
                return tuple(found)
            if run.simulated or not run.plan.startswith(PREFIX):
                continue
            # A re-run is newer than what it repeats: it has been seen.
            units = run.facts.units + again.pop(run.id, 0.0)
            if run.parent is None:
                found.append(Begun(run.plan.removeprefix(PREFIX), run.started, units, ANY))
            else:
                again[run.parent] += units
        if len(page) < _PAGE:
            break
        before = page[-1].id
    return tuple(found)
