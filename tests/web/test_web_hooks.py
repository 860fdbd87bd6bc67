"""Alerts over HTTP: what begins a diagnosis, and all that does not; a stranger learns nothing."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from web_fuzz import fuzz
from web_site import site_over

from orchestrator.alerts.config import load_hooks
from orchestrator.alerts.take import MOST_BYTES
from orchestrator.alerts.values import Begun, Received
from orchestrator.clock import LoopClock
from orchestrator.errors import UsageProblem
from orchestrator.web import server
from orchestrator.web.hooks import Alerts, Came, Wish

SECRET = "correct horse battery staple"
CONFIG = """\
hooks:
  plain: {secret: env:A, allow: ["*.example.com"], per_hour: 3}
  signed: {secret: env:A, by: hmac, header: X-Signature, time: at, allow: ["*.example.com"]}
  pagerduty:
    {kind: pagerduty, secret: env:A, allow: [shop.example.com], names: {PSHOP: "https://shop.example.com"}}
"""
BEARER = {"Authorization": f"Bearer {SECRET}"}


class Started:
    """Takes the place of a diagnosis: notes what it was asked for."""

    def __init__(self) -> None:
        self.wishes: list[Wish] = []
        self.problem: Exception | None = None
        self.going: anyio.Event | None = None
        self.more = anyio.Event()

    @property
    def targets(self) -> list[str]:
        """What was begun, in order."""
        return [wish.target for wish in self.wishes]

    async def __call__(self, wish: Wish) -> Came:
        """Diagnose nothing."""
        self.wishes.append(wish)
        self.more.set()
        self.more = anyio.Event()
        await anyio.lowlevel.checkpoint()
        if self.going is not None:
            await self.going.wait()
        if self.problem is not None:
            raise self.problem
        return Came("6b09", "fails from inside only", 0.2)


@pytest.fixture
def started() -> Started:
    """What was started."""
    return Started()


def _alerts(folder: Path, started: Started, past: list[Begun] | None = None) -> Alerts:
    (folder / "hooks.yaml").write_text(CONFIG)
    hooks = load_hooks(folder / "hooks.yaml")
    secrets = {hook.name: [SECRET.encode()] for hook in hooks}
    return Alerts(hooks, secrets, started, LoopClock(), past=past or [])


@asynccontextmanager
async def _hooks(folder: Path, started: Started, past: list[Begun] | None = None) -> AsyncIterator[str]:
    alerts = _alerts(folder, started, past)
    async with site_over(folder, furnished=False, alerts=alerts) as origin:
        # No task group: a fixture is left by another task than it was entered by.
        running = asyncio.create_task(alerts.run())
        yield f"{origin}/hooks/"
        running.cancel()
        await asyncio.wait([running])


@pytest.fixture
async def hooks(tmp_path: Path, started: Started) -> AsyncIterator[str]:
    """A server that takes alerts."""
    async with _hooks(tmp_path, started) as address:
        yield address


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody who sends alerts."""
    async with aiohttp.ClientSession() as found:
        yield found


async def _post(
    client: aiohttp.ClientSession, address: str, body: Any, headers: dict[str, str] | None = None
) -> int:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with client.post(address, data=data, headers=BEARER if headers is None else headers) as answer:
        text = await answer.text()
        assert SECRET not in text
        assert len(text) < 60
        if answer.status == 429:
            assert int(answer.headers["Retry-After"]) >= 1
        return answer.status


async def _settled(started: Started, number: int) -> None:
    while len(started.wishes) < number:
        await started.more.wait()


async def test_an_alert_begins_a_diagnosis_of_its_target_once(
    hooks: str, started: Started, client: aiohttp.ClientSession
) -> None:
    alert = {"target": "https://shop.example.com"}
    assert await _post(client, f"{hooks}plain", alert) == 202
    assert await _post(client, f"{hooks}plain", alert) == 200, "it was diagnosed just now"
    await _settled(started, 1)
    assert started.targets == ["https://shop.example.com"]


