"""Which runs may go, and what takes them away: the action, the command, and a plan's own ``keep``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

import anyio
import psycopg
import pytest
from click.testing import CliRunner
from documentation import ROOT
from kept_runs import DAY, ended_run, outline
from simulated_run import in_process
from virtual_time import run_virtual

import orchestrator
from orchestrator.actions import prune as pruning
from orchestrator.actions.prune import Rule, choose
from orchestrator.cli import cli
from orchestrator.errors import StoreProblem, UsageProblem
from orchestrator.holdings import RunOutline
from orchestrator.organizations import Organization
from orchestrator.records import RunState
from orchestrator.report.upkeep import amount
from orchestrator.simulator.settings import Settings as World
from orchestrator.store.opening import migrate_store, open_store

if TYPE_CHECKING:
    from postgres_server import PostgresServer

NOW = 100 * DAY


def taken(runs: list[RunOutline], rule: Rule, **given: object) -> str:
    newest_first = sorted(runs, key=lambda one: -one.started)
    values = {"now": NOW, "must_stay": {}} | given
    return " ".join(sorted(one.id for one in choose(newest_first, rule, **values).taken))  # type: ignore[arg-type] # as given


RUNS = [outline(number) for number in range(1, 7)]


@pytest.mark.parametrize(
    ("rule", "ids"),
    [
        (Rule(keep=6), ""),
        (Rule(keep=4), "r1 r2"),
        (Rule(keep=0), "r1 r2 r3 r4 r5 r6"),
        (Rule(older_than=97 * DAY), "r1 r2"),  # not the one that is just as old
        (Rule(keep=5, older_than=97 * DAY), "r1"),
        (Rule(keep=1, older_than=97 * DAY), "r1 r2"),
        (Rule(keep=0, plan="other"), ""),
        (Rule(keep=0, simulated=True), ""),
    ],
)
def test_what_neither_number_nor_age_lets_stay_may_go(rule: Rule, ids: str) -> None:
    assert taken(RUNS, rule) == ids


def test_the_newest_are_counted_plan_by_plan_and_world_by_world() -> None:
    others = [outline(number, id=f"o{number}", plan="other") for number in (1, 2)]
    simulated = [outline(number, id=f"s{number}", simulated=True) for number in (8, 9)]
    assert taken([*RUNS, *others, *simulated], Rule(keep=1)) == "o1 r1 r2 r3 r4 r5 s8"


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.INTERRUPTED])
def test_what_has_not_finished_stays_whatever_its_age(state: RunState) -> None:
    runs = [outline(1, state=state, exit_code=None), *RUNS[1:]]
    assert taken(runs, Rule(keep=0)) == "r2 r3 r4 r5 r6"
    assert taken(runs, Rule(keep=0, raw=True)) == "r2 r3 r4 r5 r6"


def test_what_could_be_resumed_stays_while_a_run_of_its_plan_is_alive() -> None:
    runs = [outline(1, state=RunState.INCOMPLETE), outline(2, state=RunState.REFUSED), outline(3)]
    assert taken(runs, Rule(keep=0)) == "r1 r2 r3"
    assert taken(runs, Rule(keep=0), going_on={"r1", "r2", "r3"}) == "r3"


def test_the_last_good_run_of_a_plan_stays_in_each_place_it_ran_in() -> None:
    runs = [
        *(outline(number, exit_code=0) for number in (1, 2)),
        outline(3, exit_code=0, account="7"),
        outline(4, exit_code=0, simulated=True),
        outline(5, exit_code=3),
    ]
    assert taken(runs, Rule(keep=0)) == "r1 r5"
    assert taken(runs, Rule(keep=0, raw=True)) == "r1 r2 r3 r4 r5", "only what the API sent goes"


def test_the_built_in_simulator_is_one_place_whatever_its_address() -> None:
    runs = [outline(n, exit_code=0, simulated=True, origin=f"http://127.0.0.1:{n}") for n in (1, 2, 3)]
    assert taken(runs, Rule(keep=0)) == "r1 r2"


def test_a_rerun_of_some_tests_is_not_the_last_good_run() -> None:
    runs = [outline(1, exit_code=0), outline(2), outline(3, exit_code=0, parent="r2", partial=True)]
    assert taken(runs, Rule(keep=0)) == "r2 r3"


def test_a_pinned_run_stays_and_so_do_its_raw_rows() -> None:
    for raw in (True, False):
        assert taken(RUNS, Rule(keep=4, raw=raw), must_stay={"r1": "pinned"}) == "r2"


def test_what_a_rerun_that_stays_is_compared_with_stays_and_what_that_was_compared_with_does_not() -> None:
    runs = [outline(1), outline(2, parent="r1"), outline(3, parent="r2")]
    assert taken(runs, Rule(keep=1)) == "r1"
    elsewhere = [outline(1), outline(2, parent="r1", plan="other")]
    assert taken(elsewhere, Rule(keep=0, plan="sweep")) == ""
    assert taken(elsewhere, Rule(keep=0)) == "r1 r2"


def test_raw_rows_that_are_gone_are_not_taken_again() -> None:
    assert taken([outline(1, raw_pruned=5.0), outline(2)], Rule(keep=0, raw=True)) == "r2"


def test_why_runs_stay_is_counted() -> None:
    runs = [outline(1, exit_code=0), outline(2, state=RunState.INTERRUPTED), outline(3), outline(4)]
    choice = choose(runs[::-1], Rule(keep=2), now=NOW, must_stay={})
    assert dict(choice.stay) == {pruning.NEWEST: 2, pruning.UNFINISHED: 1, pruning.LAST_GOOD: 1}


# -- the command ------------------------------------------------------------------------------------------


def test_answers_that_are_gone_are_not_taken_again_and_the_last_good_run_keeps_its_own() -> None:
    runs = [outline(1, answers_pruned=5.0), outline(2), outline(3, exit_code=0), outline(4)]
    assert taken(runs, Rule(keep=0, answers=True)) == "r2 r4"


def test_only_runs_of_the_organization_are_taken() -> None:
    runs = [outline(1, organization="acme"), outline(2), outline(3, organization="acme")]
    assert taken(runs, Rule(keep=0, organization="acme")) == "r1 r3"


def test_plans_of_two_organizations_with_one_name_are_counted_and_good_each_for_itself() -> None:
    runs = [outline(number, organization="acme" if number % 2 else "globex") for number in range(1, 7)]
    assert taken(runs, Rule(keep=2)) == "r1 r2"
    good = [outline(1, organization="acme", exit_code=0), outline(2, organization="globex", exit_code=0)]
    assert taken(good, Rule(keep=0)) == ""


def test_an_organization_says_how_long_is_kept_what_and_runs_go_first() -> None:
    acme = Organization("acme", "o", runs_kept=400 * DAY, answers_kept=30 * DAY, raw_kept=14 * DAY)
    assert pruning.rules_of([acme, Organization("other", "o")]) == [
        Rule(older_than=400 * DAY, organization="acme"),
        Rule(older_than=30 * DAY, organization="acme", answers=True),
        Rule(older_than=14 * DAY, organization="acme", raw=True),
    ]


@pytest.fixture
def shared(postgres: PostgresServer) -> Iterator[str]:
    """A database with roles, in which acme keeps little and others say nothing."""
    url = postgres.create()
    with psycopg.connect(url) as db:
        db.execute((ROOT / "docs" / "deploy" / "roles.sql").read_bytes())
    owner = url.replace("postgres@", "orchestrator_owner@")

    async def fill() -> None:
        await migrate_store(owner)
        for organization in ("acme", "other"):
            async with open_store(owner, organization=organization) as opened:
                for days in (500, 40, 20, 5):
                    name = f"{organization}-{days}"
                    await ended_run(opened.store, name, started=time() - days * DAY, exit_code=1)
                assert opened.organizations is not None
                await opened.organizations.put(Organization("acme", "o"))

    anyio.run(fill)
    yield url
    postgres.drop(url)


def of_organization(url: str, command: Sequence[str], role: str = "orchestrator_owner") -> str:
    mine = url.replace("postgres@", f"{role}@")
    result = CliRunner().invoke(cli, [*command, "--store", mine], standalone_mode=False)
    assert result.exception is None, (result.output, result.exception)
    return result.output


def kept_of(url: str) -> dict[str, tuple[int, int]]:
    """Of each run that there is how many answers it has, and how many of them with their raw rows."""

    async def work() -> dict[str, tuple[int, int]]:
        async with open_store(url) as opened:
            found = {}
            for run in await opened.store.runs():
                answers = [row.answer async for row in opened.store.results(run.id)]
                found[run.id] = (len(answers), sum(bool(answer.raw) for answer in answers))
            return found

    return anyio.run(work)


def test_maintaining_takes_what_organizations_no_longer_keep_and_only_the_owner_does(shared: str) -> None:
    def work(*command: str, role: str = "orchestrator_owner") -> str:
        return of_organization(shared, ("store", *command), role)

    def keeps(*words: str) -> None:
        of_organization(shared, ("organizations", "set", "acme", *words))

    before = kept_of(shared)
    assert work("maintain") == "nothing to do\n"
    keeps("--keep-runs", "400d", "--keep-answers", "30d", "--keep-raw", "14d")
    would = json.loads(work("prune", "--dry-run", "--json"))
    assert [[run["run"] for run in one["runs"]] for one in would["rules"]] == [
        ["acme-500"],
        ["acme-40", "acme-500"],
        ["acme-20", "acme-40", "acme-500"],
    ]
    assert "may take no runs away" in work("maintain", role="orchestrator_worker")
    assert kept_of(shared) == before
    told = work("maintain")
    assert "organization acme: took 1 run of 1 plan" in told
    assert "organization acme: took the answers of 1 run" in told
    assert "organization acme: took the raw rows of 1 run" in told
    others = {run: kept for run, kept in before.items() if run.startswith("other")}
    assert kept_of(shared) == {"acme-5": (8, 8), "acme-20": (8, 0), "acme-40": (0, 0)} | others
    assert work("maintain") == "nothing to do\n"
    assert work("prune", "--organization", "other", "--older-than", "30d", "--dry-run").count("other-") == 2
    shown = of_organization(shared, ("show", "acme-40"))
    assert "its answers were pruned" in shown


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A store of three runs of a plan, all bad."""
    path = tmp_path / "o.db"
    async with open_store(str(path)) as opened:
        for number in range(3):
            await ended_run(opened.store, f"aa0{number}", exit_code=1, specs=10, plan="n\x1b[1might")
    return path


