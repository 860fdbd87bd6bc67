from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageProblem
from orchestrator.listeners.log import configure_logging, level_of

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "s3cr3t-token"


def mask(text: str) -> str:
    return text.replace(TOKEN, "***")


def fail(text: str) -> None:
    raise RuntimeError(text)


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def configured(level: str = "debug", *, json_lines: bool = False) -> io.StringIO:
    stream = io.StringIO()
    configure_logging(level, json_lines, mask, stream=stream, wall=lambda: 1_795_240_032.25)
    return stream


def test_a_line_for_people_has_time_level_event_and_facts() -> None:
    stream = configured()
    structlog.get_logger().info("test.created", spec="aaaa", seconds=1.5, agents=["a b"], note="two words")
    assert stream.getvalue() == (
        "2026-11-21T05:47:12.250Z info     test.created spec=aaaa seconds=1.5 agents=['a b'] "
        'note="two words"\n'
    )


def test_a_json_line_has_the_same_facts() -> None:
    stream = configured(json_lines=True)
    structlog.get_logger().info("test.created", spec="aaaa", facts={"deep": [1, float("inf")]})
    assert json.loads(stream.getvalue()) == {
        "timestamp": "2026-11-21T05:47:12.250Z", "level": "info", "event": "test.created", "spec": "aaaa",
        "facts": {"deep": [1, "inf"]},
    }  # fmt: skip


def test_nothing_below_warning_is_written_by_default() -> None:
    stream = configured(level_of(None, {}))
    logger = structlog.get_logger()
    logger.debug("a")
    logger.info("b")
    logger.warning("c.happened")
    assert stream.getvalue().count("\n") == 1
    assert "c.happened" in stream.getvalue()


@pytest.mark.parametrize("json_lines", [True, False])
def test_the_token_is_masked_at_any_depth_in_any_type_and_in_tracebacks(json_lines: bool) -> None:
    stream = configured(json_lines=json_lines)
    logger = structlog.get_logger()
    deep: object = TOKEN
    for _ in range(12):
        deep = {"inner": (deep,)}
    structlog.contextvars.bind_contextvars(bound=TOKEN)
    try:
        logger.error(
            f"event {TOKEN}", text=TOKEN, raw=TOKEN.encode(), listed=[TOKEN, {TOKEN}], deep=deep,
            error=ValueError(TOKEN), **{f"key-{TOKEN}": 1},
        )  # fmt: skip
        try:
            fail(f"refused {TOKEN}")
        except RuntimeError:
            logger.exception("run.died")
        logging.getLogger("aiohttp.client").error("header %s", TOKEN)
        try:
            fail(TOKEN)
        except RuntimeError:
            logging.getLogger("asyncio").exception("task died")
    finally:
        structlog.contextvars.clear_contextvars()
    output = stream.getvalue()
    assert TOKEN not in output
    assert output.count("***") >= 10
    assert "RuntimeError" in output


def test_other_libraries_log_through_us_and_obey_the_level() -> None:
    stream = configured("warning")
    logging.getLogger("aiohttp.access").info("not now")
    logging.getLogger("aiohttp.client").warning("slow %s", "name")
    assert "not now" not in stream.getvalue()
    assert 'library.log logger=aiohttp.client message="slow name"' in stream.getvalue()


def test_configuring_again_replaces_and_does_not_double() -> None:
    configured()
    stream = configured()
    logging.getLogger("x").error("once")
    assert stream.getvalue().count("once") == 1


@given(st.text(st.characters(), max_size=40))
def test_no_log_line_obeys_hostile_data(text: str) -> None:
    stream = configured()
    structlog.get_logger().error(text, fact=text, nested=[text], **{f"k{text}": 1})
    output = stream.getvalue()
    output.encode("utf-8")
    assert output.count("\n") == 1
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in output.rstrip("\n"))


def test_a_traceback_for_people_cannot_move_the_cursor() -> None:
    stream = configured()
    try:
        fail("bad \x1b[2J name")
    except RuntimeError:
        structlog.get_logger().exception("run.died")
    assert "\x1b" not in stream.getvalue()
    assert "\\x1b[2J" in stream.getvalue()


def test_a_closed_stderr_does_not_stop_the_run() -> None:
    stream = configured()
    stream.close()
    structlog.get_logger().error("still.here")


def test_lines_go_to_the_stderr_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    configure_logging("info", False, mask)
    later = io.StringIO()
    monkeypatch.setattr(sys, "stderr", later)
    structlog.get_logger().info("seen.there")
    assert "seen.there" in later.getvalue()


def test_the_flag_goes_before_the_environment() -> None:
    assert level_of("DEBUG", {"ORCHESTRATOR_LOG": "error"}) == "debug"
    assert level_of(None, {"ORCHESTRATOR_LOG": "error"}) == "error"


def test_an_unknown_level_is_a_usage_problem_that_names_the_levels() -> None:
    with pytest.raises(UsageProblem, match="loud") as caught:
        level_of(None, {"ORCHESTRATOR_LOG": "loud"})
    assert "debug, info, warning" in str(caught.value.hint)


def loaded(statement: str, *modules: str) -> str:
    """Which of the modules a fresh interpreter has after the statement."""
    code = f"{statement}; print([name for name in {modules!r} if name in sys.modules])"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_reports_and_logs_import_neither_the_http_client_nor_the_store() -> None:
    documents = "digest explain headline junit markdown results summary times waits"
    rooms = [*(f"report.{room}" for room in documents.split()), "safe"]
    rooms += [f"terminal.{room}" for room in ("console", "live", "text")]
    names = ", ".join(f"orchestrator.{room}" for room in rooms)
    assert loaded(f"import sys, orchestrator.listeners.log, {names}", "aiohttp", "sqlite3") == "[]"


def test_formats_for_machines_and_logging_start_without_rich_and_structlog() -> None:
    names = ", ".join(
        f"orchestrator.{room}" for room in ("report.results", "report.summary", "terminal.live")
    )
    assert loaded(f"import sys, orchestrator.listeners.log, {names}", "rich", "structlog") == "[]"
