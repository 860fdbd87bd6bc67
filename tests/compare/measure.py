"""Measures comparisons over made worlds: how often the gate is red where nothing changed, and how often what
was planted is named first.

    python tests/compare/measure.py            # about five minutes of CPU
    python tests/compare/measure.py --worlds 20
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from compare_measure import PLANTED, found_in, red_in
from compare_worlds import CALM, ROUGH, WILD

HISTORIES = (1, 3, 5, 10)
_WEATHER = {"calm": CALM, "rough": ROUGH, "wild": WILD}


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Print both tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=120, help="worlds for each figure")
    worlds = parser.parse_args().worlds
    heads = " | ".join(f"history {history}" for history in HISTORIES)
    _tell(f"| unchanged, red of {worlds} | {heads} |")
    _tell("| --- |" + " ---: |" * len(HISTORIES))
    for name, weather in _WEATHER.items():
        red = [red_in(worlds, weather, history, "measure") for history in HISTORIES]
        _tell(f"| {name} | " + " | ".join(map(str, red)) + " |")
    red = [red_in(worlds, WILD, history, "measure", confirm=True) for history in HISTORIES]
    _tell("| wild, confirmed | " + " | ".join(map(str, red)) + " |")
    _tell(f"\n| planted in the rough world, named first | {heads} |")
    _tell("| --- |" + " ---: |" * len(HISTORIES))
    for name, planted in PLANTED.items():
        found = [found_in(worlds, planted, history, "measure") for history in HISTORIES]
        _tell(f"| {name} | " + " | ".join(f"{share:.0%}" for share in found) + " |")


if __name__ == "__main__":
    main()
