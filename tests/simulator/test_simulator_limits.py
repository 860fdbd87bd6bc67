"""The two windows: what is counted, what the headers say, when it begins anew."""

from __future__ import annotations

import json
from typing import Any

START = 1_800_000_000.0


def header(reply: Any, family: str, name: str) -> int:
    return int(reply.headers[f"X-{family}-Rate-Limit-{name}"])


def create(caller: Any) -> Any:
    body = {"url": "https://www.example.com", "agents": [{"agentId": "3"}]}
    return caller.ask("POST", "/v7/tests/http-server/instant", body)


def test_a_creation_costs_one_call_in_each_window_and_says_so_after_counting(caller: Any) -> None:
    asked = caller(organization_limit=240, instant_limit=24)
    reply = create(asked)
    assert reply.status == 201
    assert header(reply, "Organization", "Limit") == 240
    assert header(reply, "Organization", "Remaining") == 239
    assert header(reply, "Instant-Test", "Limit") == 24
    assert header(reply, "Instant-Test", "Remaining") == 23


def test_a_rerun_costs_one_call_in_each_window(caller: Any) -> None:
    asked = caller(organization_limit=240, instant_limit=24)
    test_id = asked.create()
    reply = asked.ask("POST", f"/v7/tests/{test_id}/run")
    assert (reply.status, reply.body) == (200, b"")
    assert header(reply, "Organization", "Remaining") == 238
    assert header(reply, "Instant-Test", "Remaining") == 22


def test_a_read_costs_the_organization_only_and_shows_its_headers_only(caller: Any) -> None:
    asked = caller(organization_limit=240, instant_limit=24)
    reply = asked.ask("GET", "/v7/agents")
    assert header(reply, "Organization", "Remaining") == 239
    assert not [name for name in reply.headers if name.startswith("X-Instant-Test")]


def test_both_versions_share_the_windows(caller: Any) -> None:
    asked = caller(organization_limit=240, instant_limit=24)
    asked.create()
    body = {"url": "https://www.example.com", "agents": [{"agentId": 3}]}
    reply = asked.ask("POST", "/v6/instant/http-server", body)
    assert header(reply, "Instant-Test", "Remaining") == 22


def test_the_call_after_the_last_one_is_refused_and_creates_nothing(caller: Any) -> None:
    asked = caller(instant_limit=2)
    assert [create(asked).status for _ in range(3)] == [201, 201, 429]
    witness = asked.service.witness()
    assert len(witness["creations"]) == 2
    assert witness["refused_429"] == {"own": 1, "instant": 1, "others": 0}


def test_a_429_is_problem_json_with_the_limit_headers_and_counts_nothing(caller: Any) -> None:
    asked = caller(organization_limit=240, instant_limit=1)
    create(asked)
    reply = create(asked)
    assert reply.status == 429
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert json.loads(reply.body)["status"] == 429
    assert header(reply, "Instant-Test", "Remaining") == 0
    assert header(reply, "Organization", "Remaining") == 239
    assert "Retry-After" not in reply.headers


def test_an_exhausted_instant_window_leaves_reads_alone(caller: Any) -> None:
    asked = caller(instant_limit=1)
    create(asked)
    assert create(asked).status == 429
    assert asked.ask("GET", "/v7/agents").status == 200


def test_an_exhausted_organization_window_refuses_creations_too(caller: Any) -> None:
    asked = caller(organization_limit=1, instant_limit=24)
    asked.ask("GET", "/v7/agents")
    reply = create(asked)
    assert reply.status == 429
    assert header(reply, "Instant-Test", "Remaining") == 24, "nothing was counted"


def test_aligned_windows_end_at_the_full_minute_whenever_the_first_call_came(caller: Any) -> None:
    asked = caller(instant_limit=1, aligned=True)
    asked.now = START + 47.3
    assert header(create(asked), "Instant-Test", "Reset") == START + 60
    asked.now = START + 59.9
    assert create(asked).status == 429
    asked.now = START + 60.0
    reply = create(asked)
    assert reply.status == 201
    assert header(reply, "Instant-Test", "Reset") == START + 120


def test_anchored_windows_begin_at_the_first_call_and_reset_is_truncated(caller: Any) -> None:
    asked = caller(instant_limit=1, aligned=False)
    asked.now = START + 47.9
    reply = create(asked)
    assert header(reply, "Instant-Test", "Reset") == START + 107, "107.9, truncated"
    asked.now = START + 107.5
    assert create(asked).status == 429, "the header's second has begun, the window has not"
    asked.now = START + 107.9
    assert create(asked).status == 201


def test_date_is_the_simulated_time_in_whole_seconds(caller: Any) -> None:
    asked = caller()
    asked.now = START + 0.999
    assert asked.ask("GET", "/v7/agents").headers["Date"] == "Fri, 15 Jan 2027 08:00:00 GMT"


def test_others_eat_their_share_and_are_refused_when_we_left_nothing(caller: Any) -> None:
    asked = caller(organization_limit=240, others=0.5, seed=7)
    asked.ask("GET", "/v7/agents")
    asked.now = START + 59.9
    remaining = header(asked.ask("GET", "/v7/agents"), "Organization", "Remaining")
    assert 240 - 2 - 170 < remaining < 240 - 2 - 70, "about half of 240 in a minute"
    while asked.ask("GET", "/v7/agents").status == 200:
        pass
    asked.now = START + 59.99
    for minute in range(1, 6):
        asked.now = START + 60 * minute
        while asked.ask("GET", "/v7/agents").status == 200:
            pass
    assert asked.service.witness()["others"]["refused"] > 100, "we took everything at each minute's start"


def test_without_limit_headers_the_limits_still_hold(caller: Any) -> None:
    asked = caller(instant_limit=1, headers=False)
    assert not [name for name in create(asked).headers if "Rate-Limit" in name]
    reply = create(asked)
    assert reply.status == 429
    assert not [name for name in reply.headers if "Rate-Limit" in name]


def test_120_unauthorized_calls_in_an_hour_block_the_address_without_limit_headers(caller: Any) -> None:
    asked = caller(token="right")
    asked.headers["authorization"] = "Bearer wrong"
    assert {asked.ask("GET", "/v7/agents").status for _ in range(120)} == {401}
    asked.headers["authorization"] = "Bearer right"
    blocked = asked.ask("GET", "/v7/agents")
    assert blocked.status == 429
    assert not [name for name in blocked.headers if "Rate-Limit" in name]
    asked.now += 3601
    assert asked.ask("GET", "/v7/agents").status == 200


def test_a_refused_request_body_still_costs_a_call(caller: Any) -> None:
    asked = caller(instant_limit=24)
    reply = asked.ask("POST", "/v7/tests/http-server/instant", {})
    assert reply.status == 400
    assert header(reply, "Instant-Test", "Remaining") == 23


def test_the_same_requests_at_the_same_times_give_the_same_answers(caller: Any) -> None:
    def play() -> list[tuple[int, bytes, float]]:
        asked = caller(others=0.3, error_rate=0.2, trouble=0.2)
        test_id = asked.create()
        replies = []
        for second in range(0, 120, 7):
            asked.now = START + second
            reply = asked.ask("GET", f"/v7/test-results/{test_id}/http-server")
            replies.append((reply.status, reply.body, reply.delay))
        return replies

    assert play() == play()
