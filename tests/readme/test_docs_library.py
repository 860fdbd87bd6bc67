"""docs/library.md: its example runs, and its names and arguments are those of the package."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable
from dataclasses import is_dataclass
from enum import Enum
from functools import partial
from importlib import import_module
from inspect import isclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from documentation import ROOT, blocks
from import_graph import modules
from stores import migrated
from workplace import TOKEN, Workplace

import orchestrator
from orchestrator import (
    Credentials,
    Event,
    Exit,
    OrchestratorError,
    UsageProblem,
    cells,
    create_promoted,
    errors,
    explain,
    load_plan,
    make_report,
    promote,
    reconcile,
    rerun,
    results,
    resume,
    run_plan,
    runs,
    show,
)
from orchestrator.events import Closed, Fact, RequestSent, Sending
from orchestrator.store.opening import open_store

if TYPE_CHECKING:
    from postgres_server import PostgresServer

LIBRARY = ROOT / "docs" / "library.md"
TEXT = LIBRARY.read_text("utf-8")
PUBLIC = {name: getattr(orchestrator, name) for name in orchestrator.__all__}
FUNCTIONS = [name for name, one in PUBLIC.items() if inspect.isfunction(one)]


def test_the_example_runs_against_the_simulator(workplace: Workplace) -> None:
    example, *_ = blocks(LIBRARY, "python")
    (workplace.folder / "example.py").write_text(example.text)
    done = workplace.sh("python example.py")
    assert done.returncode == 0, done.stderr
    first, *_, last = done.stdout.splitlines()
    assert re.match(r"[0-9a-f]{16} OK \{'planned': 132, 'answered': 132,", first), done.stdout
    assert re.fullmatch(r"slowest resolution [1-9]\d* ms", last), done.stdout
    assert (workplace.folder / "runs.db").is_file()


def test_the_listener_hears_of_every_test_and_of_every_answer(workplace: Workplace) -> None:
    _, example, *_ = blocks(LIBRARY, "python")
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


def test_what_workers_are_left_to_do_is_said_by_the_example(
    workplace: Workplace, postgres: PostgresServer
) -> None:
    *_, example = blocks(LIBRARY, "python")
    many = next(one.text for one in blocks(ROOT / "docs" / "many-hosts.md") if one.name == "schedules")
    (workplace.folder / "example.py").write_text(example.text)
    (workplace.folder / "schedules.yaml").write_text(many)
    url = postgres.create(migrated, named="store")
    # Nobody names an origin: it is the organization's.
    done = workplace.sh(f"unset TE_BASE_URL TE_TOKEN; ORCHESTRATOR_STORE='{url}' python example.py")
    postgres.drop(url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "organizations: ['acme']",
        "waiting: [True] workers: 0",
        "skipped True",
        "{'acme/quickstart': 'new'}",
        "quickstart 17 5 * * 1-5 True",
    ]


def test_what_is_done_around_a_run_is_done_by_the_example(workplace: Workplace) -> None:
    _, _, example, _ = blocks(LIBRARY, "python")
    (workplace.folder / "example.py").write_text(example.text)
    done = workplace.sh("python example.py")
    assert done.returncode == 0, done.stderr
    told = done.stdout
    assert told.startswith("doctor: OK []\nagents in GB: "), told
    assert re.search(r"^agents in GB: [1-9]", told, re.MULTILINE), told
    assert re.search(r"^check: OK \{'creations': [1-9]", told, re.MULTILINE), told
    (run,) = re.findall(r"^no test of run (\w+) failed, so there is nothing to run", told, re.MULTILINE)
    assert f"\n{run} complete\n" in told
    assert "complete: every agent answered" in told
    assert (workplace.folder / "ticket.md").read_text("utf-8").startswith("# ")


async def test_a_resume_and_a_rerun_by_the_library_end_as_those_of_the_command_line(
    simulated_api: str, tmp_path: Path
) -> None:
    plan = load_plan(ROOT / "plans" / "incident-runbook.yaml", environ={})
    token, store = Credentials(TOKEN), tmp_path / "o.db"
    run = await run_plan(plan, credentials=token, base_url=simulated_api, store=store)
    again = await resume(run.id, credentials=token, base_url=simulated_api, store=store)
    assert (again.id, again.exit_code, again.summary) == (run.id, Exit.OK, run.summary)
    new = await rerun("last", credentials=token, base_url=simulated_api, store=store)
    assert new.id != run.id
    assert new.exit_code is Exit.OK
    stored = await runs(store=store)
    assert [(one.id, one.parent) for one in stored] == [(new.id, run.id), (run.id, None)]
    assert (await reconcile(new.id, store=store)).tests == ()
    kept = [cell async for cell in cells(new.id, store=store)]
    assert kept == [cell async for cell in new.cells()]
    assert kept


async def test_tests_are_promoted_by_the_library_and_created_once(simulated_api: str, tmp_path: Path) -> None:
    plan = load_plan(ROOT / "plans" / "incident-runbook.yaml", environ={})
    token, store = Credentials(TOKEN), tmp_path / "o.db"
    run = await run_plan(plan, credentials=token, base_url=simulated_api, store=store)
    target = (await anext(run.cells())).target
    promotion = await promote(target=target, interval=900, store=store)
    assert {one.target for one in promotion.tests} == {target}
    assert '"interval": 900' in promotion.text()
    assert "resource " in promotion.terraform()
    create = partial(create_promoted, promotion, credentials=token, base_url=simulated_api, store=store)
    made, again = await create(), await create()
    assert [one.test_id for one in made] == [one.test_id for one in again]
    assert [one.before for one in (*made, *again)] == [False] * len(made) + [True] * len(again)
    for asked in (promote(store=store), promote(cause=1, target="x", store=store)):
        with pytest.raises(UsageProblem, match="say which tests"):
            await asked


async def test_what_cannot_be_done_is_a_usage_problem_that_says_why(tmp_path: Path) -> None:
    store = tmp_path / "o.db"
    assert await runs(store=store) == ()
    with pytest.raises(UsageProblem, match="there is no store at"):
        await show(store=store)
    plan = load_plan(ROOT / "plans" / "incident-runbook.yaml", environ={})
    run = await run_plan(plan, store=store, simulated=True)
    with pytest.raises(UsageProblem, match="was simulated, and its world has ended"):
        await resume(store=store, credentials=Credentials(TOKEN))
    with pytest.raises(UsageProblem, match="there is no run 'ffff'"):
        await show("ffff", store=store)
    with pytest.raises(UsageProblem, match="has no cell 'nowhere'"):
        await explain(run.id, "nowhere", store=store)
    with pytest.raises(UsageProblem, match="no layer is named 'dns'"):
        _ = [row async for row in results(run.id, layers=["dns"], store=store)]
    with pytest.raises(UsageProblem, match="no report is named 'pdf'"):
        await make_report(run.id, form="pdf", store=store)
    with pytest.raises(UsageProblem, match="was simulated, and its world has ended"):
        await reconcile(run.id, adopt={"abc": "12"}, store=store)


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


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_described_with_its_arguments(name: str) -> None:
    described = re.search(rf"`{name}\((?P<arguments>[^`]*)\)`", TEXT)
    assert described is not None
    real = ", ".join(_argument(one) for one in _arguments(name))
    assert described["arguments"] == real


# What these hold besides is for messages about a plan.
OPAQUE = {"Plan", "Selector"}
RECORDS = [name for name in orchestrator.__all__ if is_dataclass(PUBLIC[name]) and name not in OPAQUE]


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_described_with_its_fields(name: str) -> None:
    described = [line for line in TEXT.splitlines() if line.startswith("| `") and f"`{name}" in line]
    known = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`]*`", " ".join(described)))))
    assert set(PUBLIC[name].__dataclass_fields__) <= known


def test_each_error_is_exported_described_and_drawn_in_the_tree_of_errors() -> None:
    for module in modules():
        import_module(module)
    # A room may have a kind of its own of one of these; who calls the library meets its parent.
    raised = {one.__name__ for one in _below(OrchestratorError) if one.__module__ == "orchestrator.errors"}
    described = set(re.findall(r"^\| `(\w+)` \|", TEXT.partition("## Errors")[2], re.MULTILINE))
    exported = {
        name for name, one in PUBLIC.items() if isclass(one) and issubclass(one, OrchestratorError)
    } - {"OrchestratorError"}
    assert raised == described == exported
    assert set(re.findall(r"── (\w+)", errors.__doc__ or "")) == raised


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_error_that_a_function_is_said_to_raise_is_exported(name: str) -> None:
    said = re.findall(r"``([A-Z]\w+)``", inspect.getdoc(PUBLIC[name]) or "")
    assert set(said) <= set(orchestrator.__all__)


def _below(kind: type) -> set[type]:
    below: list[type] = kind.__subclasses__()
    return {*below, *(deeper for one in below for deeper in _below(one))}


def _names(row: str) -> list[str]:
    return re.findall(r"`([A-Z]\w+)`", row)


async def _creations(path: str) -> int:
    async with open_store(path) as opened:
        runs = await opened.store.runs(1)
        return (await opened.store.counts(runs[0].id)).created if runs else 0


def _arguments(name: str) -> list[inspect.Parameter | str]:
    parameters = list(inspect.signature(getattr(orchestrator, name)).parameters.values())
    named = [one for one in parameters if one.kind is one.KEYWORD_ONLY]
    if not named:
        return [*parameters]
    first = len(parameters) - len(named)
    return [*parameters[:first], "*", *parameters[first:]]


def _argument(one: inspect.Parameter | str) -> str:
    if isinstance(one, str):
        return one
    if isinstance(one.default, Enum):
        return f"{one.name}={type(one.default).__name__}.{one.default.name}"
    return one.name if one.default is one.empty else f"{one.name}={one.default!r}"
