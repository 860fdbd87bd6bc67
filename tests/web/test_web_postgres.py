"""The pages over a store that several hosts share: all of them, and what only such a store has."""

from __future__ import annotations

import json
from collections.abc import Iterator

import aiohttp
import pytest
from stores import KINDS, POSTGRES, new_place
from web_site import BAD, GOOD, HOSTILE, OPEN, keep, site_over

from orchestrator.store.opening import open_store


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database with its tables."""
    yield from new_place(next(kind for kind in KINDS if kind.name == POSTGRES), request)


async def test_every_page_is_there_over_a_database(url: str) -> None:
    async with site_over(url) as origin, aiohttp.ClientSession() as client:
        for page in (
            *(
                "/",
                "/?plan=sweep",
                f"/?before={BAD}",
                "/?organization=api.thousandeyes.com",
                "/plans",
                "/budgets",
            ),
            *("/plan?name=sweep", f"/runs/{GOOD}", f"/runs/{OPEN}", f"/runs/{HOSTILE}", f"/diff?run={BAD}"),
            *("/queue", "/schedules"),
        ):
            async with client.get(f"{origin}{page}") as answer:
                assert answer.status == 200, f"{page}: {await answer.text()}"
            async with client.get(f"{origin}{page}", headers={"Accept": "application/json"}) as answer:
                document = json.loads(await answer.text())
                assert document["schema"] == 1, page
                if page in ("/queue", "/schedules"):
                    assert document[page[1:]] == [], "it has one, and there is nothing in it"


async def test_runs_are_found_by_the_organization_that_they_are_kept_under(url: str) -> None:
    async with open_store(url, organization="acme") as opened:
        await keep(opened.store, "aa11", account="7")
    async with site_over(url) as origin, aiohttp.ClientSession() as client:

        async def ids(organization: str) -> list[str]:
            address = f"{origin}/?organization={organization}"
            async with client.get(address, headers={"Accept": "application/json"}) as answer:
                return [run["run"] for run in json.loads(await answer.text())["runs"]]

        assert await ids("acme") == ["aa11"]
        assert await ids("api.thousandeyes.com") == [OPEN, BAD, GOOD]
        assert await ids("api.thousandeyes.com+/+7") == ["aa11"]
        async with client.get(origin) as answer:
            assert '<option value="acme">acme</option>' in await answer.text()
