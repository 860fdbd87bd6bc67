"""Values to rows and rows to values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from sys import intern
from typing import Any

from orchestrator import jsontext
from orchestrator.events import Event, Fact
from orchestrator.lifecycle import SpecState
from orchestrator.model import (
    Agent,
    AgentState,
    AgentType,
    Answer,
    AnswerStatus,
    Api,
    CellResult,
    CellState,
    Hop,
    JsonObject,
    Metric,
    Path,
    Spec,
    Verdict,
)
from orchestrator.records import CellRecord, RunRecord, RunSettings, RunState, StoredAnswer, TestRecord
from orchestrator.store import events
from orchestrator.store.facts import dump_facts, dump_settings, load_facts, load_settings

Row = tuple[Any, ...]


def dump(value: object) -> str:
    """Compact JSON. ASCII only, so that lone surrogates of hostile data survive a UTF-8 file."""
    return jsontext.write(value)


def load(text: str) -> Any:  # noqa: ANN401 - JSON is anything; the caller knows what it stored
    """The value of :func:`dump`."""
    return jsontext.read(text)


def _object(text: str) -> JsonObject:
    value = load(text)
    if not isinstance(value, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - told like any other damage
    return value


def safe(text: str | None) -> str | None:
    """What text cannot hold everywhere is kept in escapes: lone surrogates as in JSON, a NUL as ``\\x00``."""
    if text is None:
        return text
    if "\0" in text:
        text = text.replace("\0", "\\x00")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


RUN_COLUMNS = (
    "id, plan, plan_path, plan_text, plan_hash, api, origin, account, parent, started, finished, state, "
    "exit_code, settings, facts, raw_pruned, answers_pruned"
)


def run_row(run: RunRecord) -> Row:
    """In the order of ``RUN_COLUMNS``."""
    return (
        run.id,
        safe(run.plan),
        safe(run.plan_path),
        safe(run.plan_text),
        run.plan_hash,
        run.api.value,
        run.origin,
        safe(run.account),
        run.parent,
        run.started,
        run.finished,
        run.state.value,
        run.exit_code,
        dump(dump_settings(run.settings)),
        dump(dump_facts(run.facts)),
        run.raw_pruned,
        run.answers_pruned,
    )


def settings(text: str) -> RunSettings:
    """What a run was started with."""
    return load_settings(_object(text))


def run_record(row: Row) -> RunRecord:
    """From the order of ``RUN_COLUMNS``."""
    return RunRecord(
        id=row[0],
        plan=row[1],
        plan_path=row[2],
        plan_text=row[3],
        plan_hash=row[4],
        api=Api(row[5]),
        origin=row[6],
        account=row[7],
        parent=row[8],
        started=row[9],
        finished=row[10],
        state=RunState(row[11]),
        exit_code=row[12],
        settings=settings(row[13]),
        facts=load_facts(_object(row[14])),
        raw_pruned=row[15],
        answers_pruned=row[16],
    )


AGENT_COLUMNS = (
    "id, name, type, country, location, state, labels, target_only, network, prefix, latitude, longitude"
)


def agent_row(agent: Agent) -> Row:
    """In the order of ``AGENT_COLUMNS``."""
    return (
        safe(agent.id),
        safe(agent.name),
        agent.type.value,
        safe(agent.country),
        safe(agent.location),
        agent.state.value,
        dump(agent.labels),
        agent.target_only,
        safe(agent.network),
        safe(agent.prefix),
        agent.latitude,
        agent.longitude,
    )


def agent_record(row: Row) -> Agent:
    """From the order of ``AGENT_COLUMNS``."""
    return Agent(
        row[0],
        row[1],
        AgentType(row[2]),
        row[3],
        row[4],
        AgentState(row[5]),
        tuple(load(row[6])),
        bool(row[7]),
        *row[8:12],
    )


TEST_COLUMNS = (
    "position, key, test, type, target, content, state, name, test_id, links, baseline, intended, created, "
    "closed, error, given_up"
)


def test_row(test: TestRecord) -> Row:
    """In the order of ``TEST_COLUMNS``."""
    spec = test.spec
    content: JsonObject = {
        "fields": dict(spec.fields),
        "raw": dict(spec.raw),
        "agents": list(spec.agents),
        "layers": list(spec.layers),
        "deadline": spec.deadline,
        "expect": list(spec.expect),
        "warn": list(spec.warn),
        "servers": spec.servers,
        "path_details": spec.path_details,
    }
    return (
        test.position,
        spec.key,
        safe(spec.test),
        spec.type,
        safe(spec.target),
        dump(content),
        test.state.value,
        safe(test.name),
        safe(test.test_id),
        dump(dict(test.links)),
        None if test.baseline is None else dump(dict(test.baseline)),
        test.intended,
        test.created,
        test.closed,
        safe(test.error),
        test.given_up,
    )


def test_record(run: str, row: Row) -> TestRecord:
    """From the order of ``TEST_COLUMNS``."""
    content = load(row[5])
    spec = Spec(
        key=row[1],
        test=row[2],
        type=row[3],
        target=row[4],
        fields=content["fields"],
        raw=content["raw"],
        agents=tuple(content["agents"]),
        layers=tuple(content["layers"]),
        deadline=content["deadline"],
        expect=tuple(content["expect"]),
        warn=tuple(content["warn"]),
        servers=content["servers"],
        path_details=content["path_details"],
    )
    return TestRecord(
        run=run,
        position=row[0],
        spec=spec,
        state=SpecState(row[6]),
        name=row[7],
        test_id=row[8],
        links=load(row[9]),
        baseline=None if row[10] is None else load(row[10]),
        intended=row[11],
        created=row[12],
        closed=row[13],
        error=row[14],
        given_up=bool(row[15]),
    )


# Those of the values in the order of their fields.
ANSWER_COLUMNS = (
    "layer, agent_id, agent, country, server, round_id, date, status, error, metrics, raw, direction, link, "
    "error_type, paths"
)


# A hop is stored as a list, in the order of its fields.
_HOP = attrgetter(*(field.name for field in fields(Hop)))


def answer_row(answer: Answer) -> Row:
    """In the order of ``ANSWER_COLUMNS``. The key columns are never NULL: NULLs are not equal in SQL."""
    return (
        answer.layer,
        safe(answer.agent_id),
        safe(answer.agent),
        safe(answer.country),
        safe(answer.server) or "",
        answer.round_id,
        safe(answer.date),
        answer.status.value,
        None if answer.error is None else dump(answer.error),
        dump(dict(answer.metrics)),
        safe(answer.raw),
        safe(answer.direction) or "",
        safe(answer.link),
        safe(answer.error_type),
        None if answer.paths is None else dump([[path.id, *map(_HOP, path.hops)] for path in answer.paths]),
    )


# A fifth of the price of asking the enumeration, for each row that is read.
_STATUSES: Mapping[str, AnswerStatus] = {one.value: one for one in AnswerStatus}
_CELLS: Mapping[str, CellState] = {one.value: one for one in CellState}
_VERDICTS: Mapping[str, Verdict] = {one.value: one for one in Verdict}


def answer_record(row: Row, metrics: Mapping[str, Metric] | None = None) -> Answer:
    """From the order of ``ANSWER_COLUMNS``; whoever reads many decodes their metrics at once."""
    layer, agent_id, agent, country, server, round_id, date, status, error, told, raw, *others = row[:15]
    direction, link, error_type, paths = others
    return Answer(
        layer,
        agent_id,
        agent,
        country,
        server or None,
        round_id,
        date,
        _STATUSES.get(status) or AnswerStatus(status),
        None if error is None else load(error),
        load(told) if metrics is None else metrics,
        raw,
        direction or None,
        link,
        error_type,
        None if paths is None else tuple(_path(*path) for path in load(paths)),
    )


def _path(name: str | None, *hops: list[Any]) -> Path:
    return Path(name, tuple(Hop(*hop) for hop in hops))


def verdict_of(value: str | None) -> Verdict | None:
    """A stored verdict; ``None`` while the cell is open."""
    return None if value is None else _VERDICTS.get(value) or Verdict(value)


def stored_answer(row: Row) -> StoredAnswer:
    """From key, test, test_id, type, target, verdict and the answer's columns."""
    return StoredAnswer(
        spec=row[0],
        test=row[1],
        test_id=row[2],
        type=row[3],
        target=row[4],
        verdict=verdict_of(row[5]),
        answer=answer_record(row[6:]),
    )


