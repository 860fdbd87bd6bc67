"""What a pass proves: only the levels that its kind of test comes to; and where a path ends at a target."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import make_answer, make_spec
from insight_runs import CLEAN, PASSES, How, fails, hops, looked, observed, row
from insight_worlds import FLEET, OSLO

from orchestrator.insight.groups import levels_of
from orchestrator.insight.values import Observed, Trouble
from orchestrator.model import Agent, AnswerStatus
from orchestrator.testtypes import TEST_TYPES

DEAD = fails(Trouble("http-server", "Connect: timed out", error_type="connect"))
NAMES = ("dns-trace",)


def name(agent: Agent, target: str) -> Observed:
    """The cell of a test that only resolves, and that passes."""
    spec = make_spec(f"names-{target}", type="dns-trace", test="names", target=target, layers=NAMES)
    rows = (make_answer("dns-trace", agent.id, metrics={"finalQueryTime": 9}),)
    made = observed(agent, target, How(rows=rows), test="names")
    return made._replace(spec=spec, record=made.record._replace(type="dns-trace", spec=spec.key))


@pytest.mark.parametrize("type_name", list(TEST_TYPES))
def test_every_type_comes_to_the_levels_of_its_layers(type_name: str) -> None:
    levels = levels_of(TEST_TYPES[type_name].layers)
    if type_name.startswith("dns-t") or type_name == "dnssec":
        assert levels == (1, 5)
    elif type_name in {"agent-to-server", "agent-to-agent", "dns-server"}:
        assert levels == (1, 2, 4, 5)
    else:
        assert levels == (1, 2, 3, 4, 5)


def test_a_name_that_is_resolved_says_nothing_of_connecting() -> None:
    """The host is dead and its name is known: it is the host in each of 36 cells, and not 36 of 54."""
    dead, alive = "dead.example.com", "alive.example.com"
    cells = [observed(agent, dead, DEAD, test=test) for agent in FLEET for test in ("web", "deep")]
    cells += [observed(agent, alive, PASSES, test=test) for agent in FLEET for test in ("web", "deep")]
    cells += [name(agent, dead) for agent in FLEET]
    (cause,) = looked(cells).explanations
    assert (cause.group.kind, cause.group.value) == ("host", (dead,))
    assert (cause.bad, cause.known) == (36, 36)


def test_an_agent_whose_names_resolve_is_alive_all_the_same() -> None:
    oslo = next(agent for agent in FLEET if agent.id == OSLO)
    targets = ("a.example", "b.example", "c.example", "d.example")
    cells = [observed(agent, one, DEAD if agent is oslo else PASSES) for agent in FLEET for one in targets]
    cells += [name(agent, one) for agent in FLEET for one in targets]
    (cause,) = looked(cells).explanations
    assert (cause.group.kind, cause.bad, cause.known) == ("agent", 4, 4)
    assert "4 cells of it pass, so the agent is alive" in ["".join(line) for line in cause.contrast]


def test_the_end_of_a_path_is_the_address_of_its_target_and_no_hop() -> None:
    """Half of the agents are given an address that is dead; earlier paths went there."""
    cells = []
    for number, agent in enumerate(FLEET):
        address = f"203.0.113.{7 + number % 2}"
        path = hops("198.51.100.7", address)
        earlier = tuple(one.hops for one in path.paths or ())
        error = make_answer("http-server", agent.id, metrics={"serverIp": address}, status=AnswerStatus.ERROR,
                            error="Connect: timed out", error_type="connect")  # fmt: skip
        passes = row("http-server", agent, {"responseCode": 200.0, "totalTime": 9.0, "serverIp": address})
        rows = (error,) if number % 2 else (passes, row("network", agent, CLEAN), path)
        how = How(DEAD.verdict, rows, DEAD.troubles) if number % 2 else How(rows=rows)
        cells.append(observed(agent, "cdn.example", replace(how, earlier=earlier)))
        cells.append(observed(agent, "other.example", PASSES))
    (cause,) = looked(cells).explanations
    assert (cause.group.kind, cause.group.value) == ("server-ip", ("203.0.113.8",))
    assert (cause.bad, cause.known) == (9, 9)
    assert not {"hop", "link", "last-hop"} & {one.group.kind for one in (*cause.same, *cause.near)}
