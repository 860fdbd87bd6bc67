"""The server of the budget campaign, a process of its own: it counts, and nobody else's word is taken.

Windows of two limits, aligned to its clock or begun by the first request; its clock is behind ours. A request
takes a while to arrive and its answer a while to come back, so both overtake each other; some answers never
come. The protocol is a line each way: ``1`` for a creation, ``0`` for a read; a JSON object comes back.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

CLOCK = -37.0  # seconds that its clock is behind ours


@dataclass
class Window:
    """One limit."""

    limit: int
    length: float
    aligned: bool
    end: float = -math.inf
    count: int = 0
    counts: list[tuple[float, int]] = field(default_factory=list)

    def turn(self, now: float) -> None:
        if now >= self.end:
            if self.count:
                self.counts.append((self.end, self.count))
            begin = math.floor(now / self.length) * self.length if self.aligned else now
            self.end, self.count = begin + self.length, 0

    def reading(self) -> list[float]:
        return [self.limit, self.limit - self.count, math.floor(self.end)]


class Witness:
    """Counts and remembers."""

    def __init__(self, length: float, limit: int, instant: int, *, aligned: bool, lossy: float) -> None:
        self.windows = [Window(limit, length, aligned), Window(instant, length, aligned)]
        self.lossy = lossy
        self.seen: Counter[str] = Counter()
        self.refused_at: list[float] = []
        self.began = time.time()
        self.random = random.Random(1)

    def take(self, *, instant: bool) -> dict[str, Any]:
        now = time.time() + CLOCK
        asked = self.windows if instant else self.windows[:1]
        for window in asked:
            window.turn(now)
        refused = any(window.count >= window.limit for window in asked)
        if not refused:
            for window in asked:
                window.count += 1
            self.seen["creations" if instant else "reads"] += 1
        else:
            self.seen["refused"] += 1
            self.refused_at.append(round(time.time() - self.began, 2))
        organization, *instants = (window.reading() for window in asked)
        return {
            "status": 429 if refused else 200,
            "date": math.floor(now),
            "organization": organization,
            "instant": instants[0] if instants else None,
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                if line.startswith(b"?"):
                    writer.write(json.dumps(self.told()).encode() + b"\n")
                    continue
                await asyncio.sleep(self.delay())
                answer = self.take(instant=line.startswith(b"1"))
                if self.random.random() < self.lossy:
                    await asyncio.sleep(3.0)
                    break
                await asyncio.sleep(self.delay())
                writer.write(json.dumps(answer).encode() + b"\n")
        except ConnectionError:
            pass
        finally:
            writer.close()

    def delay(self) -> float:
        """Mostly soon; one of fifty takes a second."""
        return self.random.random() if self.random.random() < 0.02 else self.random.expovariate(40.0)

    def told(self) -> dict[str, Any]:
        for window in self.windows:
            window.turn(time.time() + CLOCK)
        ended = [
            [[round(end - CLOCK - self.began, 3), count] for end, count in window.counts]
            for window in self.windows
        ]
        return {
            **self.seen,
            "refused_at": self.refused_at,
            "windows": ended,
            "lasted": time.time() - self.began,
        }


async def main(port: int, length: float, limit: int, instant: int, aligned: str, lossy: float) -> None:
    witness = Witness(length, limit, instant, aligned=aligned == "aligned", lossy=lossy)
    server = await asyncio.start_server(witness.serve, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    port, length, limit, instant, aligned, lossy = sys.argv[1:]
    asyncio.run(main(int(port), float(length), int(limit), int(instant), aligned, float(lossy)))
