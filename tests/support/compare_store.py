"""Runs in a real store, written as a run writes them: four targets from four agents, hour after hour."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from builders import make_agent, make_answer, make_run, make_spec, make_tests

from orchestrator.lifecycle import SpecState
from orchestrator.model import AnswerStatus, CellResult, CellState, Hop, NotRun, Path, Spec, Verdict
from orchestrator.records import RunFacts, RunRecord, RunState
from orchestrator.store.base import Store
from orchestrator.testtypes.layers import DETAILS, HTTP

AGENTS = tuple(make_agent(f"{n}", country="GB" if n < 3 else "DE") for n in range(1, 5))
TARGETS = ("crm", "mail", "shop", "wiki")
HOUR = 3600.0

# The verdict of a cell, and the factor of its times.
Fate = Callable[[str, str], tuple[Verdict, float]]


def well(_target: str, _agent: str) -> tuple[Verdict, float]:
    """As always."""
    return Verdict.PASS, 1.0


@dataclass
class History:
    """Runs of one plan, an hour apart. ``ids`` are theirs, oldest first.

    ``way`` are the networks that the paths go through from now on; without them no hops are known.
    """

    store: Store
    plan: str = "sweep"
    targets: Sequence[str] = TARGETS
    lot: random.Random = field(default_factory=lambda: random.Random(7))
    ids: list[str] = field(default_factory=list)
    way: Sequence[str] = ()

    async def add(self, fate: Fate = well, left_out: Sequence[NotRun] = (), **changes: object) -> RunRecord:
        """The next run; what changes of its record, its specs or its state is named."""
        number = len(self.ids) + 1
        run = f"6500000{number}deadbeef"
        fields = {"url": "https://example.com", "httpTimeLimit": changes.pop("limit", 5)}
        specs = [
            make_spec(
                f"k{target}",
                target=target,
                agents=tuple(a.id for a in AGENTS),
                layers=(HTTP.name,),
                fields=fields,
            )
            for target in self.targets
        ]
        record = make_run(run, plan=self.plan, started=1.7e9 + number * HOUR, **changes)
        await self.store.create_run(record, make_tests(specs, run), left_out, AGENTS)
        verdicts = [verdict for spec in specs for verdict in await self._spec(run, spec, fate)]
        self.ids.append(run)
        if record.state is RunState.RUNNING:
            record = replace(record, state=RunState.COMPLETE, exit_code=int(Verdict.FAIL in verdicts))
            if Verdict.NO_ANSWER in verdicts:
                record = replace(record, state=RunState.INCOMPLETE, exit_code=3)
        await self.store.update_run(
            run,
            state=record.state,
            finished=record.started + 60,
            exit_code=record.exit_code,
            facts=RunFacts(),
        )
        return record

    async def _spec(self, run: str, spec: Spec, fate: Fate) -> list[Verdict]:
        await self.store.intend(run, spec.key, spec.key, 1.0)
        await self.store.created(run, spec.key, f"t{spec.key}", {}, 2.0)
        cells, answers = [], []
        for agent in spec.agents:
            verdict, factor = fate(spec.target, agent)
            ends = {Verdict.FAIL: CellState.ERRORS, Verdict.NO_ANSWER: CellState.MISSING}
            reasons = ("refused",) if verdict is Verdict.FAIL else ()
            cells.append(CellResult(agent, ends.get(verdict, CellState.ANSWERED), verdict, reasons))
            if verdict is Verdict.NO_ANSWER:
                continue
            times = {
                "waitTime": 200.0 * factor * self.lot.gauss(1.0, 0.02),
                "connectTime": 20.0 * self.lot.gauss(1.0, 0.02),
            }
            metrics = {"responseCode": 200, **times, "totalTime": sum(times.values())}
            failed = verdict is Verdict.FAIL
            answers.append(
                make_answer(
                    agent_id=agent,
                    agent=f"agent {agent}",
                    status=AnswerStatus.ERROR if failed else AnswerStatus.OK,
                    error="Connect: refused" if failed else None,
                    error_type="connect" if failed else None,
                    metrics={} if failed else metrics,
                )
            )
            if self.way:
                hops = (Hop(n, f"192.0.2.{n}", network=one) for n, one in enumerate(self.way, start=1))
                answers.append(make_answer(DETAILS, agent, metrics={}, paths=(Path(None, tuple(hops)),)))
        await self.store.add_answers(run, spec.key, answers)
        await self.store.close_test(run, spec.key, SpecState.COMPLETE, cells, 3.0)
        return [cell.verdict for cell in cells]
