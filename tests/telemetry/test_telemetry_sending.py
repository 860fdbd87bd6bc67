"""What a run sends to a collector, and what becomes of the run where that takes nothing."""

from __future__ import annotations

import logging
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from builders import make_answer
from otlp_receiver import collecting, plain
from simulated_run import TOKEN
from stores import RUN, answered, sent, stored_run

from orchestrator import app
from orchestrator.actions.run import run
from orchestrator.errors import Exit, MissingExtra
from orchestrator.events import Closed, Event, Intended
from orchestrator.lifecycle import SpecState
from orchestrator.plan.load import parse_plan
from orchestrator.settings import Settings
from orchestrator.store.base import Store
from orchestrator.store.opening import open_store
from orchestrator.telemetry import outlet, sending
from orchestrator.telemetry.exporting import Exporter
from orchestrator.telemetry.outlet import Outlet
from orchestrator.telemetry.points import points_of
from orchestrator.telemetry.sending import Telemetry

PLAN = """
version: 1
name: told
tests:
  - {name: web, type: http-server, targets: ["https://shop.example.com/?k=hunter2"], agents: {type: cloud}}
  - {name: reach, type: agent-to-server, targets: ["mail.example.com:25"], agents: {type: cloud}}
"""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=of-the-collector")
    # It is said where to send, or nothing is sent.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")


async def test_a_run_sends_every_measurement_once_and_its_trace(tmp_path: Path) -> None:
    plan = parse_plan(PLAN, "plan.yaml", tmp_path, environ={})
    settings = Settings(origin="https://api.example.com", store=str(tmp_path / "o.db"))
    warnings: list[str] = []

    def opening(more: Sequence[Any]) -> Any:
        return app.simulate(settings, reserve=0.1, listeners=more, speed=600.0)

    with collecting() as collector:
        joined = app.telling_by_otlp(
            opening, collector.url, mask=lambda text: text.replace("shop", "***"), warned=warnings.append
        )
        async with joined as session:
            outcome = await run(session, plan)
            store, record = session.doors.store, outcome.run
            tests = await store.tests(record.id)
            agents = await store.agents(record.id)
            expected: Counter[tuple[object, ...]] = Counter()
            for test in tests:
                answers = await store.answers(record.id, test.spec.key)
                for cell in points_of(record, test, agents, answers):
                    agent = cell.resource["thousandeyes.source.agent.id"]
                    expected.update((point.name, point.at, agent, point.value) for point in cell.points)
        points, spans = collector.points(), collector.spans()
    assert outcome.exit_code is Exit.OK
    assert warnings == []
    assert expected
    found = Counter(
        (one.name, one.at, one.attributes["thousandeyes.source.agent.id"], one.value) for one in points
    )
    assert found == expected
    assert {one.attributes["service.name"] for one in points} == {"orchestrator"}
    # At the clock of the run, which is simulated.
    assert {one.name for one in spans} == {"run", "prepare", "list", "test", "create", "poll", "close"}
    [root] = [one for one in spans if one.name == "run"]
    assert all(
        root.start_time_unix_nano
        <= one.start_time_unix_nano
        <= one.end_time_unix_nano
        <= root.end_time_unix_nano
        for one in spans
    )
    assert root.end_time_unix_nano == round((outcome.run.finished or 0.0) * 10**9)
    tested = [plain(one) for one in spans if one.name == "test"]
    assert {one["orchestrator.target"] for one in tested} == {
        "https://***.example.com/",
        "mail.example.com:25",
    }
    sent_text = repr([points, spans])
    assert not [word for word in ("hunter2", "shop", TOKEN) if word in sent_text]
    headers = [one for _, one, _ in collector.requests]
    assert {one["x-key"] for one in headers} == {"of-the-collector"}
    assert {one["Content-Encoding"] for one in headers} == {"gzip"}


# -- what is told and stored, without a run ---------------------------------------------------------------


@asynccontextmanager
async def told(store: Store, telemetry: Telemetry) -> Any:
    """A test that is told of and stored, as a run tells and stores it."""
    await stored_run(store)
    async with telemetry.beside(store, {"server.address": "api.example.com"}):
        telemetry.hear(Event(1.0, RUN, "k0", Intended("a name")))
        await sent(store, "k0")
        await store.add_answers(RUN, "k0", [make_answer(agent_id=agent) for agent in "12"])
        await store.close_test(RUN, "k0", SpecState.COMPLETE, answered("1", "2"), 3.0)
        telemetry.hear(Event(3.0, RUN, "k0", Closed(SpecState.COMPLETE)))
        yield


def telemetry_to(url: str) -> Telemetry:
    return Telemetry(Outlet(Exporter(url, str), url), url)


