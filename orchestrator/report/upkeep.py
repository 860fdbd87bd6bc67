"""What a store holds and what was taken of it, as documents and as lines for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.holdings import Holding, Holdings, RunOutline, Size
from orchestrator.report.headline import many
from orchestrator.report.summary import SCHEMA
from orchestrator.report.times import people, utc

# Runs that are named one by one.
LISTED = 20
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was ``taken`` (with ``raw`` only its raw rows, with ``answers`` only its answers), or would be
    (``dry_run``), and what it held; of which ``organization``, if only of one.

    ``stay`` is how many runs stay, by why; ``before`` and ``after`` are the sizes of the store.
    """

    taken: tuple[RunOutline, ...]
    stay: Mapping[str, int]
    holds: Holding
    before: Size
    after: Size
    raw: bool = False
    dry_run: bool = False
    answers: bool = False
    organization: str | None = None

    def document(self) -> dict[str, object]:
        """The document of ``store prune --json``."""
        return {
            "schema": SCHEMA,
            "dry_run": self.dry_run,
            "raw": self.raw,
            "only_answers": self.answers,
            "organization": self.organization,
            "runs": [
                {"run": one.id, "plan": one.plan, "state": one.state.value, "started": utc(one.started)}
                for one in self.taken
            ],
            "cells": self.holds.cells,
            "answers": self.holds.answers,
            "stay": [{"why": why, "runs": number} for why, number in self.stay.items()],
            "bytes": {"before": self.before.bytes, "after": self.after.bytes, "free": self.after.free},
        }

    def lines(self) -> list[str]:
        """For people; what a plan is called is data of others, and not escaped here."""
        told = [self._head()]
        told += [f"  {one.id}  {people(one.started)}  {one.plan}" for one in self.taken[:LISTED]]
        if len(self.taken) > LISTED:
            told.append(f"  and {len(self.taken) - LISTED} more")
        told += [f"{many(number, 'run')} {_stay(number)}: {why}" for why, number in self.stay.items()]
        if not self.dry_run:
            told.append(self._space())
        return told

    def _head(self) -> str:
        whose = "" if self.organization is None else f"organization {self.organization}: "
        if not self.taken:
            return f"{whose}nothing to prune"
        verb = "would take" if self.dry_run else "took"
        what = many(len(self.taken), "run")
        if self.raw:
            what = f"the raw rows of {what}"
        if self.answers:
            what = f"the answers of {what}"
        plans = len({one.plan for one in self.taken})
        held = f"{many(self.holds.cells, 'cell')}, {many(self.holds.answers, 'answer')}"
        return f"{whose}{verb} {what} of {many(plans, 'plan')}: {held}"

    def _space(self) -> str:
        back, now = self.before.bytes - self.after.bytes, f"the store is {amount(self.after.bytes)} now"
        gave = f"gave back {amount(back)}" if back > 0 else "gave nothing back"
        free = f", {amount(self.after.free)} of it free for what comes" if self.after.free else ""
        return f"{gave}; {now}{free}"


def _stay(number: int) -> str:
    return "stays" if number == 1 else "stay"


def amount(size: int) -> str:
    """A number of bytes as one would say it: ``512 bytes``, ``36.3 MB``; powers of 1000."""
    value, unit = float(size), 0
    while value >= 999.95 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{size} bytes" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def holdings_document(holds: Holdings) -> dict[str, object]:
    """The document of ``store info --json``."""
    total = holds.total
    return {
        "schema": SCHEMA,
        "place": holds.place,
        "engine": holds.engine,
        "migration": holds.schema,
        "bytes": holds.size.bytes,
        "free_bytes": holds.size.free,
        **_numbers(total),
        "oldest": utc(min((one.oldest for one in holds.plans), default=None)),
        "newest": utc(max((one.newest for one in holds.plans), default=None)),
        "plans": [
            {
                "plan": one.plan,
                **_numbers(one.holds),
                "bytes": one.holds.bytes,
                "oldest": utc(one.oldest),
                "newest": utc(one.newest),
            }
            for one in holds.plans
        ],
    }


def _numbers(holds: Holding) -> dict[str, object]:
    return {"runs": holds.runs, "specs": holds.specs, "cells": holds.cells, "answers": holds.answers}
