"""Every page over HTTP: there, in HTML and in JSON, escaped, and with the headers that hold a browser
back."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from documentation import ROOT
from web_site import ATTACK, BAD, GOOD, HOSTILE, OPEN, site_over

from orchestrator.model import Verdict
from orchestrator.report.site import addresses
from orchestrator.web import server
from orchestrator.web.guard import Terms
from orchestrator.web.server import HEADERS, POLICY

TOKEN = "0123456789abcdef0123456789abcdef"
PAGES = (
    "/", "/?plan=sweep", "/?state=running", f"/?before={BAD}", "/plans", "/budgets", "/queue", "/schedules",
    "/plan?name=sweep", addresses.plan_address(ATTACK), f"/runs/{GOOD}", f"/runs/{BAD}", f"/runs/{OPEN}",
    f"/runs/{HOSTILE}", f"/diff?run={BAD}&base={GOOD}", f"/diff?run={BAD}",
)  # fmt: skip


@pytest.fixture
async def origin(tmp_path: Path) -> AsyncIterator[str]:
    """A site with runs."""
    async with site_over(tmp_path) as found:
        yield found


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody who asks."""
    async with aiohttp.ClientSession() as found:
        yield found


async def _text(client: aiohttp.ClientSession, address: str, **headers: str) -> str:
    async with client.get(address, headers=headers) as answer:
        assert answer.status == 200, f"{address}: {answer.status}"
        return await answer.text()


async def _document(client: aiohttp.ClientSession, address: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await _text(client, address, Accept="application/json"))
    return found


async def test_every_page_is_there_and_holds_a_browser_back(
    origin: str, client: aiohttp.ClientSession
) -> None:
    for page in PAGES:
        async with client.get(f"{origin}{page}") as answer:
            text = await answer.text()
            assert answer.status == 200, page
            assert answer.content_type == "text/html"
            for name, value in HEADERS.items():
                assert answer.headers[name] == value, (page, name)
            assert "unsafe" not in answer.headers["Content-Security-Policy"]
            assert "Set-Cookie" not in answer.headers
            assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=", text), page
            assert text.count('<nav class="site"') == 1, page
    assert "default-src 'none'; style-src 'self'; img-src 'self' data:" in POLICY


async def test_every_page_is_json_at_the_same_address(origin: str, client: aiohttp.ClientSession) -> None:
    for page in PAGES:
        document = await _document(client, f"{origin}{page}")
        assert document["schema"] == 1, page


async def test_every_link_of_every_page_leads_to_a_page_or_a_style(
    origin: str, client: aiohttp.ClientSession
) -> None:
    seen: set[str] = set()
    for page in PAGES:
        text = await _text(client, f"{origin}{page}")
        seen |= {one.replace("&amp;", "&") for one in re.findall(r'href="(/[^"]*)"', text)}
    assert {"/style.css", f"/runs/{GOOD}/style.css"} <= seen
    for link in sorted(seen - set(PAGES)):
        async with client.get(f"{origin}{link}") as answer:
            assert answer.status == 200, link


async def test_what_is_not_there_is_a_document_for_who_wants_one(
    origin: str, client: aiohttp.ClientSession
) -> None:
    for page in (
        "/nothing",
        "/runs/no%20id",
        "/plan",
        "/?state=odd",
        "/runs/ffff",
        f"/diff?run={BAD}&base=ffff",
    ):
        async with client.get(f"{origin}{page}", headers={"Accept": "application/json"}) as answer:
            assert answer.status == 404, page
            assert {*await answer.json()} == {"error", "hint"}, page


async def test_runs_with_nothing_in_common_are_not_called_no_worse(
    origin: str, client: aiohttp.ClientSession
) -> None:
    for accept in ("text/html", "application/json"):
        address = f"{origin}/diff?run={HOSTILE}&base={GOOD}"
        async with client.get(address, headers={"Accept": accept}) as answer:
            assert answer.status == 404
            text = await answer.text()
        assert "no cell in common" in text
        assert "nothing is worse" not in text


