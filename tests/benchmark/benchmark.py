"""The benchmark: ``python tests/benchmark/benchmark.py [--quick|--full] [--only PART] [--markdown FILE]``.

Runs the real orchestrator against the simulated API, most of it in virtual time (a loop whose clock jumps),
and prints tables. What they mean is told in ``docs/performance.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support"), str(HERE.parents[1])]

from parts import PARTS, Bench, Form  # noqa: E402 - found by the entries above


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description="Measure the orchestrator against the simulated API.")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--quick", action="store_true", help="about a minute")
    form.add_argument(
        "--full", action="store_true", help="10,000 tests, 100,000 cells, the long soak: 15 minutes"
    )
    parser.add_argument(
        "--only", action="append", choices=list(PARTS), help="this part only; may be repeated"
    )
    parser.add_argument("--markdown", type=Path, help="write the tables to this file too")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    asked = parser.parse_args()
    chosen = Form.QUICK if asked.quick else Form.FULL if asked.full else Form.USUAL
    bench = Bench(chosen, asked.jobs)
    text = _header(chosen)
    print(text)  # noqa: T201 - the tables are the output
    for name, part in PARTS.items():
        if asked.only and name not in asked.only:
            continue
        began = time.perf_counter()
        for table in part(bench):
            text += f"\n{table.markdown()}"
            print(table.markdown(), flush=True)  # noqa: T201 - as above
        print(f"({name}: {time.perf_counter() - began:.0f} s)", file=sys.stderr)  # noqa: T201 - as above
    if asked.markdown is not None:
        asked.markdown.write_text(text, "utf-8")


def _header(form: Form) -> str:
    """Command, machine and date."""
    today = datetime.now(UTC).date().isoformat()
    return (
        f"`{form.value}` form, {today}, CPython {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}, {os.cpu_count()} cores\n"
    )


if __name__ == "__main__":
    main()
