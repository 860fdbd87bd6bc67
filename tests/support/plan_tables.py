"""The tables of docs/plan-file.md, written from the table of test types.

``python tests/support/plan_tables.py`` writes them into the document, between its markers; a test holds
that they are up to date.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from orchestrator.testtypes import METRICS, TEST_TYPES, Kind, Option

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "plan-file.md"
_MARKED = re.compile(r"<!-- table: (?P<name>[a-z]+) -->\n.*?<!-- end -->", re.DOTALL)
_SHORT = {
    Kind.STRING: "text",
    Kind.ID: "id",
    Kind.INTEGER: "whole number",
    Kind.NUMBER: "number",
    Kind.BOOLEAN: "true, false",
    Kind.STRINGS: "list of texts",
    Kind.IDS: "list of ids",
    Kind.OBJECT: "mapping",
    Kind.OBJECTS: "list of mappings",
    Kind.FREE: "mapping of names to texts",
}
_UNIT_WORDS = {"": "number", "count": "count", "text": "text", "bool": "true or false"}
_EVERY = frozenset(TEST_TYPES)


def render(text: str) -> str:
    """The document with its tables written afresh."""
    makers = {"types": types_table, "metrics": metrics_table, "options": options_table}
    return _MARKED.sub(
        lambda found: f"<!-- table: {found['name']} -->\n{makers[found['name']]()}\n<!-- end -->", text
    )


def types_table() -> str:
    """One row per type of test."""
    rows = []
    for kind in TEST_TYPES.values():
        # A bare registrar fills what targetSipCredentials needs.
        needs = [name for name in kind.target_fields if name not in {kind.bare, "targetSipCredentials"}]
        rows.append(
            (
                _code(kind.name),
                _code(kind.bare),
                _codes(needs) or "-",
                _codes(kind.layers),
                _v6_name(kind.name, kind.v6_name),
            )
        )
    heads = ("type", "a bare target is its", "also needs", "layers, the primary one first", "v6")
    return _table(heads, rows)


def metrics_table() -> str:
    """One row per layer: every metric with its unit."""
    rows = [
        (_code(layer), ", ".join(f"{_code(name)} {_unit(unit)}" for name, unit in metrics.items()))
        for layer, metrics in METRICS.items()
    ]
    return _table(("layer", "metrics"), rows)


def options_table() -> str:
    """One row per field and meaning, with the types that have it."""
    rows = []
    for name, variants in sorted(_variants().items(), key=lambda item: item[0].lower()):
        for option, kinds, in_v6 in variants:
            shown = f"{_code(name)} (required)" if option.required else _code(name)
            rows.append((shown, _kinds(kinds), _value(option), _doc(option), _v6(kinds, in_v6)))
    return _table(("option", "types", "value", "meaning", "v6"), rows)


def _variants() -> dict[str, list[tuple[Option, tuple[str, ...], tuple[str, ...]]]]:
    """By name: what an option can mean, the types where it means that, and those of them where v6 has it."""
    found: dict[str, list[tuple[Option, tuple[str, ...], tuple[str, ...]]]] = {}
    for kind in TEST_TYPES.values():
        for option in kind.options.values():
            variants = found.setdefault(option.name, [])
            v6 = (kind.name,) if option.v6 is not None and kind.v6_name is not None else ()
            for place, (other, kinds, in_v6) in enumerate(variants):
                if _meaning(other) == _meaning(option):
                    variants[place] = (other, (*kinds, kind.name), (*in_v6, *v6))
                    break
            else:
                variants.append((option, (kind.name,), v6))
    return found


def _meaning(option: Option) -> tuple[object, ...]:
    limits = (option.minimum, option.maximum, option.choices, repr(option.default), option.nullable)
    return (option.kind, option.doc, option.required, *limits)


def _value(option: Option) -> str:
    if option.choices:
        value = ", ".join(_code(choice) for choice in option.choices)
    else:
        value = _SHORT[option.kind] + _limits(option)
    if option.fields:
        value += " of " + _codes(option.fields)
    if option.nullable:
        value += ", or null"
    if option.default is not None:
        shown = str(option.default).lower() if isinstance(option.default, bool) else str(option.default)
        value += f"; default {_code(shown)}"
    return value


def _limits(option: Option) -> str:
    low, high = option.minimum, option.maximum
    if low is not None and high is not None:
        return f" {low:g} to {high:g}"
    return "" if low is None else f", at least {low:g}"


def _doc(option: Option) -> str:
    return option.doc + (" Masked where it is shown." if option.secret else "")


def _kinds(kinds: Sequence[str]) -> str:
    missing = [name for name in TEST_TYPES if name not in kinds]
    if not missing:
        return "all"
    if len(missing) <= 2:
        return "all but " + ", ".join(missing)
    return ", ".join(kinds)


def _v6(kinds: Sequence[str], in_v6: Sequence[str]) -> str:
    if not in_v6:
        return "no"
    able = [name for name in kinds if TEST_TYPES[name].v6_name is not None]
    unable = [name for name in able if name not in in_v6]
    if not unable:
        return "yes"
    return "not " + ", ".join(unable) if len(unable) < len(in_v6) else "only " + ", ".join(in_v6)


def _v6_name(name: str, in_v6: str | None) -> str:
    if in_v6 is None:
        return "no such type"
    return "yes" if in_v6 == name else f"yes, there {_code(in_v6)}"


def _unit(unit: str) -> str:
    return f"({_UNIT_WORDS.get(unit, unit)})"


def _codes(names: Iterable[str]) -> str:
    return ", ".join(_code(name) for name in names)


def _code(text: str) -> str:
    return f"`{text}`"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [_row(heads), _row(["---"] * len(heads)), *(_row(row) for row in rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    DOCUMENT.write_text(render(DOCUMENT.read_text("utf-8")), "utf-8")
