"""What comes in and what goes out, before any socket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

# JSON of the simulated API: built here, mangled by faults, never checked by the client's types.
Json: TypeAlias = Any
JsonObject: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SimRequest:
    """One request as it arrived. Header names are lower case, ``path`` is still percent-encoded."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Wire(StrEnum):
    """How the door must break an answer."""

    RESET = "reset"  # the connection is reset instead of an answer
    HANG = "hang"  # no byte is ever sent
    TRUNCATE = "truncate"  # half of the announced body, then the connection ends
    SLOW = "slow"  # the body takes `seconds`
    ENDLESS = "endless"  # the body never ends


@dataclass(frozen=True, slots=True)
class WireFault:
    """A fault below HTTP; ``seconds`` (simulated) matters for the slow body only."""

    kind: Wire
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class SimReply:
    """An answer, what it costs in time, and how the wire spoils it. ``delay`` is simulated seconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    delay: float = 0.0
    wire: WireFault | None = None


@dataclass(slots=True)
class Made:
    """An answer under construction: faults may still change it.

    ``rows`` is the very list inside ``payload`` that holds the result rows, where there is one;
    ``links`` is the object that carries the link to the next page, under the key ``next_key``.
    """

    status: int
    payload: Json = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    rows: list[Json] | None = None
    links: JsonObject | None = None
    next_key: str = "next"
    next_is_object: bool = False

    def body(self) -> bytes:
        """The payload as JSON in ASCII, so that a lone surrogate travels as ``\\ud800``; none is empty."""
        if self.payload is None:
            return b""
        return json.dumps(self.payload, separators=(",", ":")).encode("ascii")


class Refusal(Exception):
    """The API would refuse this request. ``errors`` are the 400's entries: (field, message)."""

    def __init__(self, status: int, detail: str, errors: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.allow: str | None = None
