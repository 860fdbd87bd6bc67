"""How well causes are found: ``python tests/insight/measure.py [--quick] [--only ROW] [--markdown FILE]``.

Culprits are planted in random worlds of cells (``tests/support/insight_culprits.py``) and in simulated
networks behind the whole orchestrator (``tests/support/insight_ends.py``); what the engine says is held
against what was planted, as the worlds themselves record it. Ends with 1 if a figure is not what is wanted.
The figures of the last full run are in ``docs/insight.md``.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parents[1])]

from insight_culprits import Figures, big, measured  # noqa: E402 - found by the entries above
from insight_ends import run_case  # noqa: E402 - as above

from orchestrator.insight.levels import World, blame  # noqa: E402 - as above

SEED = 20261127


@dataclass(frozen=True, slots=True)
class Line:
    """One figure, and what is wanted of it."""

    what: str
    figure: str
    wanted: str
    good: bool


def at_least(what: str, value: float, wanted: float) -> Line:
    """A share that must not be smaller."""
    return Line(what, f"{value:.3f}", f">= {wanted:.2f}", value >= wanted)


def false_claims(form: float) -> Iterator[Line]:
    """Worlds without a culprit."""
    figures = measured(int(1000 * form), 0, SEED)
    share = 100.0 * figures.claiming / figures.worlds
    yield Line(
        f"worlds without a culprit in which one is named, of {figures.worlds}",
        f"{share:.1f} %",
        "<= 0.5 %",
        share <= 0.5,
    )


def one_culprit(form: float) -> Iterator[Line]:
    """Worlds with one culprit of eight kinds."""
    figures = measured(int(1000 * form), 1, SEED + 1)
    yield from _found("one culprit", figures, 0.99, 0.0)
    yield at_least("one culprit: the first explanation is the planted one", figures.exactness, 0.98)
    yield at_least("one culprit that left six bad cells and more: named", figures.recall_of(6), 0.99)
    yield at_least("one culprit that left three bad cells and more: named", figures.recall_of(3), 0.95)


def several_culprits(form: float) -> Iterator[Line]:
    """Worlds with two and three culprits."""
    for number, word, precision, recall in ((2, "two", 0.95, 0.80), (3, "three", 0.92, 0.75)):
        yield from _found(
            f"{word} culprits", measured(int(500 * form), number, SEED + number), precision, recall
        )


def _found(what: str, figures: Figures, precision: float, recall: float) -> Iterator[Line]:
    yield at_least(
        f"{what}: claims that are right or say what they cannot be told from", figures.fairness, precision
    )
    yield Line(f"{what}: claims whose own name is right", f"{figures.precision:.3f}", "", good=True)
    if recall:
        yield at_least(f"{what}: planted ones that are named", figures.recall, recall)


def calibration(form: float) -> Iterator[Line]:
    """How often clear, likely and possible are right."""
    single = measured(int(1000 * form), 1, SEED + 1)
    mixes = [single, *(measured(int(500 * form), number, SEED + number) for number in (2, 3))]
    for what, figures, wanted in (
        ("one culprit", [single], (0.99, 0.95, 0.85)),
        ("all mixes", mixes, (0.95, 0.88, 0.85)),
    ):
        for word, least in zip(("clear", "likely", "possible"), wanted, strict=True):
            fair = sum(one.sure[word][1] for one in figures)
            every = sum(one.sure[word][2] for one in figures)
            yield at_least(f"{what}: right of {every} that are called {word}", fair / max(1, every), least)


def hops(form: float) -> Iterator[Line]:
    """A culprit that is a hop, with the hops of half of the cells unknown."""
    half = measured(int(500 * form), 1, SEED + 4, ["hop"], hide=0.5)
    yield at_least("a hop, hops of half of the cells unknown: claims that are right", half.fairness, 0.97)
    yield Line("a hop that left six bad cells and more: named", f"{half.recall_of(6):.3f}", "", good=True)
    blind = measured(int(200 * form), 1, SEED + 5, ["hop"], good_hops=False)
    yield Line(
        f"hops named where no passing cell's hops are known, in {blind.worlds} worlds",
        str(blind.blind_hops),
        "0",
        blind.blind_hops == 0,
    )


def ends(form: float) -> Iterator[Line]:
    """The whole orchestrator over both versions, with faults of the API."""
    worlds = max(4, int(60 * form))
    with ProcessPoolExecutor() as pool:
        cases = list(pool.map(_case, range(worlds)))
    visible = [case for case in cases if case[1]]
    named = sum(case[2] for case in visible)
    for text, shown, right, _ in cases:
        if shown and not right:
            print(f"not named: {text}", file=sys.stderr)  # noqa: T201 - for whoever looks into it
    yield at_least(
        f"witness: first explanation is what was planted, of {len(visible)} worlds with three bad cells",
        named / max(1, len(visible)),
        0.97,
    )
    wrong = sum(case[3] for case in cases)
    yield Line(
        f"witness: cells blamed that nothing had broken, in {worlds} worlds", str(wrong), "0", wrong == 0
    )


def _case(number: int) -> tuple[str, bool, bool, int]:
    with tempfile.TemporaryDirectory() as folder:
        case = run_case(number, Path(folder))
    return str(case), case.visible, case.named, len(case.blamed_wrongly)


def speed(form: float) -> Iterator[Line]:
    """Time and memory of large worlds with hops."""
    for size, most in ((10_000, 1.0), (100_000, 4.0)):
        cells = big(Random(SEED), int(size * form))
        began = time.process_time()
        blame(World.of(cells))
        took = time.process_time() - began
        yield Line(
            f"CPU seconds for {len(cells)} cells with hops", f"{took:.2f} s", f"<= {most:g} s", took <= most
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield Line("memory at most, the worlds themselves included", f"{peak:.0f} MB", "", good=True)


ROWS: dict[str, Callable[[float], Iterator[Line]]] = {
    "false-claims": false_claims,
    "one": one_culprit,
    "several": several_culprits,
    "calibration": calibration,
    "hops": hops,
    "ends": ends,
    "speed": speed,
}


def main() -> int:
    """Measure the rows that were asked for, print them as a table."""
    parser = argparse.ArgumentParser(description="Measure how well causes are found.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the worlds")
    parser.add_argument("--only", action="append", choices=list(ROWS), help="this row only; may be repeated")
    parser.add_argument("--markdown", type=Path, help="write the table to this file too")
    asked = parser.parse_args()
    table = "| what | figure | wanted |\n| --- | ---: | ---: |\n"
    good = True
    for name, row in ROWS.items():
        if asked.only and name not in asked.only:
            continue
        for line in row(0.1 if asked.quick else 1.0):
            good = good and line.good
            table += f"| {line.what} | {line.figure}{'' if line.good else ' (!)'} | {line.wanted} |\n"
    print(table, end="")  # noqa: T201 - the table is the output
    if asked.markdown is not None:
        asked.markdown.write_text(table, "utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
