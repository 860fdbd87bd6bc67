"""The screen of a diagnosis: at most twelve lines within the terminal; elsewhere a line for each change."""

from __future__ import annotations

import io

import pytest
from diagnosis_worlds import FAIL, OPEN, PASS, SILENT, found
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from orchestrator.diagnosis.course import Moment
from orchestrator.diagnosis.picture import Cost, Picture, picture
from orchestrator.model import Verdict
from orchestrator.terminal.diagnosis import MOST_LINES, Screen, clock, line, lines

COST = Cost(3, 16, 0.17, 2.0)
WIDTHS = (60, 80, 120)
HOSTILE = "https://shop.example.com/\x1b[2J\u202e\n" + "x" * 300


def seen(verdicts: list[Verdict | None], *, elapsed: float = 41.0, target: str | None = None) -> Picture:
    whole = found(verdicts) if target is None else found(verdicts, target=target)
    return picture(whole, Moment(elapsed, 2.0), COST)


def text(made: Picture, width: int) -> list[str]:
    return ["".join(part for part, _ in one) for one in lines(made, width)]


@pytest.mark.parametrize("width", WIDTHS)
def test_it_says_what_is_known_how_long_it_has_and_who_looked(width: int) -> None:
    told = text(seen([FAIL] * 12), width)
    whole = " ".join(" ".join(one.split()) for one in told)
    assert "0:41 of 3:00" in whole
    assert "3 tests, 16 agents, 0.17 units of 2" in whole
    assert "fails from every agent: 12 of 12" in whole
    assert "[clear]" in whole
    assert "GB C" in whole
    assert whole.count(" C ") + whole.endswith(" C") >= 11


verdicts = st.lists(st.sampled_from([FAIL, PASS, OPEN, SILENT]), min_size=1, max_size=40)


@given(verdicts=verdicts, width=st.sampled_from([*WIDTHS, 40, 200]), hostile=st.booleans())
@settings(max_examples=60, deadline=None)
def test_whatever_is_known_it_fits(verdicts: list[Verdict | None], width: int, hostile: bool) -> None:
    told = text(seen(verdicts, target=HOSTILE if hostile else None), width)
    assert len(told) <= MOST_LINES
    for one in told:
        assert cell_len(one) <= width
        assert "\x1b" not in one
        assert "\u202e" not in one
        assert "\n" not in one


def test_without_a_terminal_there_is_a_line_for_each_change_and_none_for_each_second() -> None:
    stream = io.StringIO()
    screen = Screen(stream)
    screen.start("6b0877f07da67c22")
    for second in range(20):
        screen.update(seen([OPEN] * 12, elapsed=float(second)))
    for second in range(20, 40):
        screen.update(seen([FAIL] * 12, elapsed=float(second)))
    screen.stop()
    first, *told = stream.getvalue().splitlines()
    assert "orchestrator show 6b0877f07da67c22" in first
    assert len(told) == 2
    assert told[0].startswith("0:00 ")
    assert told[1].startswith("0:20 ")


def test_quiet_shows_nothing_but_a_stop() -> None:
    stream = io.StringIO()
    screen = Screen(stream, quiet=True)
    screen.start("6b0877f07da67c22")
    screen.update(seen([FAIL] * 12))
    assert stream.getvalue() == ""
    screen.message("SIGINT: no more creations")
    assert stream.getvalue() == "SIGINT: no more creations\n"


def test_a_reader_that_has_gone_ends_nothing() -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    screen = Screen(Gone())
    screen.start("6b0877f07da67c22")
    screen.update(seen([FAIL] * 12))


def test_a_secret_in_a_text_is_masked() -> None:
    told = line(seen([FAIL] * 12), lambda one: one.replace("shop", "***"))
    assert "***.example.com" in told
    assert "shop" not in told


def test_times_are_minutes_and_seconds() -> None:
    assert [clock(one) for one in (0, 9.9, 61, 600)] == ["0:00", "0:09", "1:01", "10:00"]
