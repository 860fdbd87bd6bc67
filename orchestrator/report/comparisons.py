"""The one table of formats of a comparison. Besides these the command line has lines of text, by the width of
a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from orchestrator.compare.values import Compared
from orchestrator.report.comparison import Escape, Held, json_text, jsonl_text, junit_text, markdown_text


def _html(held: Held, cells: Sequence[Compared], mask: Escape = str) -> str:
    from orchestrator.report.html.compared import compared_html  # noqa: PLC0415 - start-up stays light

    return compared_html(held, cells, mask)


COMPARISONS: Mapping[str, Callable[[Held, Sequence[Compared], Escape], str]] = MappingProxyType(
    {
        "markdown": lambda held, _cells, mask: markdown_text(held, mask),
        "json": lambda held, _cells, mask: json_text(held, mask),
        "jsonl": jsonl_text,
        "junit": junit_text,
        "html": _html,
    }
)
# A server that counts cases knows a cell by its case, whether or not it changed this time.
WHOLE = frozenset({"junit"})
