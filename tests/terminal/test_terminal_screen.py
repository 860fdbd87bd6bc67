"""What stands on a terminal: every line fits it, nothing hostile breaks a line, keys leave no debris."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fcntl import ioctl
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from insight_runs import PASSES, SILENT, How, expired, refused
from insight_worlds import FLEET, OSLO
from process_forked import signals_as_usual
from rich.cells import cell_len
from told_runs import LEFT_OUT, cell, told

from orchestrator.model import Agent
from orchestrator.records import RunState
from orchestrator.terminal.columns import AlignedRow, Columns
from orchestrator.terminal.console import make_console, table
from orchestrator.terminal.layout import wrapped
from orchestrator.terminal.summary import print_explained, print_summary

WIDTHS = (60, 80, 120)
hostile = st.text(st.characters(), max_size=40)
verdicts = st.sampled_from([PASSES, SILENT, LEFT_OUT, refused(), expired(), How(None, rows=())])


class Tty(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "dumb")  # no colours: what is left is what is read


def lines_at(width: int, show: object) -> list[str]:
    assert callable(show)
    out = Tty()
    console = make_console(out)
    console.width = width
    show(console)
    return out.getvalue().split("\n")


@settings(max_examples=40)
@given(
    names=st.lists(hostile, min_size=4, max_size=4),
    targets=st.lists(hostile, min_size=3, max_size=3),
    plan=hostile,
    how=st.lists(verdicts, min_size=12, max_size=12),
    verbose=st.booleans(),
)
async def test_every_line_of_a_summary_fits_whatever_the_names_are(
    names: list[str], targets: list[str], plan: str, how: list[How], verbose: bool
) -> None:
    agents = [Agent(f"i{n}", name, FLEET[n].type, country=names[0]) for n, name in enumerate(names)]
    cells = [
        cell(agent, target, how[n % 12], test=f"t{targets.index(target)}", reason=names[n % 4])
        for n, (agent, target) in enumerate((agent, target) for target in targets for agent in agents)
    ]
    found = await told(cells, agents, plan=plan, facts={"stopped": names[1]})
    for width in WIDTHS:
        for show in (
            lambda console: print_summary(console, found, verbose=verbose),
            lambda console: print_explained(console, found, cells=True),
        ):
            lines = lines_at(width, show)
            assert all(cell_len(line) <= width for line in lines), (width, max(lines, key=cell_len))
            assert all(line.isprintable() or not any(map(_moves, line)) for line in lines)


def _moves(char: str) -> bool:
    return ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0


def world(agent: Agent, target: str) -> How:
    """A target that is down, a silent agent, two cells that fail alone, an agent that is offline."""
    if agent.id == OSLO:
        return SILENT
    if agent.id == "a18":
        return LEFT_OUT
    if target == "crm.example.net":
        return expired()
    return refused() if (agent.id, target) in {("a02", "wiki"), ("a05", "mail")} else PASSES


BROKEN = [
    cell(agent, target, world(agent, target), reason="the agent is offline" if agent.id == "a18" else "")
    for target in ("portal", "wiki", "mail", "crm.example.net")
    for agent in FLEET
]
ENDED: dict[str, Any] = {"state": RunState.INCOMPLETE, "exit_code": 3}


async def test_at_120_columns_the_layer_and_the_certainty_stand_at_the_right_edge() -> None:
    found = await told(BROKEN, FLEET, **ENDED)
    lines = lines_at(120, lambda console: print_summary(console, found))
    head, first = lines[:2]
    silent = next(line for line in lines if line.startswith("  2 "))
    assert head.endswith("exit 3, incomplete")
    assert first.startswith("  1 crm.example.net fails from every agent that answered: 16 of 16  ")
    assert first.endswith("       TLS  clear")
    assert silent.startswith("  2 branch-09-oslo did not answer: 4 of 4 cells  ")
    assert len({len(head), len(first), len(silent)} | {len(silent.rstrip())}) == 1


async def test_below_90_columns_they_come_after_the_second_line() -> None:
    found = await told(BROKEN, FLEET, **ENDED)
    lines = lines_at(80, lambda console: print_summary(console, found))
    assert lines[:7] == [
        "✕ branch-sweep  Two causes explain 20 of 22 bad cells         exit 3, incomplete",
        "  1 crm.example.net fails from every agent that answered: 16 of 16",
        "      certificate has expired; the network to it is clean: loss at most 1 % in",
        "      16 of 16 cells; the same agents pass elsewhere: 46 cells · TLS, clear",
        "  2 branch-09-oslo did not answer: 4 of 4 cells",
        "      other agents answer for every target · agent side, clear",
        "  2 more without a common cause: wiki from agent 02 (connect), mail from agent",
    ]
    narrow = lines_at(60, lambda console: print_summary(console, found))
    assert " ".join(" ".join(narrow[:12]).split()).startswith("✕ branch-sweep Two causes explain")
    at = narrow.index("Next")
    assert narrow[at + 1 : at + 4] == [
        "  every bad cell",
        "    orchestrator results 20261121-054712-ab12 --verdict \\",
        "      fail --verdict no-answer",
    ]


async def test_no_more_than_five_explanations_are_shown_and_the_rest_is_named() -> None:
    down = [f"t{n}.example.com" for n in range(6)]
    targets = [*down, *(f"good{n}" for n in range(20))]
    cells = [
        cell(agent, target, expired() if target in down else PASSES) for target in targets for agent in FLEET
    ]
    found = await told(cells, FLEET, state=RunState.COMPLETE, exit_code=1)
    assert len(found.points) > 5
    numbered = re.compile(r"  \d ")
    lines = lines_at(120, lambda console: print_summary(console, found))
    assert sum(bool(numbered.match(line)) for line in lines) == 5
    more = "1 explanation" if len(found.points) == 6 else f"{len(found.points) - 5} explanations"
    assert f"  and {more} more: orchestrator explain 20261121-054712-ab12" in lines
    every = lines_at(120, lambda console: print_explained(console, found))
    assert sum(bool(numbered.match(line)) for line in every) == len(found.points)


@pytest.mark.parametrize(
    ("sent", "waited", "told_of"),
    [
        ({"creations": 4, "reads": 9}, 0.0, set()),
        ({"creations": 4, "reads": 9, "refused_429": 1}, 0.0, {"requests"}),
        ({"creations": 4, "reads": 9, "errors": 2}, 0.0, {"requests"}),
        ({"creations": 4, "reads": 9}, 39.0, set()),
        ({"creations": 4, "reads": 9}, 40.0, {"waited"}),
    ],
)
async def test_requests_and_waits_appear_by_themselves_only_where_they_are_odd(
    sent: dict[str, int], waited: float, told_of: set[str]
) -> None:
    facts = {"requests": sent, "waits": {"instant_test": waited}}
    found = await told(BROKEN, FLEET, facts=facts, **ENDED)  # it took 197 s
    odd = {line.split()[0] for line in lines_at(120, lambda c: print_summary(c, found)) if line.strip()}
    assert odd & {"requests", "waited", "budget", "units"} == told_of
    asked = {
        line.split()[0] for line in lines_at(120, lambda c: print_summary(c, found, verbose=True)) if line
    }
    assert {"requests", "cells", "verdicts", "tests"} <= asked


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
async def test_a_stream_that_lacks_the_signs_gets_plain_ones(encoding: str) -> None:
    found = await told(BROKEN, FLEET, **ENDED)
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    print_summary(make_console(out), found)
    out.flush()
    assert isinstance(out.buffer, io.BytesIO)
    assert out.buffer.getvalue().decode(encoding).startswith("x branch-sweep  Two causes explain")


@given(text=st.text(st.characters(), max_size=200), width=st.integers(20, 120), indent=st.integers(0, 6))
def test_wrapped_text_fits_and_loses_nothing_but_blanks(text: str, width: int, indent: int) -> None:
    text = "".join(char for char in text if char.isprintable() and cell_len(char) > 0)
    lines = wrapped(text, width, indent=indent, hang=indent + 2)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(st.lists(st.lists(st.text("abc .-", max_size=30), min_size=4, max_size=4), min_size=1, max_size=5))
def test_a_table_breaks_no_word_that_has_room(rows: list[list[str]]) -> None:
    out = Tty()
    console = make_console(out)
    console.width = 80
    table(console, ("run", "plan", "state", "took"), rows)
    words = {word for row in rows for word in "".join(f"{one} " for one in row).split()}
    longest = sum(max((len(w) for row in rows for w in row[n].split()), default=5) for n in range(4))
    if longest + 6 <= 74:
        assert words <= set(out.getvalue().split())


@given(st.lists(st.lists(hostile, min_size=4, max_size=4), min_size=1, max_size=4), st.sampled_from(WIDTHS))
def test_streamed_columns_fit_the_width(rows: list[list[str]], width: int) -> None:
    shown = [[text if text.isprintable() else "?" for text in row] for row in rows]
    columns = Columns(("target", "agent", "verdict", "answer"), width)
    for row in shown:
        columns.learn(row)
    columns.fit()
    for row in shown:
        assert all(cell_len(line) <= width for line in columns.line(AlignedRow(row)).split("\n"))


# -- a real terminal -----------------------------------------------------------------------------------------


@dataclass
class Terminal:
    """A command on a terminal of its own, and what it has written there so far."""

    process: subprocess.Popen[bytes]
    master: int
    slave: int
    text: str = field(default="")

    def until(self, wanted: str, seconds: float = 60.0) -> str:
        """Read until something is there, or the command has ended."""
        end = time.monotonic() + seconds
        while wanted not in self.text and time.monotonic() < end:
            self._read(0.2)
            if self.process.poll() is not None:
                self._read(0.0)
                break
        return self.text

    def _read(self, seconds: float) -> None:
        while select.select([self.master], [], [], seconds)[0]:
            with suppress(OSError):
                self.text += os.read(self.master, 65536).decode("utf-8", "replace")
                seconds = 0.0
                continue
            return

    @property
    def echoes(self) -> bool:
        """Whether keys are echoed."""
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def ended(self) -> int:
        """The exit code, once all is read."""
        while self.process.poll() is None:
            self._read(0.1)
        self._read(0.0)
        return self.process.returncode


def _without_size() -> dict[str, str]:
    """The environment, but for what would say another width than the terminal's own."""
    return {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}


