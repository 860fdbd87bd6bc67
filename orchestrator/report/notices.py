"""Notices as documents and as lines of a table."""

from __future__ import annotations

from orchestrator.outbox import Notice
from orchestrator.report.times import people, utc

HEADINGS = ("id", "channel", "event", "run", "made", "state", "title")


def state(notice: Notice) -> str:
    """``sent``, ``pending`` or ``given up``."""
    if notice.sent is not None:
        return "sent"
    return "pending" if notice.given_up is None else "given up"


def notice_document(notice: Notice) -> dict[str, object]:
    """One notice in the document of ``notify list --json``."""
    return {
        "id": notice.id,
        "plan": notice.plan,
        "channel": notice.channel,
        "event": notice.draft.event,
        "run": notice.draft.run,
        "at": utc(notice.draft.at),
        "state": state(notice),
        "sent": utc(notice.sent),
        "tries": notice.tries,
        "doubtful": notice.doubtful,
        "error": notice.error,
        "title": notice.draft.document.get("title"),
    }


def notice_row(notice: Notice) -> tuple[str, ...]:
    """The same as cells of a table, not escaped yet."""
    told = state(notice)
    if notice.error is not None and notice.sent is None:
        told = f"{told}: {notice.error}"
    if notice.doubtful and notice.sent is None:
        told = f"{told} (it may have arrived)"
    return (
        notice.id,
        notice.channel,
        notice.draft.event,
        (notice.draft.run or "-")[:8],
        people(notice.draft.at),
        told,
        str(notice.draft.document.get("title", "")),
    )
