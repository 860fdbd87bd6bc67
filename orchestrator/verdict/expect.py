"""Expectations, and what they make of a cell. Pure.

What a cell comes to, in this order:

* no answer at all: state ``missing``, verdict ``no-answer``;
* an ``expect`` that does not hold, or that asks for a layer whose answer is an error row, or for a metric
  that was not measured: verdict ``fail``;
* a layer without an answer, or without that of a server or direction of which one is due
  (:mod:`orchestrator.testtypes.expected`): state ``partial``, verdict ``partial``
  unless it failed already;
* an error row that no ``expect`` asks for, or a ``warn`` that does not hold: verdict ``warn``, because
  everything planned was collected and nothing that was asked for failed, but a person should look;
* otherwise ``pass``.

The state says what came (``answered``, ``errors`` when a row is an error row and none is missing), the
verdict what to make of it.
"""

from __future__ import annotations

import functools
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from orchestrator.model import Answer, AnswerStatus, CellResult, CellState, Metric, Spec, Verdict
from orchestrator.near import near
from orchestrator.testtypes import DETAILS, METRICS, TEST_TYPES
from orchestrator.testtypes.expected import ONE, expected

_REASONS = 8  # as many as a person reads; the rest is counted

_EXPRESSION = re.compile(
    r"\s*(?P<layer>[A-Za-z][A-Za-z0-9-]*)\s*\.\s*(?P<metric>[A-Za-z][A-Za-z0-9]*)\s*"
    r"(?P<op><=|>=|==|!=|<>|=<|=>|<|>|=)\s*(?P<value>.*?)\s*"
)
_NUMBER = re.compile(r"(?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<unit>[A-Za-z%/]*)")
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType(
    {
        "<": operator.lt,
        "<=": operator.le,
        "==": operator.eq,
        "!=": operator.ne,
        ">=": operator.ge,
        ">": operator.gt,
    }
)
_MEANT = {"=": "==", "=<": "<=", "=>": ">=", "<>": "!="}
# Factors from the unit that was written to the unit of the metric.
_UNITS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "ms": {"ms": 1.0, "us": 0.001, "s": 1_000.0, "m": 60_000.0, "min": 60_000.0},
        "s": {"s": 1.0, "ms": 0.001, "m": 60.0, "min": 60.0},
        "%": {"%": 1.0},
        "B": {"B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9},
        "B/s": {"B/s": 1.0, "kB/s": 1e3, "KB/s": 1e3, "MB/s": 1e6, "GB/s": 1e9},
        "Mbps": {"bps": 1e-6, "kbps": 1e-3, "Kbps": 1e-3, "Mbps": 1.0, "Gbps": 1e3},
    }
)


