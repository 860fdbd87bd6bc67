"""How well incidents are diagnosed: ``python tests/diagnose/measure.py [--incidents N] [--only ROW]``.

Incidents of eight shapes are planted in simulated networks behind the whole orchestrator, in virtual time
(``tests/support/diagnose_incidents.py``); a sentence is right if it names what was planted. Ends with 1 if a
figure is not what is wanted. The figures of the last full run are in ``docs/insight.md``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parents[1])]

from diagnose_incidents import SHAPES, WHOLE, Incident, incident  # noqa: E402 - found by the entries above
from diagnose_neighbours import overtaking, side_by_side  # noqa: E402 - as above

BOX = 180.0


@dataclass(frozen=True, slots=True)
class Line:
    """One figure, and what is wanted of it."""

    what: str
    figure: str
    wanted: str
    good: bool


def shapes(number: int, workers: int) -> Iterator[Line]:
    """All shapes: right sentences, time, creations, false words of health, the box."""
    found = _incidents(range(number), 0.0, workers)
    for one in found:
        if not one.right or one.falsely_healthy:
            print(f"not right: {one}", file=sys.stderr)  # noqa: T201 - for whoever looks into it
    right = sum(one.right for one in found) / len(found)
    yield Line(
        f"right first sentence at the end, of {len(found)} incidents",
        f"{right:.3f}",
        ">= 0.95",
        right >= 0.95,
    )
    for shape in SHAPES:
        of_shape = [one for one in found if one.shape == shape]
        share = sum(one.right for one in of_shape) / max(1, len(of_shape))
        middle = statistics.median(one.seconds for one in of_shape) if of_shape else 0.0
        yield Line(
            f"{shape}: right of {len(of_shape)}, median seconds",
            f"{share:.3f}, {middle:.0f} s",
            "",
            good=True,
        )
    middle = statistics.median(one.seconds for one in found)
    yield Line("median simulated seconds", f"{middle:.0f} s", "< 90 s", middle < 90)
    most = max(one.creations for one in found)
    yield Line("creations and re-runs at most", str(most), "<= 8", most <= 8)
    broken = [one for one in found if one.shape not in WHOLE]
    false = sum(one.falsely_healthy for one in broken) / max(1, len(broken))
    yield Line(f"falsely healthy, of {len(broken)} broken", f"{100 * false:.1f} %", "<= 1 %", false <= 0.01)
    alarms = sum(1 for one in found if one.shape in WHOLE and one.exit_code == 1)
    yield Line("something is called bad where nothing is", str(alarms), "", good=True)
    latest = max(one.seconds for one in found)
    yield Line("longest", f"{latest:.0f} s", f"<= {BOX + 30:.0f} s", latest <= BOX + 30)
    longest = max(len(one.ticket) for one in found)
    yield Line("longest ticket, characters", str(longest), "<= 2500", longest <= 2500)


def crowded(number: int, workers: int) -> Iterator[Line]:
    """Others spend 70 % of the organization's window."""
    found = _incidents(range(max(8, number // 8)), 0.7, workers)
    latest = max(one.seconds for one in found)
    right = sum(one.right for one in found) / len(found)
    yield Line(
        f"others spend 70 %: longest of {len(found)}",
        f"{latest:.0f} s",
        f"<= {BOX + 30:.0f} s",
        latest <= BOX + 30,
    )
    yield Line("others spend 70 %: right first sentence", f"{right:.3f}", "", good=True)


def neighbours(number: int, workers: int) -> Iterator[Line]:
    """Two at once on one host, and one beside a sweep."""
    del number, workers
    with tempfile.TemporaryDirectory() as folder:
        both = side_by_side(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        sweep = overtaking(Path(folder))
    yield Line("two at once: both right, seconds", both.figure, f"<= {BOX + 30:.0f} s", both.good)
    yield Line("beside a sweep of the same host", sweep.figure, "diagnosis first; the sweep ends", sweep.good)


def _incidents(numbers: Sequence[int], others: float, workers: int) -> list[Incident]:
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(_one, numbers, [others] * len(numbers)))


def _one(number: int, others: float) -> Incident:
    with tempfile.TemporaryDirectory() as folder:
        return incident(number, Path(folder), others=others)


ROWS: dict[str, Callable[[int, int], Iterator[Line]]] = {
    "shapes": shapes,
    "crowded": crowded,
    "neighbours": neighbours,
}


def main() -> int:
    """Measure the rows that were asked for, print them as a table."""
    parser = argparse.ArgumentParser(description="Measure how well incidents are diagnosed.")
    parser.add_argument("--incidents", type=int, default=300, help="so many; 300 are the full run")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--only", action="append", choices=list(ROWS), help="this row only; may be repeated")
    parser.add_argument("--markdown", type=Path, help="write the table to this file too")
    asked = parser.parse_args()
    table = "| what | figure | wanted |\n| --- | ---: | ---: |\n"
    good = True
    for name, row in ROWS.items():
        if asked.only and name not in asked.only:
            continue
        for line in row(asked.incidents, asked.workers):
            good = good and line.good
            table += f"| {line.what} | {line.figure}{'' if line.good else ' (!)'} | {line.wanted} |\n"
    print(table, end="")  # noqa: T201 - the table is the output
    if asked.markdown is not None:
        asked.markdown.write_text(table, "utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
