"""What was diagnosed in the last day, so that nobody who begins anew forgets it."""

from __future__ import annotations

from orchestrator.alerts.allowance import DAY
from orchestrator.alerts.values import ANY, Begun
from orchestrator.catalogue import Which
from orchestrator.store.opening import Opened

# What a diagnosis of a target calls its plan.
NAME = "diagnose "
_PAGE, _MOST = 200, 10_000


async def diagnosed(opened: Opened, now: float) -> tuple[Begun, ...]:
    """The diagnoses of the last day, whoever began them, the newest first; ``now`` is epoch seconds.

    The store does not know who began one: it may have been any hook.
    """
    found: list[Begun] = []
    before: str | None = None
    for _ in range(0, _MOST, _PAGE):
        page = await opened.store.runs_page(Which(), before, _PAGE)
        for run in page:
            if now - run.started >= DAY:
                return tuple(found)
            if run.plan.startswith(NAME) and run.parent is None:
                found.append(Begun(run.plan.removeprefix(NAME), run.started, run.facts.units, ANY))
        if len(page) < _PAGE:
            break
        before = page[-1].id
    return tuple(found)
