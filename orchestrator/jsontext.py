"""JSON text, by orjson where it is sure to say the same as the standard library, which is much slower.

They differ in what is odd: integers of more than 64 bits become floats in orjson, NaN and the infinities
become null, and a lone surrogate is refused, as is whatever is no JSON. All of that goes to the standard
library; all that is left to tell which was at work is how some numbers are spelled (1e-05, 0.00001).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import orjson

# Every digit is a zero, whatever may stand before a number is a colon: one pass, and one search, tell whether
# a body has an integer that could be too long. (In a text it would have to follow a blank or a colon.)
_SHAPE = bytes(
    ord("0") if chr(code).isdigit() and code < 128 else ord(":") if chr(code) in ":,[- \t\r\n" else code
    for code in range(256)
)
_LONG = b":" + 19 * b"0"
_ENCODER = json.JSONEncoder(separators=(",", ":"))


class Unsure(ValueError):
    """The two may differ about this text."""


def quick(body: bytes) -> Any:  # noqa: ANN401 - JSON is anything; the caller knows what it expects
    """The value of a text. Raises ``ValueError`` where another decoder must say what it is."""
    # A number that is the whole text has nothing before it.
    if _LONG in body.translate(_SHAPE) or body[:1].isdigit():
        raise Unsure("a long integer")
    return orjson.loads(body)


def read(text: str) -> Any:  # noqa: ANN401 - as above
    """As ``json.loads``."""
    try:
        return quick(text.encode())
    except ValueError:
        return json.loads(text)


def read_all(texts: Sequence[str]) -> list[Any]:
    """As :func:`read` of each, for much less: they are read as one list."""
    try:
        values = quick(f"[{','.join(texts)}]".encode())
    except ValueError:
        values = []
    return values if len(values) == len(texts) else [read(text) for text in texts]


def write(value: object) -> str:
    """As ``json.dumps`` without blanks: ASCII only, so that a lone surrogate stays an escape."""
    told = write_finite(value)
    # What is no number in JSON may be behind a null.
    return _ENCODER.encode(value) if told is None or "null" in told else told


def write_plain(value: object) -> str | None:
    """As :func:`write`, of texts and integers, not only in ASCII; ``None`` for a lone surrogate, or a NUL
    somewhere, or what may be one once it is read."""
    try:
        told = orjson.dumps(value)
    except TypeError:
        return None
    return None if b"\\u0000" in told else told.decode()


def write_finite(value: object) -> str | None:
    """As :func:`write`, of a value without NaN and infinities; ``None`` where another encoder must do it."""
    try:
        told = orjson.dumps(value)
    except TypeError:
        return None
    return told.decode("ascii") if told.isascii() and b"\x7f" not in told else None