def said(path: Path, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(cli, ["store", *words, "--store", str(path)], standalone_mode=False)
    if code:
        assert isinstance(result.exception, UsageProblem) or result.exit_code != 0
        return str(result.exception)
    assert result.exception is None, result.output
    return result.output


def test_a_dry_run_tells_and_takes_nothing(path: Path) -> None:
    told = said(path, "prune", "--keep", "1", "--dry-run")
    assert told.startswith("would take 2 runs of 1 plan: 40 cells, 80 answers\n")
    assert "\x1b" not in told
    assert "1 run stays: among the newest of their plan" in told
    assert json.loads(said(path, "info", "--json"))["runs"] == 3


def test_a_prune_tells_what_it_took_and_gave_back(path: Path) -> None:
    before = path.stat().st_size
    told = json.loads(said(path, "prune", "--keep", "1", "--yes", "--json"))
    assert [one["run"] for one in told["runs"]] == ["aa01", "aa00"]
    assert (told["cells"], told["answers"], told["dry_run"], told["raw"]) == (40, 80, False, False)
    assert told["bytes"]["before"] == before
    assert told["bytes"]["after"] == path.stat().st_size < before
    assert said(path, "prune", "--keep", "1").splitlines()[0] == "nothing to prune"
    info = json.loads(said(path, "info", "--json"))
    assert (info["runs"], info["cells"], info["answers"], info["bytes"]) == (1, 20, 40, path.stat().st_size)
    assert info["migration"]
    assert "aa02" in CliRunner().invoke(cli, ["runs", "--store", str(path)]).output


def test_raw_rows_are_pruned_and_the_run_can_still_be_shown_and_says_so(path: Path) -> None:
    def told(*words: str) -> str:
        return CliRunner().invoke(cli, [*words, "--store", str(path)]).output

    words = (("results", "aa00", "--format", "csv"), ("results", "aa00", "--format", "jsonl"))
    before = [told(*one) for one in words]
    assert said(path, "prune", "--keep", "0", "--raw", "--yes").startswith("took the raw rows of 3 runs")
    assert [told(*one) for one in words] == before
    document = json.loads(told("show", "aa00", "--json"))
    assert document["raw_pruned"].endswith("Z")
    assert "raw rows" in told("show", "aa00")
    assert said(path, "prune", "--keep", "0", "--raw", "--yes").startswith("nothing to prune\n3 runs stay")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nothing says which runs may go"),
        (("--raw",), "nothing says which runs may go"),
        (("--keep", "1", "--plan", "nihgt"), "no run of plan"),
        (("--keep", "1"), "nobody is there to be asked"),
        (("--keep", "-1"), "-1"),
        (("--keep", "many"), "many"),
        (("--older-than", "0d"), "more than 0"),
        (("--older-than", "30"), "an age such as"),
        (("--older-than", "-3d"), "an age such as"),
        (("--older-than", "3d4w"), "an age such as"),
    ],
)
def test_nonsense_is_refused_and_nothing_is_taken(path: Path, words: tuple[str, ...], message: str) -> None:
    assert message in said(path, "prune", *words, code=2)
    assert json.loads(said(path, "info", "--json"))["runs"] == 3


