"""The answers of a run as a Parquet file: typed columns, units in the schema, streamed by row groups.

The schema is the same for every run, so that many files read as one table: the columns of the CSV, one for
each metric of the table of layers, the hops, and as JSON what fits none of them. Extra: ``[parquet]``.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestrator.errors import MissingExtra
from orchestrator.jsontext import write_finite
from orchestrator.model import Metric
from orchestrator.records import StoredAnswer
from orchestrator.report.results import FIXED, Filter, Rows, fixed, kept
from orchestrator.report.summary import SCHEMA
from orchestrator.safe import json_line
from orchestrator.testtypes.layers import BOOL, COUNT, METRICS, TEXT

if TYPE_CHECKING:
    from types import ModuleType

    import pyarrow as pa

# Rows of one group: few enough for memory, enough for columns to compress.
GROUP = 16_384
# What no column takes: a metric that no layer of the table has, or a value of another type than its unit's.
OTHER = "other_metrics"
HOPS = "hops"
# Whole numbers up to here are exact as a float.
_EXACT = 2**53
_INT64 = range(-(2**63), 2**63)

# The unit of each metric, by its name: a name has one unit wherever it stands (a test holds that).
UNITS: Mapping[str, str] = {name: unit for metrics in METRICS.values() for name, unit in metrics.items()}


def column_of(metric: str) -> str:
    """The column of a metric; one that is named like a fixed column becomes ``metric.NAME``, as in CSV."""
    return f"metric.{metric}" if metric in FIXED else metric


async def write_parquet(
    run: str, rows: Rows, out: Callable[[bytes], object], keep: Filter | None = None
) -> int:
    """One row for each answer. Returns how many.

    Raises ``MissingExtra`` where pyarrow is not installed.
    """
    arrow, parquet = _libraries()
    schema = _schema(arrow, run)
    written, group = 0, _Group()
    with parquet.ParquetWriter(
        arrow.PythonFile(_Sink(out), mode="w"), schema, compression="zstd", version="2.6"
    ) as file:
        async for row in kept(rows, keep or Filter()):
            group.add(run, row)
            written += 1
            if len(group) == GROUP:
                file.write_table(group.table(arrow, schema))
                group = _Group()
        if len(group) or not written:
            file.write_table(group.table(arrow, schema))
    return written


def _libraries() -> tuple[ModuleType, ModuleType]:
    try:
        import pyarrow as arrow  # noqa: PLC0415 - an extra, and heavy
        from pyarrow import parquet  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        raise MissingExtra("Parquet", "parquet") from error
    return arrow, parquet


def _schema(arrow: ModuleType, run: str) -> pa.Schema:
    text, number = arrow.string(), arrow.float64()
    kinds = {"round_id": arrow.int64(), "date": arrow.timestamp("ms", tz="UTC")}
    fields = [arrow.field(name, kinds.get(name, text)) for name in FIXED]
    by_unit = {TEXT: text, BOOL: arrow.bool_(), COUNT: arrow.int64()}
    fields += [
        arrow.field(column_of(name), by_unit.get(unit, number), metadata={"unit": unit})
        for name, unit in sorted(UNITS.items())
    ]
    hop = {"number": arrow.int32(), "time": number, "loss": number}
    names = ("number", "address", "rdns", "network", "prefix", "location", "time", "loss", "mpls")
    hops = arrow.struct([arrow.field(name, hop.get(name, text)) for name in names])
    fields.append(arrow.field(HOPS, arrow.list_(arrow.list_(hops)), metadata={"unit": "ms, %"}))
    fields.append(arrow.field(OTHER, text))
    return arrow.schema(fields, metadata={"orchestrator.schema": str(SCHEMA), "orchestrator.run": run})


class _Group:
    """The rows of one row group, column by column; a column that none of them has takes no memory."""

    def __init__(self) -> None:
        self._rows = 0
        self._columns: dict[str, list[object]] = {name: [] for name in FIXED}
        self._sparse: dict[str, dict[int, object]] = {}

    def __len__(self) -> int:
        return self._rows

    def add(self, run: str, row: StoredAnswer) -> None:
        """Take one answer."""
        for name, cell in zip(FIXED, fixed(run, row), strict=True):
            self._columns[name].append(moment(row.answer.date) if name == "date" else _plain(cell))
        other: dict[str, Metric] = {}
        for metric, value in row.answer.metrics.items():
            if (fit := fitting(UNITS.get(metric), value)) is None:
                other[metric] = value
            else:
                self._put(column_of(metric), fit)
        if row.answer.paths is not None:
            self._put(HOPS, [[asdict(hop) for hop in path.hops] for path in row.answer.paths])
        if row.answer.date is not None and moment(row.answer.date) is None:
            other["date"] = row.answer.date
        if other:
            self._put(OTHER, write_finite(other) or json_line(other))
        self._rows += 1

    def _put(self, column: str, value: object) -> None:
        self._sparse.setdefault(column, {})[self._rows] = value

    def table(self, arrow: ModuleType, schema: pa.Schema) -> pa.Table:
        """The rows as a table of this schema."""
        return arrow.table([self._array(arrow, field) for field in schema], schema=schema)

    def _array(self, arrow: ModuleType, field: pa.Field) -> pa.Array:
        if field.name in self._columns:
            return arrow.array(self._columns[field.name], field.type)
        found = self._sparse.get(field.name)
        if found is None:
            return arrow.nulls(self._rows, field.type)
        return arrow.array([found.get(n) for n in range(self._rows)], field.type)


def fitting(unit: str | None, value: Metric) -> Metric | None:
    """The value as the column of its unit takes it; ``None`` for one that it cannot take."""
    if unit is None:
        return None
    if unit == TEXT:
        return value if isinstance(value, str) and _encodes(value) else None
    if isinstance(value, bool) or unit == BOOL:
        return value if isinstance(value, bool) and unit == BOOL else None
    if isinstance(value, str):
        return None
    if unit == COUNT:
        return int(value) if value == value // 1 and int(value) in _INT64 else None
    return float(value) if isinstance(value, float) or abs(value) <= _EXACT else None


def _plain(value: str | int | None) -> str | int | None:
    if not isinstance(value, str) or _encodes(value):
        return value
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def _encodes(text: str) -> bool:
    """Half of a surrogate pair stands in JSON texts, but in no column."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def moment(date: str | None) -> datetime | None:
    """The time of an answer; ``None`` for a text that is none."""
    if date is None:
        return None
    try:
        found = datetime.fromisoformat(date)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


class _Sink(io.RawIOBase):
    """What pyarrow takes for a file, and what hands on what is written to it."""

    def __init__(self, out: Callable[[bytes], object]) -> None:
        super().__init__()
        self._out = out
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        text = bytes(data)  # type: ignore[call-overload] # a buffer of pyarrow's, or bytes
        self._out(text)
        self._at += len(text)
        return len(text)

    def tell(self) -> int:
        return self._at
