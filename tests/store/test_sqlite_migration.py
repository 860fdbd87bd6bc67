"""A store that an earlier version wrote is migrated in place; what it never kept is read as not known."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from builders import make_agent, make_answer, make_run, make_spec, make_tests
from stores import RUN, sent, stored_run

from orchestrator.errors import StoreProblem
from orchestrator.model import Agent, Answer, AnswerStatus, Hop
from orchestrator.model import Path as Trace
from orchestrator.records import Paths
from orchestrator.store.opening import open_store
from orchestrator.store.sqlite import database
from orchestrator.store.sqlite.database import Database, migrations
from orchestrator.testtypes import DETAILS, PATHS

FIRST = migrations()[:1]
AGENT = ("1", "branch", "enterprise", "GB", "London", "online", '["a"]', 0)
KEYS = [("2", "network", "", "", 7), ("1", "dns-server", "ns2", "", 7), ("1", "dns-server", "ns1", "", 7)]


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with a run as the first version of the tables has it."""
    path = tmp_path / "old.db"
    with monkeypatch.context() as patch:
        patch.setattr(database, "migrations", lambda: FIRST)
        Database(path).close()
    with sqlite3.connect(path) as db:
        db.execute(
            "INSERT INTO runs (id, plan, plan_text, plan_hash, api, origin, started, state, settings, facts) "
            "VALUES (?, 'p', '', '', 'v7', 'https://api.example.com', 1.0, 'running', '{}', '{}')",
            (RUN,),
        )
        db.execute("INSERT INTO agents VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)", AGENT)
        content = (
            '{"fields":{},"raw":{},"agents":["1","2"],"layers":["dns-server","network"],"deadline":180.0,'
            '"expect":[],"warn":[],"servers":2,"path_details":true}'
        )
        db.execute(
            "INSERT INTO specs (run_n, position, key, test, type, target, content, state) "
            "VALUES (1, 0, 'k0', 't', 'dns-server', 'x', ?, 'planned')",
            (content,),
        )
        db.executemany("INSERT INTO cells (spec_n, agent_id) VALUES (1, ?)", [("1",), ("2",)])
        db.executemany(
            "INSERT INTO answers (spec_n, agent_id, layer, server, direction, round_id, agent, status, "
            "error, metrics, raw) VALUES (1, ?, ?, ?, ?, ?, 'a', 'error', '\"why\"', '{}', '{}')",
            [*KEYS, ("1", DETAILS, "", "", 7)],
        )
    db.close()
    return path


async def test_what_was_stored_is_there_after_it_and_what_was_not_is_not_known(old: Path) -> None:
    for _ in range(2):
        async with open_store(str(old)) as opened:
            answers = await opened.store.answers(RUN, "k0")
            assert [(one.agent_id, one.layer, one.server) for one in answers] == [
                ("1", "dns-server", "ns1"),
                ("1", "dns-server", "ns2"),
                ("1", DETAILS, None),
                ("2", "network", None),
            ]
            assert {(one.error, one.error_type, one.paths) for one in answers} == {("why", None, None)}
            agent = (await opened.store.agents(RUN))["1"]
            assert (agent.name, agent.labels) == ("branch", ("a",))
            assert (agent.network, agent.prefix, agent.latitude, agent.longitude) == (None, None, None, None)
            assert (await opened.store.counts(RUN)).paths == Paths(wanted=0, got=0)
            assert [row.verdict async for row in opened.store.results(RUN)] == [None] * 4


async def test_it_has_the_views_then(old: Path) -> None:
    async with open_store(str(old)):
        pass
    with closing(sqlite3.connect(f"file:{old}?mode=ro", uri=True)) as db:
        assert db.execute("SELECT run, units, headline FROM report_runs").fetchall() == [(RUN, None, None)]
        assert db.execute("SELECT agent, agent_type, verdict FROM report_cells").fetchall() == [
            ("branch", "enterprise", None),
            ("2", None, None),
        ]
        assert {*db.execute("SELECT error, loss FROM report_answers")} == {("why", None)}


async def test_an_answer_that_was_stored_before_is_not_stored_again(old: Path) -> None:
    async with open_store(str(old)) as opened:
        again = make_answer("network", "2", round_id=7)
        assert await opened.store.add_answers(RUN, "k0", [again, make_answer("network", "1")]) == 1
        assert [one.error for one in await opened.store.answers(RUN, "k0") if one.layer == "network"] == [
            None,
            "why",
        ]


