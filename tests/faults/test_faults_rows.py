"""An agent that gives several rows in a layer: one for each name server, one for each direction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fault_cases import SEVERAL
from simulated_run import Ran, check_promises, in_process, virtual_run
from virtual_time import run_virtual

from orchestrator.events import Polled
from orchestrator.schedule.quiet import PRIOR
from orchestrator.simulator.settings import Fault
from orchestrator.simulator.settings import Settings as World

VERSIONS = pytest.mark.parametrize("api", ["v7", "v6"])
NETWORK = ("network", "path-vis")


def names(*servers: str, agents: str = '"3", "4"', more: str = "") -> str:
    listed = ", ".join(servers)
    return f"""
version: 1
name: several rows
tests:
  - {{name: names, type: dns-server, targets: [example.com A], agents: [{agents}],
     options: {{dnsServers: [{listed}]}}{more}}}
deadline: 20m
"""


def between(layers: str = "[network, path-vis]", direction: str = "bidirectional") -> str:
    return f"""
version: 1
name: both ways
tests:
  - {{name: between, type: agent-to-agent, targets: ["1002"], agents: ["1001", "1003"],
     options: {{direction: {direction}}}, layers: {layers}}}
deadline: 20m
"""


def late(seconds: float, *layers: str, target: str | None = None) -> World:
    return World(
        faults=tuple(Fault("late-rows", layer=layer, value=seconds, target=target) for layer in layers)
    )


def places(ran: Ran, layer: str) -> set[tuple[str, str | None, str | None]]:
    return {
        (one.answer.agent_id, one.answer.server, one.answer.direction)
        for one in ran.answers
        if one.answer.layer == layer
    }


def passed(ran: Ran) -> None:
    check_promises(ran)
    assert (ran.code, ran.states(), ran.reasons().strip()) == (0, {"complete": len(ran.tests)}, "")


@VERSIONS
@pytest.mark.parametrize("seconds", [0.0, 3.0, 25.0, 30.0])
def test_rows_of_a_second_server_are_read_however_late_within_the_quiet_time(
    seconds: float, api: str, tmp_path: Path
) -> None:
    plan = names("ns1.example.com", "ns2.example.com") + f"api: {api}\n"
    ran = virtual_run(plan, late(seconds, *NETWORK), store=tmp_path / "store.db")
    passed(ran)
    for layer in NETWORK:
        wanted = {(agent, f"ns{number}.example.com:53", None) for agent in ("3", "4") for number in (1, 2)}
        assert places(ran, layer) == wanted


@VERSIONS
def test_rows_of_three_servers_come_one_after_the_other(api: str, tmp_path: Path) -> None:
    plan = names("ns1.example.com", "ns2.example.com", "192.0.2.53") + f"api: {api}\n"
    ran = virtual_run(plan, late(25.0, *NETWORK), store=tmp_path / "store.db")
    passed(ran)
    for layer in (*NETWORK, "dns-server"):
        assert len(places(ran, layer)) == 6


@VERSIONS
def test_one_agent_whose_second_server_is_late_is_waited_for(api: str, tmp_path: Path) -> None:
    plan = names("ns1.example.com", "ns2.example.com") + f"api: {api}\n"
    ran = virtual_run(plan, late(25.0, *NETWORK, target="4"), store=tmp_path / "store.db")
    passed(ran)
    assert len(places(ran, "network")) == len(places(ran, "path-vis")) == 4


@VERSIONS
@pytest.mark.parametrize("faults", [("late-rows",), ("late-rows", "split-rows")])
def test_both_directions_are_read_also_where_the_second_is_late(
    faults: tuple[str, ...], api: str, tmp_path: Path
) -> None:
    world = World(faults=tuple(Fault(kind) for kind in faults))
    ran = virtual_run(between() + f"api: {api}\n", world, store=tmp_path / "store.db")
    passed(ran)
    ways = {direction for _, _, direction in places(ran, "path-vis")}
    assert ways == {"to-target", "from-target"}
    assert len(places(ran, "path-vis")) == 4
    combined = {"bidirectional"} if "split-rows" not in faults else ways
    assert {direction for _, _, direction in places(ran, "network")} == combined


@VERSIONS
def test_a_direction_that_never_comes_is_named_and_ends_before_the_deadline(api: str, tmp_path: Path) -> None:
    world = World(faults=(Fault("lost-rows"), Fault("split-rows")))
    ran = virtual_run(between() + f"api: {api}\n", world, store=tmp_path / "store.db")
    check_promises(ran)
    assert (ran.code, ran.states(), ran.cell_states()) == (3, {"partial": 1}, {"partial": 2})
    (test,) = ran.tests
    assert ran.seconds < test.spec.deadline / 2
    assert "not complete: network (from-target), path-vis (from-target)" in (test.error or "")
    for cell in ran.cells:
        assert cell.reasons == (
            "1 of 2 directions in network (not from-target)",
            "1 of 2 directions in path-vis (not from-target)",
        )


@VERSIONS
def test_only_the_agent_that_lacks_a_servers_row_is_partial(api: str, tmp_path: Path) -> None:
    world = World(faults=(Fault("lost-rows", layer="network", target="4"),))
    plan = names("ns1.example.com", "ns2.example.com", "ns3.example.com") + f"api: {api}\n"
    ran = virtual_run(plan, world, store=tmp_path / "store.db")
    check_promises(ran)
    assert ran.states() == {"partial": 1}
    told = {cell.agent_id: cell.reasons for cell in ran.cells}
    reason = "1 of 3 servers in network (not ns2.example.com, ns3.example.com)"
    assert told == {"3": (), "4": (reason,)}


@VERSIONS
def test_the_number_of_a_known_layer_is_waited_for_until_the_deadline(api: str, tmp_path: Path) -> None:
    world = World(faults=(Fault("lost-rows", layer="dns-server"),))
    plan = names("ns1.example.com", "ns2.example.com", more=", layers: [dns-server]") + f"api: {api}\n"
    ran = virtual_run(plan, world, store=tmp_path / "store.db")
    check_promises(ran)
    (test,) = ran.tests
    assert ran.seconds >= test.spec.deadline
    assert {cell.reasons for cell in ran.cells} == {("1 of 2 servers in dns-server (not ns2.example.com)",)}


@VERSIONS
@pytest.mark.parametrize(
    "plan",
    [
        between(layers="[network]"),
        between(direction="to-target"),
        names("ns1.example.com"),
        names("ns1.example.com", "ns2.example.com", more=", layers: [dns-server]"),
    ],
)
def test_where_the_number_is_known_nothing_is_asked_after_the_last_row(
    plan: str, api: str, tmp_path: Path
) -> None:
    ran = virtual_run(plan + f"api: {api}\n", World(), store=tmp_path / "store.db")
    passed(ran)
    for layer in ran.tests[0].spec.layers:
        polls = [fact for fact in ran.told(Polled) if fact.layer == layer]
        assert [fact.complete for fact in polls].index(True) == len(polls) - 1


@VERSIONS
def test_hops_of_a_path_that_came_later_are_read_too(api: str, tmp_path: Path) -> None:
    plan = names("ns1.example.com", "ns2.example.com", more=", path_details: true") + f"api: {api}\n"
    ran = virtual_run(plan, late(25.0, "path-vis"), store=tmp_path / "store.db")
    passed(ran)
    assert len(places(ran, "path-vis")) == len(places(ran, "path-vis-detail")) == 4


@VERSIONS
def test_what_was_waited_for_in_vain_is_known_to_the_next_run(api: str, tmp_path: Path) -> None:
    async def work() -> None:
        world = World(faults=(Fault("lost-rows"), Fault("split-rows")))
        async with in_process(world, store=tmp_path / "store.db") as simulated:
            simulated.session = replace(simulated.session, simulated=False)
            runs = [await simulated.run(between() + f"api: {api}\n") for _ in range(8)]
            store, origin = simulated.session.doors.store, simulated.session.settings.origin
            learned = await store.latencies(origin)
        assert learned["quiet agent-to-agent network"] == [0.0] * len(runs)
        ended = [fact.age or 0.0 for ran in (runs[0], runs[-1]) for fact in ran.told(Polled)[-1:]]
        assert ended[1] < ended[0] - PRIOR / 2

    run_virtual(work)


@VERSIONS
def test_a_resume_knows_what_was_there_and_reads_what_came_since(api: str, tmp_path: Path) -> None:
    """Later than any quiet time: the run ends partial, and what was missing is there by its resume."""

    async def work() -> tuple[Ran, Ran]:
        world = late(70.0, *NETWORK, target="4")
        async with in_process(world, store=tmp_path / "store.db") as simulated:
            first = await simulated.run(SEVERAL + f"api: {api}\n")
            return first, await simulated.resume(first.outcome.run.id)

    first, then = run_virtual(work)
    check_promises(first)
    assert first.states() == {"partial": 1, "complete": 1}
    assert "1 of 2 servers in network (not ns2.example.com)" in first.reasons()
    assert (then.code, then.states()) == (0, {"complete": 2})
    assert len(places(then, "network")) == 4 + 2
