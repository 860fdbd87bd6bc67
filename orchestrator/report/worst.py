"""Which tests of a run are worth showing: the worst ones, by cause and by how much fails. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.insight.values import CellKey
from orchestrator.model import Verdict
from orchestrator.records import CellRecord
from orchestrator.report.overview import key_of


@dataclass(frozen=True, slots=True)
class Worst:
    """A test: its spec, how many of its cells are ``bad``, and the number of the cause that most of those
    have, ``None`` where no explanation counts them. ``verdict`` is what they are bad by."""

    spec: str
    test: str
    target: str
    bad: int
    cells: int
    cause: int | None
    verdict: Verdict


def worst(cells: Iterable[CellRecord], causes: Mapping[CellKey, int], most: int) -> tuple[Worst, ...]:
    """At most so many tests, the worst first. ``cells`` come in the order of the plan; ``causes`` have the
    numbers that people see.

    Of each cause, in their order, the test with most of its cells comes first: several links tell several
    stories. Then what is left, by its bad cells. Where nothing fails it is warnings that count. What did not
    answer is never among them: there would be nothing to see.
    """
    by_verdict: dict[Verdict, dict[str, _Test]] = {Verdict.FAIL: {}, Verdict.WARN: {}}
    sizes: Counter[str] = Counter()
    for cell in cells:
        if cell.spec is None:
            continue
        sizes[cell.spec] += 1
        tests = by_verdict.get(cell.verdict) if cell.verdict is not None else None
        if tests is not None:
            test = tests.setdefault(cell.spec, _Test(cell.test, cell.target, Counter()))
            test.causes[causes.get(key_of(cell))] += 1
    verdict = Verdict.FAIL if by_verdict[Verdict.FAIL] else Verdict.WARN
    tests = by_verdict[verdict]
    order = _by_cause(tests)
    order += sorted((key for key in tests if key not in order), key=lambda key: -tests[key].bad)
    return tuple(_told(key, tests[key], sizes[key], verdict) for key in order[:most])


@dataclass(frozen=True, slots=True)
class _Test:
    test: str
    target: str
    causes: Counter[int | None]

    @property
    def bad(self) -> int:
        return self.causes.total()


def _by_cause(tests: Mapping[str, _Test]) -> list[str]:
    """Of each cause the test with most of it that no earlier cause took."""
    order: list[str] = []
    numbers = sorted({number for test in tests.values() for number in test.causes if number is not None})
    for number in numbers:
        free = [key for key in tests if key not in order and tests[key].causes[number]]
        if free:
            order.append(max(free, key=lambda key: (tests[key].causes[number], tests[key].bad)))
    return order


def _told(key: str, test: _Test, cells: int, verdict: Verdict) -> Worst:
    known = [number for number in test.causes if number is not None]
    cause = min(known, key=lambda number: (-test.causes[number], number), default=None)
    return Worst(key, test.test, test.target, test.bad, cells, cause, verdict)
