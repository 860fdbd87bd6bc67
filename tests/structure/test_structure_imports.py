"""Who may import whom: thinking knows no doors, doors do not know each other, the simulator knows nobody."""

from __future__ import annotations

import ast

import import_graph
import pytest
from import_graph import ROOT, Import, imports, modules, own_module

KNOWN = modules()
IMPORTS = imports()

# From the ground up; a module may import its own layer and those below. Longer names win over shorter ones.
LAYERS: dict[str, tuple[str, ...]] = {
    "ground": ("errors", "clock", "model", "lifecycle", "records", "events", "safe", "near", "credentials"),
    "words": ("testtypes", "budget"),
    "thinking": (
        *("plan", "expand", "estimate", "schedule", "verdict", "report", "settings"),
        *("thousandeyes", "store.base", "store.facts", "store.events", "store.sqlite.rows"),
    ),
    "doors": (*("thousandeyes.client", "thousandeyes.faults", "store", "listeners", "terminal"),),
    "steps": ("runner",),
    "actions": ("actions",),
    "entrance": ("app", "library", ""),
    "command line": ("cli",),
}
RANKS = {name: rank for rank, names in enumerate(LAYERS.values()) for name in names}
IO_LIBRARIES = frozenset(
    {
        *("aiohttp", "aiolimiter", "anyio", "asyncio", "click", "filelock", "rich", "socket", "sqlite3"),
        *("ssl", "structlog", "subprocess", "threading"),
    }
)


def layer_of(module: str) -> str:
    """The longest name in the layers that the module begins with; the package itself is ``""``."""
    name = module.removeprefix("orchestrator").removeprefix(".")
    while name and name not in RANKS:
        name = name.rpartition(".")[0]
    return name


def is_simulator(module: str) -> bool:
    return module.startswith("orchestrator.simulator")


def thinking_modules() -> list[str]:
    ranks = (0, 1, 2)
    pure = [module for module in KNOWN if not is_simulator(module) and RANKS[layer_of(module)] in ranks]
    return [module for module in pure if module != "orchestrator.clock"]  # the one that reads the clock


def test_every_module_belongs_to_a_layer() -> None:
    unplaced = [
        module
        for module in KNOWN
        if not is_simulator(module) and module != "orchestrator" and layer_of(module) == ""
    ]
    assert not unplaced, f"say in LAYERS which layer these are in: {unplaced}"


def test_a_module_imports_its_own_layer_and_those_below() -> None:
    wrong = []
    for one in IMPORTS:
        home = own_module(one.name, KNOWN)
        if home is None or is_simulator(home) or is_simulator(one.module):
            continue
        if RANKS[layer_of(home)] > RANKS[layer_of(one.module)]:
            wrong.append(str(one))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", thinking_modules())
def test_thinking_does_no_input_or_output(module: str) -> None:
    # How wide a text is on a terminal, loaded when a table is asked for.
    allowed = {"orchestrator.report.results": {"rich"}}
    wrong = [
        str(one)
        for one in IMPORTS
        if one.module == module
        and _top(one) in IO_LIBRARIES
        and not (one.lazy and _top(one) in allowed.get(module, ()))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", thinking_modules())
def test_thinking_reads_no_clock_and_draws_no_randomness(module: str) -> None:
    """``Random`` may be named as the type of what is passed in; making one is for the entrance."""
    wrong = [
        str(one)
        for one in IMPORTS
        if one.module == module
        and (_top(one) in {"time", "secrets", "random"} and one.name != "random.Random")
    ]
    for node in ast.walk(ast.parse(KNOWN[module].read_text("utf-8"))):
        called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if called in {"Random", "datetime.now", "datetime.utcnow", "date.today"}:
            wrong.append(f"{module}:{getattr(node, 'lineno', 0)} calls {called}")
    assert not wrong, "\n".join(wrong)


def test_the_simulator_shares_no_code_with_the_client() -> None:
    """Both could be wrong in the same way otherwise."""
    wrong = []
    for one in IMPORTS:
        home = own_module(one.name, KNOWN)
        if is_simulator(one.module) and home is not None and not is_simulator(home):
            wrong.append(str(one))
    assert not wrong, "\n".join(wrong)


def test_only_the_entrance_and_its_command_start_the_simulator() -> None:
    users = {
        one.module
        for one in IMPORTS
        if is_simulator(own_module(one.name, KNOWN) or "") and not is_simulator(one.module)
    }
    assert users <= {"orchestrator.app", "orchestrator.cli.bodies.simulator"}


def test_doors_do_not_know_each_other() -> None:
    doors = {
        "thousandeyes": ("store", "report", "budget.ledger", "budget.shared", "runner", "plan"),
        "store": ("thousandeyes", "report", "budget.ledger", "runner", "plan"),
        "report": ("thousandeyes", "store.sqlite", "budget", "runner"),
        "budget": ("thousandeyes.client", "store", "report", "runner", "plan"),
    }
    wrong = [
        str(one)
        for one in IMPORTS
        for door, others in doors.items()
        if _inside(one.module, door) and any(_inside(one.name, other) for other in others)
    ]
    assert not wrong, "\n".join(wrong)


def test_reports_know_neither_http_nor_a_database() -> None:
    wrong = [
        str(one) for one in IMPORTS if _inside(one.module, "report") and _top(one) in {"aiohttp", "sqlite3"}
    ]
    assert not wrong, "\n".join(wrong)


def test_nobody_but_the_command_line_imports_the_command_line() -> None:
    wrong = [str(one) for one in IMPORTS if _inside(one.name, "cli") and not _inside(one.module, "cli")]
    assert not wrong, "\n".join(wrong)


def test_http_and_the_database_are_each_used_behind_one_door() -> None:
    users = {"aiohttp": set[str](), "sqlite3": set[str]()}
    for one in IMPORTS:
        if _top(one) in users:
            users[_top(one)].add(layer_of(one.module) or one.module)
    assert users["aiohttp"] <= {"thousandeyes.client", "thousandeyes.faults", "orchestrator.simulator.server"}
    assert users["sqlite3"] <= {"store"}


def test_there_are_no_import_cycles() -> None:
    graph: dict[str, set[str]] = {module: set() for module in KNOWN}
    for one in IMPORTS:
        home = own_module(one.name, KNOWN)
        if home is not None and home != one.module:
            graph[one.module].add(home)
    while leaves := {module for module, needs in graph.items() if not needs & graph.keys()}:
        for module in leaves:
            del graph[module]
    assert not graph, f"these import each other, or what does: {sorted(graph)}"


@pytest.mark.parametrize("module", KNOWN)
def test_no_file_is_longer_than_a_person_reads_at_once(module: str) -> None:
    lines = KNOWN[module].read_text("utf-8").count("\n")
    assert lines <= 450, (
        f"{KNOWN[module].relative_to(ROOT)} has {lines} lines: give a part of it its own name"
    )


def test_the_graph_sees_imports_inside_functions_and_not_those_for_type_checkers() -> None:
    source = "if TYPE_CHECKING:\n    import a\nimport b\ndef f():\n    from c import d\n"
    found = list(import_graph._walk("m", ast.parse(source), lazy=False))
    assert found == [Import("m", "b", 3, lazy=False), Import("m", "c.d", 5, lazy=True)]


def _top(one: Import) -> str:
    return one.name.partition(".")[0]


def _inside(module: str, room: str) -> bool:
    return module == f"orchestrator.{room}" or module.startswith(f"orchestrator.{room}.")
