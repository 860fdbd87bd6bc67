"""Any interleaving of outcomes, stops, kills and resumes: legal moves only, planned = the sum of the ends,
and at every moment each cell is what its answers make of it.

The real conductor, dispatcher, schedule and store run in virtual time. The network is in the hands of the
machine: it decides which of the requests under way is answered next and how, when time passes, when a signal
or a kill comes, and what a resume is told to do. The simulated API is the witness of what was created.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from builders import make_run, make_spec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from scripted_network import CREATIONS, EPOCH, READS, Network, OutsideClock, sim_request
from virtual_time import VirtualLoop

from orchestrator.budget.ledger import LocalLedger
from orchestrator.errors import Exit, StoreProblem
from orchestrator.lifecycle import SpecState
from orchestrator.listeners.telling import Telling
from orchestrator.model import COLLECTED, Answer, CellResult, Spec, Verdict
from orchestrator.records import UNKNOWN_POLICIES, TestRecord
from orchestrator.report.summary import summary
from orchestrator.runner.conductor import Conductor, Outcome
from orchestrator.runner.doors import Doors, Pacing
from orchestrator.runner.pacer import Gaps
from orchestrator.runner.wire import Wire
from orchestrator.simulator.service import Service
from orchestrator.simulator.settings import Settings as World
from orchestrator.store.base import WholeStore
from orchestrator.store.sqlite.store import SqliteStore
from orchestrator.thousandeyes.dialects import dialect
from orchestrator.verdict.expect import judge_cell, parsed

T = TypeVar("T")
AGENTS = ("1", "2")
# Of the two agents one keeps it and one does not.
SLOW = "network.avgLatency < 100"
# The life-cycle as its picture in the documentation shows it, written down a second time.
LEGAL = {
    "planned": {"creating", "not_run"},
    "creating": {"planned", "waiting", "failed", "unknown"},
    "waiting": {"complete", "partial", "timed_out"},
    "unknown": {"waiting", "planned"},
    "not_run": {"planned"},
    "partial": {"waiting"},
    "timed_out": {"waiting"},
    "complete": set(),
    "failed": {"planned"},
}
ENDS = {"complete", "partial", "timed_out", "failed", "unknown", "not_run"}
UNSENT = dict.fromkeys(("planned", "failed", "not_run"), "not_run")


def specs() -> list[Spec]:
    """Three kinds of tests; one with hop details, which are requests of their own."""
    web = make_spec("web1", agents=AGENTS, layers=("http-server", "network"), expect=(SLOW,))
    reach = make_spec(
        "reach1",
        type="agent-to-server",
        target="a.example.com:443",
        fields={"server": "a.example.com", "port": 443},
        agents=AGENTS,
        layers=("network", "path-vis"),
        path_details=True,
    )
    trace = make_spec(
        "trace1",
        type="dns-trace",
        target="example.com A",
        fields={"domain": "example.com A"},
        agents=AGENTS[:1],
        layers=("dns-trace",),
    )
    return [web, reach, trace]


class Lives(RuleBasedStateMachine):
    """One run, over as many sessions as it takes."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "runs.db"
        self.loop = VirtualLoop()
        self.clock = OutsideClock(self.loop)
        world = World(seed=3, cloud_agents=4, enterprise_agents=0, clusters=0, network_delay=0.0)
        self.service = Service(world)
        ids = iter(self.service.world.agents)
        self.agents = {agent: str(next(ids)) for agent in AGENTS}
        self.network = Network(self.service, self.clock)
        self.store: WholeStore | None = None
        self.session: asyncio.Task[Outcome] | None = None
        self.conductor: Conductor | None = None
        self.retries = False
        self.rerun = False
        self.moves: list[tuple[str, str, str]] = []
        self.judged: dict[tuple[str, str], tuple[CellResult, frozenset[str]]] = {}

    # -- sessions -----------------------------------------------------------------------------------

    @initialize(rerun=st.booleans())
    def begin(self, rerun: bool) -> None:
        """A stored run: a first one, or a re-run of tests that exist."""
        self.rerun = rerun
        run = make_run(parent="6400000000000001" if rerun else None, started=EPOCH)
        tests = []
        for position, spec in enumerate(self.planned()):
            test_id = self._existing(spec) if rerun else None
            tests.append(TestRecord(run.id, position, spec, SpecState.PLANNED, test_id=test_id))
        self._open()
        assert self.store is not None
        self._do(self.store.create_run(run, tests, (), ()))
        self._start("keep")

    def planned(self) -> list[Spec]:
        return [replace(spec, agents=tuple(self.agents[agent] for agent in spec.agents)) for spec in specs()]

    def _existing(self, spec: Spec) -> str:
        """A test that an earlier run created, with a round whose rows have come long ago."""
        request = dialect(make_run().api).create(spec, f"earlier {spec.key}", None)
        reply = self.service.handle(sim_request(request), EPOCH - 10_000.0)
        assert reply.status == 201, reply.body
        return str(json.loads(reply.body)["testId"])

    # -- what each kind of store does in its own way ----------------------------------------------------

    def _open(self) -> None:
        store = self._do(SqliteStore.open(self.path, virtual=True))
        self.store, connection = store, store._engine.connection
        # Durability is tested elsewhere; here a sync for each of thousands of commits is only slow.
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("CREATE TEMP TABLE moves (key TEXT, old TEXT, new TEXT)")
        connection.execute(
            "CREATE TEMP TRIGGER watch AFTER UPDATE OF state ON main.specs WHEN OLD.state <> NEW.state "
            "BEGIN INSERT INTO moves VALUES (NEW.key, OLD.state, NEW.state); END"
        )

    def _ask(self, sql: str) -> list[Any]:
        """What is stored, past everything that reads it."""
        assert isinstance(self.store, SqliteStore)
        return self.store._engine.connection.execute(sql).fetchall()

    def _die(self) -> None:
        """Nothing reaches the store any more; what was committed stays."""
        assert isinstance(self.store, SqliteStore)
        # SQLite refuses everything on a closed connection.
        self.store._engine.connection.close()

    # -- sessions, again --------------------------------------------------------------------------------

    def _start(self, policy: str) -> None:
        assert self.store is not None
        self.retries = self.retries or policy == "retry"
        rng = Random(5)
        ledger = LocalLedger(rng=rng)
        telling = Telling(self.clock.wall)
        wire = Wire(self.network, ledger, self.clock, telling)
        doors = Doors(self.store, wire, ledger, self.clock, rng, telling)
        record = self._do(self.store.run("last"))
        self.conductor = Conductor(
            doors,
            dialect(record.api),
            record,
            pacing=Pacing(Gaps(0.0, 0.0)),
            unknown=policy,
        )
        self.session = self.loop.create_task(self.conductor.run())
        self._pass(0.01)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def _pass(self, seconds: float) -> None:
        self._do(asyncio.sleep(seconds))
        if self.session is not None and self.session.done():
            self._ended(self.session.result())

    def _ended(self, outcome: Outcome) -> None:
        """A session came to its end by itself."""
        self.session = self.conductor = None
        self.network.pending.clear()
        states = self.states()
        assert "creating" not in states.values(), "ended with a creation under way"
        if outcome.exit_code not in (Exit.SIGINT, Exit.REFUSED):
            assert set(states.values()) <= ENDS, f"left without an end: {states}"
        complete = set(states.values()) == {"complete"}
        assert (outcome.exit_code in (Exit.OK, Exit.EXPECTATION_FAILED)) == complete, (outcome, states)

    # -- what can happen ----------------------------------------------------------------------------

    @precondition(lambda self: self.network.pending)
    @rule(data=st.data())
    def a_request_ends(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.network.pending) - 1), label="which")
        pending = self.network.pending[number]
        outcomes = CREATIONS if pending.request.instant else READS
        self.network.answer(pending, data.draw(st.sampled_from(outcomes), label="how"))
        self._pass(0.01)

    @precondition(lambda self: len(self.network.pending) > 1)
    @rule()
    def everything_is_answered(self) -> None:
        for pending in list(self.network.pending):
            self.network.answer(pending, "taken")
        self._pass(0.01)

    @precondition(lambda self: self.session)
    @rule(seconds=st.sampled_from([0.2, 2.0, 15.0, 61.0, 200.0]))
    def time_passes(self, seconds: float) -> None:
        self._pass(seconds)

    @precondition(lambda self: self.session)
    @rule(grace=st.sampled_from([0.0, 5.0, 60.0]))
    def a_signal_comes(self, grace: float) -> None:
        assert self.conductor is not None
        self.conductor.interrupt(Exit.SIGINT, grace)
        self._pass(0.01)

    @precondition(lambda self: self.session)
    @rule()
    def the_process_is_killed(self) -> None:
        """From one instant on nothing reaches the store; what was committed stays."""
        assert self.store is not None
        assert self.session is not None
        self._note_moves()
        self._die()
        self.session.cancel()
        outcome = self._do(_settled(self.session))
        assert isinstance(outcome, asyncio.CancelledError | StoreProblem | BaseExceptionGroup), outcome
        self.session = self.conductor = None
        self.network.pending.clear()
        self._open()

    @precondition(lambda self: self.session is None and self.store is not None)
    @rule(policy=st.sampled_from(UNKNOWN_POLICIES))
    def a_resume_goes_on(self, policy: str) -> None:
        self._start(policy)

    # -- what must hold -----------------------------------------------------------------------------

    def states(self) -> dict[str, str]:
        assert self.store is not None
        return dict(self._ask("SELECT key, state FROM specs ORDER BY position"))

    def _note_moves(self) -> None:
        assert self.store is not None
        self.moves += self._ask("SELECT key, old, new FROM moves")
        self._ask("DELETE FROM moves")

    @invariant()
    def only_legal_moves_are_made(self) -> None:
        if self.store is None:
            return
        self._note_moves()
        for key, old, new in self.moves:
            assert new in LEGAL[old], f"{key} moved from {old} to {new}"
        self.moves.clear()

    @invariant()
    def planned_is_the_sum_of_the_ends(self) -> None:
        if self.store is None:
            return
        run = self._do(self.store.run("last"))
        counts = self._do(self.store.counts(run.id))
        document = summary(run, counts)
        tests, cells, verdicts = document["tests"], document["cells"], document["verdicts"]
        assert isinstance(tests, dict)
        assert isinstance(cells, dict)
        assert isinstance(verdicts, dict)
        assert tests["planned"] == sum(tests[end] for end in ENDS) == 3
        assert cells["planned"] == sum(cells.values()) - cells["planned"] == 5
        assert sum(verdicts.values()) == 5

    @invariant()
    def each_cell_is_what_its_answers_make_of_it(self) -> None:
        """Judged as soon as its layers are in, whatever the run does; else open, or ended with a lack."""
        if self.store is None:
            return
        run = self._do(self.store.run("last"))
        found: Counter[str] = Counter()
        for spec in self.planned():
            rows = self._do(self.store.answers(run.id, spec.key))
            judged = {cell.agent_id: cell for cell in self._do(self.store.judged(run.id, spec.key))}
            for agent_id in spec.agents:
                whole, said = judge_cell(spec, agent_id, rows, parsed(spec)), judged.get(agent_id)
                state = self.states()[spec.key]
                if whole.state in COLLECTED:
                    assert said == whole
                else:
                    assert (said is None) == (state not in ENDS), (spec.key, agent_id, said)
                found[UNSENT.get(state, whole.state.value)] += 1
                self._keeps_its_verdict(spec.key, agent_id, said, rows)
        cells = summary(run, self._do(self.store.counts(run.id)))["cells"]
        assert isinstance(cells, dict)
        assert {name: number for name, number in cells.items() if number and name != "planned"} == found

    def _keeps_its_verdict(
        self, key: str, agent_id: str, said: CellResult | None, rows: Sequence[Answer]
    ) -> None:
        """A verdict changes by new evidence only, and one that lacks nothing is never taken back."""
        evidence = frozenset(row.raw for row in rows if row.agent_id == agent_id)
        before = self.judged.get((key, agent_id))
        if before is not None and evidence == before[1]:
            assert said == before[0], f"{key} {agent_id}: {before[0]} became {said} without new evidence"
        if said is not None and said.state in COLLECTED:
            self.judged[key, agent_id] = (said, evidence)

    @invariant()
    def whoever_watches_is_told_what_is_stored(self) -> None:
        if self.conductor is None or self.store is None:
            return
        before, told = self.conductor._before.verdicts, self.conductor._telling.statistics.verdicts
        stored = self._do(self.store.counts(self._do(self.store.run("last")).id)).verdicts
        for verdict in Verdict:
            assert before.get(verdict, 0) + told.get(verdict, 0) == stored.get(verdict, 0), verdict

    @invariant()
    def nothing_is_paid_for_twice(self) -> None:
        witness = self.service.witness()
        if self.rerun:
            reruns = Counter(entry["test_id"] for entry in witness["reruns"])
            assert max(reruns.values(), default=0) <= 1, reruns
            assert len(witness["creations"]) == 3, "a re-run creates nothing"
        elif not self.retries:
            created = Counter(entry["name"] for entry in witness["creations"])
            assert max(created.values(), default=0) <= 1, created

    @invariant()
    def a_complete_test_has_all_its_answers(self) -> None:
        if self.store is None:
            return
        stored = Counter(
            self._ask(
                "SELECT key FROM answers JOIN specs ON specs.n = spec_n WHERE layer <> 'path-vis-detail'"
            )
        )
        for spec in self.planned():
            if self.states().get(spec.key) == "complete":
                assert stored[(spec.key,)] == len(spec.agents) * len(spec.layers), (spec.key, stored)

    def teardown(self) -> None:
        """Nothing waits for ever: with an API that answers, or one that does not, a session ends."""
        try:
            if self.session is not None:
                self._drive_to_the_end()
                self.only_legal_moves_are_made()
                self.planned_is_the_sum_of_the_ends()
                self.nothing_is_paid_for_twice()
        finally:
            if self.session is not None:
                self.session.cancel()
                self._do(_settled(self.session))
            if self.store is not None:
                self._die()
            self.loop.close()
            self.folder.cleanup()

    def _drive_to_the_end(self) -> None:
        for _ in range(3000):
            if self.session is None:
                return
            for pending in list(self.network.pending):
                self.network.answer(pending, "taken")
            self._pass(1.0)
        raise AssertionError(f"the session did not end: {self.states()}")


async def _settled(task: asyncio.Task[Outcome]) -> BaseException | Outcome:
    """Its result or its exception, as a value."""
    (result,) = await asyncio.gather(task, return_exceptions=True)
    return result


TestLives = Lives.TestCase
TestLives.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
