"""The report as HTML: what it says, what it is made of, and what it never is, whatever the run's data are."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import report_worlds as worlds
from builders import make_answer
from insight_runs import PASSES, How, refused, row
from report_files import DONE, ELEMENTS, source, written
from told_runs import cell

from orchestrator.insight.words import plain
from orchestrator.model import Hop, Verdict
from orchestrator.model import Path as Path_
from orchestrator.records import RunState
from orchestrator.report.html.cells import cell_of
from orchestrator.report.html.layout import Layout, Parts, Sheet, columns_of, size_of
from orchestrator.report.html.material import Material
from orchestrator.report.html.page import page
from orchestrator.report.html.view import Page
from orchestrator.report.html.write import html
from orchestrator.report.overview import overview
from orchestrator.report.source import Source
from orchestrator.testtypes.layers import DETAILS, PATHS


class Found(HTMLParser):
    """Elements with their attributes, and the text of a document."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.comments: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


async def paged(run: Source, layout: Layout | None = None) -> Page:
    """The view model of a run."""
    seen: list[Any] = []
    insight = await run.watched(lambda one: seen.append(cell_of(one, frozenset())))
    cells = [replace(one, phase=insight.phases.get(one.key)) for one in seen]
    told = await overview(run)
    return page(Material(told, cells, await run.agents(), await run.names(), layout or Layout()))


# -- made of nothing but what is ours ----------------------------------------------------------------------


EVERY = ["demo", "good", "hostile", "changed", "attacked", "diff-changed", "diff-attacked"]


@pytest.mark.parametrize("name", EVERY)
def test_a_report_is_made_of_our_elements_and_attributes_only(name: str, shared: Path) -> None:
    found = Found(written(name, shared).text)
    strange = {
        (tag, attribute)
        for tag, attributes in found.elements
        for attribute in (attributes or {"": None})
        if tag not in ELEMENTS or (attribute and attribute not in ELEMENTS[tag])
    }
    assert not strange
    assert not found.comments
    assert len(found.of("style")) == 1


@pytest.mark.parametrize("name", ["demo", "hostile", "attacked", "diff-attacked"])
def test_classes_and_ids_are_never_made_of_data(name: str, shared: Path) -> None:
    found = Found(written(name, shared).text)
    for _, attributes in found.elements:
        for value in ((attributes.get("class") or "") + " " + (attributes.get("id") or "")).split():
            assert re.fullmatch(r"[a-z]{1,8}(-?[a-z]{1,8}[0-9]?|[0-9]{1,5})?", value), value


@pytest.mark.parametrize("name", ["demo", "hostile", "changed", "diff-changed"])
def test_every_link_within_the_page_finds_its_place(name: str, shared: Path) -> None:
    found = Found(written(name, shared).text)
    ids = [attributes["id"] for _, attributes in found.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    wanted = {
        (one["href"] or "").removeprefix("#") for one in found.of("a") if (one["href"] or "")[:1] == "#"
    }
    assert wanted
    assert wanted <= set(ids)
    named = {word for _, one in found.elements for word in (one.get("aria-labelledby") or "").split()}
    assert named <= set(ids)


def test_the_page_forbids_scripts_requests_and_being_indexed(shared: Path) -> None:
    metas = Found(written("demo", shared).text).of("meta")
    policy = next(one["content"] for one in metas if one.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    assert "script" not in policy
    told = {one["name"]: one["content"] for one in metas if one.get("name")}
    assert told["referrer"] == "no-referrer"
    assert "noindex" in (told["robots"] or "")
    assert not re.search(r"url\(|@import|@font-face", written("demo", shared).text)


def test_what_cannot_be_seen_is_written_out_and_passwords_are_hidden(shared: Path) -> None:
    text = written("hostile", shared).text
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]", text
    )
    assert "\\x1b[31mred" in text
    assert "\\u202eevil" in text
    assert "secret" not in text
    assert "7*7" in text  # a template of others is text


@pytest.mark.parametrize(
    ("link", "there"),
    [
        ("https://app.thousandeyes.com/view/tests?roundId=1", True),
        ("https://api.thousandeyes.com/v7/tests/1", True),
        ("https://app.thousandeyes.com.evil.example/", False),
        ("https://evil.example/?app.thousandeyes.com", False),
        ("https://user@app.thousandeyes.com/", False),
        ("https://app.thousandeyes.com@evil.example/", False),
        ("http://app.thousandeyes.com/", False),
        ("javascript:alert(1)//app.thousandeyes.com", False),
        ('https://app.thousandeyes.com/" onclick=alert(1)', False),
    ],
)
async def test_links_lead_to_the_product_or_the_origin_and_nowhere_else(link: str, there: bool) -> None:
    fleet = worlds.agents(3)
    how = refused()
    rows = tuple(one._replace(link=link) for one in worlds.healthy(fleet[0], "shop", 1).rows or ())
    cells = [cell(agent, "shop", replace(how, rows=rows)) for agent in fleet]
    found = Found(await html(worlds.source(cells, fleet, **DONE), Layout()))
    out = [one for one in found.of("a") if not (one["href"] or "").startswith("#")]
    assert bool(out) == there
    assert all(one["href"] == link and one["rel"] == "noreferrer" for one in out)