async def test_a_store_that_is_gone_or_another_one_is_not_shown(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    async with site_over(tmp_path) as origin:
        assert await _text(client, f"{origin}/healthz") == "ok\n"
        (file,) = tmp_path.glob("*.db")
        away = file.rename(tmp_path / "away")
        for change in (lambda: None, lambda: file.write_bytes(away.read_bytes())):
            change()
            for page in ("/healthz", "/", f"/runs/{GOOD}"):
                async with client.get(f"{origin}{page}") as answer:
                    assert answer.status == 503, page
        file.unlink()
        away.rename(file)
        assert await _text(client, f"{origin}/healthz") == "ok\n", "it is back"


async def test_what_attacks_is_text(origin: str, client: aiohttp.ClientSession) -> None:
    for page in (f"/runs/{HOSTILE}", "/", addresses.plan_address(ATTACK), "/budgets", "/plans"):
        text = await _text(client, f"{origin}{page}")
        assert "<script" not in text
        assert "&lt;script&gt;" in text or page == "/budgets"
        assert "\u202e" not in text


async def test_runs_are_filtered_and_paged(origin: str, client: aiohttp.ClientSession) -> None:
    async def ids(query: str) -> list[str]:
        return [run["run"] for run in (await _document(client, f"{origin}/?{query}"))["runs"]]

    assert await ids("") == [OPEN, HOSTILE, BAD, GOOD]
    assert await ids("plan=sweep") == [BAD, GOOD]
    assert await ids("state=running") == [OPEN]
    assert await ids("state=interrupted") == [], "the one that goes on is alive"
    assert await ids("organization=api.thousandeyes.com") == [OPEN, BAD, GOOD]
    assert await ids(f"before={BAD}") == [GOOD]


async def test_a_run_that_goes_on_follows_itself_and_one_that_ended_does_not(
    origin: str, client: aiohttp.ClientSession
) -> None:
    async with client.get(f"{origin}/runs/{OPEN}") as answer:
        assert answer.headers["Refresh"] == "10"
        assert f'href="/runs/{OPEN}?still=1"' in await answer.text()
    async with client.get(f"{origin}/runs/{OPEN}?still=1") as answer:
        assert "Refresh" not in answer.headers
        assert "stays as it is" in await answer.text()
    async with client.get(f"{origin}/runs/{BAD}") as answer:
        assert "Refresh" not in answer.headers


async def test_a_name_leads_to_the_whole_id(origin: str, client: aiohttp.ClientSession) -> None:
    for name in ("last", "aa03"):
        async with client.get(f"{origin}/runs/{name}") as answer:
            assert str(answer.url) == f"{origin}/runs/{OPEN}"
    async with client.get(f"{origin}/runs/aa") as answer:
        assert answer.status == 404
        assert "more than one run" in await answer.text()


async def test_what_did_not_change_is_not_sent_again(origin: str, client: aiohttp.ClientSession) -> None:
    async with client.get(f"{origin}/runs/{BAD}") as answer:
        tag = answer.headers["ETag"]
    async with client.get(f"{origin}/runs/{BAD}", headers={"If-None-Match": tag}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")


async def test_a_history_tells_each_target_and_site_the_worst_first(
    origin: str, client: aiohttp.ClientSession
) -> None:
    document = await _document(client, f"{origin}/plan?name=sweep")
    assert [run["run"] for run in document["runs"]] == [GOOD, BAD]
    assert document["runs"][1]["targets"][0]["verdicts"] == {"fail": 1, "pass": 1}
    assert document["runs"][1]["agents"][1]["verdicts"] == {"fail": 1, "no-answer": 1}
    text = await _text(client, f"{origin}/plan?name=sweep")
    assert text.index("agent 1") < text.index("agent 0"), "the worst first"


async def test_budgets_are_as_a_run_saw_them_where_nobody_shares_them(
    origin: str, client: aiohttp.ClientSession
) -> None:
    found = {one["account"]: one for one in (await _document(client, f"{origin}/budgets"))["budgets"]}
    assert found[None]["now"] is None
    assert found[None]["seen"]["organization"]["remaining"] == 200


async def test_a_store_of_one_host_has_no_queue_and_no_schedules(
    origin: str, client: aiohttp.ClientSession
) -> None:
    assert (await _document(client, f"{origin}/queue"))["queue"] is None
    assert (await _document(client, f"{origin}/schedules"))["schedules"] is None
    assert "none here" in await _text(client, f"{origin}/queue")


async def test_no_page_takes_anything_but_a_question(origin: str, client: aiohttp.ClientSession) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        async with client.request(method, f"{origin}/runs/{GOOD}", data=b"x") as answer:
            assert answer.status == 405
            assert "GET" in answer.headers["Allow"]
    async with client.head(f"{origin}/") as answer:
        assert (answer.status, await answer.read()) == (200, b"")


async def test_a_stranger_is_told_nothing(tmp_path: Path, client: aiohttp.ClientSession) -> None:
    async with site_over(tmp_path, Terms(token=TOKEN)) as origin:
        for page in PAGES:
            async with client.get(f"{origin}{page}") as answer:
                assert answer.status == 401
                assert await answer.text() == "Who asks? A token is wanted.\n"
        async with client.get(f"{origin}/", headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
            assert answer.status == 200
        async with client.get(f"{origin}/", headers={"Host": "evil.example.com"}) as answer:
            assert answer.status == 421


async def test_an_empty_store_says_so(tmp_path: Path, client: aiohttp.ClientSession) -> None:
    async with site_over(tmp_path, furnished=False) as origin:
        assert "There are no runs yet." in await _text(client, f"{origin}/")
        for page in ("/plans", "/budgets"):
            assert "no runs yet" in await _text(client, f"{origin}{page}")
        async with client.get(f"{origin}/runs/last") as answer:
            assert answer.status == 404


@pytest.mark.parametrize(
    "said",
    [
        b"nonsense\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0",
        b"GET http://evil/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"CONNECT evil:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)  # fmt: skip
async def test_what_is_no_request_is_refused_in_our_words(origin: str, said: bytes) -> None:
    _, _, port = origin.rpartition(":")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    writer.write(said)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    head = answer.decode("latin-1")
    assert not answer or re.match(r"HTTP/1\.1 (400|404|405|421)", head), head
    assert "aiohttp" not in head
    assert "Traceback" not in head


async def test_documents_have_the_keys_that_the_page_on_them_tells(
    origin: str, client: aiohttp.ClientSession
) -> None:
    told = (ROOT / "docs" / "serve.md").read_text("utf-8")

    def keys(value: Any) -> set[str]:
        if isinstance(value, list):
            return set().union(*map(keys, value))
        if not isinstance(value, dict):
            return set()
        return set(value).union(*map(keys, value.values()))

    for page in ("/plans", "/plan?name=sweep", "/budgets", "/queue", "/schedules", "/plan?name=none"):
        async with client.get(f"{origin}{page}", headers={"Accept": "application/json"}) as answer:
            found = keys(await answer.json()) - {"organization", "instant_test", *Verdict}
        assert not {key for key in found if f"`{key}`" not in told}, page


async def test_who_says_nothing_or_comes_in_crowds_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "FIRST_WORDS", 0.2)
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 3)
    async with site_over(tmp_path, furnished=False) as origin:
        port = int(origin.rpartition(":")[2])
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        opened[0][1].write(b"GET / HTTP/1.1\r\nHost: local")
        for reader, writer in opened:
            assert await asyncio.wait_for(reader.read(), 60) == b"", "closed, and nothing said"
            writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()
