"""Tests with all that they brought, many at once: for those who go through a whole run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from orchestrator import jsontext
from orchestrator.model import Agent, Answer, by_agent
from orchestrator.records import CellRecord, Collected, TestRecord
from orchestrator.store.sql import rows
from orchestrator.store.sql.counting import OF_RUN
from orchestrator.store.sql.engine import Db, marks

# Tests that are read at once.
_TESTS = 20
_COLUMNS = rows.ANSWER_COLUMNS.replace("raw", "''")
_METRICS = _COLUMNS.split(", ").index("metrics")


def page(db: Db, run: str, after: int, most: int, agents: Mapping[str, Agent]) -> list[Collected]:
    """The next tests behind a position, of about so many cells at most, each with its cells and its answers
    without their raw rows; none at the end."""
    found = db.execute(
        f"SELECT {rows.TEST_COLUMNS}, n FROM specs WHERE {OF_RUN} AND position > ? ORDER BY position LIMIT ?",
        (run, after, min(_TESTS, most)),
    ).fetchall()
    tests = {row[-1]: rows.test_record(run, row) for row in found}
    sizes = accumulate(len(test.spec.agents) for test in tests.values())
    kept = dict(list(tests.items())[: max(1, sum(size <= most for size in sizes))])
    cells, answers = _cells(db, kept, agents), _answers(db, [*kept])
    return [Collected(test, tuple(cells[number]), by_agent(answers[number])) for number, test in kept.items()]


def _cells(
    db: Db, tests: Mapping[int, TestRecord], agents: Mapping[str, Agent]
) -> dict[int, list[CellRecord]]:
    cells: dict[int, list[CellRecord]] = {number: [] for number in tests}
    for number, *row in db.execute(
        "SELECT spec_n, agent_id, state, verdict, reasons FROM cells "
        f"WHERE spec_n IN ({marks([*tests])}) ORDER BY spec_n, agent_id",
        [*tests],
    ):
        spec = tests[number].spec
        cells[number].append(rows.cell_record((spec.key, spec.test, spec.type, spec.target, *row), agents))
    return cells


def _answers(db: Db, numbers: Sequence[int]) -> dict[int, list[Answer]]:
    answers: dict[int, list[Answer]] = {number: [] for number in numbers}
    found = db.execute(
        f"SELECT {_COLUMNS}, spec_n FROM answers WHERE spec_n IN ({marks(numbers)}) "
        "ORDER BY spec_n, agent_id, layer, server, direction, round_id",
        numbers,
    ).fetchall()
    metrics = jsontext.read_all([row[_METRICS] for row in found])
    for row, measured in zip(found, metrics, strict=True):
        answers[row[-1]].append(rows.answer_record(row, measured))
    return answers
