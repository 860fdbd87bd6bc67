"""A hostile API: it says back what it is told, the token included, wrapped in texts that try to break out.

Both versions, as little of them as a run of http-server tests needs: agents, labels, account groups, one
creation that succeeds and then refusals, and answers that are error rows.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

TEXTS = (
    "<script>alert(1)</script>",
    "[click](javascript:alert(1)) | `code` @everyone",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b[2J",
    '=HYPERLINK("http://foreign.invalid","x")',
    "line one\nline two\r\nline three",
    "null\x00byte \u0085 \u009b31m",
    "right \u202eto left\u202c \u2066isolated\u2069 \ufeff",
    "lone \ud800 surrogate",
    "]]> <!-- --> &amp; &#0;",
    "+1+1",
    "@SUM(A1:A9)",
    "-2+3",
    "M" * 1_048_576,
)


class Mirror:
    """``seen`` counts requests that carried a token."""

    def __init__(self) -> None:
        self.seen = 0
        self.created = 0

    def _echo(self, request: web.Request) -> str:
        said = request.headers.get("Authorization", "")
        self.seen += bool(said)
        return f"{said} {said.partition(' ')[2]}"

    def names(self) -> dict[str, str]:
        """Agent names by id, without the echo."""
        return {str(number): f"{text} {number}" for number, text in enumerate(TEXTS, 1)}

    async def handle(self, request: web.Request) -> web.Response:
        """Answer anything."""
        echo = self._echo(request)
        path, old = request.path, request.path.startswith("/v6/")
        if path in {"/v7/agents", "/v6/agents.json"}:
            return _json(
                {"agents": [self._agent(key, f"{name} {echo}") for key, name in self.names().items()]}
            )
        if path in {"/v7/tags", "/v6/groups/agents.json", "/v7/account-groups"}:
            group = {"aid": "1", "accountGroupName": f"{TEXTS[2]} {echo}", "isCurrentAccountGroup": True}
            return _json({"tags": [], "groups": [], "accountGroups": [group]})
        if request.method == "POST":
            return self._create(echo, old=old)
        rows = [self._row(key, name, echo, old=old) for key, name in self.names().items()]
        return _json({"web": {"httpServer": rows}} if old else {"results": rows, "test": {}})

    def _create(self, echo: str, *, old: bool) -> web.Response:
        self.created += 1
        if self.created == 1:
            test = {"testId": "281474976710657"}
            return _json({"test": [test]} if old else test, status=201)
        every = " ".join(TEXTS[:-1])
        problem = {
            "title": f"{every} {echo}",
            "detail": f"{echo} {every}",
            "errors": [{"field": TEXTS[0], "message": echo, "code": TEXTS[2]}],
        }
        return _json({"errorMessage": f"{echo} {every}"} if old else problem, status=400)

    @staticmethod
    def _agent(key: str, name: str) -> dict[str, Any]:
        country = "\x1b[31mGB"
        return {
            "agentId": key,
            "agentName": name,
            "agentType": "cloud",
            "countryId": country,
            "location": name,
        }

    @staticmethod
    def _row(key: str, name: str, echo: str, *, old: bool) -> dict[str, Any]:
        agent = {"agentId": key, "agentName": f"{name} {echo}", "countryId": "=GB"}
        link = f"https://app.example/{echo}\x1b[31m"
        return {
            **(agent if old else {"agent": agent}),
            "roundId": 1_800_000_000,
            "date": f"\x1b[31m{echo}",
            "server": f"{TEXTS[3]} {echo}",
            "errorType": TEXTS[2],
            "errorDetails": f"{TEXTS[int(key) % len(TEXTS)]} {echo}",
            **({"permalink": link} if old else {"_links": {"appLink": {"href": link}}}),
        }


def _json(body: Any, status: int = 200) -> web.Response:
    # ASCII, so that a lone surrogate can travel.
    return web.Response(status=status, body=json.dumps(body).encode("ascii"), content_type="application/json")


@asynccontextmanager
async def mirror() -> AsyncIterator[tuple[str, Mirror]]:
    """Serve it on loopback; yields its origin and itself."""
    hostile = Mirror()
    application = web.Application()
    application.router.add_route("*", "/{anything:.*}", hostile.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", hostile
    finally:
        await runner.cleanup()