def cell_record(row: Row, agents: Mapping[str, Agent]) -> CellRecord:
    """From key, test, type, target, agent_id, state, verdict, reasons."""
    agent = agents.get(row[4])
    # Whoever keeps the cells of a run keeps each of these texts once.
    return CellRecord(
        spec=None if row[0] is None else intern(row[0]),
        test=intern(row[1]),
        type=intern(row[2]),
        target=intern(row[3]),
        agent_id=intern(row[4]),
        agent=agent.name if agent else row[4],
        country=agent.country if agent else None,
        state=_CELLS.get(row[5]) or CellState(row[5]),
        verdict=verdict_of(row[6]),
        reasons=() if row[7] is None else tuple(load(row[7])),
    )


def cell_result(row: Row) -> CellResult:
    """From agent_id, state, verdict, reasons; the verdict is there."""
    reasons = () if row[3] is None else tuple(load(row[3]))
    return CellResult(row[0], CellState(row[1]), Verdict(row[2]), reasons)


def event_rows(run_n: int, told: Sequence[Event]) -> list[Row]:
    """run_n, spec, at, kind, facts."""
    return [(run_n, event.spec, event.at, *_fact_columns(event.fact)) for event in told]


def event_record(run: str, row: Row) -> Event:
    """From spec, at, kind, facts."""
    return Event(at=row[1], run=run, spec=row[0], fact=events.load(row[2], _object(row[3])))


def _fact_columns(fact: Fact) -> tuple[str, str]:
    kind, facts = events.dump(fact)
    return kind, dump(facts)
