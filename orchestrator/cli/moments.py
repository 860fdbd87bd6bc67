"""A moment on the command line: an ISO time with its zone, or a span from now."""

from __future__ import annotations

import re
from datetime import datetime

import click

_SPAN = re.compile(r"\+(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,7})s)?")
_SECONDS = (86_400, 3600, 60, 1)


class Moment(click.ParamType[float]):
    """Epoch seconds of an ISO time; a span from now as the negative of its seconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """See the class."""
        if isinstance(value, float):
            return value
        text = str(value).strip()
        span = _SPAN.fullmatch(text)
        if span is not None and any(span.groups()):
            given = (int(part or 0) for part in span.groups())
            return -float(sum(part * each for part, each in zip(given, _SECONDS, strict=True)))
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                self.fail(f"{text[:40]!r} has no zone: add Z, or +01:00", param, ctx)
            return moment.timestamp()
        except (ValueError, OverflowError, OSError):
            self.fail(f"{text[:40]!r} is no time such as 2026-12-01T05:00Z or +90m", param, ctx)


def at(moment: float, now: float) -> float:
    """Epoch seconds of what :class:`Moment` gave."""
    return now - moment if moment < 0 else moment
