"""What is asked for: an address, checked word by word, as a value. Pure; what is not known is not found."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qs, unquote

from orchestrator.records import RunState

LONGEST = 2_000  # characters of an address
_RUN = re.compile(r"[0-9a-f]{1,64}", re.ASCII)
_BASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_HOOK = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
LAST = "last"


@dataclass(frozen=True, slots=True)
class Runs:
    """A page of runs."""

    plan: str | None = None
    state: RunState | None = None
    organization: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A run's report; ``style``: the style of it. ``still``: as it is now, even if the run goes on."""

    run: str
    style: bool = False
    still: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run held against a base; ``style``: the style of it."""

    run: str
    base: str
    style: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan's history."""

    name: str


@dataclass(frozen=True, slots=True)
class Simple:
    """A page without anything to say: ``plans``, ``budgets``, ``queue``, ``schedules``, ``style``,
    ``health``, ``metrics``.
    ``still`` as of a report."""

    name: str
    still: bool = False


Wanted: TypeAlias = Runs | Report | Comparison | Plan | Simple

_SIMPLE: Mapping[str, str] = {
    "/plans": "plans",
    "/budgets": "budgets",
    "/queue": "queue",
    "/schedules": "schedules",
    "/style.css": "style",
    "/healthz": "health",
    "/metrics": "metrics",
}


class NotFound(Exception):
    """There is no such address; the text says why, for the log."""


def wanted(target: str) -> Wanted:
    """What the target of a request (path and query, as it was sent) asks for. Raises :class:`NotFound`."""
    if len(target) > LONGEST:
        raise NotFound(f"an address of {len(target)} characters")
    path, _, query = target.partition("?")
    if not path.startswith("/") or "%" in path or "\\" in path:
        # Every address of ours is plain: names stand in the query.
        raise NotFound("an address that is escaped, or none")
    asked = _query(query)
    still = _one(asked, "still") is not None
    if path in _SIMPLE:
        return Simple(_SIMPLE[path], still)
    if path == "/":
        return _runs(asked)
    if path == "/plan":
        return Plan(_one(asked, "name") or _missing("name"))
    if path in ("/diff", "/diff/style.css"):
        return Comparison(
            run=_run(_one(asked, "run") or LAST),
            base=_base(_one(asked, "base") or "last-good"),
            style=path != "/diff",
        )
    parts = path.split("/")[1:]
    if parts[0] == "runs" and len(parts) == 2:
        return Report(_run(parts[1]), still=still)
    if parts[0] == "runs" and len(parts) == 3 and parts[2] == "style.css":
        return Report(_run(parts[1]), style=True)
    raise NotFound("no page has this address")


def hook_of(target: str) -> str | None:
    """The name of the hook that a request is for; ``None`` if it is for a page."""
    path = target.partition("?")[0]
    if not path.startswith("/hooks/"):
        return None
    name = path.removeprefix("/hooks/")
    return name if _HOOK.fullmatch(name) else "-"


def _runs(asked: Mapping[str, Sequence[str]]) -> Runs:
    state, before = _one(asked, "state"), _one(asked, "before")
    if state is not None and state not in [*RunState]:
        raise NotFound("a state that runs do not have")
    return Runs(
        plan=_one(asked, "plan"),
        state=None if state is None else RunState(state),
        organization=_one(asked, "organization"),
        before=None if before is None else _run(before),
    )


def _query(text: str) -> Mapping[str, Sequence[str]]:
    try:
        # What is no UTF-8 can name nothing here, and stays what it is: a name that nobody knows.
        return parse_qs(text, keep_blank_values=True, max_num_fields=20, errors="backslashreplace")
    except ValueError as error:
        raise NotFound("a query with too many fields") from error


def _one(asked: Mapping[str, Sequence[str]], name: str) -> str | None:
    """The one value of a field; ``None`` where it is missing or empty. Raises :class:`NotFound` for two."""
    values = asked.get(name, ())
    if len(values) > 1:
        raise NotFound(f"{name} is asked for twice")
    return values[0] or None if values else None


def _missing(name: str) -> str:
    raise NotFound(f"{name} is missing")


def _run(text: str) -> str:
    if text != LAST and not _RUN.fullmatch(text):
        raise NotFound("no id of a run")
    return text


def _base(text: str) -> str:
    if not _BASE.fullmatch(text):
        raise NotFound("no name of a base")
    return text


def wants_json(accept: str | None) -> bool:
    """Whether whoever asks would rather have JSON than HTML."""
    weights = {"text/html": 0.0, "application/json": 0.0}
    for part in (accept or "").lower().split(","):
        kind, *parameters = (word.strip() for word in part.split(";"))
        if kind in weights:
            weights[kind] = max(weights[kind], _weight(parameters))
    return weights["application/json"] > weights["text/html"]


def _weight(parameters: Sequence[str]) -> float:
    for one in parameters:
        name, _, value = one.partition("=")
        if name.strip() == "q":
            found = re.fullmatch(r"0(\.\d{0,3})?|1(\.0{0,3})?", value.strip(), re.ASCII)
            return float(value) if found else 0.0
    return 1.0


def loggable(target: str) -> str:
    """An address for the log, in plain letters; the caller makes it visible."""
    return unquote(target[:200], errors="backslashreplace")