# -- the same story as everywhere --------------------------------------------------------------------------


async def test_the_headline_and_the_causes_are_those_of_every_other_report() -> None:
    run = source("demo")
    told, shown = await overview(run), await paged(run)
    assert "".join(part.text for part in shown.headline) == plain(told.headline)
    assert [card.number for card in shown.cards] == [point.number for point in told.points]
    assert [(card.bad, card.known) for card in shown.cards] == [
        (point.found.bad, point.found.known) for point in told.points
    ]


async def test_every_cell_is_counted_once_wherever_it_is_counted() -> None:
    run = source("demo")
    shown, cells = await paged(run), len(list(worlds.demo_cells()))
    assert sum(one.number for one in shown.tallies) == cells
    assert shown.targets is not None
    assert sum(sum(entry.numbers) for entry in shown.targets.entries) == cells
    assert shown.sites is not None
    assert sum(sum(entry.numbers) for entry in shown.sites.entries) == cells
    numbers = {one.css: one.number for one in shown.tallies}
    listed = [one for group in shown.bad for one in group.cells]
    assert len(listed) == numbers["f"] + numbers["w"]
    assert [one.id for one in listed] == list(range(1, len(listed) + 1))


async def test_the_matrix_says_by_letters_what_the_cells_came_to() -> None:
    shown = await paged(source("demo"))
    assert shown.matrix is not None
    verdict = shown.matrix.views[0]
    signs = [mark.sign for row in verdict.rows for mark in row.cells if mark is not None]
    assert (signs.count("T"), signs.count("C"), signs.count("L"), signs.count("R")) == (20, 21, 11, 1)
    assert (signs.count("l"), signs.count("–"), signs.count("×")) == (1, 12, 12)  # noqa: RUF001 - signs
    empty = sum(mark is None for row in verdict.rows for mark in row.cells)
    assert empty == next(one.number for one in shown.tallies if one.css == "k")
    assert verdict.rows[0].target == "crm"  # the worst first
    assert sum(group.span for group in shown.matrix.groups) == len(shown.matrix.columns)


async def test_a_run_that_goes_on_says_so_far() -> None:
    fleet = worlds.agents(5)
    open_ = How(None, rows=())
    cells = [cell(agent, "shop", refused()) for agent in fleet]
    cells += [cell(agent, "wiki", open_) for agent in fleet]
    shown = await paged(worlds.source(cells, fleet, state=RunState.RUNNING, finished=None))
    assert "".join(part.text for part in shown.headline).startswith("So far: ")
    assert "5 are open" in shown.lead
    assert "The run goes on" in shown.lead
    stopped = await paged(worlds.source(cells, fleet, state=RunState.INTERRUPTED, exit_code=130))
    assert "".join(part.text for part in stopped.headline).startswith("So far: ")
    assert "interrupted" in stopped.lead


async def test_a_run_without_a_cell_and_one_of_one_cell_are_reports_too() -> None:
    for cells in ([], [cell(worlds.agents(1)[0], "shop", PASSES)]):
        run = worlds.source(cells, worlds.agents(1), state=RunState.COMPLETE, exit_code=0)
        assert "</html>" in await html(run, Layout())


# -- by size, never silently -------------------------------------------------------------------------------


def test_what_is_drawn_shrinks_with_the_size() -> None:
    small, middle, large, huge = (size_of(cells) for cells in (2_000, 10_000, 40_000, 100_000))
    assert (small.titles, small.waits, small.latencies, small.times) == (True, True, True, True)
    assert (middle.titles, middle.waits, middle.latencies, middle.times) == (False, False, True, True)
    assert (large.latencies, large.times, large.rows) == (False, True, None)
    assert (huge.times, huge.rows, huge.columns) == (False, 300, 120)


async def test_a_huge_run_shows_its_bad_targets_and_counts_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    less = replace(size_of(100_000), rows=30, columns=12, lines=30)
    monkeypatch.setattr("orchestrator.report.html.material.size_of", lambda _: less)
    shown = await paged(worlds.large(70, 26, bad=0.08, **DONE))
    assert shown.matrix is not None
    verdict = shown.matrix.views[0]
    single = [row for row in verdict.rows if row.whole is None]
    assert len(single) == 30
    assert [row.whole for row in verdict.rows[30:]] == ["40 targets, 40 of them with bad cells"]
    assert any("30 of 70 targets" in note for note in shown.matrix.notes)
    # A named agent keeps a column of its own; the others share one for each country.
    assert "branch-05-paris" in shown.matrix.columns
    assert any(re.fullmatch(r"US: \d+", column) for column in shown.matrix.columns)
    assert any("26 agents" in note for note in shown.matrix.notes)
    assert any(
        mark is not None and re.fullmatch(r"\d+/\d+", mark.sign) for row in single for mark in row.cells
    )
    assert shown.targets is not None
    assert any("30 of 70" in note for note in shown.targets.notes)


