"""No cycles, no file that is too long, and a simulator that shares no code with the client."""

from __future__ import annotations

import ast

import import_graph
from import_graph import ROOT, Import, imports, modules, own_module

KNOWN = modules()
IMPORTS = imports()


def is_simulator(module: str) -> bool:
    return module.startswith("orchestrator.simulator")


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


def test_no_file_is_longer_than_a_person_reads_at_once() -> None:
    lines = {path.relative_to(ROOT): path.read_text("utf-8").count("\n") for path in KNOWN.values()}
    long = [f"{path} has {count} lines" for path, count in lines.items() if count > 450]
    assert not long, f"give a part of it its own name: {long}"


def test_the_graph_sees_imports_inside_functions_and_not_those_for_type_checkers() -> None:
    source = "if TYPE_CHECKING:\n    import a\nimport b\ndef f():\n    from c import d\n"
    found = list(import_graph._walk("m", ast.parse(source), lazy=False))
    assert found == [Import("m", "b", 3, lazy=False), Import("m", "c.d", 5, lazy=True)]
