"""The pages in a real browser: by day, by night, on a phone, without script; axe finds nothing.

Without a browser these tests are skipped.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import browser as browsers
import pytest
from web_site import BAD, GOOD, HOSTILE, OPEN, site_over

pytestmark = pytest.mark.skipif(browsers.installed() is None, reason="no browser is installed")

WALKED = ("/", "/plans", "/plan?name=sweep", f"/runs/{BAD}", f"/runs/{OPEN}", f"/runs/{HOSTILE}", "/budgets",
          "/queue", "/schedules", f"/diff?run={BAD}&base={GOOD}", "/diff?run=ff")  # fmt: skip
_STICKS_OUT = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_FOREIGN = "document.querySelectorAll('script, iframe, img, object, embed, base, style, [style]').length"
_AXE = """
axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map(
  one => [one.id, one.nodes.length, one.nodes[0].html.slice(0, 200), one.nodes[0].failureSummary]))
"""


@pytest.fixture(scope="module")
def devtools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One browser for these tests."""
    with browsers.browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture
async def origin(tmp_path: Path) -> AsyncIterator[str]:
    """A site with runs."""
    async with site_over(tmp_path) as found:
        yield found


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)], ids=["day", "phone by night"])
async def test_all_pages_are_ours_alone_and_axe_finds_nothing(
    devtools: str, origin: str, width: int, dark: bool
) -> None:
    axe = browsers.axe()
    for address in WALKED:
        async with browsers.page(devtools) as page:
            await page.looks(width=width, dark=dark)
            await page.open(f"{origin}{address}")
            asked = {one for one in page.requests if not one.startswith("data:")}
            assert all(one.startswith(origin) for one in asked), asked
            assert await page.run("document.styleSheets[0].cssRules.length") > 50, address
            assert await page.run(_FOREIGN) == 0, address
            assert await page.run(_STICKS_OUT) <= 0, f"{address} sticks out at {width} px"
            assert [one for one in page.console if "404" not in one] == [], address
            if axe is not None:
                await page.run(f"{axe}; 0")
                violations = await page.run(_AXE)
                assert violations == [], f"{address}\n{json.dumps(violations, indent=1)}"


async def test_without_script_a_reader_walks_from_the_runs_to_a_filter_a_run_and_its_plan(
    devtools: str, origin: str
) -> None:
    async with browsers.page(devtools) as page:
        await page.looks(width=1280)
        await page.call("Emulation.setScriptExecutionDisabled", value=True)
        await page.open(f"{origin}/")

        async def click(selector: str) -> str:
            before = page.loaded
            node = await page.call("DOM.getDocument")
            found = await page.call("DOM.querySelector", nodeId=node["root"]["nodeId"], selector=selector)
            box = (await page.call("DOM.getBoxModel", nodeId=found["nodeId"]))["model"]["content"]
            x, y = (box[0] + box[4]) / 2, (box[1] + box[5]) / 2
            for kind in ("mousePressed", "mouseReleased"):
                await page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
            await page.until_loaded(before)
            return str((await page.call("Page.getNavigationHistory"))["entries"][-1]["url"])

        assert await click("button") == f"{origin}/?plan=&state=&organization="
        assert await click(".runs tbody tr:nth-child(3) th a") == f"{origin}/runs/{BAD}"
        assert await click(".site .more:last-child a") == f"{origin}/plan?name=sweep"
        assert await click(".site li:first-child a") == f"{origin}/"
