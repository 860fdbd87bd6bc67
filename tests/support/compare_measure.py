"""How often a comparison is right: red where nothing changed, and planted changes that are named first."""

from __future__ import annotations

import random
from collections.abc import Mapping

from compare_worlds import HTTP_TIMES, ROUGH, Planted, Weather, compared_once
from insight_worlds import FLEET

from orchestrator.insight.values import Group

# The country with the most agents, and one of its agents.
_COUNTRY = "US"
_AGENT = next(agent.id for agent in FLEET if agent.country == _COUNTRY)


def _wait(factor: float) -> tuple[Planted, Group]:
    return (
        lambda _, target, part: factor if (target, part) == ("t3", "waitTime") else 1.0,
        Group("target", ("web", "t3")),
    )


def _agent(factor: float) -> tuple[Planted, Group]:
    return (
        lambda agent, _, part: factor if agent.id == _AGENT and part == "latency" else 1.0,
        Group("agent", (_AGENT,)),
    )


def _country(factor: float) -> tuple[Planted, Group]:
    return (
        lambda agent, _, part: factor if agent.country == _COUNTRY and part == "latency" else 1.0,
        Group("country", (_COUNTRY,)),
    )


def _everything(factor: float) -> tuple[Planted, Group]:
    return (
        lambda _agent, _target, part: factor if part == "latency" or part in HTTP_TIMES else 1.0,
        Group("run", ("run",)),
    )


PLANTED: Mapping[str, tuple[Planted, Group]] = {
    "wait x2 of a target": _wait(2.0),
    "wait x1.5 of a target": _wait(1.5),
    "latency x1.5 of an agent": _agent(1.5),
    "latency x2 of an agent": _agent(2.0),
    "latency x1.3 of a country": _country(1.3),
    "latency x1.5 of a country": _country(1.5),
    "everything x1.2": _everything(1.2),
}


def found_in(worlds: int, planted: tuple[Planted, Group], history: int, seed: str = "") -> float:
    """The share of rough worlds in which the planted group is named first."""
    factor, group = planted
    right = 0
    for number in range(worlds):
        told = compared_once(random.Random(f"{seed} {group} {history} {number}"), ROUGH, history, factor)
        right += bool(told.worse.told) and told.worse.told[0].group == group
    return right / worlds


def red_in(worlds: int, weather: Weather, history: int, seed: str = "", *, confirm: bool = False) -> int:
    """The number of worlds without a change at which the gate is red."""
    red = 0
    for number in range(worlds):
        lot = random.Random(f"{seed} {weather} {history} {number}")
        red += compared_once(lot, weather, history, confirm=confirm).judgement.exit_code != 0
    return red
