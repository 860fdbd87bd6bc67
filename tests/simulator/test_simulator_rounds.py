"""Rows arrive agent by agent; rounds, pages and ranges are as documented."""

from __future__ import annotations

import json
import math
import statistics
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from orchestrator.simulator.catalog import LAYERS

TEN = [{"agentId": str(number)} for number in range(3, 13)]


def test_nothing_is_there_at_first_and_the_test_is_described_anyway(caller: Any) -> None:
    asked = caller()
    body = asked.get(f"/v7/test-results/{asked.create()}/http-server")
    assert body["results"] == []
    assert body["test"]["url"] == "https://www.example.com"


def test_in_version_6_not_ready_is_a_missing_key(caller: Any) -> None:
    asked = caller()
    body = asked.get(f"/v6/web/http-server/{asked.create_v6()}.json")
    assert set(body["web"]) == {"test"}
    assert body["pages"] == {"current": 1}


def test_rows_arrive_agent_by_agent_until_all_are_there(caller: Any) -> None:
    asked = caller()
    test_id = asked.create(agents=TEN)
    counts = []
    for _ in range(300):
        counts.append(len(asked.rows(test_id, "http-server")))
        asked.now += 0.5
    assert counts[0] == 0
    assert counts[-1] == 10
    assert counts == sorted(counts), "rows never go away"
    assert len(set(counts)) >= 5, "they come one after the other"


def test_offline_and_disabled_agents_never_answer(caller: Any) -> None:
    asked = caller()
    # branch-07 is offline, branch-13 is disabled, dc-ashburn has one member left.
    test_id = asked.create(agents=[{"agentId": "1009"}, {"agentId": "1015"}, {"agentId": "2002"}])
    asked.now += 10_000
    assert [row["agent"]["agentId"] for row in asked.rows(test_id, "http-server")] == ["2002"]


def test_a_rerun_shows_the_previous_round_until_the_new_one_has_rows(caller: Any) -> None:
    asked = caller()
    test_id = asked.create()
    asked.now += 200
    old = asked.rows(test_id, "network")
    assert asked.ask("POST", f"/v7/tests/{test_id}/run").status == 200
    assert asked.rows(test_id, "network") == old
    asked.now += 200
    new = asked.rows(test_id, "network")
    assert {row["roundId"] for row in new} == {int(asked.start) + 200}
    assert {row["roundId"] for row in old} == {int(asked.start)}


def test_rounds_that_begin_within_one_second_have_different_ids(caller: Any) -> None:
    asked = caller()
    test_id = asked.create()
    asked.ask("POST", f"/v7/tests/{test_id}/run")
    asked.now += 400
    everything = asked.rows(test_id, "network", window="1h")
    assert len({row["roundId"] for row in everything}) == 2
    assert len(everything) == 4


def test_a_window_shows_all_its_rounds_and_their_range(caller: Any) -> None:
    asked = caller()
    test_id = asked.create()
    for _ in range(3):
        asked.now += 1000
        asked.ask("POST", f"/v7/tests/{test_id}/run")
    asked.now += 400
    body = asked.get(f"/v7/test-results/{test_id}/network", window="45m")
    assert len({row["roundId"] for row in body["results"]}) == 3, "the first round is too old"
    assert body["endDate"].endswith("Z")
    assert "startDate" not in asked.get(f"/v7/test-results/{test_id}/network")


def test_an_explicit_range_is_honoured_in_both_versions(caller: Any) -> None:
    asked = caller()
    test_id = asked.create()
    asked.now += 1000
    asked.ask("POST", f"/v7/tests/{test_id}/run")
    asked.now += 400
    early = {"startDate": "2027-01-15T07:00:00Z", "endDate": "2027-01-15T08:10:00Z"}
    assert {row["roundId"] for row in asked.rows(test_id, "network", **early)} == {int(asked.start)}
    v6 = asked.get(
        f"/v6/net/metrics/{test_id}", **{"from": "2027-01-15T07:00:00", "to": "2027-01-15T08:10:00"}
    )
    assert {row["roundId"] for row in v6["net"]["metrics"]} == {int(asked.start)}
    assert v6["to"] == "2027-01-15 08:10:00"


