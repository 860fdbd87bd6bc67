from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.allotment import Allotment, Monthly, percent
from orchestrator.estimate import Estimate
from orchestrator.model import Agent, AgentType, Api, NotRun, Spec
from orchestrator.report.check import check_document
from orchestrator.terminal.check import print_check
from orchestrator.terminal.console import make_console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from report_rows import Make


def written(plan: str, specs: Sequence[Spec], left_out: Sequence[NotRun], worth: Estimate) -> str:
    stream = io.StringIO()
    print_check(make_console(stream), plan, specs, left_out, worth, [OFFLINE])
    return stream.getvalue()


def worth(**changes: object) -> Estimate:
    values: dict[str, object] = {
        "creations": 3, "creations_unpacked": 6, "cells": 6, "left_out": 1, "reads": 14, "units": 0.6,
        "finish_seconds": 42.0, "organization_limit": 240, "instant_limit": 24, "limits_known": False,
        "exceeded": (), "deadline": None, "beyond_deadline": 0, "price_source": "a price list",
    }  # fmt: skip
    return Estimate(**{**values, **changes})  # type: ignore[arg-type] # a builder for tests


def specs(make: Make) -> list[Spec]:
    web = make.test().spec
    dns = replace(web, key="b", test="dns", type="dns-server", layers=("dns-server",), deadline=240.0)
    return [web, replace(web, key="c", target="mail"), dns]


LEFT_OUT = NotRun("web", "http-server", "portal", "1007", "the agent is offline")
OFFLINE = Agent("1007", "branch-07", AgentType.ENTERPRISE)


def test_check_tells_what_a_plan_would_take(make: Make) -> None:
    shown = written("sweep", specs(make), [LEFT_OUT], worth())
    finish = "  finish    about 42 s under limits of 24 instant tests and 240 requests a minute"
    assert shown.split("\n") == [
        "sweep  6 cells in 3 creations, about 42 s",
        "  test  type         targets  cells  creations  deadline  layers",
        "  web   http-server  2        4      2          3 min     http-server, network",
        "  dns   dns-server   1        2      1          4 min     dns-server",
        "  creations 3; one per cell would be 6 (3 saved)",
        "  reads     about 14",
        "  units     about 0.6 (an estimate after a price list)",
        f"{finish} (the vendor's defaults where none was seen yet)",
        "Left out",
        "  the agent is offline: 1 cell, branch-07",
        "",
    ]


def test_what_does_not_fit_into_the_time_box_is_said_and_nothing_where_all_fits(make: Make) -> None:
    shown = written("sweep", specs(make), [], worth(deadline=600.0, beyond_deadline=26))
    assert "time box  10 min: about 26 of 3 tests will not fit" in " ".join(shown.split()).replace(
        "box ", "box  "
    )
    assert "time box" not in written("sweep", specs(make), [], worth(deadline=600.0))


def test_check_says_which_ceilings_a_plan_would_exceed(make: Make) -> None:
    exceeded = worth(exceeded=("3 creations are more than max_tests 2",), limits_known=True)
    shown = written("sweep", specs(make), [], exceeded)
    assert "ceiling exceeded: 3 creations are more than max_tests 2" in shown
    assert "(as seen)" in shown
    assert "Left out" not in shown


def test_the_document_of_check_has_the_same_figures(make: Make) -> None:
    document = check_document("sweep", Api.V7, specs(make), [LEFT_OUT], worth())
    listed = document.pop("specs")
    assert isinstance(listed, list)
    assert [(spec["test"], spec["target"], spec["agents"]) for spec in listed] == [
        ("web", "portal", 2),
        ("web", "mail", 2),
        ("dns", "portal", 2),
    ]
    left_out = {"test": "web", "target": "portal", "agent_id": "1007", "reason": "the agent is offline"}
    assert document == {
        "schema": 1, "plan": "sweep", "api": "v7", "tests": {"planned": 3, "without_packing": 6},
        "cells": {"planned": 7, "not_run": 1}, "requests": {"creations": 3, "reads": 14},
        "units": {"estimated": 0.6, "source": "a price list"}, "seconds": 42.0,
        "limits": {"organization": 240, "instant_test": 24, "seen": False},
        "deadline": {"seconds": None, "tests_beyond": 0},
        "left_out": [left_out], "ceilings_exceeded": [], "notes": [], "keep": None,
    }  # fmt: skip


@given(text=st.text(st.characters(), max_size=30))
def test_check_never_obeys_hostile_data(make: Make, text: str) -> None:
    hostile_spec = replace(make.test().spec, test=text, target=text)
    cell = replace(LEFT_OUT, agent=text, reason=text)
    estimate = worth(exceeded=(text,))
    shown = written(text, [hostile_spec], [cell], estimate)
    shown.encode("utf-8")
    hidden = [char for char in shown if char != "\n" and (ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0)]
    assert not hidden, f"control characters got through: {hidden!r}"


def test_a_month_that_takes_more_units_than_there_are_says_so(make: Make) -> None:
    told = Allotment(5000.0, 1250.0, quota=1000.0)
    for units, beyond in ((1000.0, False), (1000.5, True)):
        stream = io.StringIO()
        monthly = Monthly("0 * * * *", "UTC", 720, units)
        print_check(make_console(stream), "p", specs(make), [], worth(), told=told, monthly=monthly)
        assert ("there are 1000 a period" in stream.getvalue()) == beyond


def test_a_share_keeps_the_digits_that_it_was_given() -> None:
    assert [percent(share) for share in (0.004, 0.1, 0.5)] == ["0.4%", "10%", "50%"]
