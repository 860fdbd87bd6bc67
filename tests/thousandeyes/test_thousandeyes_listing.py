from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.model import Agent, AgentState, AgentType
from orchestrator.thousandeyes.protocol import AccountGroup, BadAnswer, Dialect
from orchestrator.thousandeyes.v6 import V6
from orchestrator.thousandeyes.v7 import V7

V7_AGENTS = [
    {
        "agentId": "3",
        "agentName": "Singapore",
        "agentType": "cloud",
        "countryId": "SG",
        "location": "Singapore",
    },
    {
        "agentId": "29",
        "agentName": "branch-1",
        "agentType": "enterprise",
        "enabled": True,
        "agentState": "online",
    },
    {
        "agentId": "30",
        "agentName": "branch-2",
        "agentType": "enterprise",
        "enabled": False,
        "agentState": "online",
    },
    {
        "agentId": "31",
        "agentName": "branch-3",
        "agentType": "enterprise",
        "enabled": True,
        "agentState": "offline",
    },
    {
        "agentId": "1975",
        "agentName": "Duke cluster",
        "agentType": "enterprise-cluster",
        "countryId": "US",
        "enabled": True,
        "clusterMembers": [
            {"memberId": "1", "agentState": "offline"},
            {"memberId": "2", "agentState": "online"},
        ],
    },
    {"agentId": "40", "agentName": "only a target", "agentType": "cloud", "targetOnly": True},
]
V6_AGENTS = [
    {
        "agentId": 3,
        "agentName": "Singapore",
        "agentType": "Cloud",
        "countryId": "SG",
        "location": "Singapore",
    },
    {"agentId": 29, "agentName": "branch-1", "agentType": "Enterprise", "enabled": 1, "agentState": "Online"},
    {"agentId": 30, "agentName": "branch-2", "agentType": "Enterprise", "enabled": 0, "agentState": "Online"},
    {
        "agentId": 31,
        "agentName": "branch-3",
        "agentType": "Enterprise",
        "enabled": 1,
        "agentState": "Offline",
    },
    {
        "agentId": 1975,
        "agentName": "Duke cluster",
        "agentType": "Enterprise Cluster",
        "countryId": "US",
        "enabled": 1,
        "clusterMembers": [{"memberId": 1, "agentState": "Offline"}, {"memberId": 2, "agentState": "Online"}],
    },
    {"agentId": 40, "agentName": "only a target", "agentType": "Cloud", "targetOnly": 1},
]
AGENTS = (
    Agent("3", "Singapore", AgentType.CLOUD, "SG", "Singapore", AgentState.UNKNOWN),
    Agent("29", "branch-1", AgentType.ENTERPRISE, state=AgentState.ONLINE),
    Agent("30", "branch-2", AgentType.ENTERPRISE, state=AgentState.DISABLED),
    Agent("31", "branch-3", AgentType.ENTERPRISE, state=AgentState.OFFLINE),
    Agent("1975", "Duke cluster", AgentType.CLUSTER, "US", state=AgentState.ONLINE),
    Agent("40", "only a target", AgentType.CLOUD, target_only=True),
)


def body(**content: Any) -> bytes:
    return json.dumps(content).encode()


@pytest.mark.parametrize(("dialect", "listed"), [(V7(), V7_AGENTS), (V6(), V6_AGENTS)])
def test_both_versions_list_the_same_agents(dialect: Dialect, listed: list[Any]) -> None:
    assert dialect.read_agents(body(agents=listed)) == AGENTS


