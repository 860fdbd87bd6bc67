"""The rules of the house as data: who may never reach whom. ``tests/structure`` holds each line.

Imports are followed through other rooms, also those inside functions: who may not reach the terminal may not
reach it through a friend either. Where a way through others is meant (an entrance comes to the runner by way
of an action) a rule is about the room's own lines: ``through_others`` is false.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from import_graph import Import, own_module

# What draws, sends, waits, stores or asks the system; pure rooms have none of it.
IO_LIBRARIES = frozenset(
    {
        *("aiohttp", "aiolimiter", "anyio", "asyncio", "click", "filelock", "rich", "socket", "sqlite3"),
        *("ssl", "structlog", "subprocess", "threading", "platformdirs"),
    }
)
PURE = (
    *(
        "alerts",
        "schedule",
        "budget",
        "verdict",
        "plan",
        "expand",
        "estimate",
        "testtypes",
        "report",
        "insight",
        "compare",
        "queueing",
        "notices",
        "diagnosis",
    ),
    *("configuration.reading", "configuration.toml", "configuration.trust", "configuration.showing"),
    *("telemetry.points", "telemetry.spans"),
    *("events", "records", "catalogue", "safe", "near", "model", "lifecycle", "errors"),
)
ENTRANCES = ("cli", "library", "worker", "web", "assistant")
GROUND = (
    "records",
    "catalogue",
    "events",
    "safe",
    "near",
    "model",
    "lifecycle",
    "errors",
    "clock",
    "files",
    "settings",
    "exposed",
    "credentials",
    "defects",
    "outbox",
    "addresses",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """Modules of ``who`` never come to ``whom``; ``but`` may. Rooms of the package, or libraries."""

    sentence: str
    who: tuple[str, ...]
    whom: tuple[str, ...]
    but: tuple[str, ...] = ()
    through_others: bool = True

    def broken_by(
        self, imports: Iterable[Import], known: Mapping[str, Path], among: Iterable[str] | None = None
    ) -> set[str]:
        """Every breach, as a way from module to module that a reader can follow.

        ``among``: only those that begin in one of these modules.
        """
        edges: dict[str, list[Import]] = {}
        for one in imports:
            edges.setdefault(one.module, []).append(one)
        all_of_them = {*edges, *known} if among is None else among
        starts = [name for name in all_of_them if inside(name, self.who) and not inside(name, self.but)]
        return {way for start in starts for way in self._from(start, edges, dict(known))}

    def _from(self, start: str, edges: Mapping[str, list[Import]], known: dict[str, Path]) -> Iterator[str]:
        seen = {start}
        ways: list[tuple[str, ...]] = [(start,)]
        while ways:
            way = ways.pop()
            for one in edges.get(way[-1], ()):
                there = own_module(one.name, known)
                if inside(one.name, self.whom):
                    yield f"{' -> '.join(way)} -> {one.name} (line {one.line})"
                elif self.through_others and there is not None and there not in seen:
                    seen.add(there)
                    ways.append((*way, there))


RULES: tuple[Rule, ...] = (
    Rule(
        "schedule, budget, verdict and report never reach the vendor's door",
        ("schedule", "budget", "verdict", "report"),
        ("thousandeyes",),
    ),
    Rule(
        "the runner never reaches a report, a terminal or a store's inside",
        ("runner",),
        ("report", "terminal", "store.sql", "store.sqlite", "store.postgres", "rich", "sqlite3", "psycopg"),
    ),
    Rule(
        "actions never reach click, sys, a terminal or the command line",
        ("actions",),
        ("click", "terminal", "cli", "rich"),
    ),
    Rule("actions never touch streams", ("actions",), ("sys",), through_others=False),
    Rule(
        "entrances never import the runner, the schedule, the budgets or the vendor's door",
        ENTRANCES,
        ("runner", "schedule", "budget", "thousandeyes"),
        through_others=False,
    ),
    Rule(
        "only the opening reaches what a store is made of",
        ("",),
        ("store.sql", "store.sqlite", "store.postgres"),
        but=("store",),
        through_others=False,
    ),
    Rule(
        "inside the stores only the opening knows which there are",
        ("store",),
        ("store.sqlite", "store.postgres"),
        but=("store.opening", "store.sqlite", "store.postgres"),
        through_others=False,
    ),
    Rule(
        "what stores have in common knows none of them",
        ("store.sql",),
        ("store.sqlite", "store.postgres", "store.opening", "sqlite3", "psycopg"),
    ),
    Rule(
        "nobody outside a store knows a database",
        ("",),
        ("sqlite3", "psycopg"),
        but=("store.sqlite", "store.postgres"),
        through_others=False,
    ),
    Rule(
        "HTTP is spoken behind doors: of the client, couriers, the simulator, the pages, a worker's health",
        ("",),
        ("aiohttp",),
        but=(
            *("thousandeyes.client", "thousandeyes.faults", "simulator.server", "web.server"),
            *("courier.hook", "worker.door"),
        ),
        through_others=False,
    ),
    Rule(
        "what the vendor's door makes of values is pure",
        ("thousandeyes",),
        tuple(sorted(IO_LIBRARIES)),
        but=("thousandeyes.client", "thousandeyes.faults", "thousandeyes.held", "thousandeyes.watch"),
    ),
    Rule(
        "what is decided of an alert knows no store, no action and nobody who starts something",
        ("alerts",),
        ("store", "actions", "runner", "app", "web", "thousandeyes"),
    ),
    Rule(
        "what the web entrance decides is pure",
        ("web.guard", "web.asking"),
        (*sorted(IO_LIBRARIES), "store", "actions"),
    ),
    Rule(
        "only workers know the engine that wakes them",
        ("",),
        ("procrastinate",),
        but=("worker",),
        through_others=False,
    ),
    Rule(
        "workers are an entrance: nobody but the command line imports them",
        ("",),
        ("worker",),
        but=("worker", "cli"),
        through_others=False,
    ),
    Rule(
        "what the entrance of assistants decides is pure",
        ("assistant.arguments", "assistant.allowance", "assistant.bounded", "assistant.tools"),
        (*sorted(IO_LIBRARIES), "store", "actions", "mcp"),
    ),
    Rule(
        "the command line alone imports the entrance of assistants, which alone knows their protocol",
        ("",),
        ("mcp", "mcp_types", "assistant"),
        but=("assistant", "cli"),
        through_others=False,
    ),
    Rule(
        "inside that entrance only its door knows the protocol",
        ("assistant", "cli"),
        ("mcp", "mcp_types"),
        but=("assistant.server",),
        through_others=False,
    ),
    Rule("listeners never reach the runner", ("listeners",), ("runner",)),
    Rule(
        "only one door knows OpenTelemetry's SDK",
        ("",),
        ("opentelemetry", "requests"),
        but=("telemetry.exporting",),
        through_others=False,
    ),
    Rule(
        "telemetry hears and reads what is stored, and knows nobody who runs or shows anything",
        ("telemetry",),
        (
            *("cli", "library", "app", "terminal", "actions", "report", "plan", "insight", "compare"),
            *("runner", "schedule", "verdict", "budget", "thousandeyes", "simulator"),
            *("store.opening", "store.sql", "store.sqlite", "store.postgres"),
        ),
    ),
    Rule(
        "the command line is imported by nobody but itself",
        ("",),
        ("cli",),
        but=("cli", "simulator", "__main__"),
        through_others=False,
    ),
    Rule(
        "only app builds: nobody else makes the client, a ledger or opens a store",
        ("",),
        ("thousandeyes.client", "store.opening"),
        but=("app", "thousandeyes", "store", "actions", *ENTRANCES),
        through_others=False,
    ),
    Rule(
        "only app makes a courier: who delivers knows what one is, and no more",
        ("",),
        ("courier.couriers", "courier.hook", "courier.services"),
        but=("app", "courier"),
        through_others=False,
    ),
    Rule(
        "a courier knows addresses and how a proxy is found, and nobody who sends it",
        ("courier",),
        (
            *(
                "cli",
                "library",
                "app",
                "terminal",
                "actions",
                "report",
                "plan",
                "insight",
                "compare",
                "notices",
            ),
            *("runner", "schedule", "verdict", "budget", "store", "listeners", "simulator"),
            "thousandeyes.client",
        ),
    ),
    Rule(
        "notices know runs and their causes, and nobody who sends them",
        ("notices",),
        (
            *("cli", "library", "app", "terminal", "actions", "plan", "expand", "estimate", "courier"),
            *("runner", "schedule", "budget", "thousandeyes", "store", "listeners", "simulator"),
        ),
    ),
    Rule(
        "pure rooms neither wait nor draw nor store",
        PURE,
        tuple(sorted(IO_LIBRARIES)),
    ),
    Rule(
        "the engine knows cells and their answers, and nobody who asks it",
        ("insight",),
        (
            *("cli", "library", "app", "terminal", "actions", "report", "plan", "expand", "estimate"),
            *("runner", "schedule", "verdict", "budget", "thousandeyes", "store", "listeners", "simulator"),
        ),
    ),
    Rule(
        "a comparison knows cells, causes and what is usual, and nobody who asks it",
        ("compare",),
        (
            *("cli", "library", "app", "terminal", "actions", "report", "plan", "expand", "estimate"),
            *("runner", "schedule", "verdict", "budget", "thousandeyes", "store", "listeners", "simulator"),
        ),
    ),
    Rule(
        "the engine of causes does not know what it is compared with",
        ("insight",),
        ("compare",),
    ),
    Rule(
        "what is decided of waiting runs knows plans, and nobody who asks it",
        ("queueing",),
        (
            *("cli", "library", "app", "terminal", "actions", "report", "insight", "compare"),
            *("runner", "schedule", "verdict", "budget", "thousandeyes", "store", "listeners", "simulator"),
        ),
    ),
    Rule(
        "a diagnosis decides and words; it knows nobody who runs, keeps or shows anything",
        ("diagnosis",),
        (
            *("cli", "library", "app", "terminal", "actions", "runner", "schedule", "budget"),
            *("thousandeyes", "store", "listeners", "simulator", "compare"),
        ),
    ),
    Rule(
        "the ground stands on nothing but itself",
        GROUND,
        (
            "cli",
            "library",
            "app",
            "terminal",
            "actions",
            "report",
            "insight",
            "plan",
            "expand",
            "estimate",
            "runner",
            "schedule",
            "verdict",
            "budget",
            "thousandeyes",
            "store",
            "listeners",
            "simulator",
        ),
    ),
    Rule(
        "the vendor's door knows no store, report, runner, schedule or plan",
        ("thousandeyes",),
        ("store", "report", "runner", "schedule", "plan", "listeners", "terminal", "actions"),
    ),
    Rule(
        "stores know no vendor, report, runner, schedule or plan",
        ("store",),
        ("thousandeyes", "report", "runner", "schedule", "plan", "terminal", "actions"),
    ),
)


def inside(module: str, rooms: Iterable[str]) -> bool:
    """Whether a module, or a library's name in an import, is in one of the rooms; ``""`` is the package."""
    return any(
        module.startswith("orchestrator")
        if room == ""
        else module.partition(".")[0] == room
        or module == f"orchestrator.{room}"
        or module.startswith(f"orchestrator.{room}.")
        for room in rooms
    )
