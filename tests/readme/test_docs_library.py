"""docs/library.md: its example runs, and its names and arguments are those of the package."""

from __future__ import annotations

import inspect
import re

import pytest
from documentation import ROOT, blocks
from workplace import Workplace

import orchestrator

LIBRARY = ROOT / "docs" / "library.md"
TEXT = LIBRARY.read_text("utf-8")


def test_the_example_runs_against_the_simulator(workplace: Workplace) -> None:
    (example,) = blocks(LIBRARY, "python")
    (workplace.folder / "example.py").write_text(example.text)
    done = workplace.sh("python example.py")
    assert done.returncode == 0, done.stderr
    first, *_, last = done.stdout.splitlines()
    assert re.match(r"[0-9a-f]{16} OK \{'planned': 132, 'answered': 132,", first), done.stdout
    assert re.fullmatch(r"slowest resolution [1-9]\d* ms", last), done.stdout
    assert (workplace.folder / "runs.db").is_file()


def test_every_public_name_is_described() -> None:
    missing = [name for name in orchestrator.__all__ if f"`{name}" not in TEXT]
    assert not missing


@pytest.mark.parametrize("name", ["load_plan", "run_plan"])
def test_a_function_is_described_with_its_arguments(name: str) -> None:
    described = re.search(rf"`{name}\((?P<arguments>[^`]*)\)`", TEXT)
    assert described is not None
    real = ", ".join(_argument(one) for one in _arguments(name))
    assert described["arguments"] == real


@pytest.mark.parametrize("name", ["CellRecord", "StoredAnswer", "Answer", "FinishedRun"])
def test_a_record_is_described_with_its_fields(name: str) -> None:
    row = next(line for line in TEXT.splitlines() if line.startswith(f"| `{name}`"))
    fields = set(getattr(orchestrator, name).__dataclass_fields__)
    assert fields <= set(re.findall(r"`(\w+)(?:\(\))?`", row))


def _arguments(name: str) -> list[inspect.Parameter | str]:
    parameters = list(inspect.signature(getattr(orchestrator, name)).parameters.values())
    first = next(place for place, one in enumerate(parameters) if one.kind is one.KEYWORD_ONLY)
    return [*parameters[:first], "*", *parameters[first:]]


def _argument(one: inspect.Parameter | str) -> str:
    if isinstance(one, str):
        return one
    return one.name if one.default is one.empty else f"{one.name}={one.default!r}"