@contextmanager
def hole() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(8)
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def place_of(trouble: str) -> Iterator[tuple[str, str]]:
    """A collector in trouble, and what the warning says of it."""
    if trouble == "dead":
        yield "http://127.0.0.1:9", "Connection refused"
    elif trouble == "silent":
        with hole() as url:
            yield url, "it took too long"
    elif trouble == "refuses":
        with collecting(lambda _: 400) as collector:
            yield collector.url, "400 Bad Request"
    elif trouble == "sends elsewhere":
        with collecting(lambda _: 307, {"Location": "http://127.0.0.1:9/elsewhere"}) as collector:
            yield collector.url, "Exceeded 0 redirects"
    else:
        with collecting(lambda _: 503, {"Retry-After": "3600"}) as collector:
            yield collector.url, "it was not taken in time"


@pytest.mark.parametrize("trouble", ["dead", "silent", "refuses", "sends elsewhere", "asks to wait an hour"])
async def test_trouble_is_one_warning_and_holds_up_nobody(
    trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # What is not answered at all is the one that only time ends.
    monkeypatch.setattr(sending, "FLUSH", 2.0 if trouble == "silent" else 60.0)
    monkeypatch.setattr(sending, "TROUBLED", 0.2)
    with place_of(trouble) as (url, why):
        telemetry = telemetry_to(url)
        async with open_store(str(tmp_path / "o.db")) as opened, told(opened.store, telemetry):
            pass
        assert telemetry.warning is not None
        assert why in telemetry.warning
        assert url in telemetry.warning
        # A test; its span, prepare, close and run.
        assert telemetry.warning.startswith("OpenTelemetry: 5 tests and spans were not sent")
    warned = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.name for record in warned] == [outlet.__name__]


async def test_a_collector_that_comes_back_gets_everything(tmp_path: Path) -> None:
    with collecting(lambda number: 503 if number == 1 else 200, {"Retry-After": "0"}) as collector:
        telemetry = telemetry_to(collector.url)
        async with open_store(str(tmp_path / "o.db")) as opened, told(opened.store, telemetry):
            pass
        assert telemetry.warning is None
        assert Counter(one.name for one in collector.points()) == {"http.server.request.availability": 2}
        assert {one.name for one in collector.spans()} == {"run", "prepare", "test", "close"}


class Blocked:
    """An exporter that takes nothing until it is let."""

    def __init__(self) -> None:
        self.why: str | None = None
        self.go, self.came = threading.Event(), 0

    def points(self, batch: Sequence[Any]) -> bool:
        self.came += len(batch)
        return self.go.wait()

    spans = points

    def close(self) -> None:
        self.go.set()


async def test_what_no_queue_holds_is_dropped_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "FLUSH", 2.0)
    monkeypatch.setattr(sending, "MOST_TESTS", 3)
    monkeypatch.setattr(sending, "MOST_SPANS", 5)
    telemetry = Telemetry(Outlet(Blocked(), "u"), "u")
    async with open_store(str(tmp_path / "o.db")) as opened, told(opened.store, telemetry):
        for n in range(10):
            telemetry.hear(Event(4.0, RUN, f"x{n}", Intended("another")))
            telemetry.hear(Event(5.0, RUN, f"x{n}", Closed(SpecState.PARTIAL)))
    # 11 tests, 11 spans of them, prepare, close and the run.
    assert telemetry.warning == "OpenTelemetry: 25 tests and spans were not sent to u: it took too long"


async def test_a_session_that_fails_fails_with_its_own_error(tmp_path: Path) -> None:
    telemetry = Telemetry(Outlet(Blocked(), "u"), "u")
    telemetry._outlet._exporter.close()
    with pytest.raises(KeyError, match="ours"):
        async with open_store(str(tmp_path / "o.db")) as opened, told(opened.store, telemetry):
            raise KeyError("ours")


async def test_a_defect_in_what_is_sent_is_a_warning_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_: object) -> None:
        raise RuntimeError("of ours")

    monkeypatch.setattr(outlet, "points_of", defect)
    with collecting() as collector:
        telemetry = telemetry_to(collector.url)
        async with open_store(str(tmp_path / "o.db")) as opened, told(opened.store, telemetry):
            pass
    assert "RuntimeError: of ours" in (telemetry.warning or "")
    assert collector.spans()


def test_without_the_extra_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(MissingExtra) as caught:
        Exporter("http://localhost:4318", str)
    assert caught.value.hint == "pip install 'orchestrator[otel]'"


def test_what_others_log_of_their_own_exporters_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    exporter = Exporter("http://127.0.0.1:9", str)
    with exporter._heard():
        thread = threading.Thread(
            target=logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter").warning,
            args=("theirs",),
        )
        thread.start()
        thread.join()
    assert [record.message for record in caplog.records] == ["theirs"]
    assert exporter.why is None
