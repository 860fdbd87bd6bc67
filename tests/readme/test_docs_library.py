"""docs/library.md: its example runs, and its names and arguments are those of the package."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from documentation import ROOT, blocks
from workplace import TOKEN, Workplace

import orchestrator
from orchestrator import Credentials, Event, Exit, load_plan, run_plan
from orchestrator.events import Closed, Fact, RequestSent, Sending
from orchestrator.store.opening import open_store

LIBRARY = ROOT / "docs" / "library.md"
TEXT = LIBRARY.read_text("utf-8")


def test_the_example_runs_against_the_simulator(workplace: Workplace) -> None:
    example, _ = blocks(LIBRARY, "python")
    (workplace.folder / "example.py").write_text(example.text)
    done = workplace.sh("python example.py")
    assert done.returncode == 0, done.stderr
    first, *_, last = done.stdout.splitlines()
    assert re.match(r"[0-9a-f]{16} OK \{'planned': 132, 'answered': 132,", first), done.stdout
    assert re.fullmatch(r"slowest resolution [1-9]\d* ms", last), done.stdout
    assert (workplace.folder / "runs.db").is_file()


def test_the_listener_hears_of_every_test_and_of_every_answer(workplace: Workplace) -> None:
    _, example = blocks(LIBRARY, "python")
    (workplace.folder / "example.py").write_text(example.text)
    done = workplace.sh("python example.py")
    assert done.returncode == 0, done.stderr
    *closed, last = done.stdout.splitlines()
    assert len(closed) > 1
    assert all(re.fullmatch(r"[0-9a-f]{12} complete", line) for line in closed), done.stdout
    assert re.fullmatch(r"slowest answer after \d+\.\d s", last), done.stdout


async def test_a_listener_that_raises_ends_no_run_and_hears_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        heard = 0

        def hear(self, event: Event) -> None:
            self.heard += 1
            raise RuntimeError(f"no room for {event.fact}")

    class Whole:
        def __init__(self) -> None:
            self.facts: list[Fact] = []

        def hear(self, event: Event) -> None:
            self.facts.append(event.fact)

    broken, whole = Broken(), Whole()
    plan = load_plan(ROOT / "plans" / "incident-runbook.yaml", environ={})
    run = await run_plan(plan, store=tmp_path / "o.db", simulated=True, listeners=[broken, whole])
    assert run.exit_code is Exit.OK
    assert broken.heard == 1
    assert [record.message for record in caplog.records if "Broken" in record.message]
    closed = sum(isinstance(fact, Closed) for fact in whole.facts)
    tests = run.summary["tests"]
    assert isinstance(tests, dict)
    assert closed == tests["planned"]
    requests = run.summary["requests"]
    assert isinstance(requests, dict)
    assert requests["reads"] == whole.facts.count(RequestSent(Sending.READ))


def test_every_fact_is_listed_once() -> None:
    listed = [
        name for row in TEXT.split("| facts |")[1].split("\n\n")[0].splitlines() for name in _names(row)
    ]
    assert sorted(listed) == sorted(fact.__name__ for fact in get_args(Fact))


async def test_several_plans_run_in_one_loop(tmp_path: Path) -> None:
    names = ("dns-health.yaml", "incident-runbook.yaml")
    plans = [load_plan(ROOT / "plans" / name, environ={}) for name in names]
    runs = await asyncio.gather(
        *(run_plan(plan, store=tmp_path / f"{plan.name}.db", simulated=True) for plan in plans)
    )
    assert [run.exit_code for run in runs] == [Exit.OK, Exit.OK]
    assert len({run.id for run in runs}) == 2


async def test_a_cancelled_run_can_be_resumed(
    simulated_api: str, workplace_at: Callable[[str], Workplace]
) -> None:
    place = await asyncio.to_thread(workplace_at, simulated_api)
    store = place.environment["ORCHESTRATOR_STORE"]
    plan = load_plan(ROOT / "plans" / "incident-runbook.yaml", environ={})
    run = asyncio.create_task(
        run_plan(plan, credentials=Credentials(TOKEN), base_url=simulated_api, store=store)
    )
    while not run.done() and await _creations(store) == 0:  # noqa: ASYNC110 - the store has no event to wait for
        await asyncio.sleep(0.02)
    assert not run.done(), "the run was over before it could be cancelled"
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    # A creation that was under way is unknown, and the default is not to repeat it.
    done = await asyncio.to_thread(place.sh, "orchestrator resume --unknown retry last")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_public_name_is_described() -> None:
    missing = [name for name in orchestrator.__all__ if f"`{name}" not in TEXT]
    assert not missing


@pytest.mark.parametrize("name", ["load_plan", "run_plan"])
def test_a_function_is_described_with_its_arguments(name: str) -> None:
    described = re.search(rf"`{name}\((?P<arguments>[^`]*)\)`", TEXT)
    assert described is not None
    real = ", ".join(_argument(one) for one in _arguments(name))
    assert described["arguments"] == real


@pytest.mark.parametrize("name", ["CellRecord", "StoredAnswer", "Answer", "FinishedRun", "Event"])
def test_a_record_is_described_with_its_fields(name: str) -> None:
    row = next(line for line in TEXT.splitlines() if line.startswith(f"| `{name}`"))
    fields = set(getattr(orchestrator, name).__dataclass_fields__)
    assert fields <= set(re.findall(r"`(\w+)(?:\(\))?`", row))


def _names(row: str) -> list[str]:
    return re.findall(r"`([A-Z]\w+)`", row)


async def _creations(path: str) -> int:
    async with open_store(path) as opened:
        runs = await opened.store.runs(1)
        return (await opened.store.counts(runs[0].id)).created if runs else 0


def _arguments(name: str) -> list[inspect.Parameter | str]:
    parameters = list(inspect.signature(getattr(orchestrator, name)).parameters.values())
    first = next(place for place, one in enumerate(parameters) if one.kind is one.KEYWORD_ONLY)
    return [*parameters[:first], "*", *parameters[first:]]


def _argument(one: inspect.Parameter | str) -> str:
    if isinstance(one, str):
        return one
    return one.name if one.default is one.empty else f"{one.name}={one.default!r}"
