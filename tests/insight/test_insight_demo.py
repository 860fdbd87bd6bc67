"""The demonstration: a router, a certificate, a site, a silent agent and one failure; nothing else is found.

Run whole first, so that the ways of a good run are known; then broken, by what the witness tells.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import pytest
from insight_ends import DAY, truths
from simulated_run import Ran, in_process
from virtual_time import run_virtual
from virtual_world import EPOCH

from orchestrator.actions.insight import insight
from orchestrator.insight.look import Explanation, Insight
from orchestrator.insight.values import CellKey, Phase
from orchestrator.insight.words import plain
from orchestrator.model import Verdict
from orchestrator.simulator.culprits import parse_culprit
from orchestrator.simulator.settings import Noise
from orchestrator.simulator.settings import Settings as World

# In this world api, crm, mail and video stand in San Jose, the others elsewhere.
PLAN = """
version: 1
name: branch-sweep
api: v7
agents:
  cloud: {type: cloud, country: [NL, BE, CH, PL, MX], sample: {per: country, count: 1}}
  others: {type: cloud, name: ["New York*", "Tokyo*", "Berlin*"]}
  branches: {type: enterprise, name: "branch-??-*", exclude: {name: ["*-06-*", "*-10-*", "*-14-*"]}}
targets:
  services:
    - {name: api, url: "https://api.example.com"}
    - {name: crm, url: "https://crm.example.net"}
    - {name: mail, url: "https://mail.example.com"}
    - {name: video, url: "https://video.example.net"}
    - {name: portal, url: "https://portal.example.com"}
    - {name: shop, url: "https://shop.example.com"}
    - {name: wiki, url: "https://wiki.example.com"}
    - {name: login, url: "https://login.example.com"}
tests:
  - name: web
    type: http-server
    targets: services
    agents: [cloud, others, branches]
    path_details: true
    expect:
      - http-server.responseCode == 200
      - http-server.totalTime < 8s
      - network.loss < 5
  - name: names
    type: dns-trace
    targets: [www.example.com A]
    agents: [cloud, others, branches]
"""
CULPRITS = (
    "hop=tr2-san-jose-0:dead",
    "target=crm:tls,text=certificate has expired",
    "agent=branch-09-oslo:loss=20%,share=0.9",
    "agent=branch-16-tokyo:silent",
    "target=wiki:slow=400ms",
    "agent=New York, NY,target=login:receive",
)


class Demo(NamedTuple):
    """The broken run, what was found, and what was planted: cells by the culprit's position."""

    ran: Ran
    found: Insight
    planted: dict[int, set[CellKey]]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    store = tmp_path_factory.mktemp("demo") / "o.db"
    whole = World(seed=0, topology="shared", noise=Noise(7, spikes=0.0))
    culprits = tuple(parse_culprit(text) for text in CULPRITS)

    async def good() -> None:
        async with in_process(whole, store=store) as simulated:
            ran = await simulated.run(PLAN)
            assert ran.code == 0, ran.text

    async def bad() -> tuple[Ran, Insight]:
        broken = replace(whole, noise=Noise(8, spikes=0.0), culprits=culprits)
        async with in_process(broken, store=store, epoch=EPOCH + DAY) as simulated:
            ran = await simulated.run(PLAN)
            return ran, await insight(simulated.session.doors.store, ran.outcome.run)

    run_virtual(good)
    ran, found = run_virtual(bad)
    planted: dict[int, set[CellKey]] = {}
    for key, culprit in truths(ran):
        planted.setdefault(culprit, set()).add(key)
    return Demo(ran, found, planted)


def cause(demo: Demo, kind: str) -> Explanation:
    (one,) = [one for one in demo.found.explanations if one.group.kind == kind]
    return one


def test_the_dead_router_is_named_with_all_of_its_cells(demo: Demo) -> None:
    one = cause(demo, "hop")
    assert one.label == "tr2-san-jose-0"
    assert one.rank == 1
    assert set(one.cells) == demo.planted[0]
    assert one.bad == one.known == len(demo.planted[0]) == 32
    assert (one.agents, one.targets, one.sure, one.level) == (8, 4, "clear", "network")
    assert one.seen_by == "last good run", "the traces themselves end before it"
    assert plain(one.text).startswith(
        "Every path through tr2-san-jose-0 (Example Backbone 2 (AS 64602)) fails: 32 of 32"
    )


def test_the_certificate_is_named_from_every_agent_that_gets_that_far(demo: Demo) -> None:
    one = cause(demo, "target")
    assert one.group.value == ("web", "crm")
    # What dies at the router never came to the certificate: the witness does not tell it of those cells.
    assert set(one.cells) == demo.planted[1]
    assert one.bad == one.known
    assert one.phases == {Phase.TLS: one.bad}
    assert f"from every agent that gets that far: {one.bad} of {one.bad} (8 more fail earlier)" in plain(
        one.text
    )
    assert "certificate has expired" in plain(one.why)
    assert any("the network to it is clean" in plain(line) for line in one.contrast)


def test_the_lossy_site_is_named_for_what_is_not_the_routers(demo: Demo) -> None:
    one = cause(demo, "agent")
    assert one.label == "branch-09-oslo"
    assert set(one.cells) <= demo.planted[2]
    assert set(one.cells) | demo.planted[0] >= demo.planted[2] - demo.planted[1]
    assert set(one.phases) == {Phase.LOSS}
    assert plain(one.why).startswith("Packet loss: loss ")


def test_the_silent_agent_is_told_apart_and_is_nobodys_failure(demo: Demo) -> None:
    (one,) = demo.found.silences
    assert (one.group.kind, one.label) == ("agent", "branch-16-tokyo")
    assert set(one.cells) == demo.planted[3]
    assert not demo.planted[3] & {key for cause in demo.found.explanations for key in cause.cells}


def test_what_is_slow_within_its_expectation_is_no_failure(demo: Demo) -> None:
    slow = demo.planted[4]
    failed = {
        CellKey(one.test, one.target, one.agent_id) for one in demo.ran.cells if one.verdict is Verdict.FAIL
    }
    assert slow
    assert not slow & failed - demo.planted[2]


def test_the_one_failure_has_no_common_cause(demo: Demo) -> None:
    (isolated,) = demo.found.isolated
    assert {isolated.key} == demo.planted[5]
    assert isolated.phase is Phase.RECEIVE


def test_everything_that_was_planted_is_found_and_nothing_else(demo: Demo) -> None:
    assert [one.group.kind for one in demo.found.explanations] == ["hop", "target", "agent"]
    claimed = sum(one.bad for one in demo.found.explanations)
    assert claimed + len(demo.found.isolated) == demo.found.bad
    silent = sum(len(one.cells) for one in demo.found.silences)
    assert (
        demo.found.headline
        == f"Four causes explain {claimed + silent} of {demo.found.bad + silent} bad cells"
    )
