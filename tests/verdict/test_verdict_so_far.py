"""What a run that goes on has come to is told at every moment, and the counts are true at every moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import wraps
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from simulated_run import Ran, check_promises, in_process
from virtual_time import run_virtual

from orchestrator.actions import reading
from orchestrator.actions import run as action
from orchestrator.actions.reading import Shown
from orchestrator.actions.run import Attendance, Outcome
from orchestrator.errors import Exit
from orchestrator.events import Event, Standing
from orchestrator.events.verdicts import Judged, verdicts_in
from orchestrator.model import COLLECTED, CellState, Verdict
from orchestrator.plan.load import parse_plan
from orchestrator.records import RunRecord
from orchestrator.report.headline import headline
from orchestrator.simulator.service import Service
from orchestrator.simulator.settings import Fault
from orchestrator.simulator.settings import Settings as World
from orchestrator.store.sqlite.store import SqliteStore
from orchestrator.verdict.expect import judge_cell, parsed

PLAN = """
version: 1
name: so-far
api: {api}
agents: {{some: {{type: cloud}}}}
tests:
  - name: web
    type: http-server
    targets: ["https://one.example.com", "https://down.example.com"]
    agents: some
    expect: [http-server.responseCode == 200, network.loss <= 1]
    path_details: true
  - name: names
    type: dns-server
    targets: [{{domain: "example.com A", dnsServers: [ns1.example.com, ns2.example.com]}}]
    agents: some
    warn: [dns-server.resolutionTime < 10]
