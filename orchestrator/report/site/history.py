"""A plan's history: a strip of its runs, and for each target and site what came of it in each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from orchestrator.catalogue import Outcome, Tallied
from orchestrator.insight.headline import Mark
from orchestrator.model import Verdict
from orchestrator.records import RunRecord
from orchestrator.report.headline import many
from orchestrator.report.html.signs import SIGNS
from orchestrator.report.html.text import shown
from orchestrator.report.site.addresses import run_address, runs_address
from orchestrator.report.site.runs import mark_of, run_line
from orchestrator.report.site.view import HistoryRow, HistoryTable, HistoryView, Square
from orchestrator.report.summary import SCHEMA
from orchestrator.report.times import people, utc

Key = TypeVar("Key")

# Rows of a table; the worst come first, and what is left out is said.
ROWS = 100
# Runs that are listed below the strip.
LINES = 10
_WORST = (Verdict.FAIL, Verdict.NO_ANSWER, Verdict.PARTIAL, Verdict.WARN, None, Verdict.PASS, Verdict.NOT_RUN)
_BAD = frozenset({Verdict.FAIL, Verdict.NO_ANSWER, Verdict.PARTIAL})
_MARKS: Mapping[Verdict | None, str] = {
    Verdict.FAIL: Mark.BAD.sign,
    Verdict.NO_ANSWER: Mark.SILENT.sign,
    Verdict.PARTIAL: SIGNS[Verdict.PARTIAL].mark,
    Verdict.WARN: Mark.WARNED.sign,
}
# Where a run had nothing of a target or a site.
_NOTHING = Square("b", "", "not part of this run")


def history_view(
    plan: str, runs: Sequence[RunRecord], outcomes: Sequence[Outcome], now: float
) -> HistoryView:
    """The history of a plan; runs and what they came to are in the same order, oldest first."""
    by_target = _rows([one.targets for one in outcomes], runs, lambda key: key)
    names = {agent: name for one in outcomes for agent, name in one.names.items()}
    by_agent = _rows([one.agents for one in outcomes], runs, lambda agent: ("", names.get(agent, agent)))
    good = sum(mark_of(run)[0] == "k" for run in runs)
    return HistoryView(
        plan=shown(plan),
        lead=f"{good} of the {many(len(runs), 'newest run')} good. Oldest left, newest right.",
        runs=tuple(_run_square(run) for run in runs),
        tables=(
            _table("targets", "Targets", "target", by_target),
            _table("sites", "Sites", "agent", by_agent),
        ),
        lines=tuple(run_line(run, now) for run in [*reversed(runs)][:LINES]),
        all_href=runs_address(plan=plan),
    )


def _run_square(run: RunRecord) -> Square:
    css, sign, word = mark_of(run)
    began = people(run.started)
    return Square(css, sign, f"{word}, {began}, run {run.id}", run_address(run.id), began[5:16])


def _rows(
    tallies: Sequence[Mapping[Key, Tallied]],
    runs: Sequence[RunRecord],
    named: Callable[[Key], tuple[str, str]],
) -> list[HistoryRow]:
    keys = list(dict.fromkeys(key for one in tallies for key in one))
    keys.sort(key=lambda key: [*_badness([one.get(key, {}) for one in tallies])], reverse=True)
    rows = []
    for key in keys:
        small, name = named(key)
        squares = tuple(_square(one.get(key), run) for one, run in zip(tallies, runs, strict=True))
        rows.append(HistoryRow(shown(small) if small else "", shown(name), squares))
    return rows


def _badness(tallies: Sequence[Tallied]) -> tuple[float, int]:
    """Worst is what is bad now, then what was bad most."""
    shares = [sum(one.get(verdict, 0) for verdict in _BAD) / (sum(one.values()) or 1) for one in tallies]
    return (shares[-1] if shares else 0.0, sum(share > 0 for share in shares))


def _square(tally: Tallied | None, run: RunRecord) -> Square:
    if not tally:
        return _NOTHING
    worst = next(verdict for verdict in _WORST if tally.get(verdict))
    number = tally[worst]
    sign = SIGNS[worst].mark if worst not in _MARKS else f"{_MARKS[worst]}{number if number > 1 else ''}"
    told = ", ".join(f"{tally[one]} {SIGNS[one].word}" for one in _WORST if tally.get(one))
    return Square(SIGNS[worst].css, sign, f"{told}; {people(run.started)}")


def _table(name: str, title: str, what: str, rows: Sequence[HistoryRow]) -> HistoryTable:
    more = len(rows) - ROWS
    said = f"and {many(more, what)} more, none worse than these" if more > 0 else ""
    return HistoryTable(name, title, what, tuple(rows[:ROWS]), said)


def history_document(plan: str, runs: Sequence[RunRecord], outcomes: Sequence[Outcome]) -> dict[str, object]:
    """The same as a document, whole."""
    return {
        "schema": SCHEMA,
        "plan": plan,
        "runs": [
            {
                "run": run.id,
                "state": run.state.value,
                "exit_code": run.exit_code,
                "started": utc(run.started),
                "targets": [
                    {"test": test, "target": target, "verdicts": _verdicts(tally)}
                    for (test, target), tally in one.targets.items()
                ],
                "agents": [
                    {"agent_id": agent, "agent": one.names.get(agent, agent), "verdicts": _verdicts(tally)}
                    for agent, tally in one.agents.items()
                ],
            }
            for run, one in zip(runs, outcomes, strict=True)
        ],
    }


def _verdicts(tally: Tallied) -> dict[str, int]:
    return {"open" if verdict is None else verdict.value: number for verdict, number in _ordered(tally)}


def _ordered(tally: Tallied) -> Iterable[tuple[Verdict | None, int]]:
    return ((verdict, tally[verdict]) for verdict in _WORST if tally.get(verdict))
