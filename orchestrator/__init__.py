"""Batch orchestrator for ThousandEyes instant tests. This is the whole public face for Python programs.

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.credentials import Credentials
    from orchestrator.errors import (
        CeilingExceeded,
        Exit,
        OrchestratorError,
        PlanBusy,
        PlanInvalid,
        Refused,
        StoreProblem,
        UsageProblem,
    )
    from orchestrator.events import Event, Listener
    from orchestrator.library import FinishedRun, run_plan
    from orchestrator.model import Answer, Api, CellState, Verdict
    from orchestrator.plan.load import load_plan
    from orchestrator.plan.model import Plan
    from orchestrator.records import CellRecord, StoredAnswer

__all__ = [
    "Answer",
    "Api",
    "CeilingExceeded",
    "CellRecord",
    "CellState",
    "Credentials",
    "Event",
    "Exit",
    "FinishedRun",
    "Listener",
    "OrchestratorError",
    "Plan",
    "PlanBusy",
    "PlanInvalid",
    "Refused",
    "StoreProblem",
    "StoredAnswer",
    "UsageProblem",
    "Verdict",
    "load_plan",
    "run_plan",
]

_HOMES = {
    "orchestrator.credentials": ("Credentials",),
    "orchestrator.errors": (
        "CeilingExceeded",
        "Exit",
        "OrchestratorError",
        "PlanBusy",
        "PlanInvalid",
        "Refused",
        "StoreProblem",
        "UsageProblem",
    ),
    "orchestrator.events": ("Event", "Listener"),
    "orchestrator.library": ("FinishedRun", "run_plan"),
    "orchestrator.model": ("Answer", "Api", "CellState", "Verdict"),
    "orchestrator.plan.load": ("load_plan",),
    "orchestrator.plan.model": ("Plan",),
    "orchestrator.records": ("CellRecord", "StoredAnswer"),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'orchestrator' has no attribute {name!r}")
