"""The report in a real browser: on a phone, on paper, in the dark, by keyboard, and nothing in it but ours.

Without a browser these tests are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser as browsers
import pytest
from browser import Page
from report_files import DONE, ELEMENTS, Written, written
from report_worlds import demo

from orchestrator.report.html.layout import Layout, Sheet
from orchestrator.report.html.write import html

WORLDS = (
    *("demo", "changed", "hostile", "attacked", "diff-changed", "diff-attacked"),
    *(pytest.param(name, marks=pytest.mark.long) for name in ("200x50", "1000x100")),
)
WIDTHS = (390, 768, 1280)
# Bytes, and CPU seconds with a margin of three: on a busy machine a second is longer than one.
GATES = {"200x50": (1_000_000, 9.0), "200x200": (2_500_000, 25.0), "1000x100": (1_500_000, 30.0)}

pytestmark = pytest.mark.skipif(browsers.installed() is None, reason="no browser is installed")


@pytest.fixture(scope="session")
def devtools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One browser for all tests of a worker."""
    with browsers.browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


# Writing runs a loop of its own, so a test that has one takes its report from a fixture.
@pytest.fixture
def demo_page(shared: Path) -> Path:
    return written("demo", shared).file


@pytest.fixture
def changed_page(shared: Path) -> Path:
    return written("changed", shared).file


@pytest.fixture
def hostile_page(shared: Path) -> Path:
    return written("hostile", shared).file


@pytest.fixture(scope="module", params=WORLDS)
def report(request: pytest.FixtureRequest, shared: Path) -> Written:
    return written(request.param, shared)


# What the page is made of, as the browser understood it; what it wants to load; what sticks out of it.
_MADE_OF = """
[...new Set([...document.querySelectorAll('*')].flatMap(one => [one.localName.toLowerCase(),
  ...[...one.attributes].map(a => one.localName.toLowerCase() + ' ' + a.name.toLowerCase())]))]
"""
_STICKS_OUT = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Like rows are like rows: a dozen of each table tell what the rest would, in a hundredth of the time.
_FEWER = """
document.querySelectorAll('tbody').forEach(one => [...one.rows].slice(12).forEach(row => row.remove()));
document.querySelectorAll('.mx tr').forEach(row => [...row.cells].slice(30).forEach(cell => cell.remove()));
document.querySelectorAll('details').forEach(one => one.open = true);
"""
_AXE = """
axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map(
  one => [one.id, one.nodes.length, one.nodes[0].html.slice(0, 200), one.nodes[0].failureSummary]))
"""


def strange(made_of: list[str]) -> list[str]:
    """Elements and attributes that are not ours."""
    ours = set(ELEMENTS) | {f"{tag} {name}" for tag, names in ELEMENTS.items() for name in names}
    return [one for one in made_of if one not in ours]


async def test_a_report_opens_on_every_screen_and_is_ours_alone(devtools: str, report: Written) -> None:
    async with browsers.page(devtools) as page:
        await page.looks(width=WIDTHS[0])
        await page.open(report.file)
        assert not strange(await page.run(_MADE_OF))
        for width in WIDTHS:
            await page.looks(width=width, dark=width == 768)
            assert await page.run(_STICKS_OUT) <= 0, f"sticks out at {width} px"
        assert page.requests == [report.file.as_uri()]
        assert page.console == []


async def test_axe_finds_nothing_by_day_and_by_night(devtools: str, report: Written) -> None:
    source = browsers.axe()
    if source is None:
        pytest.skip("no package with axe is installed")
    for width, dark in ((1280, False), (390, True)):
        async with browsers.page(devtools) as page:
            await page.looks(width=width, dark=dark)
            await page.open(report.file)
            await page.run(f"{_FEWER}; 0")
            await page.run(f"{source}; 0")
            violations = await page.run(_AXE)
            assert violations == [], json.dumps(violations, indent=1)


@pytest.mark.parametrize("name", ["200x50", "200x200", pytest.param("1000x100", marks=pytest.mark.long)])
def test_a_report_is_as_small_and_as_quick_as_promised(name: str, shared: Path) -> None:
    size, seconds = GATES[name]
    report = written(name, shared)
    assert report.file.stat().st_size < size
    assert report.seconds < seconds


async def test_the_views_change_by_keyboard_and_without_a_script(devtools: str, demo_page: Path) -> None:
    async with browsers.page(devtools) as page:
        await page.looks(width=1280)
        await page.open(demo_page)
        assert await seen_views(page) == ["v"]
        await page.run("document.getElementById('mv-v').focus()")
        for wanted in ("t", "s"):
            await press(page, "ArrowRight", 39)
            assert await seen_views(page) == [wanted]


async def seen_views(page: Page) -> list[str]:
    """The views of the matrix that are shown."""
    found: list[str] = await page.run(_SHOWN)
    return found


