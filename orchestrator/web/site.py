"""What each page is made of: an action, then the page that ``report`` makes of it, or its document."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from orchestrator.actions import compare as comparing
from orchestrator.actions import reading
from orchestrator.actions.agenda import queue, schedules
from orchestrator.actions.asked import Asked
from orchestrator.actions.budgets import budgets
from orchestrator.actions.listing import history, listed
from orchestrator.actions.source import last_of_each, source_of
from orchestrator.catalogue import Which
from orchestrator.clock import Clock
from orchestrator.errors import OrchestratorError, StoreProblem, UsageProblem
from orchestrator.insight.headline import Mark
from orchestrator.records import RunRecord, RunState
from orchestrator.report.comparison import chosen
from orchestrator.report.html.compared import compared_html
from orchestrator.report.html.layout import Layout, Place, Sheet
from orchestrator.report.html.text import shown
from orchestrator.report.html.write import html
from orchestrator.report.site import addresses
from orchestrator.report.site.history import history_document, history_view
from orchestrator.report.site.render import own_style, page, style
from orchestrator.report.site.runs import (
    label_of,
    plan_lines,
    plans_document,
    runs_page_document,
    runs_view,
)
from orchestrator.report.site.standing import (
    budget_cards,
    budgets_document,
    queue_document,
    queue_view,
    schedules_document,
    schedules_view,
)
from orchestrator.report.site.view import Frame, TableView, Told
from orchestrator.store.opening import Opened
from orchestrator.web.asking import Comparison, Plan, Report, Runs, Simple, Wanted
from orchestrator.web.shelf import Drawer, Page, Recent, Shelf

HTML, JSON, CSS, TEXT = "text/html", "application/json", "text/css", "text/plain"
# Seconds that a page may be old: lists, the report of a run that goes on, what cannot change any more.
LIST, LIVE, ENDED = 1.0, 5.0, 3600.0
# And the worlds that a filter offers, which are read through all runs.
WORLDS = 30.0
# Seconds after which the page of a run that goes on, of budgets or of the queue asks for itself again.
REFRESH = 10

_WORDS = 500  # characters of a message

Document = Mapping[str, object]
STYLE, HEALTH = Simple("style"), Simple("health")


@dataclass(frozen=True)
class Site:
    """The pages over an opened store. ``mask`` takes secrets out of texts, ``organizations`` are those whose
    budgets are looked at besides the one without a name."""

    opened: Opened
    drawer: Drawer
    shelf: Shelf
    clock: Clock
    mask: Callable[[str], str] = str
    organizations: tuple[str, ...] = ()

    @cached_property
    def worlds(self) -> Recent[tuple[list[tuple[str, str | None]], list[str]]]:
        """The worlds of the store, and the organizations that it keeps runs under."""
        store = self.opened.store

        async def read() -> tuple[list[tuple[str, str | None]], list[str]]:
            return await store.worlds(), await store.organizations()

        return Recent(self.clock.now, WORLDS, read)

    async def answer(self, wanted: Wanted, *, as_json: bool) -> Page:
        """The page, or its document. What is not there is a page that says so.

        Raises :class:`orchestrator.web.shelf.Crowded`.
        """
        try:
            if wanted != STYLE:
                self.opened.stands()
            return await self._answer(wanted, as_json)
        except StoreProblem as problem:
            if wanted == HEALTH:
                return Page(503, TEXT, b"the store cannot be read\n")
            return self.told(503, "The store cannot be read", problem, as_json=as_json)
        except UsageProblem as problem:
            return self.told(404, "There is no such page", problem, as_json=as_json)

    async def _answer(self, wanted: Wanted, as_json: bool) -> Page:
        match wanted:
            case Simple("style", _):
                return self._made(200, CSS, style())
            case Simple("health", _):
                # A read, not a glance: a database may be away.
                await self.opened.store.runs(1)
                return Page(200, TEXT, b"ok\n")
            case Report():
                return await self._report(wanted, as_json)
            case Comparison():
                # Which run "before" means is read through many: not for each who asks within a second.
                make = partial(self._comparison, wanted, as_json)
                return await self.shelf.get((wanted, as_json), LIST, make)
            case Plan(name):
                draw = partial(self.drawer.draw, partial(self._plan, name, as_json))
                return await self.shelf.get((wanted, as_json), LIST, draw)
            case _:
                return await self.shelf.get((wanted, as_json), LIST, partial(self._listing, wanted, as_json))

    async def _listing(self, wanted: Wanted, as_json: bool) -> Page:
        match wanted:
            case Runs():
                return await self._runs(wanted, as_json)
            case Simple("metrics", _):
                return await self._metrics()
            case Simple("plans", _):
                return await self._plans(as_json)
            case Simple("budgets", still):
                return await self._budgets(as_json, still=still)
            case Simple("queue", still):
                waiting = await queue(self.opened)
                frame = _living("Queue", "/queue", still=still)
                page = self._table(frame, queue_view(waiting), queue_document(waiting), as_json)
                return page if still or as_json else replace(page, again=REFRESH)
            case _:
                timed = await schedules(self.opened)
                frame = _frame("Schedules", "/schedules")
                return self._table(frame, schedules_view(timed), schedules_document(timed), as_json)

    def _table(self, frame: Frame, view: TableView, document: Document, as_json: bool) -> Page:
        return self._document(document) if as_json else self._page("table", frame, view=view)

    async def _plans(self, as_json: bool) -> Page:
        plans = await self.opened.store.plans()
        if as_json:
            return self._document(plans_document(plans))
        return self._page("plans", _frame("Plans", "/plans"), lines=plan_lines(plans))

    async def _budgets(self, as_json: bool, *, still: bool) -> Page:
        found = await budgets(self.opened, self.organizations, self.clock.now())
        if as_json:
            return self._document(budgets_document(found))
        frame = _living("Budgets", "/budgets", still=still)
        page = self._page("budgets", frame, cards=budget_cards(found))
        return page if still else replace(page, again=REFRESH)

    async def _runs(self, wanted: Runs, as_json: bool) -> Page:
        worlds, names = await self.worlds.get()
        labels = {label_of(world): world for world in worlds}
        states = () if wanted.state is None else (wanted.state,)
        origin, account = labels.get(wanted.organization or "", (None, None))
        name = wanted.organization if wanted.organization in names else None
        if wanted.organization is not None and name is None and origin is None:
            raise UsageProblem(
                "no run talked to an organization of this name", hint="see the list of all runs"
            )
        which = Which(wanted.plan, states, None if name else origin, account, name)
        found = await listed(self.opened, which, wanted.before)
        if as_json:
            return self._document(runs_page_document(found.runs, found.older, self.mask))
        view = runs_view(
            found.runs,
            now=self.clock.wall(),
            plans=found.plans,
            organizations=[*names, *labels],
            plan=wanted.plan,
            state=wanted.state,
            organization=wanted.organization,
            before=wanted.before,
            older=found.older,
        )
        return self._page("runs", _frame("Runs", "/"), view=view)

    async def _metrics(self) -> Page:
        """The last run of each plan, for Prometheus. Runs that have ended stay as they are: what was made of
        the same ones is sent again."""
        last = await last_of_each(self.opened.store)
        # What was played through stands beside what is, only where that is nothing.
        told = [one for one in last if not one.simulated] or last
        draw = partial(self.drawer.draw, partial(self._scraped, told))
        return await self.shelf.get(("metrics", *(one.id for one in told)), ENDED, draw)

    async def _scraped(self, told: Sequence[RunRecord], opened: Opened) -> Page:
        from orchestrator.report.prometheus import scraped  # noqa: PLC0415 - an extra

        now = self.clock.wall()
        text = await scraped([source_of(opened.store, run, now) for run in told])
        return Page(200, TEXT, self.mask(text).encode("utf-8", "backslashreplace"))

    async def _plan(self, name: str, as_json: bool, opened: Opened) -> Page:
        found = await history(opened, name)
        if as_json:
            return self._document(history_document(name, found.runs, found.outcomes))
        view = history_view(name, found.runs, found.outcomes, self.clock.wall())
        return self._page("plan", _frame(f"{view.plan}: history", "/plans"), view=view)

    async def _report(self, wanted: Report, as_json: bool) -> Page:
        run = await reading.find(self.opened, wanted.run)
        if run.id != wanted.run:
            here = addresses.style_address if wanted.style else addresses.run_address
            return Page(302, TEXT, b"", goes_to=here(run.id))
        as_json = as_json and not wanted.style
        live = run.state is RunState.RUNNING
        still = wanted.still or not live or wanted.style
        draw = partial(self.drawer.draw, partial(self._drawn, run, as_json, wanted.still))
        key = ("report", *_content(run), as_json, wanted.still)
        found = await self.shelf.get(key, LIVE if live else ENDED, draw)
        if wanted.style:
            return self._made(200, CSS, found.style.decode())
        return found if still or as_json else replace(found, again=REFRESH)

    async def _drawn(self, run: RunRecord, as_json: bool, still: bool, opened: Opened) -> Page:
        now = self.clock.wall()
        if as_json:
            told = await reading.summed_up(opened.store, run, now=now)
            return self._document(told.document(self.mask))
        more, alive = [("History of the plan", addresses.plan_address(run.plan))], None
        if run.state is RunState.RUNNING:
            alive = addresses.alive(REFRESH, addresses.run_address(run.id), still=still)
        elif await opened.store.good_runs(run.id):
            more.insert(0, ("Compare with the last good run", addresses.diff_address(run.id)))
        sheet: list[str] = []
        layout = Layout(
            sheet=Sheet(addresses.style_address(run.id), sheet.append),
            place=Place(addresses.links(""), tuple(more), alive),
        )
        # As `report` writes it: with what changed since the last good run, once it has ended.
        asked = None if run.state is RunState.RUNNING else Asked()
        body = await html(source_of(opened.store, run, now, asked=asked), layout)
        return self._made(200, HTML, body, "".join(sheet) + own_style())

    async def _comparison(self, wanted: Comparison, as_json: bool) -> Page:
        run = await reading.find(self.opened, wanted.run)
        base = await comparing.base_of(self.opened.store, run, wanted.base)
        as_json = as_json and not wanted.style
        draw = partial(self.drawer.draw, partial(self._held, run, base, wanted.base, as_json))
        live = RunState.RUNNING in (run.state, base.state)
        key: Hashable = ("diff", *_content(run), *_content(base), wanted.base, as_json)
        found = await self.shelf.get(key, LIVE if live else ENDED, draw)
        return self._made(200, CSS, found.style.decode()) if wanted.style else found

    async def _held(self, run: RunRecord, base: RunRecord, name: str, as_json: bool, opened: Opened) -> Page:
        held = await comparing.hold(opened.store, run, name, base=base)
        try:
            comparing.check_common(held)
        except UsageProblem as problem:
            return self.told(404, "These runs cannot be compared", problem, as_json=as_json)
        if as_json:
            return self._document(held.document(self.mask))
        more = (
            (f"Run {held.run.id}", addresses.run_address(held.run.id)),
            (f"Base {held.base.id}", addresses.run_address(held.base.id)),
        )
        sheet: list[str] = []
        layout = Layout(
            sheet=Sheet(addresses.diff_style_address(run.id, name), sheet.append),
            place=Place(addresses.links(""), more),
        )
        cells = [*chosen(held, everything=False)]
        body = compared_html(held, cells, self.mask, layout)
        return self._made(200, HTML, body, "".join(sheet) + own_style())

    def told(self, status: int, title: str, problem: OrchestratorError, *, as_json: bool) -> Page:
        """A page that says why there is no other, to somebody who may ask."""
        words = [self.mask(text) for text in (problem.message, problem.hint) if text]
        if as_json:
            return self._document({"error": words[0], "hint": words[1] if words[1:] else None}, status)
        below = tuple(shown(one, _WORDS) for one in words[1:])
        told = Told(Mark.SILENT.sign, "n", "missing", title, shown(words[0], _WORDS), below=below)
        return self._page("told", _frame(title, ""), status=status, told=told)

    def missing(self) -> Page:
        """The document for an address that there is not."""
        problem = UsageProblem("no page has this address", hint="/ lists the runs, /plans the plans")
        return self.told(404, "There is no such page", problem, as_json=True)

    def _page(self, template: str, frame: Frame, *, status: int = 200, **values: object) -> Page:
        return self._made(status, HTML, page(template, frame, **values))

    def _made(self, status: int, kind: str, text: str, sheet: str = "") -> Page:
        body = self.mask(text).encode("utf-8", "backslashreplace")
        tag = hashlib.sha256(body).hexdigest()[:32] if status == 200 else None
        return Page(status, kind, body, sheet.encode(), tag)

    def _document(self, document: Document, status: int = 200) -> Page:
        return self._made(status, JSON, json.dumps(document, indent=1) + "\n")


def _frame(title: str, here: str, more: tuple[tuple[str, str], ...] = ()) -> Frame:
    return Frame(title, Place(addresses.links(here), more))


def _living(title: str, here: str, *, still: bool) -> Frame:
    told = addresses.alive(REFRESH, here, still=still)
    return Frame(title, Place(addresses.links(here), alive=told))


def _content(run: RunRecord) -> tuple[Hashable, ...]:
    """What names the content of a run's report: while none of it changes, the report does not."""
    return run.id, run.state, run.finished, run.exit_code, run.raw_pruned, run.answers_pruned
