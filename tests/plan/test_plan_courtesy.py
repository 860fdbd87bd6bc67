"""Courtesy in a plan: what may be written, whom it lets be tested, and what it takes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import jsonschema
import pytest
from builders import make_spec
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.courtesy import Courtesy
from orchestrator.errors import PlanInvalid
from orchestrator.estimate import estimate, slowest_answer
from orchestrator.expand import expand
from orchestrator.model import Agent, Json, Spec
from orchestrator.plan.load import parse_plan
from orchestrator.plan.model import Plan
from orchestrator.plan.schema import schema
from orchestrator.records import RunSettings
from orchestrator.schedule.least import fitting, least_seconds
from orchestrator.store.facts import dump_settings, load_settings
from orchestrator.testtypes.contacts import contacts, hosts_under_test

Parse = Callable[..., Plan]
MakeAgent = Callable[..., Agent]

PLAN = """
version: 1
name: polite
agents: {{some: ["1", "2", "3", "4"]}}
tests:
  - {{name: web, type: http-server, targets: [{targets}], agents: some, agents_per_test: 1}}
courtesy: {courtesy}
{more}
"""


def plan(courtesy: str, *targets: str, more: str = "") -> Plan:
    listed = ", ".join(f"'{one}'" for one in targets or ("https://a.example/",))
    return parse_plan(PLAN.format(courtesy=courtesy, targets=listed, more=more), "p.yaml", None, environ={})


def test_a_plan_says_how_polite_it_is_and_a_run_keeps_it() -> None:
    read = plan("{per_host: 4, per_agent: 10, spacing: 2s, allow: '*.example'}").courtesy
    assert read == Courtesy(4, 10, 2.0, ("*.example",))
    assert load_settings(dump_settings(RunSettings(courtesy=read))).courtesy == read
    assert load_settings({}).courtesy == Courtesy()
    assert plan("{}").courtesy == Courtesy()


VALUES: dict[str, tuple[Json, ...]] = {
    "per_host": (4, 0, "4", 1.5, True),
    "per_agent": (1, -1),
    "spacing": ("2s", 2, 0.5, "soon", 0, [1]),
    "allow": ("*.example", ["a.example", "192.0.2.0/24"], [], "", 5, [5], [["a"]], {"a": "b"}),
    "other": (1,),
}


@pytest.mark.parametrize(("key", "value"), [(key, one) for key, values in VALUES.items() for one in values])
def test_the_schema_and_the_reader_agree(key: str, value: Json) -> None:
    written = jsonschema.Draft202012Validator(
        schema()["properties"]["courtesy"] | {"$defs": schema()["$defs"]}
    )
    seen = written.is_valid({key: value})
    try:
        plan(str({key: value}).replace("True", "true"), "https://a.example/")
        read = True
    except PlanInvalid as invalid:
        # A pattern that is none, and a target that is not allowed, are for the reader alone.
        read = any("lets" in str(one) for one in invalid.problems)
    assert seen is read


class TestWhomATestContacts:
    @pytest.mark.parametrize(
        ("fields", "named", "tested"),
        [
            ({"url": "https://U:p@Shop.Example.:443/x?u=https://b/"}, "shop.example", "shop.example"),
            ({"url": "a.example/x"}, "a.example", "a.example"),
            ({"server": "2001:DB8:0::1"}, "2001:db8::1", "2001:db8::1"),
            ({"server": "[2001:db8::1]:443"}, "2001:db8::1", "2001:db8::1"),
            ({"domain": "a.example MX"}, "a.example", "a.example"),
            ({"domain": "a.example", "dnsServers": ["8.8.8.8:53"]}, "a.example 8.8.8.8", "8.8.8.8"),
            (
                {"targetSipCredentials": {"sipRegistrar": "sip.example", "port": 1}},
                "sip.example",
                "sip.example",
            ),
            ({"url": "http://a.example", "dnsOverride": "192.0.2.1"}, *["a.example 192.0.2.1"] * 2),
            ({"oAuth": {"tokenUrl": "https://b.example/t"}}, "b.example", "b.example"),
            ({"targetAgentId": "12", "port": 5}, "", "agent 12"),
            ({"url": "http://a\\@b.example/"}, "None", ""),
        ],
    )
    def test_every_host_in_its_fields(self, fields: dict[str, Json], named: str, tested: str) -> None:
        assert " ".join(str(one.host) for one in contacts(fields, {})) == named
        assert " ".join(hosts_under_test(fields, {})) == tested

    def test_in_fields_that_are_not_known_every_url_counts(self) -> None:
        raw: dict[str, Json] = {"proxies": [{"at": "socks://p.example:1080"}], "note": "no url"}
        assert [one.host for one in contacts({}, raw)] == ["p.example"]


@pytest.mark.parametrize(
    ("pattern", "host", "passes"),
    [
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "evil-example.com", False),
        ("shop.*", "shop.evil.com", False),
        ("192.0.2.*", "192.0.2.7", True),
        ("192.0.2.0/24", "192.0.2.7", True),
        ("192.0.2.0/24", "192.0.3.7", False),
        ("192.0.2.0/24", "192.0.2.7.evil.com", False),
        ("2001:db8::/32", "2001:db8::1", True),
        ("2001:DB8:0::1", "2001:db8::1", True),
    ],
)
def test_a_pattern_is_about_the_whole_host(pattern: str, host: str, passes: bool) -> None:
    assert Courtesy(allow=(pattern,)).allows(host) is passes


class TestWhatItTakes:
    def test_tests_toward_one_host_take_turns(self, agent: MakeAgent) -> None:
        agents = [agent(str(n)) for n in range(1, 5)]
        polite = plan("{per_host: 1}", *(f"https://a.example/{n}" for n in range(25)), more="deadline: 20m")
        found = estimate(polite, expand(polite, agents), agents)
        each = slowest_answer(["http-server"], share=0.5)
        assert found.courtesy_seconds == pytest.approx(100 * each)
        assert found.finish_seconds == found.courtesy_seconds
        assert found.beyond_deadline == 100 - int(1200 // each)
        alone = plan("{}", *(f"https://a.example/{n}" for n in range(25)))
        assert estimate(alone, expand(alone, agents), agents).courtesy_seconds == 0.0

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(
            st.tuples(st.sampled_from("ab"), st.integers(1, 3), st.integers(1, 4)), min_size=1, max_size=5
        ),
        st.none() | st.integers(1, 2),
        st.none() | st.integers(1, 2),
        st.sampled_from([0.0, 2.0]),
    )
    def test_no_order_is_faster_than_the_bound(
        self, tests: list[tuple[str, int, int]], per_host: int | None, per_agent: int | None, spacing: float
    ) -> None:
        """Against the best of all choices: each second a test begins wherever it may."""
        courtesy = Courtesy(per_host, per_agent, spacing)
        specs = [
            make_spec(
                f"k{n}", fields={"url": f"https://{host}/{n}"}, agents=(str(agent),), deadline=float(lasts)
            )
            for n, (host, agent, lasts) in enumerate(tests)
        ]
        best = min(_makespan(specs, courtesy, order) for order in _orders(len(specs)))
        bound = least_seconds(specs, courtesy, lambda one: one.deadline)
        assert bound <= best
        assert fitting(specs, courtesy, lambda one: one.deadline, best) == len(specs)
        if courtesy.limits:
            assert fitting(specs, courtesy, lambda one: one.deadline, 0.5) == 0


def _orders(count: int) -> list[tuple[int, ...]]:
    return [order for order in product(range(count), repeat=count) if len(set(order)) == count]


def _makespan(specs: list[Spec], courtesy: Courtesy, order: tuple[int, ...]) -> float:
    """Seconds of the specs begun in this order, each as soon as it may."""
    begun: list[tuple[Spec, float]] = []
    now = 0.0
    for place in order:
        one = specs[place]
        while not _may(one, begun, now, courtesy):
            now += 1.0
        begun.append((one, now))
    return max(at + one.deadline for one, at in begun)


def _may(one: Spec, begun: list[tuple[Spec, float]], now: float, courtesy: Courtesy) -> bool:
    host = [(other, at) for other, at in begun if _host(other) == _host(one)]
    agent = [(other, at) for other, at in begun if other.agents == one.agents]
    busy = [sum(at + other.deadline > now for other, at in there) for there in (host, agent)]
    return (
        (courtesy.per_host is None or busy[0] < courtesy.per_host)
        and (courtesy.per_agent is None or busy[1] < courtesy.per_agent)
        and all(now - at >= courtesy.spacing for _, at in host)
    )


def _host(one: Spec) -> str:
    return str(one.fields["url"]).split("/")[2]
