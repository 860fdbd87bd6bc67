"""Moments of a diagnosis, made by hand: agents of many countries, cells that pass, fail, are silent, open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from builders import make_agent, make_answer, make_spec

from orchestrator.diagnosis.found import Asked, Found, Round
from orchestrator.diagnosis.subjects import Kind, Subject
from orchestrator.insight.values import CellKey, Observed, Trouble
from orchestrator.insight.words import Names
from orchestrator.model import Agent, AgentType, AnswerStatus, CellState, Verdict
from orchestrator.records import CellRecord

URL = "https://shop.example.com"
COUNTRIES = ("GB", "US", "SG", "BR", "AU", "ZA", "JP", "DE", "FR", "CA", "IN", "MX")
_STATES: Mapping[Verdict | None, CellState] = {
    None: CellState.PENDING,
    Verdict.PASS: CellState.ANSWERED,
    Verdict.WARN: CellState.ANSWERED,
    Verdict.FAIL: CellState.ERRORS,
    Verdict.NO_ANSWER: CellState.MISSING,
}
FAIL, PASS, OPEN, SILENT = Verdict.FAIL, Verdict.PASS, None, Verdict.NO_ANSWER


def agents(number: int = 12) -> list[Agent]:
    """Each in a country and a network of its own; every third one is inside."""
    return [
        make_agent(
            str(100 + n),
            name=f"agent-{n:02d}",
            type=AgentType.ENTERPRISE if n % 3 == 1 else AgentType.CLOUD,
            country=COUNTRIES[n % len(COUNTRIES)],
            network=f"Example {n} (AS {64500 + n})",
        )
        for n in range(number)
    ]


def cell(
    agent: Agent,
    verdict: Verdict | None,
    *,
    target: str = URL,
    test: str = "web",
    round_id: int = 1_700_000_000,
) -> Observed:
    """One cell; what fails does so at connect."""
    spec = make_spec("k", test=test, target=target, agents=(agent.id,))
    record = CellRecord(
        "k", test, spec.type, target, agent.id, agent.name, agent.country, _STATES[verdict], verdict
    )
    bad = verdict is FAIL
    row = make_answer(
        "http-server",
        agent.id,
        status=AnswerStatus.ERROR if bad else AnswerStatus.OK,
        metrics={} if bad else {"responseCode": 200},
        round_id=round_id,
    )
    rows = (row,) if verdict in {PASS, FAIL} else ()
    troubles = (Trouble("http-server", "Connect: timed out", error_type="connect"),) if bad else ()
    return Observed(record, spec, rows, troubles, agent)


def asked(whom: Sequence[Agent], box: float = 180.0, target: str = URL) -> Asked:
    """A diagnosis of one URL."""
    subject = Subject(Kind.URL, target, "shop.example.com", 443)
    return Asked((subject,), (), tuple(whom), frozenset({"web"}), frozenset({"web"}), box)


def found(
    verdicts: Sequence[Verdict | None], *, again: Sequence[Verdict | None] = (), target: str = URL
) -> Found:
    """What is known when the agents have these verdicts, in their order, and those in the second round."""
    whom = agents(len(verdicts))
    first = [cell(agent, verdict, target=target) for agent, verdict in zip(whom, verdicts, strict=True)]
    names = Names(agents={agent.id: agent.name for agent in whom})
    if not again:
        return Found.of("r", asked(whom, target=target), Round(first, names))
    second = [
        cell(agent, verdict, target=target, round_id=1_700_000_060)
        for agent, verdict in zip(whom, again, strict=True)
    ]
    before = {
        (one.record.test, one.record.target, one.record.agent_id): one.record.verdict
        for one in first
        if one.record.verdict is not None
    }
    return Found.of(
        "r", asked(whom, target=target), Round(first, names), Round(second, names), _keyed(before)
    )


def _keyed(before: Mapping[tuple[str, str, str], Verdict]) -> dict[CellKey, Verdict]:
    return {CellKey(*key): verdict for key, verdict in before.items()}


def elsewhere(agent: Agent, **changes: object) -> Agent:
    """The same agent with something else of it."""
    return replace(agent, **changes)  # type: ignore[arg-type] # a builder takes what the dataclass takes
