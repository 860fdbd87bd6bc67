"""What is told when: each row of the table, and what must hold whatever the runs show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.notices import machine
from orchestrator.notices.kept import dump, load
from orchestrator.notices.machine import step
from orchestrator.notices.values import (
    CALM,
    CELL,
    INCOMPLETE,
    LONGEST_CALM,
    Cause,
    Change,
    Event,
    Key,
    Seen,
    State,
)

CRM = Key("target", ("web", "crm"), "application")
OSLO = Key("agent", ("9",), "network")
NORWAY = Key("country", ("NO",), "network")
CELLS = [Key(CELL, ("web", f"t{number}", "1")) for number in range(60)]


def run(
    number: int,
    *causes: Key | Cause,
    alone: Iterable[Key] = (),
    code: int | None = None,
    confirmed: Iterable[Key] = (),
    part: bool = False,
) -> Seen:
    """The run of an hour."""
    told = tuple(one if isinstance(one, Cause) else Cause(one, one.value[-1]) for one in causes)
    isolated = {key: key.value[1] for key in alone}
    found = code if code is not None else int(bool(told or isolated))
    return Seen(
        run=str(number),
        at=3600.0 * number,
        code=found,
        complete=found in {0, 1} and not part,
        counts=not part,
        causes=told,
        isolated=isolated,
        confirmed=frozenset(confirmed),
        judged=60,
        urgent=found in {4, 6},
    )


def played(runs: Iterable[Seen]) -> Iterator[Change]:
    """What each run changes, one after the other, each state through the store."""
    state = State()
    for seen in runs:
        change = step(state, seen)
        yield change
        state = load(dump(change.after))
        assert state == change.after


def told(*runs: Seen) -> list[str]:
    """What is told of each run; a dot for nothing."""
    return [change.event.value if change.event else "." for change in played(runs)]


def of(*shown: tuple[Key, ...], start: int = 0) -> list[Seen]:
    """Runs that show these causes."""
    return [run(start + number, *keys) for number, keys in enumerate(shown)]


def test_a_cause_is_told_at_once_and_once() -> None:
    assert told(*of((), (CRM,), (CRM,), (CRM,))) == [".", "bad", ".", "."]


def test_a_first_run_that_is_bad_is_told() -> None:
    assert told(*of((CRM,), (CRM,))) == ["bad", "."]


def test_what_lasted_is_over_with_the_first_run_without_it() -> None:
    changes = [*played(of((), (CRM,), (CRM,), (CRM,), ()))]
    assert changes[-1].event is Event.RECOVERED
    assert changes[-1].before.since == 3600.0


def test_what_was_short_is_over_with_the_second_run_without_it() -> None:
    assert told(*of((CRM,), (), ())) == ["bad", ".", "recovered"]
    assert told(*of((CRM,), (), (CRM,), ())) == ["bad", ".", ".", "."]


def test_what_is_new_and_what_is_over_come_in_one_message() -> None:
    *_, last = played(of((CRM,), (CRM,), (CRM,), (OSLO,)))
    assert last.event is Event.CHANGED
    assert [one.key for one in last.new] == [OSLO]
    assert [one.key for one in last.over] == [CRM]


def test_two_causes_that_end_apart_recover_once() -> None:
    runs = of((CRM, OSLO), (CRM, OSLO), (CRM, OSLO), (CRM,), ())
    assert told(*runs) == ["bad", ".", ".", "changed", "recovered"]


@pytest.mark.parametrize("second", [CELLS[:1], CELLS[:3]])
def test_a_cell_that_fails_alone_is_told_when_the_next_run_has_it_too(second: list[Key]) -> None:
    assert told(run(0), run(1, alone=CELLS[:1]), run(2, alone=second)) == [".", ".", "bad"]


def test_other_cells_that_fail_alone_in_the_next_run_are_chance() -> None:
    assert told(*(run(number, alone=[CELLS[number]]) for number in range(40))) == ["."] * 40


def test_many_cells_that_fail_alone_are_told_with_the_second_run() -> None:
    runs = [run(number, alone=CELLS[10 * number : 10 * number + 6]) for number in range(3)]
    assert told(*runs) == [".", "bad", "."]


def test_a_cell_that_failed_again_when_it_was_run_again_is_told_at_once() -> None:
    assert told(run(0), run(1, alone=CELLS[:1], confirmed=CELLS[:1])) == [".", "bad"]


def test_a_possible_cause_is_told_with_the_second_run() -> None:
    possible = Cause(CRM, "crm", sure=False)
    assert told(run(0, possible), run(1, possible), run(2), run(3)) == [".", "bad", ".", "recovered"]


def test_a_cause_that_is_only_possible_now_goes_on() -> None:
    possible = Cause(CRM, "crm", sure=False)
    assert told(*of((CRM,), (CRM,), (CRM,)), run(3, possible), run(4)) == ["bad", ".", ".", ".", "recovered"]


def test_a_cause_that_is_called_otherwise_is_the_same() -> None:
    country = Cause(NORWAY, "NO", others=frozenset({(OSLO.kind, OSLO.value)}))
    assert told(*of((OSLO,), (OSLO,), (OSLO,)), run(3, country), run(4)) == [
        "bad",
        ".",
        ".",
        ".",
        "recovered",
    ]


def test_a_cause_on_another_layer_is_another_one() -> None:
    *_, last = played([*of((CRM,), (CRM,), (CRM,)), run(3, CRM._replace(level="dns"))])
    assert last.event is Event.CHANGED
    assert told(run(0, CRM), run(1, Cause(CRM._replace(level="both"), "crm", others=frozenset({CRM[:2]}))))[
        1:
    ] == ["."]


@pytest.mark.parametrize("code", [3, 143])
def test_an_incomplete_run_is_told_with_the_second_in_a_row(code: int) -> None:
    runs = [run(0), run(1, code=code), run(2, code=code), run(3, code=code), run(4)]
    assert told(*runs) == [".", ".", "incomplete", ".", "recovered"]
    assert told(run(0), run(1, code=code), run(2), run(3, code=code)) == ["."] * 4


@pytest.mark.parametrize("code", [4, 6])
def test_a_run_that_was_refused_is_told_at_once(code: int) -> None:
    assert told(run(0), run(1, code=code), run(2, code=code), run(3)) == [".", "incomplete", ".", "recovered"]


def test_an_incomplete_run_never_ends_a_bad_state() -> None:
    runs = [run(0, CRM), run(1, CRM), run(2, CRM), run(3, code=3), run(4, code=3), run(5)]
    assert told(*runs) == ["bad", ".", ".", ".", "incomplete", "recovered"]


def test_an_incomplete_run_tells_what_is_new() -> None:
    assert told(run(0, CRM), run(1, CRM, OSLO, code=3)) == ["bad", "changed"]


def test_bad_after_incomplete_is_bad() -> None:
    assert told(run(0, code=3), run(1, code=3), run(2, CRM)) == [".", "incomplete", "bad"]


def test_a_part_of_the_tests_never_tells_what_is_over_nor_that_a_run_is_incomplete() -> None:
    runs = [run(0, CRM), run(1, CRM), run(2, CRM), run(3, part=True), run(4, part=True, code=3)]
    assert told(*runs) == ["bad", ".", ".", ".", "."]
    assert told(run(0), run(1, OSLO, part=True)) == [".", "bad"]


def flaps(runs: int, start: int = 0, key: Key = OSLO) -> list[Seen]:
    return of(*((key,) if number % 2 == 0 else () for number in range(runs)), start=start)


def test_four_changes_in_eight_runs_are_flapping_told_once() -> None:
    assert told(*flaps(40)) == ["bad", ".", ".", ".", "flapping", *["."] * 35]
    assert told(run(99), *flaps(40)) == [".", "bad", ".", ".", "flapping", *["."] * 36]


@pytest.mark.parametrize(("shown", "end"), [((), "recovered"), ((OSLO,), "bad")])
def test_after_three_equal_runs_it_is_told_how_it_is(shown: tuple[Key, ...], end: str) -> None:
    quiet = of(*[shown] * 4, start=5)
    assert told(*flaps(5), *quiet)[5:] == [".", ".", end, "."] if not shown else [".", end, ".", "."]


def test_what_flaps_again_soon_is_waited_for_twice_as_long() -> None:
    runs = [*flaps(5), *of((), (), ()), *flaps(5), *of(*[()] * 7)]
    changes = [*played([run(number, *(one.key for one in seen.causes)) for number, seen in enumerate(runs)])]
    begun = [number for number, change in enumerate(changes) if change.event is Event.FLAPPING]
    over = [number for number, change in enumerate(changes) if change.over]
    assert len(begun) == 2
    last_seen = [4, 12]
    assert over == [last_seen[0] + CALM, last_seen[1] + 2 * CALM]


def test_what_flaps_hides_nothing_else() -> None:
    runs = flaps(30)
    runs[12:20] = [run(n, *(one.key for one in runs[n].causes), CRM) for n in range(12, 20)]
    found = told(*runs)
    assert [n for n, word in enumerate(found) if word != "."] == [0, 4, 12, 20]
    assert (found[12], found[20]) == ("bad", "recovered")


def test_runs_that_are_incomplete_in_turn_flap() -> None:
    runs = [run(number, code=3 if number % 2 else 0) for number in range(12)]
    assert told(*runs) == [".", ".", ".", ".", "flapping", *["."] * 7]


KEYS = [CRM, OSLO, NORWAY]
RUNS = st.lists(
    st.builds(
        lambda causes, alone, code: run(
            0, *(KEYS[n] for n in causes), alone=[CELLS[n] for n in alone], code=code
        ),
        st.sets(st.integers(0, 2)),
        st.sets(st.integers(0, 5), max_size=3),
        st.sampled_from([None, None, None, None, 3, 4]),
    ),
    max_size=40,
)


def in_turn(runs: list[Seen]) -> list[Seen]:
    return [
        Seen(
            str(n),
            3600.0 * n,
            one.code,
            one.complete,
            True,
            one.causes,
            one.isolated,
            judged=60,
            urgent=one.urgent,
        )
        for n, one in enumerate(runs)
    ]


@given(RUNS)
@settings(max_examples=150, deadline=None)
def test_what_is_wrong_was_told_and_what_was_told_is_wrong_until_it_is_told_over(runs: list[Seen]) -> None:
    open_: set[Key] = set()
    silent: set[Key] = set()
    for change in played(in_turn(runs)):
        new, over = {one.key for one in change.new}, {one.key for one in change.over}
        stayed, flapping = {one.key for one in change.stayed}, {one.key for one in change.flapping}
        assert not new & (open_ | silent), "told twice"
        assert over <= open_ | silent, "over, and never told"
        silent |= flapping
        open_ = (open_ | new | stayed) - over - flapping
        silent -= over | stayed
        assert open_ == {one.key for one in change.after.wrong}
        assert (change.event is None) == (not (new or over or stayed or flapping))


@given(RUNS)
@settings(max_examples=100, deadline=None)
def test_after_enough_good_runs_all_is_over(runs: list[Seen]) -> None:
    runs = in_turn([*runs, *(run(0) for _ in range(LONGEST_CALM))])
    *_, last = played(runs)
    assert not last.after.wrong
    assert not any(one.flapping for one in last.after.tracks)


@given(RUNS)
@settings(max_examples=100, deadline=None)
def test_an_incomplete_run_is_over_for_nothing_but_that_runs_are_incomplete(runs: list[Seen]) -> None:
    for seen, change in zip(in_turn(runs), played(in_turn(runs)), strict=True):
        assert seen.complete or not change.over
        assert not seen.complete or INCOMPLETE not in {one.key for one in change.after.wrong}


@pytest.mark.parametrize(
    ("name", "value", "broken"),
    [
        ("LONG", 1, test_what_was_short_is_over_with_the_second_run_without_it),
        ("LONG", 99, test_what_lasted_is_over_with_the_first_run_without_it),
        ("CHANGES", 3, test_four_changes_in_eight_runs_are_flapping_told_once),
        ("CHANGES", 6, test_four_changes_in_eight_runs_are_flapping_told_once),
        ("CALM", 2, test_what_flaps_again_soon_is_waited_for_twice_as_long),
        ("SHARE", 0.2, test_many_cells_that_fail_alone_are_told_with_the_second_run),
        ("SOON", 0, test_what_flaps_again_soon_is_waited_for_twice_as_long),
    ],
)
def test_a_rule_that_is_changed_is_noticed(
    name: str, value: float, broken: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, name, value)
    assert callable(broken)
    with pytest.raises(AssertionError):
        broken()
