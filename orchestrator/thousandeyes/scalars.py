"""JSON bodies and the scalars in them, as both API versions write them: v6 has integers and 0/1 where v7 has
strings and booleans, and numbers have been seen as strings. A scalar that cannot be understood is ``None``.
"""

from __future__ import annotations

import json
import math
import re
from codecs import BOM_UTF8
from datetime import UTC, datetime

from orchestrator.model import Json, JsonObject
from orchestrator.thousandeyes.protocol import BadAnswer

_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?\Z", re.ASCII)
# What SQLite and every consumer of our exports can hold as an integer.
_WIDEST = 2**63
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z", re.ASCII)


def parse_object(body: bytes, what: str) -> JsonObject:
    """Return the JSON object of a body. Raises :class:`BadAnswer` naming ``what`` was expected."""
    try:
        value: Json = _DECODER.decode(body.removeprefix(BOM_UTF8).decode("utf-8"))
    except UnicodeDecodeError:
        raise BadAnswer(f"expected {what}, got bytes that are not UTF-8: {excerpt(body)}") from None
    except RecursionError:
        raise BadAnswer(f"expected {what}, got JSON that is nested too deeply") from None
    except ValueError as error:
        raise BadAnswer(f"expected {what}, got no JSON ({error}): {excerpt(body)}") from None
    if not isinstance(value, dict):
        raise BadAnswer(f"expected {what}, got a JSON {type(value).__name__}: {excerpt(body)}")
    return value


def compact(value: Json) -> str:
    """JSON text without blanks, in ASCII: a lone surrogate stays the escape that it came as."""
    try:
        return _ENCODER.encode(value)
    except RecursionError:
        raise BadAnswer("expected a row, got JSON that is nested too deeply") from None


def excerpt(body: bytes) -> str:
    """The beginning of a body, harmless on any terminal."""
    if not body:
        return "an empty body"
    text = body[:80].decode("utf-8", "replace")
    shown = "".join(character if character.isprintable() else " " for character in text)
    shown = " ".join(shown.split())
    return f"{shown!r}{' ...' if len(body) > 80 else ''}"


def mapping(value: Json) -> JsonObject:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Json) -> list[Json]:
    """The list, or an empty one."""
    return value if isinstance(value, list) else []


def text(value: Json) -> str | None:
    """A text that says something; numbers become their digits."""
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def identifier(value: Json) -> str | None:
    """An id: v6 has integers, v7 strings. Letters, digits, dashes; it becomes a segment of paths."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    shown = str(value)
    return shown if _ID.match(shown) else None


def number(value: Json) -> int | float | None:
    """A finite number, also from its digits in a string."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        found = value.strip()
        if not _NUMBER.match(found):
            return None
        value = int(found) if found.lstrip("-").isdigit() else float(found)
    if isinstance(value, int):
        return value if -_WIDEST <= value < _WIDEST else _rounded(value)
    return value if isinstance(value, float) and math.isfinite(value) else None


def flag(value: Json) -> bool | None:
    """true and false, 1 and 0, and both as strings."""
    if isinstance(value, bool):
        return value
    known = {"1": True, "true": True, "0": False, "false": False}
    return known.get(str(value).strip().lower()) if isinstance(value, int | str) else None


def round_id(value: Json) -> int | None:
    """Epoch second of a round's start."""
    found = number(value)
    return found if isinstance(found, int) and 0 <= found < 2**53 else None


def moment(value: Json) -> str | None:
    """ISO 8601 UTC with ``Z`` whole seconds, from v7's ISO dates and v6's ``2017-03-14 16:21:58`` (UTC)."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        found = datetime.fromisoformat(value.strip())
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _no_constant(name: str) -> Json:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _rounded(value: int) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


# Python itself refuses integers of more than 4,300 digits.
_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)
