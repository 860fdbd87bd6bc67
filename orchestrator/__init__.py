"""Batch orchestrator for ThousandEyes instant tests. This is the whole public face for Python programs.

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.actions.check import Checked, CheckedOffline, check_offline
    from orchestrator.actions.compare import Held
    from orchestrator.actions.deliver import Delivery
    from orchestrator.actions.diagnose import Diagnosed
    from orchestrator.actions.doctor import Diagnosis, Finding, Health
    from orchestrator.actions.promote import Promotion, Scheduled
    from orchestrator.actions.queueing import Queued, Watched
    from orchestrator.actions.reading import Shown
    from orchestrator.actions.reconcile import LostCreations
    from orchestrator.credentials import Credentials
    from orchestrator.errors import (
        CeilingExceeded,
        Exit,
        LostRun,
        MissingExtra,
        NoBase,
        NoRight,
        NothingToDo,
        OrchestratorError,
        PlanBusy,
        PlanInvalid,
        PlanProblem,
        Refused,
        StoreProblem,
        Unanswered,
        UsageProblem,
    )
    from orchestrator.events import Event, Listener
    from orchestrator.holdings import Holding, Holdings, RunOutline, Size
    from orchestrator.insight.look import Explanation, Insight
    from orchestrator.insight.silence import Silence
    from orchestrator.library.comparing import baselines, diff, pin, unpin
    from orchestrator.library.diagnosing import diagnose
    from orchestrator.library.keeping import prune, reconcile, store_info
    from orchestrator.library.notifying import list_notices, send_notices, try_channel
    from orchestrator.library.preparing import agents, check, doctor
    from orchestrator.library.promoting import create_promoted, promote
    from orchestrator.library.queueing import (
        apply_schedules,
        cancel,
        list_organizations,
        list_schedules,
        pause_organization,
        pause_schedule,
        queue,
        remove_schedule,
        set_organization,
        submit,
        watch,
    )
    from orchestrator.library.reading import cells, explain, make_report, results, runs, show
    from orchestrator.library.running import FinishedRun, rerun, resume, run_plan
    from orchestrator.library.sharing import share
    from orchestrator.model import Agent, AgentState, AgentType, Answer, AnswerStatus, Api, CellState, Verdict
    from orchestrator.organizations import Organization
    from orchestrator.outbox import Channel, Notice, On
    from orchestrator.plan.load import load_plan
    from orchestrator.plan.model import Plan
    from orchestrator.plan.selectors import Selection, Selector
    from orchestrator.records import (
        Baseline,
        CellRecord,
        PublicSnapshot,
        RunRecord,
        RunState,
        StoredAnswer,
        TestRecord,
    )
    from orchestrator.report.promotion import Promoted
    from orchestrator.report.stories import Explained
    from orchestrator.report.upkeep import Pruned

__all__ = [
    "Agent",
    "AgentState",
    "AgentType",
    "Answer",
    "AnswerStatus",
    "Api",
    "Baseline",
    "CeilingExceeded",
    "CellRecord",
    "CellState",
    "Channel",
    "Checked",
    "CheckedOffline",
    "Credentials",
    "Delivery",
    "Diagnosed",
    "Diagnosis",
    "Event",
    "Exit",
    "Explained",
    "Explanation",
    "Finding",
    "FinishedRun",
    "Health",
    "Held",
    "Holding",
    "Holdings",
    "Insight",
    "Listener",
    "LostCreations",
    "LostRun",
    "MissingExtra",
    "NoBase",
    "NoRight",
    "NothingToDo",
    "Notice",
    "On",
    "OrchestratorError",
    "Organization",
    "Plan",
    "PlanBusy",
    "PlanInvalid",
    "PlanProblem",
    "Promoted",
    "Promotion",
    "Pruned",
    "PublicSnapshot",
    "Queued",
    "Refused",
    "RunOutline",
    "RunRecord",
    "RunState",
    "Scheduled",
    "Selection",
    "Selector",
    "Shown",
    "Silence",
    "Size",
    "StoreProblem",
    "StoredAnswer",
    "TestRecord",
    "Unanswered",
    "UsageProblem",
    "Verdict",
    "Watched",
    "agents",
    "apply_schedules",
    "baselines",
    "cancel",
    "cells",
    "check",
    "check_offline",
    "create_promoted",
    "diagnose",
    "diff",
    "doctor",
    "explain",
    "list_notices",
    "list_organizations",
    "list_schedules",
    "load_plan",
    "make_report",
    "pause_organization",
    "pause_schedule",
    "pin",
    "promote",
    "prune",
    "queue",
    "reconcile",
    "remove_schedule",
    "rerun",
    "results",
    "resume",
    "run_plan",
    "runs",
    "send_notices",
    "set_organization",
    "share",
    "show",
    "store_info",
    "submit",
    "try_channel",
    "unpin",
    "watch",
]

_HOMES = {
    "orchestrator.actions.queueing": (
        "Queued",
        "Watched",
    ),
    "orchestrator.organizations": ("Organization",),
    "orchestrator.library.queueing": (
        "apply_schedules",
        "cancel",
        "list_organizations",
        "list_schedules",
        "pause_organization",
        "pause_schedule",
        "queue",
        "remove_schedule",
        "set_organization",
        "submit",
        "watch",
    ),
    "orchestrator.actions.check": ("Checked", "CheckedOffline", "check_offline"),
    "orchestrator.actions.compare": ("Held",),
    "orchestrator.actions.deliver": ("Delivery",),
    "orchestrator.actions.diagnose": ("Diagnosed",),
    "orchestrator.actions.doctor": (
        "Diagnosis",
        "Finding",
        "Health",
    ),
    "orchestrator.actions.promote": ("Promotion", "Scheduled"),
    "orchestrator.actions.reading": ("Shown",),
    "orchestrator.actions.reconcile": ("LostCreations",),
    "orchestrator.credentials": ("Credentials",),
    "orchestrator.errors": (
        "CeilingExceeded",
        "Exit",
        "LostRun",
        "MissingExtra",
        "NoBase",
        "NoRight",
        "NothingToDo",
        "OrchestratorError",
        "PlanBusy",
        "PlanInvalid",
        "PlanProblem",
        "Refused",
        "StoreProblem",
        "Unanswered",
        "UsageProblem",
    ),
    "orchestrator.events": (
        "Event",
        "Listener",
    ),
    "orchestrator.insight.look": ("Explanation", "Insight"),
    "orchestrator.insight.silence": ("Silence",),
    "orchestrator.holdings": ("Holding", "Holdings", "RunOutline", "Size"),
    "orchestrator.library.comparing": (
        "diff",
        "pin",
        "unpin",
        "baselines",
    ),
    "orchestrator.library.diagnosing": ("diagnose",),
    "orchestrator.library.keeping": (
        "prune",
        "store_info",
        "reconcile",
    ),
    "orchestrator.library.notifying": ("list_notices", "send_notices", "try_channel"),
    "orchestrator.library.preparing": (
        "check",
        "agents",
        "doctor",
    ),
    "orchestrator.library.reading": (
        "runs",
        "show",
        "results",
        "cells",
        "make_report",
        "explain",
    ),
    "orchestrator.library.running": (
        "FinishedRun",
        "run_plan",
        "resume",
        "rerun",
    ),
    "orchestrator.library.promoting": ("create_promoted", "promote"),
    "orchestrator.library.sharing": ("share",),
    "orchestrator.model": (
        "Agent",
        "AgentState",
        "AgentType",
        "Answer",
        "AnswerStatus",
        "Api",
        "CellState",
        "Verdict",
    ),
    "orchestrator.outbox": ("Channel", "Notice", "On"),
    "orchestrator.plan.load": ("load_plan",),
    "orchestrator.plan.model": ("Plan",),
    "orchestrator.plan.selectors": (
        "Selection",
        "Selector",
    ),
    "orchestrator.records": (
        "Baseline",
        "CellRecord",
        "RunRecord",
        "RunState",
        "PublicSnapshot",
        "StoredAnswer",
        "TestRecord",
    ),
    "orchestrator.report.promotion": ("Promoted",),
    "orchestrator.report.stories": ("Explained",),
    "orchestrator.report.upkeep": ("Pruned",),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'orchestrator' has no attribute {name!r}")
