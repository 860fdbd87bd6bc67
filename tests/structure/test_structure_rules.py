"""Each line of ``house_rules`` holds, and a broken import of each kind is seen."""

from __future__ import annotations

import ast
from functools import cache

import pytest
from house_rules import IO_LIBRARIES, PURE, RULES, Rule, inside
from import_graph import Import, imports, modules

KNOWN = modules()
IMPORTS = imports()
LIBRARIES = IO_LIBRARIES | {"sys", "psycopg"}
IDS = [rule.sentence for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_the_house_is_as_its_rules_say(rule: Rule) -> None:
    assert not rule.broken_by(IMPORTS, KNOWN)


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_a_broken_import_is_seen_for_each_forbidden_place(rule: Rule) -> None:
    for place in rule.whom:
        for who in rule.who:
            stranger, target = _stranger_in(who), _name(place)
            # Nobody imports the stranger, so what it breaks begins in it.
            broken = rule.broken_by([*IMPORTS, Import(stranger, target, 7, lazy=True)], KNOWN, [stranger])
            assert broken == {f"{stranger} -> {target} (line 7)"}, (who, place)


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_a_way_through_a_friend_is_seen_where_the_rule_means_it(rule: Rule) -> None:
    stranger, target = _stranger_in(rule.who[0]), _name(rule.whom[0])
    friend = "orchestrator.records"  # may import nothing of this, and whoever imports it is not to blame
    broken = _added(rule, Import(stranger, friend, 3, lazy=False), Import(friend, target, 4, lazy=True))
    way = f"{stranger} -> {friend} -> {target} (line 4)"
    assert (way in broken) == rule.through_others


def _added(rule: Rule, *more: Import) -> set[str]:
    return rule.broken_by([*IMPORTS, *more], KNOWN) - _broken(rule)


@cache
def _broken(rule: Rule) -> frozenset[str]:
    return frozenset(rule.broken_by(IMPORTS, KNOWN))


def _name(place: str) -> str:
    return place if place in LIBRARIES else f"orchestrator.{place}"


def test_no_rule_speaks_of_a_room_that_is_gone() -> None:
    to_come = {"worker", "web", "store.postgres", "__main__"}
    rooms = {room for rule in RULES for room in (*rule.who, *rule.but)} - to_come - {""}
    gone = [room for room in rooms if not any(inside(module, (room,)) for module in KNOWN)]
    assert not gone


def test_a_pure_room_reads_no_clock_and_draws_no_randomness() -> None:
    """``Random`` may be named as the type of what is passed in; making one is for ``app``."""
    pure = [module for module in KNOWN if inside(module, PURE)]
    drawn = [
        str(one)
        for one in IMPORTS
        if inside(one.module, PURE)
        and one.name.partition(".")[0] in {"time", "secrets", "random"}
        and one.name != "random.Random"
    ]
    wanted = ("Random", "datetime.now", "datetime.utcnow", "date.today")
    assert not drawn + [call for module in pure for call in _calls(module, *wanted)]


def test_there_is_one_clock() -> None:
    """``log`` stamps its lines by the wall; nothing is decided by that."""
    readers = [
        str(one)
        for one in IMPORTS
        if one.name.partition(".")[0] == "time"
        and one.module not in {"orchestrator.clock", "orchestrator.listeners.log"}
        and not inside(one.module, ("simulator",))
    ]
    assert not readers
    loops = [
        call
        for module in KNOWN
        if module != "orchestrator.clock"
        for call in _calls(module, "*.time", "datetime.now")
    ]
    assert not loops


def test_a_command_that_begins_to_work_has_the_collector_on() -> None:
    """``__main__`` loads commands without it; work that lasts must not go on so."""
    for module in [module for module in KNOWN if inside(module, ("cli",))]:
        begun = _calls(module, "anyio.run", "asyncio.run")
        assert len(_calls(module, "gc.enable")) >= len(begun), begun


def _calls(module: str, *wanted: str) -> list[str]:
    found: list[str] = []
    source = KNOWN[module].read_text("utf-8")
    if not any(name.rpartition(".")[2] in source for name in wanted):
        return found  # most say none of these words: they need not be parsed
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in wanted or ("*.time" in wanted and called.endswith(("loop().time", "loop.time"))):
            found.append(f"{module}:{node.lineno} calls {called}")
    return found


def _stranger_in(room: str) -> str:
    return f"orchestrator.{room}.stranger" if room else "orchestrator.stranger"
