"""Logs: dotted facts with fields, to stderr, for people or as JSON lines; silent below warning by default.

Every value, at any depth, and every traceback passes through a masking function before it is written, at any
level. What other libraries log goes the same way.
"""

from __future__ import annotations

import json as jsonlib
import logging
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from orchestrator.errors import UsageProblem
from orchestrator.events import (
    AnswersStored,
    Event,
    Fact,
    HopsRead,
    Opened,
    RequestAnswered,
    RequestFailed,
    RequestSent,
    Standing,
    WaitEnded,
    facts_of,
    kind_of,
)
from orchestrator.events.verdicts import Judged
from orchestrator.safe import terminal, visible
from orchestrator.settings import LOG_LEVEL, Written, settle

if TYPE_CHECKING:
    from typing import Any, TextIO

    from structlog.typing import Processor

Mask: TypeAlias = Callable[[str], str]
Line: TypeAlias = "MutableMapping[str, Any]"

LEVELS: Mapping[str, int] = {name: logging.getLevelNamesMapping()[name.upper()] for name in LOG_LEVEL.choices}
# Deeper values are written as text: no fact of ours is that deep, and a loop must end.
_DEPTH = 8
_FIRST_KEYS = ("timestamp", "level", "event", "exception", "stack")


def level_of(flag: str | None, environ: Mapping[str, str], file: Written | None = None) -> str:
    """The level asked for, by default ``warning``. Raises ``UsageProblem``."""
    asked = settle(LOG_LEVEL, flag=flag, environ=environ, file=file).text or ""
    if asked.lower() not in LEVELS:
        raise UsageProblem(
            f"the log level {terminal(asked, 40)!r} is not known", hint=f"use one of {', '.join(LEVELS)}"
        )
    return asked.lower()


def configure_logging(
    level: str,
    json: bool,
    mask: Mask,
    *,
    stream: TextIO | None = None,
    wall: Callable[[], float] = time.time,
) -> None:
    """Set up structlog and the standard library's logging for this process; may be called again.

    ``stream`` is stderr as it is at the time of each line, unless given. ``wall`` (epoch seconds) only stamps
    lines; nothing is decided by it.
    """
    import structlog  # noqa: PLC0415 - a fifth of a second that --help does not pay

    threshold = LEVELS[level]
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _Stamp(wall),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        Masking(mask),
        _render_json if json else _render_people,
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_: _Lines(stream),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, _Bridge)]
    root.addHandler(_Bridge())
    root.setLevel(threshold)


class Masking:
    """A processor that masks every text of an event, keys included."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask

    def __call__(self, _logger: object, _method: str, event: Line) -> dict[str, object]:
        return {self._mask(str(key)): self._masked(value, _DEPTH) for key, value in event.items()}

    def _masked(self, value: object, depth: int) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self._mask(value)
        if isinstance(value, bytes | bytearray):
            return self._mask(bytes(value).decode("utf-8", "backslashreplace"))
        if depth > 0 and isinstance(value, Mapping):
            return {self._mask(str(key)): self._masked(inner, depth - 1) for key, inner in value.items()}
        if depth > 0 and isinstance(value, list | tuple | set | frozenset):
            return [self._masked(inner, depth - 1) for inner in value]
        return self._mask(str(value) if isinstance(value, BaseException) else repr(value))


class _Stamp:
    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall

    def __call__(self, _logger: object, _method: str, event: Line) -> MutableMapping[str, Any]:
        moment = datetime.fromtimestamp(self._wall(), UTC)
        event["timestamp"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return event


def _render_json(_logger: object, _method: str, event: Line) -> str:
    # Infinity is written as a text: a strict reader of the journal refuses the bare word.
    return jsonlib.dumps(
        {key: _strict(value) for key, value in event.items()}, ensure_ascii=True, allow_nan=False
    )


def _strict(value: object) -> object:
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, dict):
        return {key: _strict(inner) for key, inner in value.items()}
    return [_strict(inner) for inner in value] if isinstance(value, list) else value


def _render_people(_logger: object, _method: str, event: Line) -> str:
    head = f"{event.get('timestamp', '')} {event.get('level', ''):<8} {terminal(str(event.get('event', '')))}"
    facts = " ".join(
        f"{terminal(key)}={_fact(value)}" for key, value in event.items() if key not in _FIRST_KEYS
    )
    lines = [f"{head} {facts}".rstrip()]
    for key in ("stack", "exception"):
        if event.get(key):
            lines += [f"  {visible(line)}" for line in str(event[key]).split("\n")]
    return "\n".join(lines)


def _fact(value: object) -> str:
    if isinstance(value, str):
        text = terminal(value)
        return f'"{text}"' if not text or " " in text or '"' in text else text
    return terminal(str(value))


class _Lines:
    """Where rendered lines go. A broken stderr must not break the run."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def msg(self, text: str) -> None:
        stream = self._stream or sys.stderr
        if stream is None:
            return
        try:
            stream.write(text + "\n")
            stream.flush()
        except (OSError, ValueError):
            return

    debug = info = warning = warn = error = critical = exception = fatal = log = msg


class _Bridge(logging.Handler):
    """Hands the records of other libraries to our own logger."""

    def emit(self, record: logging.LogRecord) -> None:
        import structlog  # noqa: PLC0415 - loaded already by configure_logging

        logger = structlog.get_logger()
        logger.log(
            record.levelno,
            "library.log",
            logger=record.name,
            message=record.getMessage(),
            exc_info=record.exc_info,
        )


# What happens so often, or is told by another fact too, that only a developer wants it.
_QUIET: frozenset[type[Fact]] = frozenset(
    {
        *(RequestSent, RequestAnswered, RequestFailed, WaitEnded, Standing),
        *(HopsRead, AnswersStored, Judged, Opened),
    }
)


class LogListener:
    """Writes each fact as a dotted name with fields: ``run.polled``, ``budget.window``."""

    def __init__(self) -> None:
        import structlog  # noqa: PLC0415 - start-up stays light

        self._log = structlog.get_logger("orchestrator")
        self._root = logging.getLogger()  # its level is that of all logs, and it is asked quickly

    def hear(self, event: Event) -> None:
        """Write the event if its level is wanted."""
        level = logging.DEBUG if type(event.fact) in _QUIET else logging.INFO
        if not self._root.isEnabledFor(level):
            return
        kind, facts = kind_of(event.fact), facts_of(event.fact)
        if event.run is not None:
            facts = {"run": event.run, "spec": event.spec, **facts}
        self._log.log(level, kind if "." in kind else f"run.{kind}", **facts)
