"""What a test costs in a database, beside a file: ``python tests/benchmark/shared_store.py``.

Both in one process and one after the other, several times: ratios are what to trust. A statement is a way to
the server and back; how many there are depends on no machine.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parents[1])]

from builders import make_agent, make_answer, make_run, make_spec, make_tests  # noqa: E402 - found by the above
from postgres_server import serving  # noqa: E402 - as above
from stores import RUN, answered, migrated  # noqa: E402 - as above

from orchestrator.lifecycle import SpecState  # noqa: E402 - as above
from orchestrator.store.base import Store  # noqa: E402 - as above
from orchestrator.store.opening import open_store  # noqa: E402 - as above
from orchestrator.store.postgres.link import Session  # noqa: E402 - as above

TESTS, TIMES = 50, 3
AGENTS = tuple(str(number) for number in range(20))
LAYERS = ("network", "http-server", "path-vis")


class Cost(NamedTuple):
    """Milliseconds and statements of a test alone and of many at once; answers read in a second."""

    alone: float
    cpu: float
    together: float
    read: float
    statements_alone: float
    statements_together: float


_asked = 0


def counting() -> None:
    """Count what goes to the server."""
    execute = Session.execute

    def counted(self: Session, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        global _asked  # noqa: PLW0603 - a script
        _asked += 1
        return execute(self, sql, parameters)

    Session.execute = counted  # type: ignore[method-assign] # to count


async def one(store: Store, key: str) -> None:
    """The writes of one test of three layers and twenty agents."""
    await store.intend(RUN, key, "name", 1.0)
    await store.created(RUN, key, f"t{key}", {}, 2.0)
    for layer in LAYERS:
        answers = [make_answer(layer, agent, raw="x" * 700) for agent in AGENTS]
        await store.add_answers(RUN, key, answers)
    await store.close_test(RUN, key, SpecState.COMPLETE, answered(*AGENTS), 3.0)


async def measure(url: str) -> Cost:
    """A run of twice fifty tests."""
    async with open_store(url) as opened:
        store = opened.store
        specs = [make_spec(f"k{number}", agents=AGENTS) for number in range(2 * TESTS)]
        await store.create_run(make_run(RUN), make_tests(specs, RUN), (), [make_agent(one) for one in AGENTS])
        asked, began, used = _asked, time.perf_counter(), time.process_time()
        for number in range(TESTS):
            await one(store, f"k{number}")
        alone, cpu = time.perf_counter() - began, time.process_time() - used
        asked_alone, asked, began = _asked - asked, _asked, time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number in range(TESTS, 2 * TESTS):
                tasks.create_task(one(store, f"k{number}"))
        together, asked_together = time.perf_counter() - began, _asked - asked
        began = time.perf_counter()
        rows = len([row async for row in store.results(RUN)])
        seconds = time.perf_counter() - began
    each = 1000.0 / TESTS
    return Cost(
        alone * each, cpu * each, together * each, rows / seconds, asked_alone / TESTS, asked_together / TESTS
    )


def main() -> None:
    """Print both, and how they compare."""
    counting()
    with serving(durable=True) as server, tempfile.TemporaryDirectory() as folder:
        for number in range(TIMES):
            file = asyncio.run(measure(f"{folder}/{number}.db"))
            shared = asyncio.run(measure(server.create(migrated, named="store")))
            for name, cost in (("file", file), ("database", shared)):
                print(f"{name:9}", *(f"{what} {value:.1f}" for what, value in cost._asdict().items()))  # noqa: T201 - the output
            ratios = (there / here for here, there in zip(file[:4], shared[:4], strict=True))
            print("ratios   ", *(f"{value:.2f}" for value in ratios), flush=True)  # noqa: T201 - the output


if __name__ == "__main__":
    main()