class ExpectationInvalid(ValueError):
    """An expectation cannot be read; the text says why and what was probably meant."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """``layer.metric op value``; ``value`` in ``unit``, the metric's own; ``written`` in the plan's unit."""

    text: str
    layer: str
    metric: str
    op: str
    value: Metric
    unit: str
    written: str

    def holds(self, measured: Metric) -> bool:
        """Whether a measured value satisfies it; values that cannot be compared do not."""
        if isinstance(measured, bool) is not isinstance(self.value, bool):
            return False
        if isinstance(measured, str) is not isinstance(self.value, str):
            return False
        return _OPERATORS[self.op](measured, self.value)


@dataclass(frozen=True, slots=True)
class Parsed:
    """The expectations of a spec."""

    expect: tuple[Expectation, ...] = ()
    warn: tuple[Expectation, ...] = ()


@functools.lru_cache(maxsize=4096)
def parse_expectation(text: str, type_name: str) -> Expectation:
    """Read one expectation for a type of test. Raises :class:`ExpectationInvalid`."""
    match = _EXPRESSION.fullmatch(text)
    if match is None:
        raise ExpectationInvalid(
            f"'{text[:60]}' is not of the form layer.metric op value, such as 'network.loss <= 1'"
        )
    layer, metric, op = match["layer"], match["metric"], match["op"]
    if op in _MEANT:
        raise ExpectationInvalid(f"'{op}' is not a comparison, did you mean '{_MEANT[op]}'?")
    layers = TEST_TYPES[type_name].layers
    if layer not in layers:
        raise ExpectationInvalid(
            f"{type_name} has no layer '{layer}'{_meant(layer, layers) or '; it has ' + ', '.join(layers)}"
        )
    metrics = METRICS[layer]
    if metric not in metrics:
        known = ", ".join(metrics)
        raise ExpectationInvalid(
            f"layer {layer} has no metric '{metric}'{_meant(metric, metrics) or '; it has ' + known}"
        )
    unit = metrics[metric]
    value = _value(match["value"], unit, f"{layer}.{metric}")
    if isinstance(value, str | bool) and op not in {"==", "!="}:
        raise ExpectationInvalid(f"{layer}.{metric} can only be compared with == or !=")
    return Expectation(text.strip(), layer, metric, op, value, unit, _as_written(match["value"], value, unit))


def parsed(spec: Spec) -> Parsed:
    """The expectations of a spec, read. They were checked with the plan."""
    return Parsed(
        expect=tuple(parse_expectation(text, spec.type) for text in spec.expect),
        warn=tuple(parse_expectation(text, spec.type) for text in spec.warn),
    )


def judge_cell(spec: Spec, agent_id: str, answers: Iterable[Answer], expectations: Parsed) -> CellResult:
    """What came of one cell. Other agents, other layers and older rounds in ``answers`` are ignored."""
    return judge_newest(spec, agent_id, newest(spec, agent_id, answers), expectations)


def judge_newest(
    spec: Spec, agent_id: str, newest_rows: Iterable[Answer], expectations: Parsed
) -> CellResult:
    """As :func:`judge_cell`, of the agent's newest rows in layers of the spec."""
    rows: dict[str, list[Answer]] = {layer: [] for layer in spec.layers}
    for row in newest_rows:
        rows[row.layer].append(row)
    if not any(rows.values()):
        return CellResult(agent_id, CellState.MISSING, Verdict.NO_ANSWER, ("no answer",))
    absent = [Reason(None, why) for layer in spec.layers if (why := _absent(spec, layer, rows[layer]))]
    errors = [row for layer in spec.layers for row in rows[layer] if row.status is AnswerStatus.ERROR]
    several = _Several(spec)
    failed = _broken(expectations.expect, rows, several)
    warned = _broken(expectations.warn, rows, several)
    asked = {expectation.layer for expectation in expectations.expect}
    unasked = [Reason(_at(row.layer, row, several), _error(row)) for row in errors if row.layer not in asked]
    complete = CellState.ERRORS if errors else CellState.ANSWERED
    if failed:
        verdict = Verdict.FAIL
    elif absent:
        verdict = Verdict.PARTIAL
    else:
        verdict = Verdict.WARN if warned or unasked else Verdict.PASS
    return CellResult(
        agent_id,
        CellState.PARTIAL if absent else complete,
        verdict,
        _shortened(_once([*failed, *absent, *warned, *unasked])),
    )


class Finding(NamedTuple):
    """One thing that is wrong in a cell, for whoever asks what cells share.

    ``metric`` is that of an expectation, ``None`` where the row is an error, whose type is ``error_type``.
    ``asked``: an ``expect`` asks for it, so that it makes the cell fail.
    """

    layer: str
    metric: str | None
    text: str
    error_type: str | None
    asked: bool


def newest(spec: Spec, agent_id: str, answers: Iterable[Answer]) -> tuple[Answer, ...]:
    """The rows by which a cell is judged: the newest by layer, server and direction, layer by layer."""
    found: dict[tuple[str, str | None, str | None], Answer] = {}
    for answer in answers:
        if answer.agent_id == agent_id:
            key = (answer.layer, answer.server, answer.direction)
            known = found.get(key)
            if known is None or known.round_id <= answer.round_id:
                found[key] = answer
    return tuple(row for layer in spec.layers for row in found.values() if row.layer == layer)


def newest_details(answers: Iterable[Answer]) -> tuple[Answer, ...]:
    """The rows with hops of the newest round that has any: no verdict is made of them."""
    details = [answer for answer in answers if answer.layer == DETAILS]
    if not details:
        return ()
    newest_round = max(answer.round_id for answer in details)
    return tuple(answer for answer in details if answer.round_id == newest_round)


def findings(spec: Spec, newest_rows: Iterable[Answer], expectations: Parsed) -> tuple[Finding, ...]:
    """What is wrong in a cell, of its newest rows: what :func:`judge_cell` gives reasons for, row by row."""
    several = _Several(spec)
    rows = list(newest_rows)
    found: dict[Finding, None] = {}
    for asked, wanted in ((True, expectations.expect), (False, expectations.warn)):
        for expectation in wanted:
            for row in rows:
                reason = _against(expectation, row, several) if row.layer == expectation.layer else None
                if reason is not None:
                    metric = None if row.status is AnswerStatus.ERROR else expectation.metric
                    found[Finding(row.layer, metric, reason.text, row.error_type, asked)] = None
    asked_for = {one.layer for one in found if one.metric is None}
    for row in rows:
        if row.status is AnswerStatus.ERROR and row.layer not in asked_for:
            found[Finding(row.layer, None, _error(row), row.error_type, False)] = None
    return tuple(found)