def test_pages_are_followed_by_their_links_in_version_7(caller: Any) -> None:
    asked = caller(page_size=4)
    test_id = asked.create(agents=TEN)
    asked.now += 400
    seen: list[str] = []
    sizes: list[int] = []
    href: str | None = f"http://127.0.0.1:8089/v7/test-results/{test_id}/network?aid=1234"
    while href is not None:
        parts = urlsplit(href)
        assert parts.netloc == "127.0.0.1:8089", "links lead to where the client came in"
        query = dict(parse_qsl(parts.query))
        assert query["aid"] == "1234", "parameters are kept"
        body = asked.get(parts.path, **query)
        seen += [row["agent"]["agentId"] for row in body["results"]]
        sizes.append(len(body["results"]))
        href = body["_links"].get("next", {}).get("href")
    assert sizes == [4, 4, 2]
    assert len(set(seen)) == 10


def test_pages_are_followed_by_their_links_in_version_6(caller: Any) -> None:
    asked = caller(page_size=4)
    test_id = asked.create_v6(agents=[{"agentId": number} for number in range(3, 13)])
    asked.now += 400
    seen: list[int] = []
    href: str | None = f"http://127.0.0.1:8089/v6/net/metrics/{test_id}"
    while href is not None:
        parts = urlsplit(href)
        body = asked.get(parts.path, **dict(parse_qsl(parts.query)))
        seen += [row["agentId"] for row in body["net"]["metrics"]]
        href = body["pages"].get("next")
    assert sorted(seen) == list(range(3, 13))


def test_dns_servers_have_a_row_each_and_a_page_of_their_own(caller: Any) -> None:
    asked = caller()
    test_id = asked.create("dns-server")
    servers = asked.get(f"/v7/tests/dns-server/{test_id}")["dnsServers"]
    asked.now += 400
    rows = asked.rows(test_id, "dns-server")
    assert len(rows) == 4, "two agents, two servers"
    for server in servers:
        mine = asked.rows(test_id, f"dns-server/{server['serverId']}")
        assert {row["server"] for row in mine} == {server["serverName"]}
        assert len(mine) == 2


def test_the_old_path_of_voice_metrics_redirects_to_the_new_one(caller: Any) -> None:
    reply = caller().ask("GET", "/v6/voice/metrics/7.json")
    assert (reply.status, reply.headers["Location"]) == (301, "http://127.0.0.1:8089/v6/voice/rtp-stream/7")


def test_without_network_measurements_the_network_layers_stay_empty(caller: Any) -> None:
    asked = caller()
    test_id = asked.create(networkMeasurements=False)
    asked.now += 1000
    assert asked.rows(test_id, "network") == []
    assert len(asked.rows(test_id, "http-server")) == 2


def test_agent_to_server_keeps_its_network_layer_whatever_the_flag_says(caller: Any) -> None:
    asked = caller()
    test_id = asked.create("agent-to-server", networkMeasurements=False)
    asked.now += 1000
    assert len(asked.rows(test_id, "network")) == 2


def test_bidirectional_tests_answer_in_the_direction_asked_for(caller: Any) -> None:
    asked = caller()
    test_id = asked.create("agent-to-agent", direction="bidirectional")
    asked.now += 400
    assert {row["direction"] for row in asked.rows(test_id, "network")} == {"bidirectional"}
    back = asked.rows(test_id, "network", direction="from-target")
    assert {row["direction"] for row in back} == {"from-target"}
    one_way = asked.create("agent-to-agent")
    asked.now += 400
    assert asked.rows(one_way, "network", direction="from-target") == []


def test_rounds_may_differ_by_agent_where_the_settings_say_so(caller: Any) -> None:
    asked = caller(shared_rounds=False)
    test_id = asked.create(agents=TEN)
    asked.now += 400
    rows = asked.rows(test_id, "path-vis")
    assert len({row["roundId"] for row in rows}) > 1
    for row in rows:
        path = f"/v7/test-results/{test_id}/path-vis/agent/{row['agent']['agentId']}/round/{row['roundId']}"
        (detail,) = asked.get(path)["results"]
        assert [trace["pathId"] for trace in detail["pathTraces"]] == [
            trace["pathId"] for trace in row["pathTraces"]
        ]


