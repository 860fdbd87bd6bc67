"""Tells over HTTP whether a worker is well, and what it counts; and asks another one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from orchestrator.errors import UsageProblem
from orchestrator.safe import visible
from orchestrator.worker.health import Answer, Health

# A worker on this host answers within milliseconds, or hangs (seconds).
PATIENCE = 4.0


@asynccontextmanager
async def listening(
    host: str, port: int, health: Health, metrics: Callable[[], tuple[bytes, str]]
) -> AsyncIterator[str]:
    """Serve ``/healthz``, ``/readyz`` and ``/metrics`` during the block; gives the origin.

    Raises ``UsageProblem`` for an address that cannot be listened on.
    """

    async def alive(_request: web.Request) -> web.Response:
        return _answered(health.alive())

    async def ready(_request: web.Request) -> web.Response:
        return _answered(await health.ready())

    async def counted(_request: web.Request) -> web.Response:
        body, kind = metrics()
        return web.Response(body=body, headers={"Content-Type": kind})

    application = web.Application()
    application.add_routes(
        [web.get("/healthz", alive), web.get("/readyz", ready), web.get("/metrics", counted)]
    )
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise UsageProblem(
                f"cannot listen on {host}:{port}: {error.strerror or error}",
                hint="name another address with --listen, or --listen off",
            ) from error
        address = runner.addresses[0]
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        yield f"http://{shown}:{address[1]}"
    finally:
        await runner.cleanup()


def _answered(answer: Answer) -> web.Response:
    text = json.dumps({"well": answer.well, "words": visible(answer.words)})
    return web.Response(text=text, status=200 if answer.well else 503, content_type="application/json")


async def asked(host: str, port: int) -> Answer:
    """What the worker there says of its health; that nobody is there is an answer too."""
    target = f"[{host}]" if ":" in host else host
    try:
        async with (
            ClientSession(timeout=ClientTimeout(total=PATIENCE)) as session,
            session.get(f"http://{target}:{port}/healthz") as reply,
        ):
            found = await reply.json(content_type=None)
            return Answer(reply.status == 200 and found["well"] is True, str(found["words"])[:200])
    except (ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError) as error:
        return Answer(well=False, words=f"no worker answers at {host}:{port}: {type(error).__name__}")
