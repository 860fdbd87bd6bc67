"""What is kept of runs, read from an open store: which there are, how one stands, answers, reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.actions.insight import insight
from orchestrator.actions.source import source_of
from orchestrator.errors import UsageProblem
from orchestrator.insight.document import Mask, document
from orchestrator.insight.look import Insight
from orchestrator.lifecycle import SpecState
from orchestrator.model import AnswerStatus, Verdict
from orchestrator.records import Counts, RunRecord, RunState, TestRecord
from orchestrator.report.digest import Digest, digest
from orchestrator.report.formats import REPORTS, Source
from orchestrator.report.names import with_names
from orchestrator.report.results import Filter
from orchestrator.report.summary import summary
from orchestrator.store.base import Archive
from orchestrator.store.opening import Opened
from orchestrator.testtypes import DETAILS, METRICS


@dataclass(frozen=True, slots=True)
class Shown:
    """What a run came to. ``digest`` groups what is wrong, ``insight`` says what it shares, ``unknown`` are
    the lost creations that nobody has given up, ``now`` (epoch seconds) is when it was read."""

    run: RunRecord
    counts: Counts
    digest: Digest
    unknown: tuple[TestRecord, ...]
    now: float
    insight: Insight

    def document(self, mask: Mask = str) -> dict[str, object]:
        """The summary document of ``show --json``."""
        return {**summary(self.run, self.counts, now=self.now), "insight": document(self.insight, mask)}


async def as_it_stands(opened: Opened, run: RunRecord) -> RunRecord:
    """A run that is said to go on, while nobody holds its lease, was killed: it is interrupted."""
    if run.state is RunState.RUNNING and not await opened.lease.is_held(run.plan):
        return replace(run, state=RunState.INTERRUPTED)
    return run


async def runs(opened: Opened, *, limit: int = 20, plan: str | None = None) -> tuple[RunRecord, ...]:
    """The newest runs as they stand, newest first, all or those of one plan."""
    found = await opened.store.runs(limit, plan)
    return tuple([await as_it_stands(opened, run) for run in found])


async def find(opened: Opened, name: str) -> RunRecord:
    """The run with this id, the beginning of one, or ``last``, as it stands.

    Raises ``UsageProblem`` if there is none or more than one.
    """
    return await as_it_stands(opened, await opened.store.run(name))


async def show(opened: Opened, name: str, *, now: float) -> Shown:
    """What a run came to. Raises ``UsageProblem`` if there is no such run."""
    return await summed_up(opened.store, await find(opened, name), now=now)


async def summed_up(archive: Archive, run: RunRecord, *, now: float) -> Shown:
    """What a run that was found came to."""
    names = await source_of(archive, run, now).names()
    lost = await archive.tests(run.id, [SpecState.UNKNOWN])
    return Shown(
        run=run,
        counts=await archive.counts(run.id),
        digest=await digest(with_names(archive.cells(run.id), names)),
        unknown=tuple(test for test in lost if not test.given_up),
        now=now,
        insight=await insight(archive, run),
    )


async def source(opened: Opened, name: str, *, now: float) -> Source:
    """What the formats of results and reports read. Raises ``UsageProblem`` if there is no such run."""
    return source_of(opened.store, await find(opened, name), now)


def keeping(
    layers: Sequence[str] = (),
    verdicts: Sequence[Verdict] = (),
    statuses: Sequence[AnswerStatus] = (),
    agents: Sequence[str] = (),
    targets: Sequence[str] = (),
) -> Filter:
    """Which answers to keep; what is empty lets all pass. Agents by id or pattern, targets by pattern.

    Raises ``UsageProblem`` for a layer that no type of test has.
    """
    known = [*METRICS, DETAILS]
    wrong = [layer for layer in layers if layer not in known]
    if wrong:
        raise UsageProblem(f"no layer is named {wrong[0]!r}", hint=f"the layers are {', '.join(known)}")
    return Filter(tuple(layers), tuple(verdicts), tuple(statuses), tuple(agents), tuple(targets))


async def report(opened: Opened, name: str, form: str, *, now: float) -> bytes:
    """The report of a run in one of the formats of ``REPORTS``, whole, as UTF-8.

    What cannot be encoded is written with backslashes. Raises ``UsageProblem`` for a format or a run that
    there is not.
    """
    if form not in REPORTS:
        raise UsageProblem(f"no report is named {form!r}", hint=f"the formats are {', '.join(REPORTS)}")
    parts: list[bytes] = []

    def keep(text: str) -> None:
        parts.append(text.encode("utf-8", "backslashreplace"))

    await REPORTS[form].write(await source(opened, name, now=now), keep)
    return b"".join(parts)
