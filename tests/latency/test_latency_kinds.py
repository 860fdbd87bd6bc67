"""What is learned belongs to a type and the kinds of agents, and is kept from run to run."""

from __future__ import annotations

import pytest
from builders import make_spec

from orchestrator.model import AgentType
from orchestrator.schedule.kinds import Kinds, Latencies

AGENTS = {"1": AgentType.CLOUD, "2": AgentType.ENTERPRISE, "3": AgentType.CLUSTER}


@pytest.mark.parametrize(
    ("agents", "kind"),
    [
        (("1",), "http-server cloud"),
        (("2",), "http-server enterprise"),
        (("3",), "http-server enterprise"),
        (("3", "1"), "http-server cloud+enterprise"),
        (("unheard of",), "http-server"),
    ],
)
def test_a_kind_is_a_type_and_where_its_agents_are(agents: tuple[str, ...], kind: str) -> None:
    assert Kinds(AGENTS).of(make_spec("a", agents=agents)) == kind


def test_what_is_learned_of_one_kind_says_nothing_of_another() -> None:
    learned = {"http-server enterprise": [90.0] * 30}
    latencies = Latencies(learned)
    assert latencies["http-server enterprise"].quantile(0.5) == pytest.approx(90.0)
    assert latencies["http-server cloud"].quantile(0.5) == pytest.approx(30.0, rel=0.1)


def test_what_was_learned_before_kinds_were_told_apart_is_not_lost() -> None:
    latencies = Latencies({"http-server": [90.0] * 30, "http-server cloud": [10.0] * 30})
    assert latencies["http-server enterprise"].quantile(0.5) == pytest.approx(90.0)
    assert latencies["http-server cloud"].quantile(0.5) == pytest.approx(10.0)


def test_what_was_learned_comes_back_in_the_next_run() -> None:
    latencies = Latencies({"voice cloud": [4.0] * 30})
    latencies["voice cloud"].add(5.0)
    assert latencies["page-load cloud"].quantile(0.5) > 40.0
    again = Latencies(latencies.dump())
    assert latencies.dump() == {"voice cloud": [*[4.0] * 30, 5.0]}
    assert again["voice cloud"].dump() == latencies["voice cloud"].dump()
