"""Who imports what, read from the source: for the tests of the structure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "orchestrator"


@dataclass(frozen=True, slots=True)
class Import:
    """One import of ``name`` (a module, or something in it) at ``line`` of ``module``.

    ``lazy`` is inside a function. Imports for type checkers only are not listed.
    """

    module: str
    name: str
    line: int
    lazy: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.name}"


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    return {_dotted(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def imports() -> tuple[Import, ...]:
    """Every import at run time, relative to nothing: names are absolute. The source is read once."""
    return tuple(one for module, path in modules().items() for one in _of(module, path))


def own_module(name: str, known: dict[str, Path]) -> str | None:
    """The module of the package that an imported name means, or ``None`` for another package's."""
    while name:
        if name in known:
            return name
        name = name.rpartition(".")[0]
    return None


def _dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _of(module: str, path: Path) -> Iterator[Import]:
    yield from _walk(module, ast.parse(path.read_text("utf-8")), lazy=False)


def _walk(module: str, node: ast.AST, *, lazy: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield from _walk(module, other, lazy=lazy)
        elif isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(module, alias.name, child.lineno, lazy)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{module}:{child.lineno}: a relative import"
            for alias in child.names:
                yield Import(module, f"{child.module}.{alias.name}", child.lineno, lazy)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _walk(module, child, lazy=lazy or inside)
