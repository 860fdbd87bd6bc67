"""Units: what is left of them, what a plan takes of it, and what the vendor counts afterwards."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from builders import make_run
from simulated_run import Ran, Simulated, check_promises, in_process
from virtual_time import run_virtual

from orchestrator.actions.check import Checked, check
from orchestrator.actions.units import runs_a_month
from orchestrator.allotment import Allotment, Counted, Untold
from orchestrator.errors import CeilingExceeded, Exit, PlanInvalid, UsageProblem
from orchestrator.model import Json
from orchestrator.plan.load import parse_plan
from orchestrator.plan.schema import schema
from orchestrator.records import RunFacts
from orchestrator.report.summary import units_told
from orchestrator.simulator.messages import SimRequest
from orchestrator.simulator.service import Service
from orchestrator.simulator.settings import Fault
from orchestrator.simulator.settings import Settings as World
from orchestrator.store.facts import dump_facts, load_facts
from orchestrator.thousandeyes.protocol import BadAnswer
from orchestrator.thousandeyes.usage import read_quotas, read_units_of_tests, read_usage

PLAN = """
version: 1
name: dear
api: {api}
agents: {{some: ["3", "4"]}}
tests:
  - {{name: web, type: http-server, targets: ["https://a.example/"], agents: some, layers: http-server}}