class Reason(NamedTuple):
    """Why a cell is not as it should be: what is wrong, and in which layer where the text does not say it."""

    layer: str | None
    text: str


def _once(reasons: Iterable[Reason]) -> list[str]:
    """Each text once, in the order of first sight, with the layers that it was told of."""
    layers: dict[str, dict[str, None]] = {}
    for reason in reasons:
        layers.setdefault(reason.text, {}).update({} if reason.layer is None else {reason.layer: None})
    return [f"{', '.join(named)}: {text}" if named else text for text, named in layers.items()]


class _Several(dict[str, str]):
    """By layer, what tells its rows from each other: server, direction, or nothing. Few need to know."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self._spec = spec

    def __missing__(self, layer: str) -> str:
        return self.setdefault(layer, expected(self._spec, layer).of)


def _absent(spec: Spec, layer: str, rows: Sequence[Answer]) -> str | None:
    if not rows:
        return f"no answer in {layer}"
    wanted = expected(spec, layer)
    if wanted is ONE:
        return None
    told = {wanted.about(row) for row in rows}
    if not wanted.lacks(told):
        return None
    missing = wanted.missing(told)
    which = f" (not {', '.join(missing)})" if missing else ""
    return f"{len(told)} of {wanted.most} {wanted.of}s in {layer}{which}"


def _broken(
    expectations: Sequence[Expectation], rows: Mapping[str, Sequence[Answer]], several: Mapping[str, str]
) -> list[Reason]:
    """Why expectations do not hold; one without a row is not broken, its layer is absent.

    ``several`` says what tells the rows of a layer from each other: server, direction, or nothing.
    """
    against = (
        _against(expectation, row, several)
        for expectation in expectations
        for row in rows.get(expectation.layer, ())
    )
    return [reason for reason in against if reason is not None]


def _against(expectation: Expectation, row: Answer, several: Mapping[str, str]) -> Reason | None:
    name = f"{expectation.layer}.{expectation.metric}"
    if row.status is AnswerStatus.ERROR:
        return Reason(_at(expectation.layer, row, several), _error(row))
    wanted = f"expected {expectation.op} {expectation.written}"
    measured = row.metrics.get(expectation.metric)
    if measured is None:
        return Reason(None, f"{_at(name, row, several)} was not measured, {wanted}")
    if expectation.holds(measured):
        return None
    unit = f" {expectation.unit}" if expectation.unit in _UNITS else ""
    return Reason(None, f"{_at(f'{name} {_shown(measured)}{unit}', row, several)}, {wanted}")


def _at(text: str, row: Answer, several: Mapping[str, str]) -> str:
    of = several[row.layer]
    if of == "server" and row.server:
        return f"{text} at {row.server}"
    return f"{text} ({row.direction})" if of == "direction" and row.direction else text


def _error(row: Answer) -> str:
    return (row.error or "error without a text")[:200]


def _shown(value: Metric) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"
    return str(value)[:100]


def _shortened(reasons: list[str]) -> tuple[str, ...]:
    if len(reasons) <= _REASONS:
        return tuple(reasons)
    return (*reasons[: _REASONS - 1], f"and {len(reasons) - _REASONS + 1} more")


def _value(text: str, unit: str, name: str) -> Metric:
    if not text:
        raise ExpectationInvalid(f"{name} is compared with nothing")
    if unit == "text":
        return _unquoted(text)
    if unit == "bool":
        if text.lower() not in {"true", "false"}:
            raise ExpectationInvalid(f"{name} is true or false, not '{text[:60]}'")
        return text.lower() == "true"
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ExpectationInvalid(f"{name} is a number{_in(unit)}, not '{text[:60]}'")
    number = float(match["number"])
    if not math.isfinite(number):
        raise ExpectationInvalid(f"{name} cannot be compared with '{text[:60]}'")
    if not match["unit"]:
        return number
    factors = _UNITS.get(unit, {})
    if match["unit"] not in factors:
        known = ", ".join(factors) or "no unit"
        raise ExpectationInvalid(f"'{match['unit']}' is not a unit of {name}; it takes {known}")
    return number * factors[match["unit"]]


def _as_written(text: str, value: Metric, unit: str) -> str:
    """A value for people, in the unit that the plan gave it: ``2 s`` stays seconds."""
    match = None if isinstance(value, str | bool) else _NUMBER.fullmatch(text)
    if match is None or not match["unit"]:
        return _shown(value)
    return f"{_shown(float(match['number']))} {match['unit']}"


def _in(unit: str) -> str:
    return f" ({unit})" if unit in _UNITS else ""


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _meant(name: str, known: Iterable[str]) -> str:
    found = near(name, known)
    return "" if found is None else f", did you mean '{found}'?"
