"""Runs of two months, small enough to reckon by hand what SQL must say of them; and files made of a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from builders import make_agent, make_answer, make_run, make_spec, make_tests
from click.testing import CliRunner

from orchestrator.cli import cli
from orchestrator.lifecycle import SpecState
from orchestrator.model import AgentType, Answer, AnswerStatus, CellResult, CellState, NotRun, Verdict
from orchestrator.records import Planned, Requests, RunFacts, RunSettings, RunState
from orchestrator.store.base import Store

# Midnight of the 20th of November 2026 in UTC.
START = 1_795_132_800.0
DAY = 86_400.0
SHOP, WIKI = "shop.example.com", "wiki.example.com"
AGENTS = (
    make_agent("1", name="amsterdam", country="NL"),
    make_agent("2", name="berlin", country="DE"),
    make_agent("3", name="casablanca", country="MA", type=AgentType.ENTERPRISE, location="Casablanca Area"),
)
TLS = "certificate has expired"

# Of each run of the plan "sweep": its id, the day after the start, units, answers of 429, the milliseconds of
# each target from the agents 1 and 2 (no number: an error row), and their loss in percent. Agent 3 is silent.
SWEEPS: tuple[tuple[str, float, float, int, Mapping[str, Sequence[float | None]], Sequence[float]], ...] = (
    ("65000000000000a1", 0.0, 0.5, 0, {SHOP: (100.0, 200.0), WIKI: (50.0, 60.0)}, (0.0, 0.0)),
    ("65000000000000a2", 1.0, 0.5, 3, {SHOP: (120.0, None), WIKI: (50.0, 70.0)}, (0.0, 4.0)),
    ("65000000000000a3", 11.0, 0.25, 1, {SHOP: (None, None), WIKI: (52.0, 64.0)}, (0.0, 1.5)),
)


async def stored_weeks(store: Store) -> None:
    """Three runs of "sweep", one of "runbook" in which all is open, and a simulated one."""
    for run, day, units, refused, times, loss in SWEEPS:
        await _sweep(store, run, START + day * DAY, units, refused, times, loss)
    await store.create_run(
        make_run(
            "65000000000000b1",
            plan="runbook",
            started=START + 11.5 * DAY,
            # It was stopped before its first creation.
            facts=RunFacts(units=2.0, planned=Planned(1, 3)),
        ),
        make_tests([make_spec("k1", target=SHOP)], "65000000000000b1"),
        [NotRun("web", "http-server", WIKI, "9", "the agent is offline")],
        list(AGENTS),
    )
    await store.create_run(
        make_run(
            "65000000000000c1",
            plan="trial",
            started=START + 300 * DAY,
            settings=RunSettings(simulated=True, partial=True),
        ),
        make_tests([make_spec("k1")], "65000000000000c1"),
        [],
        list(AGENTS),
    )


async def _sweep(
    store: Store,
    run: str,
    started: float,
    units: float,
    refused: int,
    times: Mapping[str, Sequence[float | None]],
    loss: Sequence[float],
) -> None:
    specs = [
        make_spec(f"k{n}", target=target, agents=("1", "2", "3"), layers=("http-server", "network"))
        for n, target in enumerate(times)
    ]
    made = [
        replace(test, state=SpecState.WAITING, test_id=f"7{test.position}", created=started + 2.0)
        for test in make_tests(specs, run)
    ]
    await store.create_run(make_run(run, started=started), made, [], list(AGENTS))
    for test in made:
        key, took = test.spec.key, times[test.spec.target]
        await store.add_answers(run, key, _answers(took, loss, int(started)))
        ends = [
            CellResult(agent, CellState.ERRORS, Verdict.FAIL, ("http-server: error", "late"))
            if milliseconds is None
            else CellResult(agent, CellState.ANSWERED, Verdict.PASS)
            for agent, milliseconds in zip("12", took, strict=True)
        ]
        silent = CellResult("3", CellState.MISSING, Verdict.NO_ANSWER, ("no answer came",))
        await store.close_test(run, key, SpecState.PARTIAL, [*ends, silent], started + 60.0)
    facts = RunFacts(units=units, requests=Requests(creations=2, reads=8, refused_429=refused), seconds=61.5)
    await store.update_run(
        run,
        state=RunState.INCOMPLETE,
        finished=started + 61.5,
        exit_code=3,
        facts=replace(facts, headline="so"),
    )


def _answers(took: Sequence[float | None], loss: Sequence[float], round_id: int) -> list[Answer]:
    made: list[Answer] = []
    for agent, milliseconds, lost in zip(AGENTS[:2], took, loss, strict=True):
        seen: dict[str, Any] = {"agent": agent.name, "country": agent.country, "round_id": round_id}
        measured = {"totalTime": milliseconds, "responseCode": 200, "sslVersion": "TLSv1.3", "serverIp": 7}
        failed = {"status": AnswerStatus.ERROR, "error": TLS, "error_type": "ssl", "metrics": {}}
        made.append(
            make_answer(
                agent_id=agent.id, **seen, **(failed if milliseconds is None else {"metrics": measured})
            )
        )
        packets = {"loss": lost, "avgLatency": 10.0 + lost, "jitter": 0.5}
        made.append(make_answer("network", agent.id, metrics=packets, server="192.0.2.1:443", **seen))
    # No number, which is no JSON.
    odd = {"numberOfHops": 7, "responseTime": float("nan")}
    return [
        *made,
        make_answer("path-vis", "1", metrics=odd, agent="amsterdam", country="NL", round_id=round_id),
    ]


def written_lake(url: str, folder: Path, runs: Sequence[str]) -> None:
    """The three files of each run that docs/analysis.md names, by the commands that it names."""
    (folder / "lake").mkdir()
    for run in runs:
        at = str(folder / "lake" / run)
        _command("results", run, "-o", f"{at}.answers.parquet", "--store", url)
        _command("results", run, "--cells", "--format", "jsonl", "-o", f"{at}.cells.jsonl", "--store", url)
        Path(f"{at}.run.json").write_text(_command("show", run, "--json", "--store", url))


def _command(*words: str) -> str:
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    return done.stdout
