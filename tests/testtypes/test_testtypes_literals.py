"""Only the table of test types names a layer or a kind of test; everybody else asks it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from import_graph import PACKAGE, modules

from orchestrator.testtypes import DETAILS, LAYERS, TEST_TYPES

NAMES = {*LAYERS, *TEST_TYPES, DETAILS}
# Words that mean something else too: the version of the API; the network that an agent or a hop is in.
WORDS = {"api", "network"}
TABLES = ("orchestrator.testtypes", "orchestrator.simulator")
# Whose matter the types themselves are: which tests tell what of a kind of target; what somebody else's tool
# calls otherwise.
ABOUT_TYPES = (
    "orchestrator.diagnosis.blocks",
    "orchestrator.diagnosis.secondwave",
    "orchestrator.report.terraform",
)


def client() -> dict[str, str]:
    own = (*TABLES, *ABOUT_TYPES)
    return {name: path.read_text("utf-8") for name, path in modules().items() if not name.startswith(own)}


def named(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each literal that names a layer or a type.

    One of :data:`WORDS` is one only where something is compared with it, or it is handed over as a layer or
    a type; as a key, a field's name or a heading it is a word.
    """
    tree = ast.parse(source)
    compared: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            for part in (node.left, *node.comparators):
                compared |= {part, *getattr(part, "elts", ())}
        if isinstance(node, ast.MatchValue):
            compared.add(node.value)
        if isinstance(node, ast.keyword) and node.arg in {"layer", "type", "kind", "type_name"}:
            compared |= set(ast.walk(node.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in (NAMES if node in compared else NAMES - WORDS):
            yield node.lineno, str(node.value)


def test_nobody_names_a_layer_or_a_type_by_a_literal() -> None:
    wrong = [
        f"{module}:{line} names {name}" for module, source in client().items() for line, name in named(source)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_files_of_the_client_are_looked_at() -> None:
    found = client()
    assert {"orchestrator.thousandeyes.rows", "orchestrator.schedule.polls", "orchestrator.expand"} <= set(
        found
    )
    assert not any(name.startswith(("orchestrator.simulator", "orchestrator.testtypes")) for name in found)
    assert (PACKAGE / "testtypes" / "layers.py").exists()


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ('x = layer == "path-vis"', ["path-vis"]),
        ('x = layer in {"network", "x"}', ["network"]),
        ('x = {"http-server": 30.0}', ["http-server"]),
        ('poll(layer="network")', ["network"]),
        ('match kind:\n    case "api":\n        pass', ["api"]),
        ('x = {"api": api.value} if options["api"] is None else 0', []),
        ('x = entry.get("network")', []),
        ('"""About the network and path-vis."""', []),
    ],
)
def test_a_name_is_seen_where_it_stands_for_a_layer(source: str, seen: list[str]) -> None:
    assert [name for _, name in named(source)] == seen
