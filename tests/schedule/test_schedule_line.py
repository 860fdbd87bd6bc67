"""A line in which some wait behind the others loses nobody and keeps the order on both sides."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.schedule.lanes import Line


@given(st.lists(st.integers(0, 3), max_size=30), st.lists(st.sets(st.integers(0, 3)), max_size=5))
def test_whoever_is_last_all_are_served_once_in_their_order(
    kinds: list[int], suspected: list[set[int]]
) -> None:
    last: set[int] = set()
    line: Line[tuple[int, int]] = Line(lambda item: item[1] in last)
    for place in enumerate(kinds):
        line.append(place)
    for suspects in suspected:
        last.clear()
        last.update(suspects)
        line.sort_out()
        served = list(line)
        assert sorted(served) == list(enumerate(kinds))
        assert len(line) == len(kinds)
        behind = [item for item in served if item[1] in suspects]
        assert served[len(served) - len(behind) :] == behind, "a suspect went before another"
        assert line.in_front == len(served) - len(behind)
    expected = list(line)
    assert line.first == (expected[0] if expected else None)
    assert [line.popleft() for _ in expected] == expected
    assert line.clear() == []