def test_hops_lead_from_the_first_router_to_the_target(caller: Any) -> None:
    asked = caller()
    test_id = asked.create("agent-to-server", numPathTraces=5)
    asked.now += 400
    row = asked.rows(test_id, "path-vis")[0]
    assert len(row["pathTraces"]) == 5
    agent, round_id = row["agent"]["agentId"], row["roundId"]
    (detail,) = asked.get(f"/v7/test-results/{test_id}/path-vis/agent/{agent}/round/{round_id}")["results"]
    for trace, summary in zip(detail["pathTraces"], row["pathTraces"], strict=True):
        numbers = [hop["hop"] for hop in trace["hops"]]
        assert numbers == sorted(set(numbers))
        assert (numbers[0], numbers[-1]) == (1, summary["numberOfHops"])
        assert trace["hops"][-1]["ipAddress"] == summary["ipAddress"]
    assert asked.get(f"/v7/test-results/{test_id}/path-vis/agent/{agent}/round/1")["results"] == []


def test_the_time_to_the_last_row_is_lognormal_around_the_median_of_the_type(caller: Any) -> None:
    asked = caller(layer_extra=0.0)
    times = []
    for number in range(400):
        test = asked.service.world.tests[int(asked.create("dnssec", domain=f"host-{number}.example.com"))]
        times.append(asked.service.world.complete_at(test, "dnssec", 1) - asked.now)
    assert statistics.median(times) == pytest.approx(18.0, rel=0.1)
    assert statistics.stdev(map(math.log, times)) == pytest.approx(0.4, rel=0.15)
    assert min(times) >= 8.0


def test_every_layer_of_a_type_completes_and_no_other_has_rows(caller: Any) -> None:
    asked = caller()
    for type_name, layers in LAYERS.items():
        test_id = asked.create(type_name)
        asked.now += 400
        for layer in ("network", "path-vis", "http-server", "page-load", "dnssec", "rtp-server", *layers):
            assert bool(asked.rows(test_id, layer)) == (layer in layers), (type_name, layer)


def test_instant_tests_are_listed_only_where_the_settings_say_so(caller: Any) -> None:
    for listed, path in ((False, "/v7/tests"), (True, "/v7/tests"), (True, "/v7/tests/http-server")):
        asked = caller(listed=listed)
        test_id = asked.create(testName="find me")
        found = [(test["testId"], test["testName"]) for test in asked.get(path)["tests"]]
        assert found == ([(test_id, "find me")] if listed else [])


def test_a_created_test_can_be_read_again_without_its_secrets(caller: Any) -> None:
    asked = caller()
    body = {**asked.bodies["ftp-server"], "agents": [{"agentId": "3"}], "testName": "files"}
    reply = asked.ask("POST", "/v7/tests/ftp-server/instant", body, expand="agent")
    created = json.loads(reply.body)
    assert reply.headers["Location"] == created["_links"]["self"]["href"]
    assert [agent["agentId"] for agent in created["agents"]] == ["3"]
    assert created["ftpTimeLimit"] == 10, "defaults are filled in"
    assert b"made-up" not in reply.body
    again = asked.get(urlsplit(reply.headers["Location"]).path)
    assert again["testName"] == "files"
    assert "agents" not in again, "agents are shown only when they are asked for"


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ("documented", ["network", "path-vis"]),
        ("complete", ["http-server", "network", "path-vis"]),
        ("missing", None),
    ],
)
def test_result_links_are_as_the_settings_say(caller: Any, links: str, expected: list[str] | None) -> None:
    asked = caller(links=links)
    shown = asked.get(f"/v7/tests/http-server/{asked.create()}")["_links"].get("testResults")
    assert (shown and [link["href"].rsplit("/", 1)[1] for link in shown]) == expected


def test_the_sample_of_web_transactions_in_version_6_lacks_its_own_layer(caller: Any) -> None:
    asked = caller()
    (test,) = asked.get(f"/v6/tests/{asked.create_v6('web-transactions')}")["test"]
    data = [
        link["href"].split("/v6/")[1].rsplit("/", 1)[0] for link in test["apiLinks"] if link["rel"] == "data"
    ]
    assert data == ["net/metrics", "net/path-vis"]