async def test_a_signed_alert_of_now_counts_and_one_of_yesterday_or_changed_does_not(
    hooks: str, started: Started, client: aiohttp.ClientSession
) -> None:
    def event(at: float) -> bytes:
        data = {"service": {"id": "PSHOP"}}
        told = {"event_type": "incident.triggered", "occurred_at": at, "data": data}
        return json.dumps({"event": told}).encode()

    def signed(body: bytes) -> dict[str, str]:
        return {"X-PagerDuty-Signature": "v1=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}

    now = LoopClock().wall()
    old, new = event(now - 86_400), event(now)
    assert await _post(client, f"{hooks}pagerduty", old, signed(old)) == 403
    assert await _post(client, f"{hooks}pagerduty", new + b" ", signed(new)) == 403
    assert await _post(client, f"{hooks}pagerduty", new, BEARER) == 403
    assert started.targets == []
    assert await _post(client, f"{hooks}pagerduty", new, signed(new)) == 202
    await _settled(started, 1)
    assert started.targets == ["https://shop.example.com"]


async def test_beyond_the_hours_number_it_is_told_when_to_come_again(
    hooks: str, started: Started, client: aiohttp.ClientSession
) -> None:
    told = [await _post(client, f"{hooks}plain", {"target": f"t{n}.example.com"}) for n in range(5)]
    assert told == [202, 202, 202, 429, 429]
    await _settled(started, 3)
    assert len(started.wishes) == 3


async def test_a_restart_is_no_way_around_a_limit(
    tmp_path: Path, started: Started, client: aiohttp.ClientSession
) -> None:
    now = LoopClock().wall()
    past = [Begun(f"p{n}.example.com", now - 60, 0.2, "plain") for n in range(3)]
    async with _hooks(tmp_path, started, past) as address:
        assert await _post(client, f"{address}plain", {"target": "a.example.com"}) == 429
    assert started.wishes == []


async def test_what_fails_does_not_stop_the_next(
    hooks: str, started: Started, client: aiohttp.ClientSession
) -> None:
    for number, problem in enumerate((UsageProblem("no token"), ValueError("a defect")), 1):
        started.problem = problem
        assert await _post(client, f"{hooks}plain", {"target": f"t{number}.example.com"}) == 202
        await _settled(started, number)
    started.problem = None
    assert await _post(client, f"{hooks}plain", {"target": "t3.example.com"}) == 202
    await _settled(started, 3)


async def test_after_a_diagnosis_that_failed_the_alert_counts_again(
    tmp_path: Path, started: Started, client: aiohttp.ClientSession
) -> None:
    failed: list[tuple[Exception, float]] = [(UsageProblem("no token"), 0.0), (ValueError("a defect"), 2.0)]
    for problem, units in failed:
        alerts = _alerts(tmp_path, started)
        started.problem = problem
        async with site_over(tmp_path, furnished=False, alerts=alerts) as origin:
            running = asyncio.create_task(alerts.run())
            address, alert = f"{origin}/hooks/plain", {"target": "https://shop.example.com"}
            for _ in range(3):
                assert await _post(client, address, alert) == 202, "it was not diagnosed"
                while not alerts.past.begun[-1].failed:
                    await anyio.lowlevel.checkpoint()
            assert [one.units for one in alerts.past.begun] == [units] * 3
            assert {one.why for one in alerts.past.begun} == {
                str(problem) if units == 0.0 else "a defect: see the log"
            }
            assert await _post(client, address, alert) == 429, "what failed counts by the hour"
            alerts.close()
            await running


async def test_at_the_end_the_one_that_goes_on_ends_and_what_waits_is_told(
    tmp_path: Path, started: Started, client: aiohttp.ClientSession
) -> None:
    alerts, started.going = _alerts(tmp_path, started), anyio.Event()
    with structlog.testing.capture_logs() as told:
        async with site_over(tmp_path, furnished=False, alerts=alerts) as origin:
            running = asyncio.create_task(alerts.run())
            for name in ("a", "b"):
                assert await _post(client, f"{origin}/hooks/plain", {"target": f"{name}.example.com"}) == 202
            await _settled(started, 1)
            alerts.close()
            assert await _post(client, f"{origin}/hooks/plain", {"target": "c.example.com"}) == 503
            assert not running.done(), "it was left"
            started.going.set()
            await running
    assert started.targets == ["a.example.com"]
    assert [(one["target"], one["log_level"]) for one in told if one["event"] == "dropped"] == [
        ("b.example.com", "warning")
    ]
    assert [one["target"] for one in told if one["event"] == "diagnosed"] == ["a.example.com"]


async def test_what_waits_is_told_also_when_the_server_is_cancelled(tmp_path: Path, started: Started) -> None:
    alerts, started.going = _alerts(tmp_path, started), anyio.Event()
    proof = {"authorization": [f"Bearer {SECRET}"]}
    with structlog.testing.capture_logs() as told:
        running = asyncio.create_task(alerts.run())
        for name in ("a", "b"):
            body = json.dumps({"target": f"{name}.example.com"}).encode()
            assert alerts.take("plain", Received(proof, body)).status == 202
        await _settled(started, 1)
        running.cancel()
        await asyncio.wait([running])
    assert [one["target"] for one in told if one["event"] == "dropped"] == ["b.example.com"]


async def test_a_compressed_body_is_refused_and_never_unpacked(
    hooks: str, started: Started, client: aiohttp.ClientSession
) -> None:
    packed = zlib.compress(json.dumps({"target": "a.example.com"}).encode() + b" " * 10_000_000, wbits=31)
    for coding in ("gzip", "GZip ", "deflate", "br"):
        headers = {**BEARER, "Content-Encoding": coding}
        async with client.post(f"{hooks}plain", data=packed, headers=headers, compress=False) as answer:
            assert answer.status == 415, coding
    async with client.get(
        hooks.removesuffix("hooks/"), data=packed, headers={"Content-Encoding": "gzip"}
    ) as answer:
        assert answer.status == 200
    assert started.wishes == []


async def test_nothing_is_unpacked_before_it_is_known_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bool] = []
    usual = RequestHandler.__init__

    def noted(self: RequestHandler, *args: Any, **more: Any) -> None:
        made.append(more.get("auto_decompress", True))
        usual(self, *args, **more)

    monkeypatch.setattr(RequestHandler, "__init__", noted)

    async def nobody(_: web.BaseRequest) -> web.StreamResponse:
        raise AssertionError("nobody asks")

    server._Server(nobody)()
    assert made == [False]


