"""One process of the budget campaign: asks for both kinds of permits without pause, and spends them.

Arguments: a JSON object with ``database``, ``port`` of the witness, ``window``, ``name``, ``urgent``,
``mutant`` and ``stop``, a file whose appearance ends it. A line of JSON at its end tells what it saw.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

import psycopg

from orchestrator.budget import teller
from orchestrator.budget.ledger import LocalLedger
from orchestrator.budget.permits import Ledger, Permit
from orchestrator.budget.purse import PurseLedger
from orchestrator.budget.readings import LimitReading, Limits
from orchestrator.clock import boot_seconds
from orchestrator.store.postgres.cell import Couriers

TIMEOUT = 4.0  # seconds until an answer is given up


class Spender:
    """Sends and settles."""

    def __init__(self, ledger: Ledger, port: int) -> None:
        self.ledger, self.port = ledger, port
        self.woken = asyncio.Event()
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.sent = self.refused = self.waited_too_long = 0
        ledger.listen(self.woken.set)

    async def spend(self, stop: Path) -> None:
        loop = asyncio.get_running_loop()
        while not stop.exists():
            now, until = loop.time(), loop.time() + 0.5
            for instant in (True, False):
                while (permit := self.ledger.try_reserve(loop.time(), instant=instant)) is not None:
                    task = asyncio.create_task(self.send(permit))
                    self.tasks.add(task)
                    task.add_done_callback(self.tasks.discard)
                opens = self.ledger.opens_at(now, instant=instant)
                until = min(until, opens if opens > now else now + 0.4)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.woken.wait(), max(0.001, until - loop.time()))
            self.woken.clear()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=TIMEOUT + 1)

    async def send(self, permit: Permit) -> None:
        loop = asyncio.get_running_loop()
        if not self.ledger.stands(permit, loop.time()):
            self.waited_too_long += 1
            self.ledger.release(permit, loop.time())
            return
        self.sent += 1
        try:
            async with asyncio.timeout(TIMEOUT):
                told = await self.ask(instant=permit.instant)
        except (OSError, ValueError):
            self.ledger.lost(permit, loop.time())
            return
        readings = [
            None if one is None else LimitReading(int(one[0]), int(one[1]), one[2]) for one in told["limits"]
        ]
        limits = Limits(readings[0], readings[1], told["date"], None)
        self.refused += told["status"] == 429
        self.ledger.settle(permit, limits, loop.time(), status=told["status"])

    async def ask(self, *, instant: bool) -> dict[str, Any]:
        reader, writer = (
            self.idle.pop() if self.idle else await asyncio.open_connection("127.0.0.1", self.port)
        )
        try:
            writer.write(b"1\n" if instant else b"0\n")
            told = json.loads(await reader.readline())
        except BaseException:
            writer.close()
            raise
        self.idle.append((reader, writer))
        return {"limits": [told["organization"], told["instant"]], **told}


class Timed(Couriers):
    """Remembers how long turns took."""

    turns: list[float]

    def _go(self, way: Any) -> Any:
        began = time.perf_counter()
        trip = super()._go(way)
        if trip is not None:
            self.turns.append(time.perf_counter() - began)
        return trip


def ledger_of(asked: dict[str, Any], couriers: Couriers) -> Ledger:
    """The ledger, or one with a defect."""
    rng, window, mutant = random.Random(asked["name"]), float(asked["window"]), asked["mutant"]
    loop = asyncio.get_running_loop()
    if mutant == "local":
        return LocalLedger(rng=rng, reserve=0.0, window=window)
    era_pause = 0.0 if mutant == "no-era-pause" else teller.ERA_PAUSE
    terms: dict[str, Any] = {"rng": rng, "reserve": 0.0, "window": window, "era_pause": era_pause}
    return PurseLedger(
        teller.Teller(**terms),
        couriers.of("campaign"),
        holder=asked["name"],
        now=loop.time,
        boot=boot_seconds,
        later=loop.call_later,
        urgent=bool(asked["urgent"]),
    )


async def main(asked: dict[str, Any]) -> None:
    couriers = Timed(
        lambda _: psycopg.connect(asked["database"], autocommit=True, connect_timeout=2), boot_seconds
    )
    couriers.turns = []
    ledger = ledger_of(asked, couriers)
    spender = Spender(ledger, int(asked["port"]))
    await spender.spend(Path(asked["stop"]))
    ledger.close()
    couriers.close()
    told = {
        "name": asked["name"],
        "sent": spender.sent,
        "refused": spender.refused,
        "waited_too_long": spender.waited_too_long,
        "eras": getattr(ledger, "eras", 0),
        "turns": [round(1000 * seconds, 3) for seconds in couriers.turns],
        "cpu": time.process_time(),
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
