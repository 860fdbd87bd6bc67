"""JSON bodies and the scalars in them, as both API versions write them: v6 has integers and 0/1 where v7 has
strings and booleans, and numbers have been seen as strings. A scalar that cannot be understood is ``None``:
one odd value loses only itself.
"""

from __future__ import annotations

import json
import math
import re
from codecs import BOM_UTF8
from datetime import UTC, datetime
from functools import lru_cache
from typing import cast

from orchestrator import jsontext
from orchestrator.model import Json, JsonObject
from orchestrator.thousandeyes.protocol import BadAnswer

_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?\Z", re.ASCII)
# What SQLite and every consumer of our exports can hold as an integer.
_WIDEST = 2**63
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_WITH_ZEROS = re.compile(r"(?<=[0-9])\.0{1,20}\Z", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z", re.ASCII)


def parse_object(body: bytes, what: str) -> JsonObject:
    """Return the JSON object of a body. Raises :class:`BadAnswer` naming ``what`` was expected."""
    try:
        value = _decoded(body.removeprefix(BOM_UTF8))
    except RecursionError:
        raise BadAnswer(f"expected {what}, got JSON that is nested too deeply") from None
    except ValueError as error:
        raise BadAnswer(f"expected {what}, got no JSON ({error}): {excerpt(body)}") from None
    if not isinstance(value, dict):
        raise BadAnswer(f"expected {what}, got a JSON {type(value).__name__}: {excerpt(body)}")
    return value


def _decoded(body: bytes) -> Json:
    try:
        return cast("Json", jsontext.quick(body))
    except ValueError:
        text = body.decode("utf-8", "replace")
    try:
        return cast("Json", _DECODER.decode(text))
    except ValueError:
        # Rare, and slower: a raw control character in a text, or an integer of thousands of digits.
        return cast("Json", _LENIENT.decode(text))


def compact(value: Json) -> str:
    """JSON text without blanks, in ASCII: a lone surrogate stays the escape that it came as."""
    try:
        return jsontext.write_finite(value) or _ENCODER.encode(value)
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
        return None if not value or value.isspace() else value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def identifier(value: Json) -> str | None:
    """An id: v6 has integers, v7 strings. Letters, digits, dashes; it becomes a segment of paths."""
    if isinstance(value, str) and _ID.match(value):
        return value
    if isinstance(value, float):
        value = _integral(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    shown = _WITH_ZEROS.sub("", str(value))
    return shown if _ID.match(shown) else None


def number(value: Json) -> int | float | None:
    """A finite number, also from its digits in a string."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or value is None:
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
    if isinstance(found, float):
        found = _integral(found)
    return found if found is not None and 0 <= found < 2**53 else None


def _integral(value: float) -> int | None:
    """A whole number that was written as a float; beyond 2**53 a float does not tell which."""
    return int(value) if value.is_integer() and abs(value) < 2**53 else None


def moment(value: Json) -> str | None:
    """ISO 8601 UTC with ``Z`` whole seconds, from v7's ISO dates and v6's ``2017-03-14 16:21:58`` (UTC)."""
    return _moment(value) if isinstance(value, str) else None


# The rows of a look are of a few seconds.
@lru_cache(maxsize=256)
def _moment(told: str) -> str | None:
    found = _when(told)
    return None if found is None else found.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def epoch(value: Json) -> int | None:
    """The epoch second of such a date; ``None`` before 1970."""
    found = _when(value)
    second = -1 if found is None else int(found.timestamp())
    return second if second >= 0 else None


def _when(value: Json) -> datetime | None:
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        found = datetime.fromisoformat(value.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _no_constant(name: str) -> None:
    """NaN and the infinities, which are no JSON: the value is lost, and nothing else."""
    del name


def _finite(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def _whole(digits: str) -> int | None:
    # Python itself refuses integers of more than 4,300 digits.
    return int(digits) if len(digits) <= 4_300 else None


def _rounded(value: int) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)
_LENIENT = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite, parse_int=_whole, strict=False)
