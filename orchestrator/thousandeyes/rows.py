"""A row of a result layer -> one :class:`Answer`, the same for both API versions.

The dialects bring a row to v7's names first; what is decided here is what counts as a measurement, what as an
error, and which metrics are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import NamedTuple

from orchestrator.model import Answer, AnswerStatus, Json, JsonObject, Metric
from orchestrator.testtypes import DETAILS, Layer
from orchestrator.testtypes.layers import layer_of_answer
from orchestrator.thousandeyes.paths import read_paths
from orchestrator.thousandeyes.scalars import (
    compact,
    epoch,
    flag,
    identifier,
    items,
    mapping,
    moment,
    number,
    round_id,
    text,
)

# The name of the field differs by layer (api-facts 3.4); one poll of all is simpler and as safe.
_ERROR_TEXTS = ("errorDetails", "errorDetail", "problemDetail")
_ERRORS = frozenset({"errorType", *_ERROR_TEXTS})
_NO_ERROR = frozenset({"", "none", "no error", "null", "-"})
_LONGEST_LINK = 2048
_WEB = ("https://", "http://")


class Row(NamedTuple):
    """A row brought to v7's names: who, a link for people, and the fields."""

    agent: Mapping[str, Json]
    link: Json
    fields: Mapping[str, Json]
    raw: JsonObject


def answers(layer: str, rows: Iterable[Row | None]) -> tuple[tuple[Answer, ...], int]:
    """Return the answers and how many rows could not be used."""
    kept: list[Answer] = []
    skipped = 0
    for row in rows:
        answer = None if row is None else answer_of(layer, row)
        if answer is None:
            skipped += 1
        else:
            kept.append(answer)
    return tuple(kept), skipped


def answer_of(layer: str, row: Row) -> Answer | None:
    """Return the answer of a row, or ``None`` if it has no agent or no round."""
    agent, agent_id = _agent(row)
    started = _round(row.fields)
    if agent_id is None or started is None:
        return None
    known = layer_of_answer(layer)
    metrics = {} if known is None else _metrics(known, row.fields)
    error = _error(row.fields)
    if error is None and (known is None or known.evidence.isdisjoint(metrics)):
        error = f"the {layer} row has no measurement and gives no reason"
    country = text(agent.get("countryId"))
    return Answer(
        layer=layer,
        agent_id=agent_id,
        agent=text(agent.get("agentName")) or agent_id,
        country=country,
        server=_server(known, row.fields),
        round_id=started,
        date=moment(row.fields.get("date")),
        status=AnswerStatus.OK if error is None else AnswerStatus.ERROR,
        error=error,
        metrics=metrics,
        raw=compact(row.raw),
        direction=_direction(row.fields.get("direction")),
        link=_link(row.link),
        error_type=None if error is None else _error_type(row.fields),
        paths=read_paths(row.fields) if layer == DETAILS else None,
    )


def _agent(row: Row) -> tuple[Mapping[str, Json], str | None]:
    """Where the agent's id is, and the id: as its version has it, beside the metrics, or in an object."""
    for place in (row.agent, row.fields, mapping(row.fields.get("agent"))):
        if (found := identifier(place.get("agentId"))) is not None:
            return place, found
    return row.agent, None


def _round(fields: Mapping[str, Json]) -> int | None:
    """The round; a row without one (the vendor's v6 sample of dns/trace) is of the second of its date."""
    told = round_id(fields.get("roundId"))
    if told is not None:
        return told
    dated = epoch(fields.get("date"))
    return round_id(fields.get("startTime")) if dated is None else dated


def _metrics(layer: Layer, fields: Mapping[str, Json]) -> dict[str, Metric]:
    if layer.traces:
        return _path_metrics(fields)
    found: dict[str, Metric] = {}
    for name, read in _readers(layer):
        told = fields.get(name)
        if told is not None and (value := read(told)) is not None:
            found[name] = value
    return found


@cache
def _readers(layer: Layer) -> tuple[tuple[str, Callable[[Json], Metric | None]], ...]:
    """By metric; kept, since this is asked for every field of every row."""
    return tuple((name, _reader(name, unit)) for name, unit in layer.metrics.items())


def _reader(name: str, unit: str) -> Callable[[Json], Metric | None]:
    if name == "direction":
        return _direction
    return {"text": text, "bool": flag}.get(unit, number)


def _path_metrics(fields: Mapping[str, Json]) -> dict[str, Metric]:
    """Hops and milliseconds of the longest trace, and how many traces there are."""
    traces = fields.get("pathTraces")
    if not isinstance(traces, list):
        return {}
    found: dict[str, Metric] = {"pathTraces": len(traces)}
    hops = _largest([_hops(mapping(trace)) for trace in traces])
    times = _largest([_trace_time(mapping(trace)) for trace in traces])
    if hops is not None:
        found["numberOfHops"] = hops
    if times is not None:
        found["responseTime"] = times
    return found


def _hops(trace: JsonObject) -> int | float | None:
    """As told, or in a detailed trace the last hop's number; a number that is missing did not answer."""
    told = number(trace.get("numberOfHops"))
    if told is not None:
        return told
    return _largest([number(mapping(hop).get("hop")) for hop in items(trace.get("hops"))])


def _trace_time(trace: JsonObject) -> int | float | None:
    told = number(trace.get("responseTime"))
    hops = items(trace.get("hops"))
    return told if told is not None or not hops else number(mapping(hops[-1]).get("responseTime"))


def _largest(values: Iterable[int | float | None]) -> int | float | None:
    return max([value for value in values if value is not None], default=None)


def _error(fields: Mapping[str, Json]) -> str | None:
    if _ERRORS.isdisjoint(fields):
        return None
    kind = _said(fields.get("errorType"))
    said = next((found for name in _ERROR_TEXTS if (found := _said(fields.get(name)))), None)
    if kind and said:
        repeats = f"{said} ".lower().startswith((f"{kind} ".lower(), f"{kind}:".lower()))
        return said if repeats else f"{kind}: {said}"
    return kind or said


def _error_type(fields: Mapping[str, Json]) -> str | None:
    kind = _said(fields.get("errorType"))
    return None if kind is None else kind.lower()


def _said(value: Json) -> str | None:
    found = text(value) if value is not None else None
    return None if found is None or found.strip().lower() in _NO_ERROR else found.strip()


def _server(layer: Layer | None, fields: Mapping[str, Json]) -> str | None:
    """Which of several servers a row is about; without its name, what else tells it from the others."""
    server = text(fields.get("server"))
    if server is None and layer is not None and (layer.row_for_each is not None or layer.may_split):
        server = text(fields.get("serverId"))
    if server is None and layer is not None and layer.may_split:
        server = text(fields.get("serverIp"))
    return server


def _direction(value: Json) -> str | None:
    """``TO_TARGET`` in v6, ``to-target`` in v7."""
    found = text(value)
    return None if found is None else found.strip().lower().replace("_", "-")


def _link(value: Json) -> str | None:
    """The page of this result in the product; only web links, since people will click on it."""
    found = text(value)
    if found is None or len(found) > _LONGEST_LINK or not found[:8].lower().startswith(_WEB):
        return None
    return found
