"""Verdicts of cells, from where they are made to the store and to whoever listens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from orchestrator.events.verdicts import JUDGED_AS, Judged
from orchestrator.model import CellResult
from orchestrator.runner.context import Context
from orchestrator.verdict.judging import Change


def cells_of(changes: Iterable[Change]) -> list[CellResult]:
    """What is to be stored."""
    return [change.cell for change in changes]


def tell_judged(context: Context, key: str, changes: Sequence[Change]) -> None:
    """Tell of verdicts that are stored now; nothing of none."""
    if changes:
        now = Counter(change.cell.verdict for change in changes)
        now.subtract(change.before for change in changes if change.before is not None)
        context.tell(Judged(**{field: now[verdict] for verdict, field in JUDGED_AS.items()}), key)


async def keep_judged(context: Context, key: str, changes: Sequence[Change]) -> None:
    """Store what an earlier session's answers come to, where it has not done so itself, and tell of it."""
    events = context.take_events()
    await context.durably(context.store.add_answers(context.run.id, key, (), events, cells_of(changes)))
    tell_judged(context, key, changes)