def test_where_there_is_no_store_nothing_is_made(tmp_path: Path) -> None:
    for words in (("info",), ("prune", "--keep", "1")):
        assert "there is no store" in said(tmp_path / "none.db", *words, code=2)
    assert list(tmp_path.iterdir()) == []


async def test_the_library_can_do_it_too(path: Path) -> None:
    done = await orchestrator.prune(keep=1, dry_run=True, store=path)
    assert len(done.taken) == 2
    assert (await orchestrator.prune(older_than=60.0, store=path)).holds.runs == 3
    assert (await orchestrator.store_info(store=path)).total.runs == 0


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (36_300_000, "36.3 MB")]
)
def test_sizes_are_told_as_one_would_say_them(size: int, text: str) -> None:
    assert amount(size) == text


# -- a plan's keep ----------------------------------------------------------------------------------------

PLAN = """
version: 1
name: night
{keep}
tests:
  - name: web
    type: http-server
    targets: ["https://a.example.com/"]
    agents: {{type: cloud, sample: {{count: 2}}}}
    expect: http-server.totalTime < 1 ms
"""


def runs_after(path: Path, keeps: list[str]) -> list[str]:
    """The plans' runs are conducted one after the other; returns what the store has in the end."""

    async def work() -> list[str]:
        async with in_process(World(seed=1, all_online=True), store=path) as simulated:
            for keep in keeps:
                await simulated.run(PLAN.format(keep=keep))
        async with open_store(str(path), virtual=True) as opened:
            return [one.id for one in await opened.store.outlines()]

    return run_virtual(work)


def test_a_plan_keeps_so_many_of_its_runs(tmp_path: Path) -> None:
    assert len(runs_after(tmp_path / "o.db", ["keep: 2"] * 4)) == 2
    assert len(runs_after(tmp_path / "all.db", [""] * 3)) == 3


def test_old_runs_that_cannot_be_taken_away_change_nothing_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise StoreProblem("the disk is full")

    monkeypatch.setattr("orchestrator.store.sqlite.store.SqliteStore.condemn", full)
    assert len(runs_after(tmp_path / "o.db", ["keep: 1"] * 2)) == 2