@asynccontextmanager
async def _stuck(hooks: str, name: str, number: int, proof: str = "") -> AsyncIterator[list[bytes]]:
    """So many senders who begin a body and do not go on; what each was told at once, if anything."""
    host, _, port = hooks.removeprefix("http://").partition("/")[0].partition(":")
    head = f"POST /hooks/{name} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n{proof}\r\n{{"
    writers, told = [], list[bytes]()
    for _ in range(number):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(head.encode())
        writers.append(writer)
        if not proof or number > server.MOST_BODIES_EACH:
            with anyio.move_on_after(0.05):
                told.append(await reader.readline())
    yield told
    for writer in writers:
        writer.close()


async def test_strangers_who_send_slowly_keep_no_alert_out(
    hooks: str, started: Started, client: aiohttp.ClientSession
) -> None:
    async with _stuck(hooks, "plain", server.MOST_BODIES) as told:
        assert {one[:12] for one in told} == {b"HTTP/1.1 403"}, "no proof, no place"
        assert await _post(client, f"{hooks}plain", {"target": "a.example.com"}) == 202
    signature = "X-Signature: " + "0" * 64 + "\r\n"
    async with _stuck(hooks, "signed", server.MOST_BODIES, signature) as told:
        assert {one[:12] for one in told} == {b"HTTP/1.1 503"}, "one address has a few places"
        assert await _post(client, f"{hooks}plain", {"target": "b.example.com"}) == 202


async def test_every_refusal_says_why_in_the_log_and_nothing_to_the_stranger(
    hooks: str, started: Started, client: aiohttp.ClientSession
) -> None:
    wrong: list[tuple[str, Any, dict[str, str] | None, int]] = [
        ("plain", {"target": "a.example.com"}, {}, 403),
        ("plain", {"target": "a.example.com"}, {"Authorization": "Bearer wrong"}, 403),
        ("plain", {"target": "evil.net"}, None, 422),
        ("plain", {"nothing": 1}, None, 400),
        ("plain", b"\xff", None, 400),
        ("plain", b"x" * (MOST_BYTES + 1), None, 413),
        ("none", {"target": "a.example.com"}, None, 404),
        ("NONE", {"target": "a.example.com"}, None, 404),
    ]
    with structlog.testing.capture_logs() as told:
        for name, body, headers, status in wrong:
            assert await _post(client, f"{hooks}{name}", body, headers) == status, name
        async with client.get(f"{hooks}plain") as answer:
            assert answer.status == 405
        async with client.post(f"{hooks}plain", headers={**BEARER, "Host": "evil.net"}) as answer:
            assert answer.status == 421
    assert len([line for line in told if line["why"]]) >= len(wrong)
    assert SECRET not in str(told)
    assert started.wishes == []


async def test_a_body_that_is_larger_than_it_said_or_never_ends_is_not_read(
    hooks: str, started: Started, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 10_000

    async with client.post(f"{hooks}plain", data=endless(), headers=BEARER) as answer:
        assert answer.status == 413

    monkeypatch.setattr(server, "BODY_WITHIN", 0.2)
    host, _, port = hooks.removeprefix("http://").partition("/")[0].partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    proof = f"Authorization: Bearer {SECRET}"
    head = f"POST /hooks/plain HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n{proof}\r\n\r\n"
    writer.write(head.encode() + b"{")
    assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    writer.close()
    assert started.wishes == []


async def test_a_server_without_hooks_takes_no_alert(tmp_path: Path, client: aiohttp.ClientSession) -> None:
    async with site_over(tmp_path, furnished=False) as origin:
        assert await _post(client, f"{origin}/hooks/plain", {"target": "a.example.com"}) == 404


async def test_no_nonsense_is_a_defect_begins_anything_or_learns_anything(tmp_path: Path) -> None:
    """The short form of ``tests/campaign/web_fuzz.py``."""
    statuses, wrong = await fuzz(tmp_path, 250, 7)
    assert wrong == []
    assert len(statuses) >= 6, "the nonsense is of many kinds"
