"""Version 6 and version 7 tell the same of the same world; each in its own words."""

from __future__ import annotations

from typing import Any

import pytest

# v7 type -> v6 type, and where each layer's rows are found in version 6.
PAIRS = {
    "agent-to-server": "agent-to-server",
    "agent-to-agent": "agent-to-agent",
    "dns-server": "dns-server",
    "dns-trace": "dns-trace",
    "dnssec": "dns-dnssec",
    "http-server": "http-server",
    "page-load": "page-load",
    "web-transactions": "web-transactions",
    "ftp-server": "ftp-server",
    "sip-server": "sip-server",
    "voice": "voice",
}
PRIMARY = {
    "agent-to-server": ("network", "net/metrics", "net", "metrics"),
    "agent-to-agent": ("network", "net/metrics", "net", "metrics"),
    "dns-server": ("dns-server", "dns/server", "dns", "server"),
    "dns-trace": ("dns-trace", "dns/trace", "dns", "trace"),
    "dnssec": ("dnssec", "dns/dnssec", "dns", "dnssec"),
    "http-server": ("http-server", "web/http-server", "web", "httpServer"),
    "page-load": ("page-load", "web/page-load", "web", "pageLoad"),
    "web-transactions": ("web-transactions", "web/web-transactions", "web", "webTransaction"),
    "ftp-server": ("ftp-server", "web/ftp-server", "web", "ftpServer"),
    "sip-server": ("sip-server", "voice/sip-server", "voice", "sipMetrics"),
    "voice": ("rtp-server", "voice/rtp-stream", "voice", "metrics"),
}
# Written otherwise, or by one version only.
WORDS = {
    *("agent", "agentId", "agentName", "countryId", "location", "date", "startTime", "endTime"),
    *("_links", "permalink", "errorType", "errorDetails", "errorDetail", "direction", "serverId", "dscp"),
}


def comparable(row: dict[str, Any]) -> dict[str, Any]:
    values = {name: value for name, value in row.items() if name not in WORDS}
    if "valid" in values:
        values["isValid"] = bool(values.pop("valid"))
    return values


@pytest.mark.parametrize("type_name", list(PAIRS))
def test_the_same_test_gives_the_same_values_row_for_row(caller: Any, type_name: str) -> None:
    new, old = caller(trouble=0.3), caller(trouble=0.3)
    test_id, old_id = new.create(type_name), old.create_v6(PAIRS[type_name])
    new.now += 400
    old.now += 400
    layer, path, group, key = PRIMARY[type_name]
    rows = new.rows(test_id, layer)
    old_rows = old.get(f"/v6/{path}/{old_id}")[group][key]
    assert [comparable(row) for row in old_rows] == [comparable(row) for row in rows]
    assert [row["agentId"] for row in old_rows] == [int(row["agent"]["agentId"]) for row in rows]
    assert all(isinstance(row["agentId"], int) for row in old_rows)
    assert len(rows) == (4 if type_name == "dns-server" else 2)


def test_the_network_layers_agree_too(caller: Any) -> None:
    new, old = caller(), caller()
    test_id, old_id = new.create(), old.create_v6()
    new.now += 400
    old.now += 400
    network = old.get(f"/v6/net/metrics/{old_id}")["net"]["metrics"]
    assert [comparable(row) for row in network] == [comparable(row) for row in new.rows(test_id, "network")]
    paths = old.get(f"/v6/net/path-vis/{old_id}")["net"]["pathVis"]
    assert [row["endpoints"] for row in paths] == [row["pathTraces"] for row in new.rows(test_id, "path-vis")]
    row = paths[0]
    detail = old.get(f"/v6/net/path-vis/{old_id}/{row['agentId']}/{row['roundId']}")["net"]["pathVis"][0]
    new_row = new.rows(test_id, "path-vis")[0]
    agent, round_id = new_row["agent"]["agentId"], new_row["roundId"]
    (new_detail,) = new.get(f"/v7/test-results/{test_id}/path-vis/agent/{agent}/round/{round_id}")["results"]
    assert detail["routes"] == new_detail["pathTraces"]


def test_values_change_with_the_seed_the_target_the_agent_and_the_round(caller: Any) -> None:
    def first(asked: Any, test_id: str) -> dict[str, Any]:
        return {row["agent"]["agentId"]: comparable(row) for row in asked.rows(test_id, "http-server")}

    asked, other_seed = caller(), caller(seed=2)
    here, there, elsewhere = (
        asked.create(),
        asked.create(url="https://other.example.com"),
        other_seed.create(),
    )
    asked.now += 400
    other_seed.now += 400
    base = first(asked, here)
    assert base["3"] != base["4"], "agents differ"
    assert base != first(asked, there), "targets differ"
    assert base != first(other_seed, elsewhere), "seeds differ"
    asked.ask("POST", f"/v7/tests/{here}/run")
    asked.now += 400
    assert base != first(asked, here), "rounds differ"


def test_a_test_of_one_version_can_be_read_over_the_other(caller: Any) -> None:
    asked = caller()
    test_id = asked.create_v6()
    asked.now += 400
    assert len(asked.rows(str(test_id), "http-server")) == 2


