"""Budgets, the queue and the schedules, as cards and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from orchestrator.catalogue import Queued, ScheduleSeen
from orchestrator.records import BudgetSeen
from orchestrator.report.headline import many
from orchestrator.report.html.text import DASH, shown
from orchestrator.report.site.runs import label_of
from orchestrator.report.site.values import Budgets, Standing
from orchestrator.report.site.view import BudgetRow, BudgetsCard, TableView
from orchestrator.report.summary import SCHEMA
from orchestrator.report.times import people, span, utc

_NAMES = {"organization": "all calls", "instant_test": "instant tests"}
NO_AGENDA = "none here: this store serves one host, where cron or a timer starts plans"


def budget_cards(budgets: Sequence[Budgets]) -> tuple[BudgetsCard, ...]:
    """A card for each world."""
    return tuple(_card(one) for one in budgets)


def _card(one: Budgets) -> BudgetsCard:
    title = label_of((one.origin, one.account))
    title += f", organization {one.organization}" if one.organization else ""
    if one.now is not None:
        sharing = f"{many(one.processes, 'process')[:-1]}es" if one.processes != 1 else "1 process"
        said = f"As it stands; {sharing} of this store share it."
        rows = tuple(_now(_NAMES[name], found) for name, found in one.now.items())
    elif one.seen:
        said = f"As run {shown(one.run or '')} saw it last, {people(one.at)}; nobody shares it just now."
        rows = tuple(_seen(_NAMES[name], found) for name, found in one.seen.items())
    else:
        said, rows = "No run of this store has seen its limits.", ()
    return BudgetsCard(shown(title), said, rows)


def _now(name: str, found: Standing) -> BudgetRow:
    if not found.known:
        limit = DASH if found.limit is None else str(found.limit)
        return BudgetRow(
            name, limit, limit, 100, "a window that nobody has asked in yet", DASH, str(found.in_flight)
        )
    return BudgetRow(
        name=name,
        left=DASH if found.free is None else str(found.free),
        limit=DASH if found.limit is None else str(found.limit),
        share=_share(found.free, found.limit),
        resets="" if found.seconds_left is None else f"in {span(found.seconds_left)}",
        others=f"{found.others:.0f}",
        in_flight=str(found.in_flight),
    )


def _seen(name: str, found: BudgetSeen) -> BudgetRow:
    return BudgetRow(
        name=name,
        left=DASH if found.remaining is None else str(found.remaining),
        limit=DASH if found.limit is None else str(found.limit),
        share=_share(found.remaining, found.limit),
        resets=people(found.reset),
        others=DASH if found.others is None else f"{found.others:.0f}",
        in_flight=DASH,
    )


def _share(left: int | None, limit: int | None) -> int:
    return round(100 * max(0, min(left, limit)) / limit) if left is not None and limit else 0


def budgets_document(budgets: Sequence[Budgets]) -> dict[str, object]:
    """The same as a document; ``seconds_left`` are seconds, ``others`` and ``reserve`` calls a window."""
    return {
        "schema": SCHEMA,
        "budgets": [
            {
                "origin": one.origin,
                "account": one.account,
                "organization": one.organization,
                "processes": one.processes,
                "now": None if one.now is None else {name: asdict(each) for name, each in one.now.items()},
                "seen": {name: {**asdict(each), "reset": utc(each.reset)} for name, each in one.seen.items()},
                "seen_by": one.run,
                "seen_at": utc(one.at),
            }
            for one in budgets
        ],
    }


def queue_view(queue: Sequence[Queued] | None) -> TableView:
    """The runs that wait or are carried out; ``None`` where a store has no queue."""
    heads = ("run", "plan", "organization", "state", "since", "priority", "carried out by")
    rows = [
        (
            one.run,
            one.plan,
            one.organization,
            one.state,
            people(one.since),
            "urgent" if one.urgent else "",
            one.owner or "",
        )
        for one in queue or ()
    ]
    return TableView("Queue", heads, _shown(rows), NO_AGENDA if queue is None else "nothing waits")


def schedules_view(schedules: Sequence[ScheduleSeen] | None) -> TableView:
    """The schedules; ``None`` where a store has none."""
    heads = ("schedule", "plan", "when", "next", "last run", "")
    rows = [
        (one.name, one.plan, one.when, people(one.next), one.last_run or "", "paused" if one.paused else "")
        for one in schedules or ()
    ]
    return TableView("Schedules", heads, _shown(rows), NO_AGENDA if schedules is None else "none yet")


def _shown(rows: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(shown(text) if text else "" for text in row) for row in rows)


def queue_document(queue: Sequence[Queued] | None) -> dict[str, object]:
    """The queue as a document; ``null`` where a store has none."""
    told = None if queue is None else [{**asdict(one), "since": utc(one.since)} for one in queue]
    return {"schema": SCHEMA, "queue": told}


def schedules_document(schedules: Sequence[ScheduleSeen] | None) -> dict[str, object]:
    """The schedules as a document; ``null`` where a store has none."""
    told = None if schedules is None else [{**asdict(one), "next": utc(one.next)} for one in schedules]
    return {"schema": SCHEMA, "schedules": told}
