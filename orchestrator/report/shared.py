"""Public snapshots as they are told: in documents, and in words with their links."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchestrator.records import PublicSnapshot, SnapshotState
from orchestrator.report.times import utc

TITLE = "Public snapshots"


def snapshots_document(
    found: Sequence[PublicSnapshot], mask: Callable[[str], str] = str
) -> list[dict[str, object]]:
    """The key ``snapshots`` of a run's summary."""
    return [
        {
            "spec": one.spec,
            "test": mask(one.test),
            "target": mask(one.target),
            "test_id": one.test_id,
            "state": "made" if one.state is SnapshotState.MADE else "unknown",
            "at": utc(one.at),
            "expires": utc(one.expires),
            "link": one.link,
        }
        for one in found
    ]


def until(one: PublicSnapshot, now: float) -> str:
    """How long it is there, or that nobody knows whether it is."""
    if one.state is not SnapshotState.MADE:
        return "may exist: the answer was lost; look for it in the product (Sharing)"
    when = utc(one.expires) or ""
    return f"{'public until' if now < one.expires else 'expired'} {when[:10]}"