async def test_more_bad_cells_than_are_listed_are_counted() -> None:
    shown = await paged(source("demo"), Layout(cells=20))
    listed = sum(len(group.cells) for group in shown.bad)
    more = sum(int(group.more.split()[0]) for group in shown.bad if group.more)
    assert listed <= 20
    assert listed + more == sum(int(group.total.split()[0]) for group in shown.bad) == 54
    refs = (
        {mark.ref for row in shown.matrix.views[0].rows for mark in row.cells if mark}
        if shown.matrix
        else set()
    )
    assert refs - {None} == {one.id for group in shown.bad for one in group.cells}


# -- layouts -----------------------------------------------------------------------------------------------


async def test_columns_are_grouped_by_what_was_asked_for() -> None:
    fleet = [replace(agent, labels=("region", f"site: {agent.country}-1")) for agent in worlds.agents(6)]
    cells = [cell(agent, "shop", PASSES) for agent in fleet]
    run = worlds.source(cells, fleet, **DONE)
    for by, wanted in (
        ("country", {"NO", "US", "FR"}),
        ("location", {agent.location for agent in fleet}),
        ("label:site", {"NO-1", "US-1", "FR-1"}),
        ("label:region", {"region"}),
        ("label:none", {"–"}),  # noqa: RUF001 - a sign
    ):
        shown = await paged(run, Layout(columns=columns_of(by)))
        assert shown.matrix is not None
        assert {group.label for group in shown.matrix.groups} == wanted, by


@pytest.mark.parametrize("wrong", ["", "label:", "countries", "label"])
def test_other_groupings_are_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="country, location, network or label:KEY"):
        columns_of(wrong)


async def test_the_summary_for_a_mail_is_small_and_has_tables_only() -> None:
    for name in ("demo", "hostile", "200x50"):
        text = await html(source(name), Layout(part=Parts.SUMMARY))
        assert len(text.encode("utf-8")) < 60_000
        assert not {tag for tag, _ in Found(text).elements} & {"svg", "details", "input", "script"}
    assert "site-" in text


async def test_a_style_beside_the_page_is_linked_and_nothing_of_it_is_in_the_page() -> None:
    style: list[str] = []
    text = await html(source("demo"), Layout(sheet=Sheet("css/a%20b.css", style.append)))
    found = Found(text)
    assert not found.of("style")
    assert found.of("link") == [{"rel": "stylesheet", "href": "css/a%20b.css"}]
    assert "style-src 'self'" in text
    assert "unsafe-inline" not in text
    assert ".mx" in "".join(style)


async def test_the_path_graph_rings_the_hop_that_a_cause_names() -> None:
    text = await html(source("demo"), Layout())
    assert text.count('class="ring"') == 1
    assert "tr2-san-jose-0" in text
    assert "stroke-dasharray" in text  # beyond the last hop that answers: as in the last good run
    assert "20 of 22 agents are drawn" in text
    assert "(as in the last good run)" in text or "tr2-san-jose-0" in text.partition("The same as a table")[2]


async def test_a_silent_agent_is_no_failure_of_any_target() -> None:
    shown = await paged(source("demo"))
    silent = next(card for card in shown.cards if card.icon == "silence")
    assert silent.css == "n"
    assert "says nothing about the targets" in silent.contrast
    assert all(one.word != Verdict.NO_ANSWER for group in shown.bad for one in group.cells)


async def test_a_link_on_which_paths_get_slow_says_by_how_much() -> None:
    """Two agents: every hop from the third on is 82 ms slower; a slow control plane in between is none."""
    fleet = worlds.agents(3)
    cells = []
    for agent in fleet:
        hops = tuple(
            Hop(number, f"198.51.100.{number}", time=time)
            for number, time in enumerate((1.0, 5.0, 87.0, 300.0, 90.0), 1)
        )
        how = refused() if agent is fleet[0] else PASSES
        made = cell(agent, "shop", how)
        details = make_answer(DETAILS, agent.id, metrics={"pathTraces": 1}, paths=(Path_("p", hops),))
        reached = row(PATHS.name, agent, {"numberOfHops": 5, "pathTraces": 1, "responseTime": 90.0})
        cells.append(made._replace(rows=(*made.rows, reached, details)))
    text = await html(worlds.source(cells, fleet, **DONE), Layout())
    assert re.findall(r'class="jump"[^>]*>([^<]*)<', text) == ["+82 ms"]
    assert "from there on every hop is so much slower" in text
