"""Scheduled tests made of instant ones, as documents: JSON bodies, and what people are told beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.model import Json, JsonObject
from orchestrator.report.summary import SCHEMA
from orchestrator.safe import MASK
from orchestrator.testtypes.secrets import mask_secrets

MONTH = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Promoted:
    """One scheduled test to be, of the spec with this key. ``path`` is where its ``body`` is sent to,
    ``units`` what it takes in 30 days by the estimate of ``check``."""

    spec: str
    test: str
    type: str
    target: str
    path: str
    body: JsonObject
    units: float

    @property
    def name(self) -> str:
        """What it is to be called."""
        return str(self.body["testName"])

    def masked(self) -> JsonObject:
        """The body without its secrets."""
        return mask_secrets(self.type, self.body)

    def secrets(self) -> list[tuple[str, ...]]:
        """Where in the body a secret stands."""
        return list(_masked_at((), self.body, self.masked()))


def _masked_at(path: tuple[str, ...], value: Json, shown: Json) -> Iterator[tuple[str, ...]]:
    """A secret is where what is shown is another than what is there; of one that has parts, each part."""
    if isinstance(value, dict):
        for key, inner in value.items():
            below = shown.get(key, MASK) if isinstance(shown, dict) else shown
            yield from _masked_at((*path, key), inner, below)
    elif isinstance(value, list) and not (isinstance(shown, list) and len(shown) != len(value)):
        for number, inner in enumerate(value):
            below = shown[number] if isinstance(shown, list) else shown
            yield from _masked_at((*path, str(number)), inner, below)
    elif value != shown:
        yield path


def promotion_text(promoted: Sequence[Promoted], *, secrets: bool) -> str:
    """The body itself where there is one; else a document with each test's address and body."""
    bodies = [one.body if secrets else one.masked() for one in promoted]
    if len(promoted) == 1:
        return json.dumps(bodies[0], indent=2) + "\n"
    tests = [
        {"test": one.test, "target": one.target, "type": one.type, "path": one.path, "body": body}
        for one, body in zip(promoted, bodies, strict=True)
    ]
    return json.dumps({"schema": SCHEMA, "tests": tests}, indent=2) + "\n"
