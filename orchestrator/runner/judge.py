"""Verdicts of cells, from where they are made to the store and to whoever listens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from orchestrator.events.verdicts import JUDGED_AS, Judged
from orchestrator.model import Answer, CellResult
from orchestrator.runner.context import Context, InHand
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


async def judge_stored(
    context: Context, test: InHand, rows: Iterable[Answer], judged: Iterable[CellResult]
) -> None:
    """Judge by the answers that an earlier session of the run has stored, where it has not done so itself;
    ``judged`` are the cells that it has."""
    key = test.record.spec.key
    test.judging.know(judged)
    changes = test.judging.take(rows)
    if changes:
        events = context.take_events()
        await context.durably(context.store.add_answers(context.run.id, key, (), events, cells_of(changes)))
        tell_judged(context, key, changes)