@pytest.mark.parametrize("dialect", [V7(), V6()])
@pytest.mark.parametrize(
    ("told", "where"),
    [
        (
            {
                "network": "Example (AS 64500)",
                "prefix": "192.0.2.0/24",
                "coordinates": {"latitude": 1.3, "longitude": -103.8},
            },
            ("Example (AS 64500)", "192.0.2.0/24", 1.3, -103.8),
        ),
        ({"coordinates": {"latitude": "51.5", "longitude": 0}}, (None, None, 51.5, 0.0)),
        ({"coordinates": {"latitude": 91, "longitude": -181}}, (None, None, None, None)),
        ({"coordinates": {"latitude": True, "longitude": "east"}}, (None, None, None, None)),
        ({"network": "", "prefix": {}, "coordinates": [1, 2]}, (None, None, None, None)),
        ({"network": None, "coordinates": None}, (None, None, None, None)),
    ],
)
def test_where_an_agent_is_is_read_as_far_as_it_is_told(
    dialect: Dialect, told: dict[str, Any], where: tuple[Any, ...]
) -> None:
    listed = [{"agentId": "3", "agentType": "cloud", **told}]
    [agent] = dialect.read_agents(body(agents=listed))
    assert (agent.network, agent.prefix, agent.latitude, agent.longitude) == where


@pytest.mark.parametrize(
    ("members", "state"),
    [
        (["online", "offline"], AgentState.ONLINE),
        (["offline", "offline"], AgentState.OFFLINE),
        (["disabled", "offline"], AgentState.OFFLINE),
        (["disabled"], AgentState.DISABLED),
        ([None, "offline"], AgentState.UNKNOWN),
        ([], AgentState.UNKNOWN),
    ],
)
def test_a_cluster_is_as_well_as_its_best_member(members: list[str | None], state: AgentState) -> None:
    cluster = {
        "agentId": "5",
        "agentType": "enterprise-cluster",
        "clusterMembers": [{"agentState": member} for member in members],
    }
    (agent,) = V7().read_agents(body(agents=[cluster]))
    assert agent.state is state


def test_entries_that_are_no_agents_are_left_out() -> None:
    odd: list[Any] = [
        None,
        7,
        {},
        {"agentId": "5"},
        {"agentId": "5", "agentType": "endpoint"},
        {"agentType": "cloud"},
    ]
    assert V7().read_agents(body(agents=odd)) == ()


def test_labels_that_the_listing_shows_are_kept_with_the_agent() -> None:
    base = {"agentId": 5, "agentType": "Cloud"}
    groups = [{"name": "My label", "groupId": 714}, {"name": "My label"}, {"groupId": 1}]
    (v6,) = V6().read_agents(body(agents=[{**base, "groups": groups}]))
    tags = [{"key": "branch", "value": "sfo"}, "plain"]
    (v7,) = V7().read_agents(
        body(agents=[{**base, "labels": [{"labelId": "1", "name": "old"}], "tags": tags}])
    )
    assert v6.labels == ("My label",)
    assert v7.labels == ("old", "branch:sfo", "sfo", "plain")


def test_tags_name_agents_by_key_and_value_and_by_value() -> None:
    tags = [
        {
            "key": "branch",
            "value": "sfo",
            "objectType": "v-agent",
            "assignments": [{"id": "5", "type": "v-agent"}, {"id": 6}, {"id": "7", "type": "test"}, None],
        },
        {"key": "branch", "value": "nyc", "assignments": [{"id": "8", "type": "v-agent"}]},
        {"key": "other", "value": "sfo", "assignments": [{"id": "9", "type": "v-agent"}]},
        {"key": "alone", "objectType": "v-agent", "assignments": None},
        "odd",
    ]
    assert V7().read_labels(body(tags=tags)) == {
        "branch:sfo": {"5", "6"},
        "branch:nyc": {"8"},
        "other:sfo": {"9"},
        "sfo": {"5", "6", "9"},
        "nyc": {"8"},
        "alone": frozenset(),
    }


def test_groups_name_agents_and_test_labels_do_not_count() -> None:
    groups = [
        {
            "name": "My label",
            "groupId": 714,
            "type": "agents",
            "agents": [{"agentId": 3}, {"agentId": "4"}, {}],
        },
        {"name": "Tests", "groupId": 961, "type": "tests", "agents": [{"agentId": 5}]},
        {"name": "Cloud", "groupId": -2, "type": "agents"},
        {"groupId": 5},
    ]
    assert V6().read_labels(body(groups=groups)) == {"My label": {"3", "4"}, "Cloud": frozenset()}


