"""A month over the state machine: each incident is told once and ended once, in at most twelve messages."""

from __future__ import annotations

from collections import Counter

import pytest
from notice_month import INCIDENTS, MOST, ended, month

from orchestrator.notices import machine
from orchestrator.notices.kept import dump, load
from orchestrator.notices.machine import step
from orchestrator.notices.values import CELL, Cause, Change, Key, Seen, State

CELLS = 60
MONTHS = 4
SITE = Key("agent", ("site",), "network")


def key(incident: int) -> Key:
    return Key("target", ("web", f"t{incident}"), "network")


def cell(number: int) -> Key:
    return Key(CELL, ("web", f"t{number % 6}", f"a{number // 6}"))


def told(seed: int, flakes: float) -> list[Change]:
    """What is told of a month; the state goes through the store each time."""
    state, messages = State(), []
    for hour in month(seed, cells=CELLS, flakes=flakes):
        keys = [*(key(number) for number in sorted(hour.incidents)), *([SITE] if hour.site else ())]
        alone = {cell(number): f"cell {number}" for number in hour.flakes}
        causes = tuple(Cause(one, one.value[-1]) for one in keys)
        seen = Seen(
            str(hour.number),
            3600.0 * hour.number,
            int(bool(keys or alone)),
            causes=causes,
            isolated=alone,
            judged=CELLS,
        )
        change = step(state, seen)
        state = load(dump(change.after))
        if change.event is not None:
            messages.append(change)
    return messages


def counted(messages: list[Change], what: str) -> Counter[Key]:
    return Counter(one.key for change in messages for one in getattr(change, what))


@pytest.mark.parametrize("seed", range(8))
def test_each_incident_is_told_once_and_ended_once_in_twelve_messages(seed: int) -> None:
    messages = told(seed, flakes=0.001)
    new, over = counted(messages, "new"), counted(messages, "over")
    assert all(new[key(number)] == 1 for number in range(INCIDENTS))
    assert all(over[key(number)] == 1 for number in ended(seed))
    assert new[SITE] == 1
    assert counted(messages, "flapping")[SITE] == 1
    assert over[SITE] == 0
    assert len(messages) <= MOST


@pytest.mark.parametrize("flakes", [0.003, 0.01, 0.03])
def test_flakes_add_a_message_a_month_at_most_on_average(flakes: float) -> None:
    months = [told(seed, flakes) for seed in range(MONTHS)]
    for seed, messages in enumerate(months):
        new, over = counted(messages, "new"), counted(messages, "over")
        assert all(new[key(number)] == 1 for number in range(INCIDENTS))
        assert all(over[key(number)] == 1 for number in ended(seed))
    assert sum(map(len, months)) <= len(months) * (MOST + 1)


@pytest.mark.parametrize(("name", "value", "flakes"), [("LONG", 1, 0.0), ("CHANCE", 1.0, 0.01)])
def test_without_its_rules_a_month_has_more_messages(
    name: str, value: float, flakes: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, name, value)
    assert any(len(told(seed, flakes)) > MOST + 1 for seed in range(3))
