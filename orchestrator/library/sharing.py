"""Make tests of a run public."""

from __future__ import annotations

from orchestrator.actions import share as sharing
from orchestrator.actions.begun import settings_as_begun
from orchestrator.actions.finding import find
from orchestrator.clock import LoopClock
from orchestrator.credentials import Credentials
from orchestrator.library.doors import Place, session_of, settings_of, stored
from orchestrator.records import PublicSnapshot


async def share(
    run: str = "last",
    *,
    tests: int = 1,
    plan: str | None = None,
    again: bool = False,
    credentials: Credentials | None = None,
    base_url: str | None = None,
    account: str | None = None,
    store: Place = None,
) -> tuple[PublicSnapshot, ...]:
    """Make the vendor's public snapshots of the worst ``tests`` of a run, as ``orchestrator report --share``.

    Nobody is asked: whoever has a link sees the test's results for 30 days. One that was made before is not
    made ``again``; one whose state is ``sent`` may exist, its answer was lost. At most five are made in five
    minutes, so that more take their time.

    Raises ``UsageProblem`` for a run that cannot be shared, ``Refused``, ``Unanswered``, ``StoreProblem``.
    """
    settings = settings_of(base_url, account, store)
    async with stored(store) as opened:
        record = await find(opened, run, plan)
        own = await settings_as_begun(opened, record, settings, again=True, account=account)
        chosen = await sharing.choose(opened, record.id, tests, now=LoopClock().wall())
    made: list[PublicSnapshot] = []
    async with session_of(own, credentials, reserve=0.0) as session:
        await sharing.share(session, chosen, lambda told: made.append(told.snapshot), again=again)
    return tuple(made)
