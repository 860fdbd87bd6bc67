"""How long it takes to hand out, by how much waits: a real server, a table of ``--waiting`` runs.

``python tests/worker/measure_queue.py --waiting 100000 --organizations 100``

Prints the median and the 99th percentile of a hand-out beside those of a short queue of as many
organizations, whether each organization was served before any was served twice, and what a full organization
in front of the others costs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

import anyio
import psycopg
from postgres_server import serving
from stores import migrated

from orchestrator.queueing.values import Here
from orchestrator.store.opening import open_store
from orchestrator.store.queue import Queue

FREE, ROUNDS = 20, 60


def fill(url: str, waiting: int, organizations: int, first: int = 0) -> None:
    """So many runs in turn, after ``first`` of one organization that has as many under way as it may."""
    with psycopg.connect(url, options="-c search_path=orchestrator") as db:
        db.execute("TRUNCATE queue, served, runs CASCADE")
        db.execute(
            "INSERT INTO runs (id, organization, plan, plan_text, plan_hash, api, origin, started, state, "
            "settings, facts) SELECT to_char(g, 'FM0000000'), "
            "CASE WHEN g <= %s THEN 'full' ELSE 'o' || (g %% %s) END, "
            "'p', '', '', '7', 'o', 0, 'queued', '{}', '{}' FROM generate_series(1, %s) g",
            (first, organizations, waiting),
        )
        db.execute(
            "INSERT INTO queue (run, organization, plan, priority, overlap, queued, begun) "
            "SELECT to_char(g, 'FM0000000'), "
            "CASE WHEN g <= %s THEN 'full' ELSE 'o' || (g %% %s) END, 'p', 0, "
            "'queue', now() + g * interval '1 ms', CASE WHEN g <= least(%s, 10) THEN now() END "
            "FROM generate_series(1, %s) g",
            (first, organizations, first, waiting),
        )
        db.commit()
        db.autocommit = True
        db.execute("ANALYZE")


async def measure(url: str, queue: Queue) -> tuple[list[float], list[str]]:
    """Milliseconds of each hand-out, sorted, and whose the runs were in order."""
    taken, whose = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        handed = await queue.feed(10, FREE)
        taken.append((time.perf_counter() - began) * 1000)
        whose += [one.organization for one in handed]
        if len(handed) < FREE:
            with psycopg.connect(url, options="-c search_path=orchestrator") as db:
                db.execute("UPDATE queue SET handed = NULL WHERE handed IS NOT NULL AND begun IS NULL")
    return sorted(taken), whose


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--waiting", type=int, default=100_000)
    parser.add_argument("--organizations", type=int, default=100)
    chosen = parser.parse_args()
    with serving() as server:
        url = server.create(migrated, named="store")
        async with open_store(url) as opened:
            assert opened.queue is not None
            for what, waiting, first in (
                ("short", chosen.organizations, 0),
                ("long", chosen.waiting, 0),
                ("behind a full organization", chosen.waiting, chosen.waiting // 2),
            ):
                fill(url, waiting, chosen.organizations, first)
                await opened.queue.here(Here("w", "host", "1", FREE, FREE))  # to fill it may take long
                taken, whose = await measure(url, opened.queue)
                once = Counter(whose[: chosen.organizations])
                print(  # noqa: T201 - what it is for
                    f"{what}: {waiting} waiting of {chosen.organizations} organizations: "
                    f"p50 {taken[len(taken) // 2]:.1f} ms, p99 {taken[int(len(taken) * 0.99)]:.1f} ms, "
                    f"{'every organization before any twice' if max(once.values()) == 1 else once}"
                )


if __name__ == "__main__":
    anyio.run(main)
