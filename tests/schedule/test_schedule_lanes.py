"""A queue with a slow lane loses nobody and keeps the order on both sides."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.schedule.lanes import Lanes


@given(st.lists(st.integers(0, 3), max_size=30), st.lists(st.sets(st.integers(0, 3)), max_size=5))
def test_whoever_is_slow_all_are_served_once_in_their_order(kinds: list[int], slowed: list[set[int]]) -> None:
    now_slow: set[int] = set()
    lanes: Lanes[tuple[int, int]] = Lanes(lambda item: item[1] in now_slow)
    for place in enumerate(kinds):
        lanes.append(place)
    for slow in slowed:
        now_slow.clear()
        now_slow.update(slow)
        lanes.reassign()
        served = list(lanes)
        assert sorted(served) == list(enumerate(kinds))
        assert len(lanes) == len(kinds)
        behind = [item for item in served if item[1] in slow]
        assert served[len(served) - len(behind) :] == behind, "a slow one went before another"
        assert lanes.in_fast_lane == len(served) - len(behind)
    expected = list(lanes)
    assert lanes.first == (expected[0] if expected else None)
    assert [lanes.popleft() for _ in expected] == expected
    assert lanes.clear() == []
