"""What the API or a plan says is data: how it is written in each format so that it does nothing there.

Only JSON carries data unchanged. Everywhere else characters that a reader cannot see, or that a terminal,
a spreadsheet, a browser or a Markdown renderer would obey, are written visibly (``\\x1b``, ``\\u202e``),
text is cut to a length, and credentials inside URLs are hidden.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.model import Metric

TERMINAL_LIMIT = 500
MARKDOWN_LIMIT = 200
XML_LIMIT = 4_000
# The longest text that common spreadsheets take in one cell.
CSV_LIMIT = 32_767

MASK = "***"

# C0 and C1 controls, soft hyphen, zero-width and bidirectional marks, line and paragraph separators, the byte
# order mark, interlinear marks, the two non-characters that XML refuses, lone surrogates, and tag characters.
# The joiners U+200C and U+200D stay: several scripts and emoji need them, and they move nothing.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_USERINFO = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*://)[^\s/?#]*@")
# Formula starters of the common spreadsheets, also in their full-width forms, which some locales accept.
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_PLAIN_URL = re.compile(
    r"https://[A-Za-z0-9.\-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~%/\-]*)?"
    r"(\?[A-Za-z0-9._~%/=&+\-]*)?(#[A-Za-z0-9._~%/=&+\-]*)?"
)


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def visible(text: str) -> str:
    """One line in which every character that cannot be seen, or that moves others, is written out."""
    # Whatever Python calls printable is none of them, and to ask that costs a tenth of a search.
    return text if text.isprintable() else _UNSEEN.sub(_escape, text)


def clip(text: str, limit: int) -> str:
    """At most ``limit`` characters; a cut is shown by an ellipsis."""
    return text if len(text) <= limit else text[: max(0, limit - 1)] + "…"


def hide_userinfo(text: str) -> str:
    """URLs without the user and password that may stand before their host."""
    return _USERINFO.sub(rf"\1{MASK}@", text) if "@" in text and "://" in text else text


def terminal(text: str, limit: int = TERMINAL_LIMIT) -> str:
    """For a terminal or a log: one line, nothing that moves the cursor, colours, or turns the direction."""
    # Cut first: escaping a megabyte to show a line of it would be wasted.
    return clip(visible(hide_userinfo(clip(text, 2 * limit))), limit)


def csv_cell(value: Metric | None) -> str | int | float:
    """For one CSV cell: numbers stay numbers, text never starts a formula, ``None`` is empty."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _csv_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return value if math.isfinite(value) else ""
    return value


def _csv_text(value: str) -> str:
    # Nearly every text is as harmless as that, and a large run has a million of them.
    if value[:1].isalnum() and value.isprintable() and "@" not in value and len(value) < CSV_LIMIT:
        return value
    text = clip(visible(hide_userinfo(clip(value, CSV_LIMIT))), CSV_LIMIT - 1)
    return f"'{text}" if value.startswith(_FORMULA) or value.lstrip().startswith(_FORMULA) else text


def markdown(text: str, limit: int = MARKDOWN_LIMIT) -> str:
    """As a code span, where neither HTML, links, mentions, issue references nor emphasis are seen.

    A pipe would end a table cell even inside a code span, and renderers disagree about escaping it there
    when a backslash stands before it; it becomes a broken bar.
    """
    line = clip(visible(hide_userinfo(clip(_one_line(text, limit), 2 * limit))), limit).replace("|", "¦")
    if not line.strip():
        return "-"
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest and (line[0] == "`" or line[-1] == "`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def _one_line(text: str, limit: int) -> str:
    """Line breaks of an error message as blanks: in a ticket they are easier to read than ``\\n``."""
    return " ".join(clip(text, 4 * limit).split())


def markdown_link(url: str | None) -> str:
    """A link that hides nothing, if the address is plain https; else the text as data; ``-`` for none."""
    if not url:
        return "-"
    if len(url) <= MARKDOWN_LIMIT and _PLAIN_URL.fullmatch(url):
        return f"<{url}>"
    return markdown(url)


def https_link(url: str | None, hosts: Collection[str], below: str | None = None) -> str | None:
    """The address, if a page may link to it: plain https to one of these hosts, or to one ``below`` a domain;
    else ``None``."""
    if not url or len(url) > TERMINAL_LIMIT or not _PLAIN_URL.fullmatch(url):
        return None
    host = url.removeprefix("https://").partition("/")[0].partition("?")[0].partition("#")[0]
    own = below is not None and host.lower().endswith(f".{below}")
    return url if own or host.lower() in hosts else None


def xml_text(text: str, limit: int = XML_LIMIT) -> str:
    """Text for an XML 1.0 element: line breaks and tabs stay, what XML forbids is written out."""
    lines = clip(text, 2 * limit).replace("\r\n", "\n").split("\n")
    return clip("\n".join(visible(hide_userinfo(line)) for line in lines), limit)


def xml_attribute(text: str, limit: int = TERMINAL_LIMIT) -> str:
    """Text for an XML 1.0 attribute, in one line."""
    return terminal(text, limit)


def json_line(document: Mapping[str, object]) -> str:
    """One line of ASCII that reads back equal, lone surrogates included. Raises ``ValueError`` on NaN."""
    return json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
