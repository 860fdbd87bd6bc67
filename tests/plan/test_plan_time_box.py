"""Issue 9, number 12: ``deadline`` is a time box, ``budget.max_duration`` the ceiling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from simulated_run import DEADLINE_SLACK, Ran, check_promises, virtual_run

from orchestrator.errors import CeilingExceeded, Exit
from orchestrator.estimate import Estimate, estimate
from orchestrator.expand import expand
from orchestrator.lifecycle import SpecState
from orchestrator.model import Agent
from orchestrator.plan.model import Plan
from orchestrator.records import RunSettings
from orchestrator.report.check import check_document
from orchestrator.schedule.order import creation_order
from orchestrator.simulator.settings import Settings as World
from orchestrator.store.facts import dump_settings, load_settings

Parse = Callable[..., Plan]
OneTest = Callable[..., str]
PLAN = """
version: 1
name: grown
api: {api}
agents: {{few: {{type: enterprise, name: branch-0*}}}}
targets: {{sites: [{sites}]}}
tests:
  - {{name: pages, type: page-load, targets: sites, agents: few, layers: page-load, deadline: 4m}}
  - {{name: reach, type: agent-to-server, targets: [{hosts}], agents: few, layers: network}}
{more}
"""


def grown(count: int, more: str, api: str = "v7") -> str:
    sites = ", ".join(f"'https://s{n}.example.com/'" for n in range(count))
    hosts = ", ".join(f"'s{n}.example.com:443'" for n in range(count))
    return PLAN.format(api=api, sites=sites, hosts=hosts, more=more)


def created(ran: Ran) -> Counter[str]:
    return Counter(test.spec.test for test in ran.tests if test.test_id is not None)


@pytest.fixture(scope="module")
def too_long(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A plan of 120 tests that had three minutes."""
    store = tmp_path_factory.mktemp("too-long") / "runs.db"
    return virtual_run(grown(60, "deadline: 3m"), World(), store=store)


class TestRuns:
    def test_what_fits_is_of_every_block_and_not_of_the_slowest_type_alone(self, too_long: Ran) -> None:
        pages, reach = created(too_long)["pages"], created(too_long)["reach"]
        assert too_long.outcome.run.settings.boxed
        assert abs(pages - reach) <= 2
        assert pages + reach < 120

    @pytest.mark.parametrize("api", ["v7", "v6"])
    def test_a_plan_that_takes_longer_than_its_deadline_runs_and_ends_with_what_is_there(
        self, tmp_path: Path, too_long: Ran, api: str
    ) -> None:
        ran = too_long
        if api == "v6":
            ran = virtual_run(grown(60, "deadline: 3m", api), World(), store=tmp_path / "runs.db")
        check_promises(ran)
        states = Counter(test.state for test in ran.tests)
        assert ran.outcome.exit_code is Exit.INCOMPLETE
        assert ran.seconds <= 180.0 + DEADLINE_SLACK
        assert states[SpecState.COMPLETE] >= 24
        assert states[SpecState.NOT_RUN] >= 24
        reasons = {test.error for test in ran.tests if test.state is SpecState.NOT_RUN}
        assert reasons == {"the run's deadline was reached"}

    def test_one_that_fits_keeps_the_order_that_ends_soonest(self, tmp_path: Path) -> None:
        ran = virtual_run(grown(4, "deadline: 30m"), World(), store=tmp_path / "runs.db")
        assert ran.outcome.exit_code is Exit.OK
        assert not ran.outcome.run.settings.boxed
        assert created(ran) == {"pages": 4, "reach": 4}

    def test_the_ceiling_refuses_before_the_first_creation(self, tmp_path: Path) -> None:
        with pytest.raises(CeilingExceeded, match=r"takes about \d+ s, budget.max_duration allows 120 s"):
            virtual_run(grown(60, "budget: {max_duration: 2m}"), World(), store=tmp_path / "runs.db")

    def test_a_time_box_keeps_a_long_plan_under_the_ceiling(self, tmp_path: Path) -> None:
        text = grown(60, "deadline: 2m\nbudget: {max_duration: 2m}")
        ran = virtual_run(text, World(), store=tmp_path / "runs.db")
        assert ran.outcome.exit_code is Exit.INCOMPLETE

    def test_without_a_time_box_a_run_may_take_no_longer_than_the_ceiling(self, tmp_path: Path) -> None:
        ran = virtual_run(grown(2, "budget: {max_duration: 10m}"), World(), store=tmp_path / "runs.db")
        assert ran.outcome.run.settings.deadline == 600.0


class TestCheck:
    @pytest.fixture
    def worth(self, parse: Parse, one_test: OneTest, agent: Callable[..., Agent]) -> Callable[..., Estimate]:
        def build(count: int, top: str, **more: int) -> Estimate:
            targets = "[" + ", ".join(f"'https://s{n}.example'" for n in range(count)) + "]"
            plan = parse(one_test(targets=targets, top=top))
            return estimate(plan, expand(plan, [agent("1")]), [agent("1")], **more)

        return build

    @pytest.mark.parametrize(
        ("deadline", "beyond"), [("10s", 100), ("1m", 76), ("2m", 52), ("3m", 28), ("1h", 0)]
    )
    def test_it_says_how_many_tests_do_not_fit(
        self, worth: Callable[..., Estimate], deadline: str, beyond: int
    ) -> None:
        assert worth(100, f"deadline: {deadline}").beyond_deadline == beyond
        assert worth(100, f"deadline: {deadline}").exceeded == ()

    def test_what_fits_exactly_is_not_said_to_be_beyond(self, worth: Callable[..., Estimate]) -> None:
        takes = worth(100, "deadline: 1h").finish_seconds
        assert worth(100, f"deadline: {takes}").beyond_deadline == 0
        assert worth(100, f"deadline: {takes - 60}").beyond_deadline == 4

    def test_a_small_limit_of_requests_binds_too(self, worth: Callable[..., Estimate]) -> None:
        few = worth(100, "deadline: 2m", organization_limit=60, instant_limit=100)
        assert few.beyond_deadline > 50

    def test_without_a_deadline_everything_fits(self, worth: Callable[..., Estimate]) -> None:
        assert (worth(100, "").beyond_deadline, worth(100, "").deadline) == (0, None)

    def test_the_document_has_both_figures(
        self, parse: Parse, one_test: OneTest, worth: Callable[..., Estimate]
    ) -> None:
        document = check_document("x", parse(one_test()).api, (), (), worth(100, "deadline: 2m"))
        assert document["deadline"] == {"seconds": 120.0, "tests_beyond": 52}


def test_any_beginning_of_a_boxed_order_has_all_blocks(
    parse: Parse, one_test: OneTest, agent: Callable[..., Agent]
) -> None:
    text = one_test(targets="['https://a.example', 'https://b.example']")
    text += (
        "  - {name: page, type: page-load, targets: ['http://a.example', 'http://b.example'], agents: '1'}\n"
    )
    text += "  - {name: dns, type: dnssec, targets: [a.example], agents: '1'}\n"
    specs = expand(parse(text), [agent("1")]).specs
    medians = {"page-load": 9.0, "http-server": 5.0, "dnssec": 1.0}
    assert [spec.test for spec in creation_order(specs, medians.__getitem__)][:2] == ["page", "page"]
    boxed = [spec.test for spec in creation_order(specs, medians.__getitem__, boxed=True)]
    assert boxed == ["web", "page", "dns", "web", "page"]


def test_a_stored_run_knows_that_it_is_boxed() -> None:
    assert load_settings(dump_settings(RunSettings(boxed=True))) == RunSettings(boxed=True)
    assert load_settings({}).boxed is False
