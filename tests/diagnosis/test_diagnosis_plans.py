"""What is asked of each kind of target is a plan that anybody can check and run."""

from __future__ import annotations

import pytest
from diagnose_incidents import listed
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.diagnosis.blocks import Extras, first_wave
from orchestrator.diagnosis.plantext import Frame, joined, plan_text
from orchestrator.diagnosis.subjects import recognise
from orchestrator.diagnosis.vantage import chosen, is_outside
from orchestrator.estimate import estimate
from orchestrator.expand import Expansion, expand
from orchestrator.plan.load import parse_plan
from orchestrator.plan.model import Plan
from orchestrator.simulator.settings import Settings

FLEET = listed(Settings())
WHOM = chosen(FLEET, 12, 1)
NOTHING = Extras()
EVERYTHING = Extras(("ns1.example.com", "192.0.2.53"), pages=True)


def planned(
    *targets: str, controls: tuple[str, ...] = (), extras: Extras = NOTHING
) -> tuple[Plan, Expansion]:
    subjects = [recognise(one, FLEET) for one in targets]
    own = {one.agent.id for one in subjects if one.agent is not None}
    whom = [one for one in WHOM if one.id not in own]
    blocks = first_wave(subjects, [recognise(one, FLEET) for one in controls], whom, extras)
    text = plan_text(Frame(f"diagnose {targets[0]}", "v7", 180.0), blocks)
    plan = parse_plan(text, "diagnose.yaml", None, environ={})
    return plan, expand(plan, FLEET)


@pytest.mark.parametrize(
    ("target", "tests"),
    [
        ("https://shop.example.com", {"http-server": 12, "dns-trace": 4}),
        ("https://192.0.2.7/", {"http-server": 12}),
        ("vpn.example.com:443", {"agent-to-server": 12, "dns-trace": 4}),
        ("shop.example.com", {"http-server": 6, "dns-trace": 6, "dnssec": 2}),
        ("example.com MX", {"dns-trace": 8, "dnssec": 2}),
        ("hq-london", {"agent-to-agent": 8}),
    ],
)
def test_each_kind_of_target_has_its_tests_and_so_many_agents(target: str, tests: dict[str, int]) -> None:
    _, expansion = planned(target)
    assert {spec.type: len(spec.agents) for spec in expansion.specs} == tests
    assert not expansion.not_run


def test_an_address_is_pinged_by_all_and_its_web_port_is_worth_a_word_only() -> None:
    _, expansion = planned("192.0.2.7")
    ping, port = expansion.specs
    assert (ping.fields["protocol"], len(ping.agents), bool(ping.expect)) == ("icmp", 12, True)
    assert (port.fields["server"], len(port.agents), port.expect) == ("192.0.2.7:443", 4, ())


def test_names_are_resolved_from_outside() -> None:
    _, expansion = planned("https://shop.example.com")
    outside = {one.id for one in FLEET if is_outside(one)}
    for spec in expansion.specs:
        assert (set(spec.agents) <= outside) is (spec.type == "dns-trace")


def test_from_an_agent_is_looked_at_the_control_too() -> None:
    _, expansion = planned("hq-london", controls=("https://www.example.com",))
    web = [spec for spec in expansion.specs if spec.test == "from the agent"]
    assert [spec.target for spec in web] == ["https://www.example.com"]
    assert all(len(spec.agents) == 1 for spec in web)


def test_extras_are_asked_for_by_name_only() -> None:
    types = {spec.type for spec in planned("https://shop.example.com", extras=EVERYTHING)[1].specs}
    assert "page-load" in types
    types = {spec.type for spec in planned("example.com MX", extras=EVERYTHING)[1].specs}
    assert "dns-server" in types


def test_several_targets_are_asked_of_the_same_agents_in_one_block() -> None:
    _, expansion = planned(
        "https://a.example.com", "https://b.example.com", controls=("https://c.example.com",)
    )
    web = [spec for spec in expansion.specs if spec.type == "http-server"]
    assert len(web) == 3
    assert len({spec.agents for spec in web}) == 1
    assert len({spec.test for spec in web}) == 1


def test_a_diagnosis_costs_little_and_leaves_no_reserve() -> None:
    plan, expansion = planned("https://shop.example.com")
    worth = estimate(plan, expansion, FLEET)
    assert (worth.exceeded, worth.beyond_deadline) == ((), 0)
    assert worth.units < 0.5
    assert (plan.budget.reserve, plan.budget.max_tests, plan.budget.max_units) == (0, 12, 2)
    assert plan.deadline == 240


def test_both_waves_are_one_plan() -> None:
    subjects = [recognise("https://shop.example.com", FLEET)]
    first = first_wave(subjects, [], WHOM[:6], Extras())
    second = [first[0].asked(first[0].targets, WHOM[6:])]
    plan = parse_plan(plan_text(Frame("d", "v7", 60.0), joined(first, second)), "d.yaml", None, environ={})
    assert [len(spec.agents) for spec in expand(plan, FLEET).specs] == [12, 4]


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=40))
def test_whatever_stands_in_a_name_the_text_is_a_plan_of_that_name(name: str) -> None:
    blocks = first_wave([recognise("https://shop.example.com", FLEET)], [], WHOM, Extras())
    plan = parse_plan(plan_text(Frame(name, "v7", 90.5), blocks), "d.yaml", None, environ={})
    assert plan.name == name
