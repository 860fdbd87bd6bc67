"""What a plan will take."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.estimate import Estimate, estimate, finish_seconds, slowest_answer
from orchestrator.expand import expand
from orchestrator.model import Agent, AgentType
from orchestrator.plan.model import Plan
from orchestrator.testtypes import PRICE_SOURCE, milliunits

OneTest = Callable[..., str]


@pytest.fixture
def of(
    parse: Callable[..., Plan], agent: Callable[..., Agent], cloud: Callable[..., Agent]
) -> Callable[..., Estimate]:
    """Estimate a plan's text over 20 cloud agents (1 to 20) and 4 enterprise agents (101 to 104)."""
    agents = [*(cloud(str(n)) for n in range(1, 21)), *(agent(str(n)) for n in range(101, 105))]

    def run(text: str, **more: int) -> Estimate:
        plan = parse(text)
        return estimate(plan, expand(plan, agents), agents, **more)

    return run


def _urls(count: int) -> str:
    return "[" + ", ".join(f"'https://s{n}.example'" for n in range(count)) + "]"


def test_packing_is_shown_by_what_it_saved(of: Callable[..., Estimate], one_test: OneTest) -> None:
    worth = of(one_test(targets=_urls(200), agents="{type: cloud}"))
    assert (worth.creations, worth.creations_unpacked, worth.cells, worth.left_out) == (200, 4000, 4000, 0)


def test_the_documented_example_of_prices(of: Callable[..., Estimate], one_test: OneTest) -> None:
    worth = of(one_test("options: {httpTimeLimit: 5}", agents="{type: cloud}"))
    assert worth.units == pytest.approx(0.1), "5 s limit, 20 cloud agents: 100 milli-units"
    assert worth.price_source == PRICE_SOURCE


def test_enterprise_agents_cost_half(of: Callable[..., Estimate], one_test: OneTest) -> None:
    worth = of(one_test(agents="[{type: cloud}, {type: enterprise}]"))
    assert worth.units == pytest.approx((20 * 5 + 4 * 2.5) / 1000)


@pytest.mark.parametrize(
    ("type_name", "fields", "price"),
    [
        ("agent-to-server", {}, 5.0),
        ("agent-to-agent", {}, 5.0),
        ("agent-to-agent", {"direction": "bidirectional"}, 10.0),
        ("dns-server", {"dnsServers": ["a", "b", "c"]}, 15.0),
        ("dns-trace", {}, 5.0),
        ("dnssec", {}, 5.0),
        ("http-server", {}, 5.0),
        ("http-server", {"httpTimeLimit": 30}, 30.0),
        ("page-load", {"httpTimeLimit": 5}, 10.0),
        ("web-transactions", {}, 30.0),
        ("api", {"timeLimit": 60}, 60.0),
        ("ftp-server", {}, 10.0),
        ("sip-server", {}, 5.0),
        ("voice", {"duration": 20}, 20.0),
    ],
)
def test_prices_follow_the_published_table(type_name: str, fields: dict[str, object], price: float) -> None:
    assert milliunits(type_name, fields, AgentType.CLOUD) == price  # type: ignore[arg-type]  # plain JSON
    assert milliunits(type_name, fields, AgentType.CLUSTER) == price / 2  # type: ignore[arg-type]  # as above


def test_reads_are_looks_wasted_looks_hop_details_and_the_listing(
    of: Callable[..., Estimate], one_test: OneTest
) -> None:
    assert of(one_test("layers: [http-server]")).reads == 1 + 2 + 1
    assert of(one_test("path_details: true", agents="{type: cloud}")).reads == 3 + 2 + 20 + 1
    assert of(one_test("path_details: true", agents="{type: cloud}")).hops == 0


def test_hops_that_are_left_to_us_come_on_top(of: Callable[..., Estimate], one_test: OneTest) -> None:
    auto = of(one_test(agents="{type: cloud}"))
    assert (auto.reads, auto.hops) == (3 + 2 + 1, 20)
    many = of(one_test("path_details: auto", targets=_urls(12), agents="{type: cloud}"))
    assert many.finish_seconds > 60
    assert many.hops == 2 * 240 // 4, "a quarter of the reads of each of its windows"
    assert of(one_test("layers: [network]", agents="{type: cloud}")).hops == 0


class TestTime:
    def test_what_fits_into_one_window_takes_as_long_as_its_slowest_answer(
        self, of: Callable[..., Estimate], one_test: OneTest
    ) -> None:
        worth = of(one_test("layers: [http-server]", targets=_urls(24)))
        assert worth.finish_seconds == pytest.approx(slowest_answer(["http-server"]))

    def test_every_further_window_of_creations_costs_a_window(
        self, of: Callable[..., Estimate], one_test: OneTest
    ) -> None:
        one, two = (of(one_test(targets=_urls(count))).finish_seconds for count in (24, 25))
        assert two - one == pytest.approx(60.0)

    def test_limits_that_were_seen_are_used(self, of: Callable[..., Estimate], one_test: OneTest) -> None:
        text = one_test(targets=_urls(100))
        slow, fast = of(text), of(text, organization_limit=1000, instant_limit=100)
        assert slow.finish_seconds - fast.finish_seconds == pytest.approx(4 * 60.0)
        assert (slow.limits_known, fast.limits_known) == (False, True)
        assert (slow.instant_limit, fast.instant_limit) == (24, 100)

    def test_reads_bind_when_hop_details_of_many_agents_are_wanted(
        self, of: Callable[..., Estimate], one_test: OneTest
    ) -> None:
        text = one_test("path_details: true", targets=_urls(24), agents="{type: cloud}")
        assert of(text).finish_seconds > 120.0

    def test_a_run_in_progress_ends_sooner_the_less_is_left(self) -> None:
        left = [
            finish_seconds(
                creations=n, open_layers=10, layers_per_test=3, organization_limit=240, instant_limit=24
            )
            for n in (0, 24, 48)
        ]
        assert left[0] < left[1] < left[2]
        assert left[2] - left[1] == pytest.approx(60.0, abs=5.0)
        assert finish_seconds(creations=0, open_layers=0, layers_per_test=3) == 0.0

    def test_browser_tests_take_longest(self) -> None:
        assert (
            slowest_answer(["page-load", "dnssec"])
            > slowest_answer(["http-server"])
            > slowest_answer(["dnssec"])
        )
        assert slowest_answer([]) == 0.0


class TestCeilings:
    def test_within_the_ceilings_nothing_is_exceeded(
        self, of: Callable[..., Estimate], one_test: OneTest
    ) -> None:
        assert of(one_test(top="budget: {max_tests: 1, max_units: 1}\ndeadline: 10m")).exceeded == ()

    def test_each_ceiling_has_its_sentence(self, of: Callable[..., Estimate], one_test: OneTest) -> None:
        top = "budget: {max_tests: 49, max_units: 4.9, max_duration: 1m}"
        exceeded = of(one_test(targets=_urls(50), agents="{type: cloud}", top=top)).exceeded
        assert exceeded[0] == "the plan needs 50 tests, budget.max_tests allows 49"
        assert exceeded[1] == "the plan costs about 5.00 units, budget.max_units allows 4.9"
        assert exceeded[2].endswith("budget.max_duration allows 60 s")
        assert len(exceeded) == 3
