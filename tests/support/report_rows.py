"""Builders with one realistic default each; a test shows only the field that it is about."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from orchestrator.events import Event
from orchestrator.lifecycle import SpecState
from orchestrator.model import Answer, AnswerStatus, Api, CellState, Json, Spec, Verdict
from orchestrator.records import CellRecord, Counts, RunRecord, StoredAnswer, TestRecord
from orchestrator.store import events
from orchestrator.store.facts import load_facts

T = TypeVar("T")

# 2026-11-21 05:47:12 UTC
STARTED = 1_795_240_032.0


class Make:
    """Builds values of the store."""

    started = STARTED

    def run(self, **changes: Any) -> RunRecord:
        base = RunRecord(
            id="20261121-054712-ab12",
            plan="branch-sweep",
            plan_path="plans/branch-sweep.yaml",
            plan_text="version: 1\n",
            plan_hash="sha256:0",
            api=Api.V7,
            origin="https://api.thousandeyes.com",
            account="1234",
            parent=None,
            started=STARTED,
        )
        if isinstance(changes.get("facts"), dict):  # as a store keeps them
            changes["facts"] = load_facts(changes["facts"])
        return replace(base, **changes)

    def cell(self, **changes: Any) -> CellRecord:
        base = CellRecord(
            spec="aaaa00000001",
            test="web",
            type="http-server",
            target="portal",
            agent_id="1001",
            agent="branch-01",
            country="GB",
            state=CellState.ANSWERED,
            verdict=Verdict.PASS,
        )
        return base._replace(**changes)

    def left_out(self, **changes: Any) -> CellRecord:
        values = {
            "spec": None, "state": CellState.NOT_RUN, "verdict": Verdict.NOT_RUN, "agent": "branch-07",
            "agent_id": "1007", "country": None, "reasons": ("the agent is offline",),
        }  # fmt: skip
        return self.cell(**{**values, **changes})

    def answer(self, **changes: Any) -> Answer:
        base = Answer(
            layer="network",
            agent_id="1001",
            agent="branch-01",
            country="GB",
            server=None,
            round_id=1_795_240_020,
            date="2026-11-21T05:47:00Z",
            status=AnswerStatus.OK,
            error=None,
            metrics={"loss": 0.0, "avgLatency": 12.0},
            raw="{}",
        )
        return base._replace(**changes)

    def row(
        self,
        *,
        target: str = "portal",
        verdict: Verdict | None = Verdict.PASS,
        **changes: Any,
    ) -> StoredAnswer:
        return StoredAnswer(
            spec="aaaa00000001",
            test="web",
            test_id="281474976710706",
            type="http-server",
            target=target,
            answer=self.answer(**changes),
            verdict=verdict,
        )

    def test(self, **changes: Any) -> TestRecord:
        spec = Spec(
            key="aaaa00000001",
            test="web",
            type="http-server",
            target="portal",
            fields={"url": "https://portal.example.com"},
            agents=("1001", "1002"),
            layers=("http-server", "network"),
            deadline=180.0,
        )
        base = TestRecord(
            run="20261121-054712-ab12",
            position=0,
            spec=spec,
            state=SpecState.COMPLETE,
            name="branch-sweep web portal [aaaa00000001]",
            test_id="281474976710706",
            intended=STARTED + 2,
            created=STARTED + 3,
            closed=STARTED + 40,
        )
        return replace(base, **changes)

    def event(self, at: float, kind: str, **facts: Json) -> Event:
        """As a store gives it back."""
        return Event(at, "20261121-054712-ab12", "aaaa00000001", events.load(kind, facts))

    def counts(self, **changes: Any) -> Counts:
        base = Counts(
            tests={SpecState.COMPLETE: 2},
            created=2,
            cells={CellState.ANSWERED: 4},
            verdicts={Verdict.PASS: 4},
        )
        return replace(base, **changes)

    def stream(self, values: Iterable[T]) -> AsyncIterator[T]:
        async def generate() -> AsyncIterator[T]:
            for value in values:
                yield value

        return generate()

    def rows(self, values: Sequence[StoredAnswer]) -> Callable[[], AsyncIterator[StoredAnswer]]:
        return lambda: self.stream(values)
