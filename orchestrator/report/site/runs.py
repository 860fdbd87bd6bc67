"""The list of runs, and the list of plans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit

from orchestrator.catalogue import PlanSeen
from orchestrator.errors import Exit
from orchestrator.insight.headline import Mark
from orchestrator.records import RunRecord, RunState
from orchestrator.report.headline import many
from orchestrator.report.html.text import shown
from orchestrator.report.runs import runs_document
from orchestrator.report.site.addresses import plan_address, run_address, runs_address
from orchestrator.report.site.view import Filter, Option, PlanLine, RunLine, RunsView
from orchestrator.report.summary import SCHEMA
from orchestrator.report.times import duration, people, span

Mask = Callable[[str], str]
World = tuple[str, str | None]
# A longer list of choices helps nobody, and is loaded with every page.
CHOICES = 500
_HEADLINE = 300


def mark_of(run: RunRecord) -> tuple[str, str, str]:
    """The class, the sign and the word of a run."""
    if run.state is RunState.RUNNING:
        return "o", Mark.OPEN.sign, "goes on"
    if run.exit_code == Exit.OK:
        return "k", Mark.GOOD.sign, "good"
    if run.state is RunState.REFUSED:
        return "f", Mark.BAD.sign, "refused"
    if run.exit_code == Exit.EXPECTATION_FAILED:
        return "f", Mark.BAD.sign, "bad"
    return "n", Mark.SILENT.sign, run.state.value


def run_line(run: RunRecord, now: float) -> RunLine:
    """A run in a list; ``now`` is epoch seconds."""
    css, sign, word = mark_of(run)
    notes = ["simulated"] if run.simulated else []
    if run.parent is not None:
        notes.append(f"re-run of {shown(run.parent)}")
    return RunLine(
        href=run_address(run.id),
        run=shown(run.id),
        plan=shown(run.plan),
        plan_href=plan_address(run.plan),
        css=css,
        sign=sign,
        word=word,
        exit="" if run.exit_code is None else str(run.exit_code),
        started=people(run.started),
        took=span(duration(run, now)),
        headline=shown(run.facts.headline or "", _HEADLINE),
        notes=tuple(notes),
    )


def label_of(world: World) -> str:
    """What a world is called: the host of its origin, and its account group."""
    origin, account = world
    name = urlsplit(origin).netloc or origin
    return name if account is None else f"{name} / {account}"


def runs_view(
    runs: Sequence[RunRecord],
    *,
    now: float,
    plans: Iterable[PlanSeen],
    organizations: Sequence[str],
    plan: str | None = None,
    state: str | None = None,
    organization: str | None = None,
    before: str | None = None,
    older: str | None = None,
) -> RunsView:
    """A page of runs with its filters, as it was asked for."""
    wanted = {"plan": plan, "state": state, "organization": organization}
    return RunsView(
        lines=tuple(run_line(run, now) for run in runs),
        filters=(
            _filter("plan", "Plan", [one.name for one in plans], plan),
            _filter("state", "State", list(RunState), state),
            _filter("organization", "Organization", organizations, organization),
        ),
        filtered=any(wanted.values()),
        newest=runs_address(**wanted) if before else None,
        older=runs_address(**wanted, before=older) if older else None,
    )


def _filter(name: str, label: str, values: Sequence[str], chosen: str | None) -> Filter:
    kept = dict.fromkeys(values[:CHOICES])
    if chosen:
        kept.setdefault(chosen)
    options = [Option("", "all", not chosen), *(Option(one, shown(one), one == chosen) for one in kept)]
    return Filter(name, label, tuple(options))


def runs_page_document(runs: Iterable[RunRecord], older: str | None, mask: Mask = str) -> dict[str, object]:
    """The document of a page of runs: that of ``runs --json``, and where the next page begins."""
    return {**runs_document(runs, mask), "older": older}


def plan_lines(plans: Iterable[PlanSeen]) -> tuple[PlanLine, ...]:
    """The plans of a store."""
    return tuple(
        PlanLine(
            href=plan_address(one.name),
            name=shown(one.name),
            runs=many(one.runs, "run"),
            newest=shown(one.newest),
            newest_href=run_address(one.newest),
        )
        for one in plans
    )


def plans_document(plans: Iterable[PlanSeen]) -> dict[str, object]:
    """The same as a document."""
    told = [{"plan": one.name, "runs": one.runs, "newest": one.newest} for one in plans]
    return {"schema": SCHEMA, "plans": told}
