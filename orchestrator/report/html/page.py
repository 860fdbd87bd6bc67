"""The page as a whole: what is seen first, and what comes below it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping

from orchestrator.errors import Exit
from orchestrator.insight.headline import Mark
from orchestrator.model import Verdict
from orchestrator.records import PublicSnapshot, RunState
from orchestrator.report.commands import PROGRAM
from orchestrator.report.headline import many
from orchestrator.report.html.badcells import bad_cells, grouped, refs_of
from orchestrator.report.html.before import cards_of, changed
from orchestrator.report.html.causes import BRIEF, FIRST, cards, lone
from orchestrator.report.html.drawing import graphs
from orchestrator.report.html.material import Material
from orchestrator.report.html.matrix import matrix
from orchestrator.report.html.notes import commands, limits
from orchestrator.report.html.signs import bar_of, tallies
from orchestrator.report.html.tables import sites, targets
from orchestrator.report.html.text import parts, shown
from orchestrator.report.html.view import Page, Part, Public
from orchestrator.report.shared import until
from orchestrator.report.since import trail_of
from orchestrator.report.times import duration, people, span
from orchestrator.safe import https_link

_STACK = 300.0
# The vendor's public pages are below this.
_SHARES = "thousandeyes.com"
_STATES: Mapping[Mark, tuple[str, str]] = {
    Mark.BAD: ("f", "bad"),
    Mark.WARNED: ("w", "warnings"),
    Mark.SILENT: ("n", "answers are missing"),
    Mark.OPEN: ("o", "goes on"),
    Mark.GOOD: ("k", "good"),
}
_CODES: Mapping[int, str] = {
    Exit.OK: "everything was collected, and every expectation held",
    Exit.EXPECTATION_FAILED: "an expectation failed",
    Exit.INCOMPLETE: "incomplete",
    Exit.REFUSED: "the API refused us",
}
_RUNS: Mapping[RunState, str] = {
    RunState.RUNNING: "The run goes on: this is how it stands.",
    RunState.INTERRUPTED: "The run was interrupted and can be resumed.",
    RunState.REFUSED: "The API refused the run.",
}


def page(material: Material) -> Page:
    """Everything that the templates show."""
    overview, run = material.overview, material.run
    groups = grouped(material)
    refs = refs_of(groups)
    numbers: Mapping[Verdict | None, int] = Counter(cell.verdict for cell in material.cells)
    state, word = _STATES[overview.mark]
    all_cards = (*cards(material), *cards_of(material.since.held))
    again = any(point.severity is Verdict.FAIL for point in overview.points) or overview.rest
    return Page(
        title=f"{shown(run.plan)}: {''.join(part.text for part in parts(overview.headline))}",
        plan=shown(run.plan),
        facts=(
            people(run.started),
            f"took {span(duration(run, overview.now))}",
            f"API {run.api.value}",
        ),
        run=shown(run.id),
        simulated=run.simulated,
        state=state,
        sign=overview.mark.sign,
        word=word,
        headline=parts(overview.headline),
        lead=" ".join(_lead(material)),
        cards=all_cards[:FIRST],
        more_cards=all_cards[FIRST:],
        brief=all_cards[:BRIEF],
        brief_more=f"and {len(all_cards) - BRIEF} more" if len(all_cards) > BRIEF else "",
        lone=lone(material),
        again=f"{PROGRAM} rerun {shlex.quote(run.id)} --failed" if again and not run.simulated else None,
        bar=bar_of(numbers, _STACK),
        tallies=tallies(numbers),
        matrix=matrix(material, refs),
        targets=targets(material) if material.cells else None,
        sites=sites(material),
        graphs=graphs(material),
        bad=bad_cells(material, groups, refs),
        limits=limits(material),
        commands=commands(material),
        origin=shown(run.origin),
        changed=changed(material.since, overview.mark, run.started, overview.news),
        public=tuple(_public(one, overview.now) for one in overview.shared),
    )


def _public(one: PublicSnapshot, now: float) -> Public:
    what = (Part(shown(one.test), data=True), Part(" "), Part(shown(one.target), data=True))
    return Public(
        what, until(one, now), https_link(one.link, (), below=_SHARES), shown(one.link) if one.link else ""
    )


def _lead(material: Material) -> list[str]:
    overview, insight = material.overview, material.insight
    counts = Counter(cell.verdict for cell in material.cells)
    told = []
    if insight.judged:
        fail = counts[Verdict.FAIL]
        told.append(
            f"{fail} of {many(insight.judged, 'judged cell')} {'fails' if fail == 1 else 'fail'}"
            if fail
            else f"{many(insight.judged, 'cell')} judged, none fails"
        )
    silent = counts[Verdict.NO_ANSWER]
    if silent:
        told.append(f"{silent} {'has' if silent == 1 else 'have'} no answer")
    if counts[None]:
        told.append(f"{counts[None]} {'is' if counts[None] == 1 else 'are'} open")
    sentences = [", ".join(told) + "."] if told else []
    if material.run.state in _RUNS:
        sentences.append(_RUNS[material.run.state])
    so_far = " so far" if counts[None] else ""
    word = _CODES.get(overview.code)
    earlier = trail_of(material.since)
    code = f"Exit code {overview.code}{so_far}{f': {word}' if word else ''}."
    return [*sentences, code, *([earlier] if earlier else [])]
