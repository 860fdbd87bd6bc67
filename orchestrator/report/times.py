"""Times for people and documents: always UTC, always said so."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from orchestrator.records import RunRecord, RunState


def utc(epoch: float | None) -> str | None:
    """ISO 8601 with ``Z``, in whole seconds; ``None`` for none, or for a number that is no date."""
    moment = _moment(epoch)
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def people(epoch: float | None) -> str:
    """``2026-11-21 05:47:12 UTC``, or ``-``."""
    moment = _moment(epoch)
    return "-" if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def clock_time(epoch: float | None) -> str:
    """``05:47:12 UTC``, or ``-``."""
    moment = _moment(epoch)
    return "-" if moment is None else moment.strftime("%H:%M:%S UTC")


def duration(run: RunRecord, now: float | None = None) -> float | None:
    """What a run took, or has taken by ``now`` (epoch seconds); ``None`` if nobody knows.

    Once it has ended, its own measure counts: the wall clock may have been set meanwhile.
    """
    if run.facts.seconds is not None and run.state is not RunState.RUNNING:
        return run.facts.seconds
    end = run.finished if run.finished is not None else now
    return None if end is None else max(0.0, end - run.started)


def span(seconds: float | None) -> str:
    """A duration as one would say it: ``0.4 s``, ``12 s``, ``3 min 5 s``, ``2 h 10 min``; ``-`` for none."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    if 0 < abs(seconds) < 10:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if abs(whole) < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(whole / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def _moment(epoch: float | None) -> datetime | None:
    if epoch is None:
        return None
    try:
        moment = datetime.fromtimestamp(epoch, UTC)
    except (OverflowError, ValueError, OSError):  # outside the calendar, or not finite
        return None
    # Four-digit years only: strftime does not pad the others alike on all platforms.
    return moment if 1000 <= moment.year <= 9999 else None