def test_account_groups_are_read_in_both_versions() -> None:
    v7 = [
        {"aid": "7", "accountGroupName": "Net", "isCurrentAccountGroup": True, "organizationName": "Org"},
        {},
    ]
    v6 = [{"aid": 7, "accountGroupName": "Net", "current": 1, "default": 0, "organizationName": "Org"}]
    for dialect, listed in ((V7(), v7), (V6(), v6)):
        groups = dialect.read_account_groups(body(accountGroups=listed))
        assert groups == (AccountGroup("7", "Net", "Org", current=True),)


@pytest.mark.parametrize("dialect", [V7(), V6()])
@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"agents": {}}', b"<html>"])
def test_a_body_without_the_list_is_a_bad_answer(dialect: Dialect, content: bytes) -> None:
    for read in (dialect.read_agents, dialect.read_labels, dialect.read_account_groups):
        with pytest.raises(BadAnswer, match="expected a list of"):
            read(content)


def test_listings_are_asked_for_by_the_names_of_each_version() -> None:
    v7, v6 = V7(), V6()
    assert (v7.agents("7").path, dict(v7.agents("7").query)) == (
        "/v7/agents",
        {"agentTypes": "cloud,enterprise,enterprise-cluster", "expand": "cluster-member", "aid": "7"},
    )
    assert (v6.agents(None).path, dict(v6.agents(None).query)) == (
        "/v6/agents.json",
        {"agentTypes": "CLOUD,ENTERPRISE,ENTERPRISE_CLUSTER"},
    )
    assert (v7.labels(None).path, v7.labels(None).query) == ("/v7/tags", (("expand", "assignments"),))
    assert v6.labels("7").path == "/v6/groups/agents"
    for request in (v7.agents(None), v6.labels(None), v7.account_groups(), v6.account_groups()):
        assert request.method == "GET"
        assert not request.instant


V7_NEXT = '{{"agents": [], "_links": {{"next": {{"href": "{0}"}}}}}}'
V6_NEXT = '{{"agents": [], "pages": {{"current": 1, "next": "{0}"}}}}'


@pytest.mark.parametrize(
    ("dialect", "form", "link"),
    [
        (V7(), V7_NEXT, "https://api.thousandeyes.com/v7/agents?cursor=2&aid=7"),
        (V7(), V7_NEXT, "/v7/agents?cursor=2"),
        (V7(), V7_NEXT, "http://backend.example/te/v7/agents?cursor=2"),
        (V6(), V6_NEXT, "https://api.thousandeyes.com/v6/agents?cursor=2"),
        (V6(), V6_NEXT, "https://api.thousandeyes.com/v6/agents.json?cursor=2"),
    ],
)
def test_a_listing_goes_on_where_its_next_link_says(dialect: Dialect, form: str, link: str) -> None:
    first = dialect.agents("7")
    following = dialect.next_listing(first, form.format(link).encode(), "https://api.thousandeyes.com")
    assert following is not None
    assert (following.method, following.path) == ("GET", first.path)
    assert dict(following.query) == {**dict(first.query), "cursor": "2"}, "what was asked for is kept"


@pytest.mark.parametrize("link", ["/v7/tests?cursor=2", "/v6/x", "/v7/a/../x", "nowhere", "/v7/agents/3"])
def test_a_listing_whose_next_page_leads_elsewhere_is_no_listing(link: str) -> None:
    for dialect, form in ((V7(), V7_NEXT), (V6(), V6_NEXT)):
        with pytest.raises(BadAnswer, match="further page"):
            dialect.next_listing(dialect.agents(None), form.format(link).encode(), "https://api.example")


def test_a_listing_without_a_next_link_is_at_its_end() -> None:
    for dialect in (V7(), V6()):
        for body in (b'{"agents": []}', b'{"agents": [], "_links": {"self": {"href": "/v7/agents"}}}'):
            assert dialect.next_listing(dialect.agents(None), body, "https://api.example") is None