"""
WORLD = World(
    seed=4, trouble=0.2, error_rate=0.5, cloud_agents=5, enterprise_agents=0, clusters=0, all_online=True
)


@dataclass
class Watch:
    """Looks at the store after each of its writes."""

    moments: list[dict[str, Any]] = field(default_factory=list)
    verdicts: dict[tuple[str, str], Verdict] = field(default_factory=dict)
    evidence: dict[tuple[str, str], int] = field(default_factory=dict)

    async def look(self, store: SqliteStore, run: str) -> None:
        record = await store.run(run)
        found: Counter[str] = Counter()
        for test in await store.tests(run):
            rows = await store.answers(run, test.spec.key)
            judged = {cell.agent_id: cell for cell in await store.judged(run, test.spec.key)}
            for agent in test.spec.agents:
                whole, said = judge_cell(test.spec, agent, rows, parsed(test.spec)), judged.get(agent)
                if whole.state in COLLECTED:
                    assert said == whole, "its layers are in, and it is not judged by them"
                found[whole.state.value if test.created else CellState.NOT_RUN.value] += 1
                self._changed((test.spec.key, agent), None if said is None else said.verdict, len(rows))
        document = (await reading.summed_up(store, record, now=record.started + 1)).document()
        cells: Any = document["cells"]
        assert {name: cells[name] for name in found} == dict(found)
        assert sum(cells.values()) == 2 * cells["planned"]
        self.moments.append(document)

    def _changed(self, cell: tuple[str, str], verdict: Verdict | None, rows: int) -> None:
        before = self.verdicts.get(cell)
        if verdict is None:
            assert before is None, "a verdict was taken back"
            return
        assert before in (None, verdict) or rows > self.evidence[cell], "it changed without new evidence"
        self.verdicts[cell], self.evidence[cell] = verdict, rows


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch = Watch()

    def looking(write: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @wraps(write)
        async def written(store: SqliteStore, run: str, *arguments: Any, **named: Any) -> Any:
            result = await write(store, run, *arguments, **named)
            await watch.look(store, run)
            return result

        return written

    for name in ("add_answers", "close_test", "created"):
        monkeypatch.setattr(SqliteStore, name, looking(getattr(SqliteStore, name)))
    return watch


class Told:
    """Hears how a run stands and what is judged."""

    def __init__(self) -> None:
        self.standings: list[Standing] = []
        self.judged: Counter[Verdict] = Counter()

    def hear(self, event: Event) -> None:
        if isinstance(event.fact, Judged):
            self.judged.update(verdicts_in(event.fact))
        elif isinstance(event.fact, Standing):
            self.standings.append(event.fact)


@pytest.mark.parametrize("api", ["v7", "v6"])
def test_a_cell_is_judged_with_its_last_layer_and_every_count_is_true_meanwhile(
    watch: Watch, tmp_path: Path, api: str
) -> None:
    async def work() -> tuple[Ran, list[Standing]]:
        async with in_process(WORLD, store=tmp_path / "runs.db") as simulated:
            return await simulated.run(PLAN.format(api=api)), simulated.standings

    ran, standings = run_virtual(work)
    check_promises(ran)
    open_moments = [
        one for one in watch.moments if 0 < sum(one["verdicts"][v] for v in ("pass", "warn", "fail")) < 15
    ]
    assert open_moments, "verdicts came all at once"
    assert {one["exit_code"] for one in open_moments} == {3}
    assert any(one["tests"]["complete"] == 0 for one in open_moments), "a verdict waited for its test's end"
    assert any(one["verdicts"]["fail"] for one in open_moments)
    so_far = [one for one in open_moments if one["insight"]["unjudged"]["pending"]]
    assert so_far
    for one in so_far:
        assert one["insight"]["headline"].startswith("So far: ")
    last = standings[-1]
    assert {one.cells for one in standings} == {15}
    assert sum(verdicts_in(last).values()) <= 15
    for earlier, later in pairwise(standings):
        assert sum(verdicts_in(earlier).values()) <= sum(verdicts_in(later).values())


def test_an_interrupted_run_says_what_is_bad_so_far_and_its_resume_judges_nothing_twice(
    watch: Watch, tmp_path: Path
) -> None:
    """One agent never answers, so no test is over at the stop; in three tests it would not be waited for."""
    text = PLAN.format(api="v7").replace('"https://one.example.com", ', "")
    silent = str(next(iter(Service(WORLD).world.agents)))
    world = replace(WORLD, faults=(Fault("silent-agent", target=silent),))
    first, second = Told(), Told()

    async def work() -> tuple[Shown, int, Outcome, Shown]:
        async with in_process(world, store=tmp_path / "runs.db") as simulated:
            session, clock = simulated.session, simulated.session.doors.clock
            plan = parse_plan(text, "plan.yaml", tmp_path, environ={})

            async def stops() -> AsyncIterator[Exit]:
                await clock.sleep(110.0)
                yield Exit.SIGINT

            @contextmanager
            def attend(_run: RunRecord) -> Iterator[Attendance]:
                yield Attendance(listeners=[first], stops=stops(), grace=0.0)

            @contextmanager
            def attend_again(_run: RunRecord) -> Iterator[Attendance]:
                yield Attendance(listeners=[second])

            stopped = await action.run(session, plan, attend=attend)
            assert stopped.exit_code is Exit.SIGINT
            shown = await reading.show(simulated.session.opened, "last", now=clock.wall())
            source = await reading.source(simulated.session.opened, "last", now=clock.wall())
            kept = reading.with_silent(source, reading.keeping(verdicts=[Verdict.NO_ANSWER]))
            lines = [row.verdict async for row in kept.results()]
            ended = await action.resume(session, stopped.run, attend=attend_again)
            silent_now = lines.count(Verdict.NO_ANSWER)
            return (
                shown,
                silent_now,
                ended,
                await reading.show(simulated.session.opened, "last", now=clock.wall()),
            )

    shown, silent_now, ended, last = run_virtual(work)
    so_far: Any = shown.document()
    assert so_far["state"] == "interrupted"
    assert so_far["tests"]["complete"] == 0
    assert so_far["cells"]["answered"] + so_far["cells"]["errors"] == sum(first.judged.values()) > 5
    assert silent_now == so_far["verdicts"]["no-answer"], "a cell with a part of its answer is not silent"
    assert so_far["verdicts"]["fail"] == first.judged[Verdict.FAIL] > 0
    assert so_far["insight"]["headline"].startswith("So far: ")
    told = headline(shown.run, shown.counts)
    assert told.startswith("interrupted: ")
    assert f"{so_far['verdicts']['fail']} failed an expectation" in told
    assert shown.overview.points or shown.overview.rest, "what is bad so far is listed"

    assert ended.exit_code is Exit.INCOMPLETE
    stored = Counter({verdict: number for verdict, number in last.counts.verdicts.items() if number})
    assert first.judged + second.judged == stored, "judged twice, or never"
    assert min(second.judged.values()) >= 0, "no verdict was changed: nothing new was known of those cells"
    assert second.standings[-1].cells == 10