@pytest.mark.parametrize("host", ["fail.example.com", "down.example.com", "gone.invalid"])
def test_hosts_that_fail_give_error_rows_in_the_primary_layer_of_every_type(caller: Any, host: str) -> None:
    changes: dict[str, dict[str, Any]] = {
        "agent-to-server": {"server": f"{host}:443"},
        "dns-server": {"domain": f"{host} A"},
        "dns-trace": {"domain": f"{host} A"},
        "dnssec": {"domain": host},
        "http-server": {"url": f"https://{host}"},
        "page-load": {"url": f"https://{host}"},
        "web-transactions": {"url": f"https://{host}"},
        "api": {"url": f"https://{host}"},
        "ftp-server": {"url": f"ftp://{host}"},
        "sip-server": {"targetSipCredentials": {"port": 5060, "sipRegistrar": host}},
    }
    fields = {"sip-server": "problemDetail"}
    metrics = {"loss", "avgLatency", "totalTime", "resolutionTime", "isValid", "queries", "pageLoadTime"}
    metrics |= {"transactionTime", "apiTransactionTime", "availability"}
    for type_name, change in changes.items():
        asked = caller()
        test_id = asked.create(type_name, **change)
        asked.now += 400
        layer = "api" if type_name == "api" else PRIMARY[type_name][0]
        for row in asked.rows(test_id, layer):
            assert not metrics & set(row), (type_name, "a failed measurement has no metrics")
            if type_name != "page-load":
                assert host in row[fields.get(type_name, "errorDetails")], type_name


def test_a_target_agent_that_is_offline_gives_error_rows(caller: Any) -> None:
    asked = caller()
    test_id = asked.create("voice", targetAgentId="1009")
    asked.now += 400
    for row in asked.rows(test_id, "rtp-server"):
        assert "not reachable" in row["errorDetail"]
        assert "mos" not in row


def test_a_refused_connection_is_total_loss_in_the_network_layer(caller: Any) -> None:
    asked = caller()
    test_id = asked.create(url="https://down.example.com")
    asked.now += 400
    for row in asked.rows(test_id, "network"):
        assert row["loss"] == 100.0
        assert "avgLatency" not in row


def test_error_rate_is_about_the_share_of_error_rows(caller: Any) -> None:
    asked = caller(error_rate=0.25)
    agents = [{"agentId": str(number)} for number in range(3, 43)]
    failed = total = 0
    for number in range(10):
        test_id = asked.create(url=f"https://host-{number}.example.com", agents=agents)
        asked.now += 400
        rows = asked.rows(test_id, "http-server")
        total += len(rows)
        failed += sum("totalTime" not in row for row in rows)
    assert total == 400
    assert 60 <= failed <= 140


def test_agents_are_the_same_in_both_versions(caller: Any) -> None:
    asked = caller()
    new = asked.get("/v7/agents", expand="cluster-member")["agents"]
    old = asked.get("/v6/agents.json")["agents"]
    assert [int(agent["agentId"]) for agent in new] == [agent["agentId"] for agent in old]
    assert len(new) == 62
    assert len({agent["countryId"] for agent in new}) >= 25
    states = {agent["agentId"]: agent.get("agentState") for agent in new}
    for agent in old:
        state = states[str(agent["agentId"])]
        assert agent.get("agentState") == (state and state.capitalize())
    clusters = [agent for agent in new if agent["agentType"] == "enterprise-cluster"]
    assert all("agentState" not in agent for agent in clusters), "a cluster has no state of its own"
    assert [[m["agentState"] for m in agent["clusterMembers"]] for agent in clusters] == [
        ["online", "online", "online"],
        ["online", "offline"],
    ]
    assert all("clusterMembers" not in agent for agent in asked.get("/v7/agents")["agents"])


def test_agents_can_be_narrowed_by_type(caller: Any) -> None:
    asked = caller()
    assert len(asked.get("/v7/agents", agentTypes="enterprise,enterprise-cluster")["agents"]) == 22
    assert len(asked.get("/v6/agents", agentTypes="CLOUD")["agents"]) == 40
    assert asked.ask("GET", "/v7/agents", agentTypes="CLOUD").status == 400


def test_tags_and_labels_name_the_same_agents(caller: Any) -> None:
    asked = caller()
    tags = {
        tag["value"]: {item["id"] for item in tag["assignments"]}
        for tag in asked.get("/v7/tags", expand="assignments")["tags"]
    }
    labels = {
        group["name"]: {str(agent["agentId"]) for agent in group["agents"]}
        for group in asked.get("/v6/groups/agents")["groups"]
    }
    carried: dict[str, set[str]] = {}
    for agent in asked.get("/v6/agents.json")["agents"]:
        for group in agent["groups"]:
            carried.setdefault(group["name"], set()).add(str(agent["agentId"]))
    assert tags == labels == carried
    assert set(tags) == {"emea", "amer", "apac", "hq", "branch", "lab", "datacenter"}
    assert all("assignments" not in tag for tag in asked.get("/v7/tags")["tags"])


def test_account_groups_say_which_one_is_current(caller: Any) -> None:
    asked = caller()
    new = asked.get("/v7/account-groups", aid="5678")["accountGroups"]
    assert [(group["aid"], group["isCurrentAccountGroup"]) for group in new] == [
        ("1234", False),
        ("5678", True),
    ]
    old = asked.get("/v6/account-groups.json")["accountGroups"]
    assert [(group["aid"], group["current"], group["default"]) for group in old] == [
        (1234, 1, 1),
        (5678, 0, 0),
    ]


def test_a_larger_world_has_agents_with_ids_and_names_of_their_own(caller: Any) -> None:
    asked = caller(cloud_agents=200, enterprise_agents=300, clusters=10)
    agents = asked.get("/v7/agents")["agents"]
    assert len({agent["agentId"] for agent in agents}) == 510
    assert len({agent["agentName"] for agent in agents}) == 510


def test_a_world_may_be_limited_to_countries(caller: Any) -> None:
    asked = caller(countries=("GB", "DE"))
    assert {agent["countryId"] for agent in asked.get("/v7/agents")["agents"]} == {"GB", "DE"}