_SHOWN = """
[...document.querySelectorAll('.mx')].filter(one => one.offsetHeight).map(one => one.classList[1].slice(3))
"""


async def press(page: Page, key: str, code: int) -> None:
    """Press a key."""
    for kind in ("keyDown", "keyUp"):
        await page.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)


async def test_what_changed_is_seen_and_read_out(devtools: str, changed_page: Path) -> None:
    async with browsers.page(devtools) as page:
        await page.looks(width=1280)
        await page.open(changed_page)
        await page.run("document.getElementById('mv-c').click()")
        assert await seen_views(page) == ["c"]
        assert await page.run(_WIKI) == ["web wiki"]
        assert await page.run("document.querySelectorAll('.runs li').length") == 8
        labels: list[str] = await page.run(
            "[...document.querySelectorAll('.sq')].map(one => one.getAttribute('aria-label'))"
        )
        assert "6 times passes, 2 times fails" in labels


# The rows in which more than half of the cells got slower.
_WIKI = """
[...document.querySelectorAll('.mx-c tbody tr')].filter(
  row => 2 * row.querySelectorAll('.u0,.u1,.u2').length > row.cells.length
).map(row => row.cells[0].textContent.trim().split(/\\s+/).join(' '))
"""


async def test_everything_that_takes_the_focus_shows_it(devtools: str, demo_page: Path) -> None:
    async with browsers.page(devtools) as page:
        await page.looks(width=1280)
        await page.open(demo_page)
        seen = []
        for _ in range(12):
            await press(page, "Tab", 9)
            told = await page.run(_FOCUS)
            seen.append(told["tag"])
            assert told["outline"] != "none" or told["beside"] != "none", told
        assert {"A", "INPUT", "DIV"} <= set(seen)


_FOCUS = """
(() => { const one = document.activeElement, next = one.nextElementSibling;
  return {tag: one.tagName, outline: getComputedStyle(one).outlineStyle,
          beside: next ? getComputedStyle(next).outlineStyle : 'none', html: one.outerHTML.slice(0, 120)} })()
"""


async def test_on_paper_all_views_are_there_in_light_colours(devtools: str, demo_page: Path) -> None:
    async with browsers.page(devtools) as page:
        await page.looks(width=794, dark=True, paper=True)
        await page.open(demo_page)
        assert len(await seen_views(page)) == 5
        assert (
            await page.run("getComputedStyle(document.documentElement).getPropertyValue('--bg').trim()")
            == "#fff"
        )
        pages = (await page.paper()).count(b"/Type /Page\n") or (await page.paper()).count(b"/Type /Page ")
        assert pages <= 16


async def test_without_styles_the_story_and_the_letters_are_still_there(
    devtools: str, demo_page: Path
) -> None:
    async with browsers.page(devtools) as page:
        await page.looks(width=1280)
        await page.open(demo_page)
        await page.run("document.querySelectorAll('style').forEach(one => one.remove())")
        text: str = await page.run("document.body.innerText")
        assert "Four causes explain 64 of 65 bad cells" in text
        order = [
            text.index(word) for word in ("crm fails", "Matrix", "Targets", "Sites", "Bad cells", "Commands")
        ]
        assert order == sorted(order)
        assert len(await seen_views(page)) == 5
        row: list[str] = await page.run(_ROW)
        assert row[0].split() == ["web", "crm"]
        assert row[1:].count("T") == 20


_ROW = "[...document.querySelector('.mx-v tbody tr').cells].map(one => one.textContent.trim())"


async def test_a_style_beside_the_page_is_applied(devtools: str, tmp_path: Path) -> None:
    """As a server that forbids styles in a page has it: the policy of the page allows its own folder only."""
    text = await html(demo(**DONE), Layout(sheet=Sheet("report.css", _into(tmp_path / "report.css"))))
    (tmp_path / "report.html").write_text(text, "utf-8")
    async with browsers.page(devtools) as page:
        await page.looks(width=1280)
        await page.open(tmp_path / "report.html")
        assert await seen_views(page) == ["v"]
        assert page.console == []
        assert [Path(one).name for one in page.requests] == ["report.html", "report.css"]


def _into(file: Path) -> Any:
    return lambda style: file.write_text(style, "utf-8")


async def test_what_attacks_neither_runs_nor_asks(devtools: str, hostile_page: Path) -> None:
    async with browsers.page(devtools) as page:
        await page.looks(width=1280)
        await page.open(hostile_page)
        assert (
            await page.run("document.querySelectorAll('script, iframe, img, object, embed, base').length")
            == 0
        )
        assert await page.run("document.styleSheets.length") == 1
        assert await page.run(_HANDLERS) == []
        assert page.requests == [hostile_page.as_uri()]


_HANDLERS = """
[...document.querySelectorAll('*')].flatMap(one => one.getAttributeNames())
  .filter(one => one.startsWith('on'))
"""