async def test_the_new_data_are_kept(tmp_path: Path) -> None:
    trace = Trace("7", (Hop(1, "192.0.2.1", time=0.5, loss=0.0, mpls="L=16"), Hop(3, rdns="a\ud800b")))
    rows = [
        make_answer(PATHS.name),
        make_answer(DETAILS, paths=(trace, Trace(None, ()))),
        make_answer("network", error="why", error_type="connect"),
    ]
    async with open_store(str(tmp_path / "o.db")) as opened:
        await stored_run(opened.store)
        await opened.store.add_answers(RUN, "k0", rows)
        kept = {one.layer: one for one in await opened.store.answers(RUN, "k0")}
        streamed = [row.answer async for row in opened.store.results(RUN)]
    assert kept[DETAILS].paths == (trace, Trace(None, ()))
    assert kept["network"].error_type == "connect"
    assert [kept[PATHS.name].paths, kept[PATHS.name].error_type] == [None, None]
    assert {one.layer: one for one in streamed} == kept


async def test_where_an_agent_is_is_kept(tmp_path: Path) -> None:
    agents: list[Agent] = [
        make_agent("1", network="Example (AS 64500)", prefix="192.0.2.0/24", latitude=51.5, longitude=-0.1),
        make_agent("2", network="a\ud800b", latitude=0.0),
    ]
    async with open_store(str(tmp_path / "o.db")) as opened:
        await opened.store.create_run(make_run("cc"), [], [], agents)
        found = await opened.store.agents("cc")
    assert found["1"] == agents[0]
    assert (found["2"].network, found["2"].latitude) == ("a\\ud800b", 0.0)


SCRIPT = """
import sys
from pathlib import Path
from orchestrator.store.sqlite.database import Database
print("ready", flush=True)
sys.stdin.readline()
opened = Database(Path(sys.argv[1]))
print(opened.connection.execute("SELECT count(*), count(paths) FROM answers").fetchone(), flush=True)
opened.close()
"""


def test_two_processes_may_migrate_at_once(old: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(old)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    told = [child.communicate("\n") for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert {out for out, _ in told} == {"(4, 0)\n"}
    assert applied(old) == [name for name, _ in migrations()]


def test_a_migration_that_fails_leaves_the_store_as_it_was(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [*migrations(), ("9999_broken", "CREATE TABLE kept (x);\nSELECT * FROM no_such_table;\n")]
    with monkeypatch.context() as patch:
        patch.setattr(database, "migrations", lambda: broken)
        with pytest.raises(StoreProblem):
            Database(old)
    assert applied(old) == [FIRST[0][0]]
    Database(old).close()
    assert applied(old) == [name for name, _ in migrations()]


def applied(path: Path) -> list[str]:
    db = sqlite3.connect(path)
    try:
        return [row[0] for row in db.execute("SELECT name FROM migrations ORDER BY name")]
    finally:
        db.close()


async def test_paths_are_counted_by_agent_and_round_where_the_plan_wants_their_hops(tmp_path: Path) -> None:
    wants = make_spec("k0", layers=(PATHS.name,), path_details=True)
    does_not = make_spec("k1", layers=(PATHS.name,))
    async with open_store(str(tmp_path / "o.db")) as opened:
        await opened.store.create_run(make_run(RUN), make_tests([wants, does_not], RUN), [], [])
        await sent(opened.store, "k0", "k1")
        measured = [
            make_answer(PATHS.name, "1", direction="to-target"),
            make_answer(PATHS.name, "1", direction="from-target"),
            make_answer(PATHS.name, "2"),
        ]
        for key in ("k0", "k1"):
            await opened.store.add_answers(RUN, key, [*measured, failed("3")])
        await opened.store.add_answers(RUN, "k0", [make_answer(DETAILS, "2"), make_answer(DETAILS, "9")])
        assert (await opened.store.counts(RUN)).paths == Paths(wanted=2, got=1)


def failed(agent: str) -> Answer:
    return make_answer(PATHS.name, agent, status=AnswerStatus.ERROR, error="why", metrics={})
