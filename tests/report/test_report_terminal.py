"""What is written to a terminal: the summary, tables, explanations, live progress."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from told_runs import overview_of

from orchestrator.events import BudgetStanding, Standing
from orchestrator.lifecycle import SpecState
from orchestrator.model import Agent, AgentState, AgentType, CellState, Hop, Json, Path, Verdict
from orchestrator.records import Paths, RunSettings, RunState
from orchestrator.report.explain import explanation, steps, waits
from orchestrator.report.markdown import ticket
from orchestrator.report.times import span, utc
from orchestrator.terminal.console import make_console, painter, table
from orchestrator.terminal.live import Progress
from orchestrator.terminal.summary import print_summary
from orchestrator.terminal.text import print_agents, print_runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_rows import Make
    from rich.console import Console

hostile = st.text(st.characters(), max_size=30)


class Tty(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")


def written(show: Callable[[Console], object], stream: io.StringIO | None = None) -> str:
    stream = stream or io.StringIO()
    show(make_console(stream))
    return stream.getvalue()


def no_control_characters(text: str) -> bool:
    return not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in text if char != "\n")


async def test_the_summary_is_the_golden_one(make: Make) -> None:
    run = make.run(
        finished=make.started + 185,
        state=RunState.INTERRUPTED,
        exit_code=130,
        facts={
            "requests": {"creations": 2, "reads": 9, "refused_429": 0, "errors": 1},
            "budgets": {
                "organization": {"limit": 240, "remaining": 200, "reset": make.started + 48, "others": 3},
                "instant_test": {"limit": 24, "remaining": 22, "reset": make.started + 48},
            },
            "units": {"estimated": 1.25},
            "waits": {"instant_test": 62.0, "organization": 0.0},
            "stopped": "SIGINT",
        },
    )
    counts = make.counts(
        tests={SpecState.COMPLETE: 1, SpecState.UNKNOWN: 1, SpecState.PLANNED: 1},
        cells={CellState.ANSWERED: 2, CellState.MISSING: 2, CellState.PENDING: 2, CellState.NOT_RUN: 1},
        verdicts={Verdict.PASS: 1, Verdict.FAIL: 1, Verdict.NO_ANSWER: 2, Verdict.NOT_RUN: 1},
        left_out=1,
    )
    failed = make.cell(verdict=Verdict.FAIL, reasons=("network.loss 4 %, expected <= 1",))
    silent = make.cell(agent="b", agent_id="b", state=CellState.MISSING, verdict=Verdict.NO_ANSWER)
    unknown = make.test(state=SpecState.UNKNOWN)
    found = await overview_of(run, counts, [failed, silent, make.left_out()], [unknown])
    tests = "2026-11-21 05:47:12 UTC, 3 tests (1 complete, 1 unknown, 1 not run), about 1.25 units"
    assert written(lambda console: print_summary(console, found)).split("\n") == [
        "✕ branch-sweep  1 failure without a common cause; 1 without an answer  exit 130, interrupted",
        "  1 without a common cause:",
        "  portal from branch-01 (error): network.loss 4 %, expected <= 1",
        "  1 without an answer, without a common cause:",
        "  portal from b",
        "  stopped: SIGINT",
        "  2 of 6 cells in 3 min 5 s · 1 pass, 1 fail, 2 no answer, 2 not run",
        "  1 left out: the agent is offline (branch-07)",
        f"  1 creation with unknown outcome, not repeated; to be looked for in the product: {unknown.name}",
        f"  run {run.id}, {tests}",
        "  requests  2 creations, 9 reads, 0 refused (429), 1 error",
        "  waited    1 min 2 s for the instant-test budget",
        "Next",
        "  go on                    orchestrator resume 20261121-054712-ab12",
        "  find the lost creations  orchestrator reconcile 20261121-054712-ab12",
        f"  every bad cell           orchestrator results {run.id} --verdict fail --verdict no-answer",
        f"  see it                   orchestrator report {run.id} --format html -o branch-sweep.html",
        "  for a ticket             orchestrator report 20261121-054712-ab12",
        "  try again                orchestrator rerun 20261121-054712-ab12 --failed",
        "",
    ]
    asked = written(lambda console: print_summary(console, found, verbose=True)).split("\n")
    at = asked.index("  tests     3 planned, 2 created: 1 complete, 1 unknown, 1 not run")
    assert asked[at : asked.index("Next")] == [
        "  tests     3 planned, 2 created: 1 complete, 1 unknown, 1 not run",
        "  cells     7 planned: 2 answered, 2 missing, 3 not run",
        "  verdicts  1 pass, 1 fail, 2 no-answer, 3 not-run",
        "  requests  2 creations, 9 reads, 0 refused (429), 1 error",
        "  budget    organization: 200 of 240 left, resets 05:48:00 UTC, others spend 3 a window",
        "  budget    instant tests: 22 of 24 left, resets 05:48:00 UTC",
        "  waited    1 min 2 s for the instant-test budget",
        "Left out before the start",
        "  the agent is offline: 1 cell, branch-07",
        "Creations whose outcome is unknown; they were not repeated",
        "  branch-sweep web portal [aaaa00000001]  portal",
    ]


@given(text=hostile)
async def test_no_terminal_output_obeys_hostile_data(make: Make, text: str) -> None:
    cell = make.cell(agent=text, target=text, test=text, verdict=Verdict.FAIL, reasons=(text,))
    counts = make.counts(
        cells={CellState.ANSWERED: 1, CellState.NOT_RUN: 1},
        verdicts={Verdict.FAIL: 1, Verdict.NOT_RUN: 1},
        left_out=1,
    )
    run = make.run(plan=text, facts={"stopped": text, "waits": {text: 1.0}}, parent=text)
    test = make.test(name=text, error=text, test_id=text, state=SpecState.UNKNOWN)
    left_out = make.left_out(agent=text, reasons=(text,))
    found = await overview_of(run, counts, [cell, left_out], [test])
    agent = Agent("1", text, AgentType.CLOUD, text, text, AgentState.ONLINE, (text,))
    kinds = ("waited", "intended", "created", "refused", "limited", "lost", "look", "closed", "rerun", text)
    facts = dict.fromkeys(
        ("for", "name", "test_id", "status", "detail", "error", "layer", "rows", "state", text), text
    )
    events = [make.event(1.0, kind, **facts) for kind in kinds]
    shown = [
        written(lambda console: print_summary(console, found, verbose=True)),
        written(lambda console: print_runs(console, [run])),
        written(lambda console: print_agents(console, [agent], [(agent, text)])),
        "\n".join(explanation(run, test, events, [cell])),
    ]
    for output in shown:
        output.encode("utf-8")
        assert no_control_characters(output), f"a control character got through: {output!r}"


async def test_data_is_never_taken_for_markup(make: Make) -> None:
    failed = make.cell(target="[red]x[/red] :smile:", verdict=Verdict.FAIL)
    found = await overview_of(make.run(), cells=[failed])
    output = written(lambda console: print_summary(console, found))
    assert "[red]x[/red] :smile:" in output


def test_a_file_or_a_pipe_gets_whole_lines_without_colours() -> None:
    output = written(lambda console: table(console, ("a", "b"), [("x" * 300, "fail")], styled=1))
    assert output.split("\n") == ["a" + " " * 301 + "b", "x" * 300 + "  fail", ""]


def test_a_terminal_gets_colours_and_its_own_width() -> None:
    output = written(lambda console: table(console, ("a", "b"), [("x" * 300, "fail")], styled=1), Tty())
    assert "\x1b[1;31mfail" in output
    assert max(len(line) for line in output.split("\n")) < 150


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_are_off_when_the_environment_says_so(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    output = written(lambda console: table(console, (), [("fail",)], styled=0), Tty())
    assert "31m" not in output
    assert painter(make_console(Tty())) is None


def test_a_verdict_is_painted_only_where_there_are_colours() -> None:
    paint = painter(make_console(Tty()))
    assert paint is not None
    assert paint("fail  ", "fail") == "\x1b[1;31mfail  \x1b[0m"
    assert painter(make_console(io.StringIO())) is None
    assert painter(make_console(Tty(), color=False)) is None


def test_the_runs_are_a_table(make: Make) -> None:
    facts = {"headline": "All 4 cells pass"}
    run = make.run(finished=make.started + 3700, state=RunState.COMPLETE, exit_code=0, facts=facts)
    listed = [run, make.run(id="2", parent="1")]
    output = written(lambda console: print_runs(console, listed))
    heading, *rows = output.split("\n")
    assert heading.split("  ")[-1] == "headline"
    started = "2026-11-21 05:47:12 UTC"
    assert rows == [
        f"{run.id}  branch-sweep  complete  0     {started}  1 h 2 min  v7   -         All 4 cells pass",
        f"2                     branch-sweep  running   -     {started}  -          v7   1         -",
        "",
    ]


@pytest.mark.parametrize("columns", [60, 80])
def test_on_a_narrow_terminal_each_run_has_its_headline_below(
    make: Make, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    facts = {"headline": "Four causes explain 78 of 79 bad cells"}
    run = make.run(
        finished=make.started + 197, state=RunState.INCOMPLETE, exit_code=3, facts=facts, parent="1"
    )
    _, _, first, second, _ = written(lambda console: print_runs(console, [run]), Tty()).split("\n")
    assert first.startswith("20261121-054712-ab12  b")
    assert second == "    Four causes explain 78 of 79 bad cells · re-run of 1"
    assert max(len(first), len(second)) <= columns


def test_no_runs_are_said_to_be_none() -> None:
    assert written(lambda console: print_runs(console, [])) == "There are no runs yet.\n"


def test_agents_come_with_those_that_are_left_out_and_why() -> None:
    agent = Agent("1", "London", AgentType.CLOUD, "GB", "London, England", labels=("eu", "core"))
    offline = Agent("2", "branch-07", AgentType.ENTERPRISE, state=AgentState.OFFLINE)
    output = written(lambda console: print_agents(console, [agent], [(offline, "the agent is offline")]))
    assert output.split("\n") == [
        "id  name    type   country  location         state    labels",
        "1   London  cloud  GB       London, England  unknown  eu, core",
        "1 agent",
        "1 left out",
        "  2  branch-07  the agent is offline",
        "",
    ]


def test_an_explanation_tells_the_story_of_a_test_in_order(make: Make) -> None:
    at = make.started
    network: dict[str, Json] = {"layer": "network"}
    events = [
        make.event(at + 1, "waited", **{"for": "instant_test"}, seconds=41.0),
        make.event(at + 42, "intended", name="branch-sweep web"),
        make.event(at + 42, "limited", budget="instant_test"),
        make.event(at + 43, "created", test_id="77", status=201),
        make.event(at + 60, "look", **network, rows=1, of=2, status="rows", stale=2),
        make.event(at + 61, "look", **network, status="failed", detail="status 502: bad gateway"),
        make.event(at + 70, "look", **network, rows=2, of=2, complete=True, status="rows"),
        make.event(at + 71, "closed", state="timed_out"),
        make.event(at + 72, "thawed", by="sun"),
    ]
    cell = make.cell(state=CellState.PARTIAL, verdict=Verdict.PARTIAL, reasons=("http-server has no row",))
    assert explanation(make.run(), make.test(state=SpecState.PARTIAL), events, [cell]) == [
        "test aaaa00000001: web, http-server, portal",
        "  2 agents, layers http-server, network",
        "  name branch-sweep web portal [aaaa00000001], test id 281474976710706",
        "  run 20261121-054712-ab12 of branch-sweep, started 2026-11-21 05:47:12 UTC",
        "",
        "  partial: some answers had not come at its deadline",
        "  branch-01: partial, partial: http-server has no row",
        "",
        "  05:47:12 UTC          +0 s  planned",
        "  05:47:13 UTC          +1 s  waited 41 s for the instant-test budget",
        "  05:47:54 UTC         +42 s  creation sent, named branch-sweep web",
        "  05:47:54 UTC         +42 s  refused by a limit (429), the instant-test budget; queued again",
        "  05:47:55 UTC         +43 s  created as test 77, status 201",
        "  05:48:12 UTC        +1 min  looked at network: 1 of 2 agents answered, 2 rows of an earlier round",
        "  05:48:13 UTC    +1 min 1 s  looked at network: status 502: bad gateway",
        "  05:48:22 UTC   +1 min 10 s  looked at network: 2 of 2 agents answered, complete",
        "  05:48:23 UTC   +1 min 11 s  closed as timed out",
        "  05:48:24 UTC   +1 min 12 s  thawed: by sun",
        "",
        "  waited 41 s for the instant-test budget",
    ]


def test_a_limit_tells_what_was_limited_and_when_it_opens(make: Make) -> None:
    event = make.event(make.started, "limited", layer="network", until=make.started + 48)
    told = steps(make.run(), make.test(), [event])[1].text
    assert told == "refused by a limit (429), a look at network, opens at 05:48:00 UTC; queued again"


def test_an_explanation_of_a_cell_tells_how_far_its_paths_came(make: Make) -> None:
    far = Hop(4, "192.0.2.9", rdns="r9.example", network="AS 1", time=31.5)
    paths = (
        Path("7", (Hop(1, "192.0.2.1"), far, Hop(5), Hop(6))),
        Path(None, (Hop(1), Hop(2))),
        Path("9", (Hop(1, "192.0.2.1", rdns="192.0.2.1"),)),
    )
    answers = [make.row(agent_id="1001", paths=paths).answer, make.row(agent_id="2", paths=paths).answer]
    lines = explanation(make.run(), make.test(), [], [make.cell(agent="branch-01")], answers)
    assert [line for line in lines if "path" in line] == [
        "    path 7: hop 4 was the last that answered, r9.example (192.0.2.9, AS 1), 31.5 ms, 2 more did not",
        "    a path: no hop answered",
        "    path 9: hop 1 was the last that answered, 192.0.2.1",
    ]
    assert not any("path" in line for line in explanation(make.run(), make.test(), [], [], answers))


async def test_the_summary_tells_how_many_paths_came_where_any_is_missing(make: Make) -> None:
    async def show(paths: Paths) -> str:
        found = await overview_of(make.run(), make.counts(paths=paths))
        return written(lambda console: print_summary(console, found))

    shown = [await show(Paths(396, 192)), await show(Paths(396, 396))]
    assert ["  paths     192 of 396 came" in text.split("\n") for text in shown] == [True, False]
    assert "paths" not in shown[1]


def test_without_events_the_record_tells_the_times(make: Make) -> None:
    text = "\n".join(explanation(make.run(), make.test(), []))
    for part in ("creation sent", "created as test 281474976710706", "closed as complete"):
        assert part in text


def test_a_wait_that_was_told_twice_counts_once(make: Make) -> None:
    told = (("pacer", 2.5), ("pacer", 4.0), ("wip", 2.5))
    events = [make.event(0, "waited", **{"for": name}, seconds=seconds) for name, seconds in told]
    assert waits(events) == {"pacer": 4.0, "wip": 2.5}


def snapshot(**changes: object) -> Standing:
    values: dict[str, object] = {
        "planned": 40, "created": 10, "open": 8, "closed": 2, "answers": 55, "errors": 1,
        "organization": BudgetStanding(240, 180, 22.0), "instant_test": BudgetStanding(24, 0, 22.0, others=3),
        "eta_seconds": 130.0, "waiting_for": "instant_test", "elapsed": 30.0,
    }  # fmt: skip
    return Standing(**{**values, **changes})  # type: ignore[arg-type] # a builder for tests


def test_without_a_terminal_progress_is_plain_lines_at_intervals() -> None:
    stream = io.StringIO()
    progress = Progress(stream, "sweep")
    progress.start()
    for elapsed in range(30):
        progress.update(snapshot(elapsed=float(elapsed)))
    progress.stop()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[1] == (
        "sweep: 10 s, created 10 of 40, 8 waiting, 2 done, 55 answers, 1 error, instant tests 0/24 left "
        "(resets in 22 s), organization 180/240 left (resets in 22 s), waiting for the instant-test budget, "
        "about 2 min 10 s left"
    )


def test_a_milestone_is_told_at_once() -> None:
    stream = io.StringIO()
    progress = Progress(stream, "sweep")
    progress.update(snapshot(elapsed=0.0))
    progress.update(snapshot(elapsed=1.0, created=40))
    progress.update(snapshot(elapsed=2.0, created=40))
    progress.update(snapshot(elapsed=3.0, created=40, closed=40, open=0))
    assert [line.split(",")[0] for line in stream.getvalue().splitlines()] == [
        "sweep: 0 s",
        "sweep: 1 s",
        "sweep: 3 s",
    ]


def test_quiet_prints_nothing_but_what_is_important() -> None:
    stream = Tty()
    progress = Progress(stream, "sweep", quiet=True)
    progress.start()
    progress.update(snapshot())
    progress.message("resolved 12 agents")
    progress.message("stopping", important=True)
    progress.stop()
    assert stream.getvalue() == "sweep: stopping\n"


def test_on_a_terminal_the_view_shows_counts_budgets_and_what_is_waited_for() -> None:
    stream = Tty()
    progress = Progress(stream, "sweep \x1b[2J", live=True, color=False)
    progress.start()
    progress.update(snapshot())
    shown = stream.getvalue()
    progress.message("one \x1b[2J message")
    progress.stop()
    progress.stop()
    parts = (
        *(
            "10 of 40",
            "2 of 40",
            "8 tests waiting",
            "55 answers",
            "1 error",
            "180/240",
            "about 2 min 10 s left",
        ),
        *("0/24 left (resets in 22 s), others spend 3 a window", "waiting for the instant-test budget"),
    )
    for part in parts:
        assert part in shown, f"{part!r} is not in the live view"
    assert "\x1b[2J" not in stream.getvalue()
    assert "one \\x1b[2J message" in stream.getvalue()


def test_budgets_that_were_not_seen_are_said_to_be_so() -> None:
    stream = io.StringIO()
    progress = Progress(stream, "sweep")
    progress.update(
        snapshot(
            organization=BudgetStanding(None, None, None),
            instant_test=BudgetStanding(24, 1, None, blind=True),
        )
    )
    assert "instant tests limits not told, organization limits not seen yet" in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((None, "-"), (0.0, "0 s"), (0.44, "0.4 s"), (9.0, "9 s"), (59.6, "1 min"), (125.0, "2 min 5 s")),
        *((7200.0, "2 h"), (3599.6, "1 h"), (float("inf"), "-")),
    ],
)
def test_durations_read_as_one_would_say_them(seconds: float | None, text: str) -> None:
    assert span(seconds) == text


def test_times_are_utc_and_say_so(make: Make) -> None:
    assert utc(make.started) == "2026-11-21T05:47:12Z"
    assert utc(float("nan")) is None


async def test_a_good_run_takes_two_lines(make: Make) -> None:
    run = make.run(finished=make.started + 73, state=RunState.COMPLETE, exit_code=0)
    found = await overview_of(run, cells=[make.cell(agent_id=str(n)) for n in range(4)])
    assert written(lambda console: print_summary(console, found)).split("\n") == [
        "✓ branch-sweep  All 4 cells pass  exit 0",
        "  1 test, 1 min 13 s, about 0 units, run 20261121-054712-ab12",
        "",
    ]


async def test_what_is_still_open_is_called_open_and_not_timed_out(make: Make) -> None:
    run = make.run(state=RunState.INTERRUPTED, facts={})
    counts = make.counts(
        tests={SpecState.WAITING: 2, SpecState.TIMED_OUT: 1},
        cells={CellState.PENDING: 4, CellState.MISSING: 2},
        verdicts={Verdict.NO_ANSWER: 2},
        pending_sent=4,
    )
    missing = [make.cell(agent_id=f"{n}", state=CellState.MISSING, verdict=Verdict.NO_ANSWER) for n in (1, 2)]
    pending = [make.cell(agent_id=f"{n}", state=CellState.PENDING, verdict=None) for n in (3, 4, 5, 6)]
    found = await overview_of(run, counts, [*missing, *pending])
    text = written(lambda console: print_summary(console, found, verbose=True))
    assert text.startswith("… branch-sweep  So far: 2 of 2 cells have no answer; 4 cells open  interrupted")
    assert "1 timed out, 2 open" in text
    assert "6 planned: 2 missing, 4 open" in text
    assert "2 no-answer, 4 open" in text
    assert "3 tests: 1 timed out, 2 open" in ticket(found), "two reports, two stories"


async def test_a_simulated_run_is_called_so_wherever_people_read_of_it(make: Make) -> None:
    run = make.run(settings=RunSettings(simulated=True))
    found = await overview_of(run, make.counts())
    assert ", simulated" in written(lambda console: print_summary(console, found))
    assert "simulated" in written(lambda console: print_runs(console, [run]))
    assert "(simulated)" in ticket(found).splitlines()[0]
