"""Presets of a diagnosis: plans with a variable ``target``, by the name of their file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from orchestrator.errors import UsageProblem
from orchestrator.model import Api
from orchestrator.near import near
from orchestrator.plan.load import load_plan
from orchestrator.plan.model import Plan
from orchestrator.safe import terminal

_PACKAGE = Path(__file__).resolve().parents[1]


def preset_plan(name: str, sets: Mapping[str, str], environ: Mapping[str, str], api: Api | None) -> Plan:
    """The plan of this name: a file, or one in ``plans/`` here, or one that comes with the program.

    Raises ``UsageProblem`` if there is none, ``PlanInvalid``.
    """
    return load_plan(preset_file(name), environ=environ, sets=sets, api=api)


def preset_file(name: str) -> Path:
    """Where a preset is. Raises ``UsageProblem``, which says what there is."""
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
        return path
    known = dict(_known())
    if name in known:
        return known[name]
    meant = near(name, known)
    proposal = f", did you mean {meant!r}?" if meant else ""
    raise UsageProblem(
        f"there is no preset {terminal(name, 80)!r}{proposal}",
        hint=f"there are {', '.join(sorted(known))}; or name a plan's file",
    )


def _known() -> Iterator[tuple[str, Path]]:
    """Those of the program first, so that one of the user's takes its place."""
    for folder in (_PACKAGE.parent / "plans", _PACKAGE / "presets", Path("plans")):
        for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else ():
            yield path.stem, path