budget: {budget}
"""
NOT_ALLOWED = World(faults=(Fault("403", "usage"),))


def plan(budget: str = "{}", api: str = "v7") -> str:
    return PLAN.format(budget=budget, api=api)


def within(world: World, store: Path, work: Callable[[Simulated], Awaitable[Any]]) -> Any:
    async def inside() -> Any:
        async with in_process(world, store=store / "o.db") as simulated:
            return await work(simulated)

    return run_virtual(inside)


def checked(world: World, store: Path, text: str, **more: Any) -> Checked:
    async def work(simulated: Simulated) -> Checked:
        read = parse_plan(text, "p.yaml", None, environ={})
        found = await check(simulated.session, read, **more)
        asked = [one.path for one in simulated.transport.requests]
        assert len(asked) <= 3, asked  # agents, usage, quotas: each once
        return found

    found: Checked = within(world, store, work)
    return found


class TestBeforeARun:
    def test_check_tells_what_is_left_and_what_the_plan_takes_a_month(self, tmp_path: Path) -> None:
        found = checked(World(), tmp_path, plan(), cron="17 5 * * *")
        units: Any = found.document()["units"]
        assert units["estimated"] == 0.01
        assert (units["vendor"]["left"], units["vendor"]["included"], units["vendor"]["used"]) == (
            3750,
            5000,
            1250,
        )
        assert units["vendor"]["ends"].startswith("2027-02-01")
        assert units["month"] == {"cron": "17 5 * * *", "timezone": "UTC", "runs": 30, "units": 0.3}

    def test_without_the_right_to_see_it_the_rest_is_told(self, tmp_path: Path) -> None:
        found = checked(NOT_ALLOWED, tmp_path, plan())
        vendor: Any = found.document()["units"]["vendor"]  # type: ignore[index]
        assert vendor["left"] is None
        assert "View Billing" in vendor["untold"]
        assert found.exit_code is Exit.OK

    def test_of_v6_nobody_is_asked(self, tmp_path: Path) -> None:
        assert isinstance(checked(World(), tmp_path, plan(api="v6")).told, Untold)

    def test_quotas_that_may_not_be_read_are_not_missed(self, tmp_path: Path) -> None:
        world = World(faults=(Fault("403", "usage", after=1),))
        told = checked(world, tmp_path, plan()).told
        assert isinstance(told, Allotment)
        assert (told.left, told.quota) == (3750.0, None)

    @pytest.mark.parametrize("cron", ["17 5 * *", "nonsense", "0 0 31 2 *"])
    def test_what_is_no_time_is_refused(self, cron: str) -> None:
        with pytest.raises(UsageProblem, match="--cron"):
            runs_a_month(cron, "UTC", 0.0)


class TestAShareOfWhatIsLeft:
    def test_a_plan_within_it_runs_and_one_beyond_it_creates_nothing(self, tmp_path: Path) -> None:
        async def work(simulated: Simulated) -> Ran:
            ran: Ran = await simulated.run(plan("{max_units: 1%}"))
            with pytest.raises(CeilingExceeded, match=r"max_units allows 0\.00995 \(1% of what is"):
                await simulated.run(plan("{max_units: '1 %'}"))
            return ran

        # 1.005 units are left, a hundredth of that is just enough; after the run it is not.
        ran: Ran = within(World(units_included=2_005, units_used=1_000), tmp_path, work)
        check_promises(ran)
        assert len(ran.witness["creations"]) == 1

    def test_what_is_not_told_is_no_ceiling_so_nothing_is_created(self, tmp_path: Path) -> None:
        async def work(simulated: Simulated) -> int:
            with pytest.raises(CeilingExceeded, match="may not see the units"):
                await simulated.run(plan("{max_units: 10%}"))
            return len(simulated.service.world.tests)

        assert within(NOT_ALLOWED, tmp_path, work) == 0
        assert checked(NOT_ALLOWED, tmp_path, plan("{max_units: 10%}")).exit_code is Exit.CEILING

    @pytest.mark.parametrize(
        ("written", "read"),
        [
            *[("10%", (None, 0.1)), ("100 %", (None, 1.0)), (12.5, (12.5, None)), (3, (3.0, None))],
            *[(one, None) for one in ("0%", "101%", 0, -1, "a lot", True, [1])],
        ],
    )
    def test_the_schema_and_the_reader_agree(self, written: Json, read: object) -> None:
        whole = schema()
        fits = jsonschema.Draft202012Validator(whole["properties"]["budget"] | {"$defs": whole["$defs"]})
        seen, text = fits.is_valid({"max_units": written}), plan(json.dumps({"max_units": written}))
        if read is None:
            with pytest.raises(PlanInvalid, match=r"mistake|max_units"):
                parse_plan(text, "p.yaml", None, environ={})
            assert not seen or str(written).endswith("%")  # a share that cannot be is for the reader alone
        else:
            budget = parse_plan(text, "p.yaml", None, environ={}).budget
            assert (budget.max_units, budget.max_share) == read
            assert budget.at_most(5, 2.0).max_share == budget.max_share  # both hold
            assert seen


class TestAfterARun:
    @pytest.mark.parametrize(
        ("world", "counted"),
        [
            (World(), {"units": 0.01, "tests": 1}),
            (World(usage_lag=3600.0), {"units": 0.0, "tests": 0}),
            (NOT_ALLOWED, None),
            (World(faults=(Fault("silent-after", "usage"),)), None),
            (World(faults=(Fault("500", "usage"),)), None),
        ],
        ids=["counted", "late", "not allowed", "no answer", "an error"],
    )
    def test_the_vendors_count_stands_beside_the_estimate(
        self, world: World, counted: dict[str, float] | None, tmp_path: Path
    ) -> None:
        async def work(simulated: Simulated) -> Ran:
            return await simulated.run(plan("{max_units: 5}"))

        ran: Ran = within(world, tmp_path, work)
        check_promises(ran)
        assert ran.code == 0
        assert ran.summary["units"].get("counted") == counted
        assert ran.summary["units"]["estimated"] == 0.01

    def test_nobody_is_asked_by_a_plan_without_a_ceiling(self, tmp_path: Path) -> None:
        async def work(simulated: Simulated) -> Ran:
            return await simulated.run(plan())

        ran: Ran = within(World(), tmp_path, work)
        assert "usage" not in ran.witness["requests"]
        assert "counted" not in ran.summary["units"]

    def test_it_is_kept_and_told(self) -> None:
        facts = RunFacts(units=2.0, counted=Counted(1.5, 3))
        assert units_told(make_run(facts=facts)) == (
            "about 2 units (the vendor had counted 1.5, of 3 tests; its count may be late)"
        )
        assert units_told(make_run(facts=RunFacts(units=2.0))) == "about 2 units"
        assert load_facts(dump_facts(facts)).counted == Counted(1.5, 3)
        assert load_facts(dump_facts(RunFacts(units=2.0))).counted is None


class TestWhatTheVendorSays:
    def test_a_quota_is_that_of_the_account_group(self) -> None:
        mine = {"accountGroupQuotas": [{"aid": "7", "value": 2000}], "organizationQuota": {"value": 9000}}
        body = json.dumps({"quotas": [{"organizationQuota": {"value": 500}}, mine]}).encode()
        assert read_quotas(body, "7") == 2.0
        assert read_quotas(body, None) is None  # of two organizations nobody knows which
        assert read_quotas(json.dumps({"quotas": [mine]}).encode(), "8") == 9.0

    def test_units_of_both_kinds_of_agents_are_used(self) -> None:
        told = {"quota": {"cloudUnitsIncluded": "4000"}, "cloudUnitsUsed": 1000, "enterpriseUnitsUsed": 500}
        assert read_usage(json.dumps({"usage": told}).encode()).left == 2.5
        assert Allotment(1.0, 2.0).left == 0.0

    @pytest.mark.parametrize(
        "body", [b"", b"[]", b"{}", b'{"usage": {"quota": []}}', b'{"breakdowns": 1}', b"\xff"]
    )
    def test_what_is_no_usage_is_not_read_as_one(self, body: bytes) -> None:
        for read in (read_usage, lambda one: read_units_of_tests(one, {"1"})):
            with pytest.raises(BadAnswer):
                read(body)


def test_the_simulator_counts_rounds_and_tells_late() -> None:
    service = Service(World(usage_lag=60.0))
    headers = {"authorization": "Bearer x", "content-type": "application/json"}

    def ask(method: str, path: str, now: float, body: object = None) -> Any:
        raw = b"" if body is None else json.dumps(body).encode()
        query = {"startDate": "2027-01-01T00:00:00Z"} if "tests" in path and method == "GET" else {}
        return json.loads(service.handle(SimRequest(method, path, query, headers, raw), now).body)

    at = 1_800_000_000.0
    body = {"url": "https://a.example/", "agents": [{"agentId": "3"}], "httpTimeLimit": 10}
    made = ask("POST", "/v7/tests/http-server/instant", at, body)
    assert ask("GET", "/v7/usage/units/tests", at + 59.0)["breakdowns"] == []
    (row,) = ask("GET", "/v7/usage/units/tests", at + 61.0)["breakdowns"]
    assert (row["testId"], row["cloudUnitsUsed"], row["isInstantTest"]) == (made["testId"], 10, True)
    assert ask("GET", "/v7/usage", at + 61.0)["usage"]["cloudUnitsUsed"] == 1_250_010
