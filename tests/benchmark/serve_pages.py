"""How soon each page of `serve` begins, and what it takes under load: a store of many runs, the command as it
is.

    python tests/benchmark/serve_pages.py first          # seconds to the first byte of each page
    python tests/benchmark/serve_pages.py load --rate 200 --seconds 60

``first`` asks every page of a server that was just started (nothing is kept yet), then once more. ``load``
asks mixed pages at a rate from one process, and tells the slowest, the median and what failed. Figures are of
this machine at this moment: its load is told with them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from web_site import keep

from orchestrator.records import RunState
from orchestrator.store.base import Store
from orchestrator.store.opening import open_store

PLANS, ROWS, COLUMNS = 50, 20, 15
# Of these runs there are all cells; the others have one, so that the store is made in a minute.
WHOLE = 40
_ORIGIN = re.compile(rb"pages on (http://\S+), ")


def _ends(run: int) -> list[list[str]]:
    chance = random.Random(run)
    dead = chance.randrange(3 * ROWS)
    return [
        ["bad" if row == dead or chance.random() < 0.01 else "good" for _ in range(COLUMNS)]
        for row in range(ROWS)
    ]


async def fill(store: Store, runs: int) -> None:
    """So many runs of several plans; the newest of the last plan are whole, the very last one goes on."""
    for number in range(runs):
        whole = number >= runs - WHOLE
        plan = f"plan-{PLANS - 1 if whole else number % PLANS:02}"
        ends = _ends(number) if whole else [["good"]]
        bad = any("bad" in row for row in ends)
        last = number == runs - 1
        await keep(
            store,
            f"{0x60000000 + number:08x}",
            ends,
            state=RunState.RUNNING if last else RunState.COMPLETE,
            exit_code=None if last else int(bad),
            plan=plan,
            plan_text="version: 1\n" + "# padding\n" * 300,
            started=1_700_000_000.0 + 600.0 * number,
        )


@asynccontextmanager
async def served(file: Path) -> AsyncIterator[str]:
    """The command as people start it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "orchestrator", "serve", "--port", "0", "--store", str(file)),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        found = _ORIGIN.search(await process.stderr.readline())
        assert found is not None
        yield found[1].decode()
    finally:
        process.terminate()
        await process.wait()


def pages(runs: int) -> list[str]:
    """Every page of such a store."""
    newest, good = f"{0x60000000 + runs - 1:08x}", f"{0x60000000 + runs - 3:08x}"
    plan = f"plan-{PLANS - 1:02}"
    return [
        *("/", f"/?plan={plan}", "/?state=running", "/?state=refused", "/?organization=api.thousandeyes.com"),
        *(f"/?before={0x60000000 + runs // 2:08x}", "/plans", f"/plan?name={plan}", "/plan?name=plan-00"),
        *("/budgets", "/queue", "/schedules", "/style.css", "/healthz"),
        *(f"/runs/{good}", f"/runs/{newest}", f"/diff?run={good}&base=before", f"/diff?run={good}"),
    ]


async def _first_byte(client: aiohttp.ClientSession, address: str) -> tuple[float, int]:
    before = time.perf_counter()
    async with client.get(address, allow_redirects=False) as answer:
        took = time.perf_counter() - before
        await answer.read()
        return took, answer.status


async def first(file: Path, runs: int) -> None:
    """The seconds to the first byte of each page, of a fresh server and once more."""
    _say(f"{'page':44} {'status':6} {'fresh':>8} {'again':>8}  (seconds to the first byte)")
    for page in pages(runs):
        async with served(file) as origin, aiohttp.ClientSession() as client:
            await _first_byte(client, f"{origin}/healthz")
            fresh, status = await _first_byte(client, f"{origin}{page}")
            again, _ = await _first_byte(client, f"{origin}{page}")
            _say(f"{page:44} {status:6} {fresh:8.3f} {again:8.3f}")
    _tell_load()


async def load(file: Path, runs: int, rate: float, seconds: float) -> None:
    """Mixed pages at a rate; nobody waits for the one before."""
    chance, took, failed = random.Random(1), list[float](), list[str]()

    async def ask(client: aiohttp.ClientSession, address: str) -> None:
        try:
            one, status = await _first_byte(client, address)
        except (aiohttp.ClientError, TimeoutError) as error:
            failed.append(f"{address}: {type(error).__name__}")
            return
        took.append(one)
        if status >= 400:
            failed.append(f"{address}: {status}")

    async with served(file) as origin, aiohttp.ClientSession() as client, asyncio.TaskGroup() as tasks:
        began = asyncio.get_running_loop().time()
        for number in range(round(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - asyncio.get_running_loop().time()))
            tasks.create_task(ask(client, f"{origin}{chance.choice(pages(runs))}"))
        asked = asyncio.get_running_loop().time() - began
    took.sort()
    told = f"{len(took)} answers to {round(rate * seconds)} questions, asked in {asked:.1f} s"
    _say(f"{told}; failed: {len(failed)} {sorted(set(failed))[:5]}")
    at = [took[min(len(took) - 1, int(share * len(took)))] for share in (0.5, 0.99, 1.0)]
    _say(f"first byte: median {at[0]:.3f} s, 99 % {at[1]:.3f} s, slowest {at[2]:.3f} s")
    _say(f"mean {statistics.mean(took):.3f} s")
    _tell_load()


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a script


def _tell_load() -> None:
    _say(f"load of this machine: {os.getloadavg()}, {os.cpu_count()} cores")


async def main(words: Sequence[str]) -> None:
    """Make the store if it is not there, then measure."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("what", choices=["first", "load"])
    options.add_argument("--runs", type=int, default=10_000)
    options.add_argument("--rate", type=float, default=200.0)
    options.add_argument("--seconds", type=float, default=60.0)
    options.add_argument("--store", type=Path, help="keep the store there, and use it again")
    said = options.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        file: Path = said.store or Path(folder) / "runs.db"
        if not file.exists():
            async with open_store(str(file), virtual=True) as opened:
                await fill(opened.store, said.runs)
        if said.what == "first":
            await first(file, said.runs)
        else:
            await load(file, said.runs, said.rate, said.seconds)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