def _own_terminal() -> None:
    signals_as_usual()
    ioctl(0, termios.TIOCSCTTY, 0)


@contextmanager
def on_a_terminal(words: Sequence[str], columns: int, store: Path) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", *words],
        stdin=slave, stdout=slave, stderr=slave,
        env={**_without_size(), "TERM": "xterm", "NO_COLOR": "1", "ORCHESTRATOR_STORE": str(store)},
        start_new_session=True,
        preexec_fn=_own_terminal,  # noqa: PLW1509 - no thread has begun here
    )  # fmt: skip
    try:
        yield Terminal(process, master, slave)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(slave)
        os.close(master)


PLAN = """
version: 1
name: typed
tests:
  - name: web
    type: http-server
    targets: [https://www.example.com, https://down.example.com]
    agents: {type: enterprise, name: "branch-0*"}
    expect: [http-server.responseCode == 200]
"""


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "typed.yaml"
    path.write_text(PLAN)
    return path


@pytest.mark.parametrize("way", ["to its end", "stopped", "left at once"])
def test_keys_are_not_echoed_into_the_live_view_and_are_again_afterwards(plan: Path, way: str) -> None:
    # Slow enough to be still going on when the keys come; the signal ends it, but for the first case.
    speed = "60" if way == "to its end" else "2"
    words = ["run", str(plan), "--simulate", "--speed", speed, "--grace", "0"]
    with on_a_terminal(words, 80, plan.parent / "o.db") as shown:
        assert shown.echoes
        assert "created" in shown.until("created")
        assert not shown.echoes
        os.write(shown.master, b"qzxqzx\r")
        if way != "to its end":
            shown.process.send_signal(signal.SIGINT)
        if way == "left at once":
            shown.until("once more")
            shown.process.send_signal(signal.SIGINT)
        code = shown.ended()
        assert code == (1 if way == "to its end" else 130), shown.text
        assert shown.echoes, "the terminal is as it was"
        assert "qzx" not in shown.text, "no debris"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one run, in which a host is down."""
    folder = tmp_path_factory.mktemp("screen")
    (folder / "typed.yaml").write_text(PLAN)
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "run", "-q", str(folder / "typed.yaml"), "--simulate",
         "--store", str(folder / "o.db")],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert b"One cause explains" in done.stderr, "quiet tells the one screen where something is wrong"
    assert done.stdout == b""
    return folder / "o.db"


@pytest.mark.parametrize("columns", WIDTHS)
def test_what_is_printed_fits_a_real_terminal(store: Path, columns: int) -> None:
    commands = (
        "show",
        "runs",
        "results last --cells",
        "results last",
        "explain last --cells",
        "show --verbose",
    )
    for words in commands:
        with on_a_terminal(words.split(), columns, store) as shown:
            assert shown.ended() == 0, shown.text
            lines = shown.text.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()
            assert len(lines) > 1
            assert max(map(cell_len, lines)) <= columns, f"{words}: {max(lines, key=cell_len)!r}"
            assert "\x1b" not in "".join(lines), "NO_COLOR is heeded but for bold"
