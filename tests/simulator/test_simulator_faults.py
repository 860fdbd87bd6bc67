"""Every fault does what its name says, to the requests that it is aimed at, and to no others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.simulator.definitions import define
from orchestrator.simulator.faults import KINDS, When, parse_fault
from orchestrator.simulator.service import Fault, Service, Settings, Wire


def ready(caller: Any, *faults: Fault, **settings: Any) -> tuple[Any, str]:
    """A world with faults, and a test in it whose rows have all arrived."""
    asked = caller(faults=faults, **settings)
    test_id = asked.create()
    asked.now += 400
    return asked, test_id


def look(asked: Any, test_id: str) -> Any:
    return asked.ask("GET", f"/v7/test-results/{test_id}/http-server")


def create(asked: Any) -> Any:
    body = {"url": "https://www.example.com", "agents": [{"agentId": "3"}]}
    return asked.ask("POST", "/v7/tests/http-server/instant", body)


# --- what is taken and what is not


@pytest.mark.parametrize("kind", [kind for kind, (when, _) in KINDS.items() if when is When.BEFORE])
def test_faults_before_a_request_leave_no_trace_of_it(caller: Any, kind: str) -> None:
    asked = caller(faults=(Fault(kind, "create", first=1),), instant_limit=24)
    create(asked)
    assert asked.service.witness()["creations"] == []
    reply = create(asked)
    assert reply.status == 201
    assert reply.headers["X-Instant-Test-Rate-Limit-Remaining"] == "23", "the lost call was not counted"


@pytest.mark.parametrize("kind", [kind for kind, (when, _) in KINDS.items() if when is When.AFTER])
def test_faults_after_a_request_leave_a_test_behind(caller: Any, kind: str) -> None:
    asked = caller(faults=(Fault(kind, "create"),), instant_limit=24)
    create(asked)
    assert len(asked.service.witness()["creations"]) == 1
    counted = asked.ask("POST", "/v7/tests/1/run").headers["X-Instant-Test-Rate-Limit-Remaining"]
    assert counted == "22", "creation and re-run were counted"


@pytest.mark.parametrize("kind", [kind for kind, (when, _) in KINDS.items() if when is When.REFUSED])
def test_refusals_create_nothing(caller: Any, kind: str) -> None:
    asked = caller(faults=(Fault(kind, "create"),))
    assert create(asked).status >= 300
    assert asked.service.witness()["creations"] == []


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("taken", [False, True])
def test_server_errors_come_before_or_after_the_request_was_taken(
    caller: Any, status: int, taken: bool
) -> None:
    kind = f"{status}-taken" if taken else str(status)
    asked = caller(faults=(Fault(kind, "create"),))
    assert create(asked).status == status
    assert len(asked.service.witness()["creations"]) == int(taken)


def test_a_proxys_error_is_html_without_limit_headers(caller: Any) -> None:
    reply = create(caller(faults=(Fault("502", "create"),)))
    assert reply.headers["Content-Type"] == "text/html"
    assert not [name for name in reply.headers if "Rate-Limit" in name]


def test_the_apis_own_500_is_problem_json_with_limit_headers(caller: Any) -> None:
    reply = create(caller(faults=(Fault("500", "create"),)))
    assert json.loads(reply.body)["title"] == "Internal server error"
    assert "X-Instant-Test-Rate-Limit-Remaining" in reply.headers


@pytest.mark.parametrize(
    ("kind", "wire"),
    [
        ("reset-before", Wire.RESET),
        ("reset-after", Wire.RESET),
        ("silent-before", Wire.HANG),
        ("silent-after", Wire.HANG),
        ("truncated", Wire.TRUNCATE),
        ("slow-body", Wire.SLOW),
        ("endless-body", Wire.ENDLESS),
    ],
)
def test_faults_of_the_wire_tell_the_door_what_to_break(caller: Any, kind: str, wire: Wire) -> None:
    reply = create(caller(faults=(Fault(kind, "create", value=7.0),)))
    assert reply.wire is not None
    assert (reply.wire.kind, reply.wire.seconds) == (wire, 7.0)


# --- aim


def test_a_fault_hits_the_kind_of_call_that_it_is_aimed_at(caller: Any) -> None:
    for match in ("create", "rerun", "read", "agents"):
        asked = caller(faults=(Fault("503", match),))
        test_id = asked.service.world.create(_definition(), asked.now).id
        statuses = {
            "create": create(asked).status,
            "rerun": asked.ask("POST", f"/v7/tests/{test_id}/run").status,
            "read": look(asked, str(test_id)).status,
            "agents": asked.ask("GET", "/v6/agents").status,
        }
        assert {kind for kind, status in statuses.items() if status == 503} == {match}


def _definition() -> Any:
    return define("http-server", {"url": "https://x.example.com"}, (3,), api="v7", echo={})


def test_a_fault_may_hit_the_nth_the_first_or_some(caller: Any) -> None:
    def statuses(fault: Fault) -> list[int]:
        asked = caller(faults=(fault,))
        return [asked.ask("GET", "/v7/agents").status for _ in range(200)]

    assert [index for index, s in enumerate(statuses(Fault("503", nth=3))) if s == 503] == [2]
    assert [index for index, s in enumerate(statuses(Fault("503", first=2))) if s == 503] == [0, 1]
    assert [index for index, s in enumerate(statuses(Fault("503", after=198))) if s == 503] == [198, 199]
    assert 60 <= statuses(Fault("503", probability=0.5)).count(503) <= 140
    assert statuses(Fault("503", probability=0.0)).count(503) == 0


def test_a_fault_may_be_narrowed_to_a_layer_and_a_type(caller: Any) -> None:
    asked = caller(faults=(Fault("503", "read", layer="network", type="http-server"),))
    http, dns = asked.create(), asked.create("dns-server")
    hit = {
        (name, layer)
        for name, test_id in (("http", http), ("dns", dns))
        for layer in ("network", "path-vis")
        if asked.ask("GET", f"/v7/test-results/{test_id}/{layer}").status == 503
    }
    assert hit == {("http", "network")}


# --- refusals


def test_a_forced_429_empties_the_window_and_says_when_it_ends(caller: Any) -> None:
    asked = caller(faults=(Fault("429", "create", nth=2),), instant_limit=24)
    create(asked)
    reply = create(asked)
    assert reply.status == 429
    assert reply.headers["X-Instant-Test-Rate-Limit-Remaining"] == "0"
    assert create(asked).status == 429, "it stays empty until the window ends"
    asked.now += 60
    assert create(asked).status == 201


def test_a_429_may_come_without_headers_or_with_retry_after_only(caller: Any) -> None:
    bare = create(caller(faults=(Fault("429-no-headers", "create"),)))
    assert bare.status == 429
    assert not [name for name in bare.headers if "Rate-Limit" in name or name == "Retry-After"]
    patient = create(caller(faults=(Fault("retry-after", "create", value=17),)))
    assert (patient.status, patient.headers["Retry-After"]) == (429, "17")


def test_the_token_may_be_refused_in_the_middle(caller: Any) -> None:
    asked = caller(faults=(Fault("401", nth=3),))
    assert [asked.ask("GET", "/v7/agents").status for _ in range(4)] == [200, 200, 401, 200]


def test_a_fresh_test_may_be_unknown_for_some_looks(caller: Any) -> None:
    asked = caller(faults=(Fault("404-fresh", value=2),))
    for _ in range(2):
        test_id = asked.create()
        assert [look(asked, test_id).status for _ in range(4)] == [404, 404, 200, 200]


def test_redirects_lead_elsewhere_or_to_another_path_here(caller: Any) -> None:
    there = look(*ready(caller, Fault("redirect", "read", target="http://127.0.0.1:9/")))
    assert there.status == 307
    assert there.headers["Location"].startswith("http://127.0.0.1:9/v7/test-results/")
    here = look(*ready(caller, Fault("redirect-same", "read")))
    assert here.headers["Location"].startswith("http://127.0.0.1:8089/v7/test-results/")
    assert here.headers["Location"].endswith("/moved")


# --- bodies


def test_bodies_that_are_no_json(caller: Any) -> None:
    for kind in ("truncated-json", "invalid-json", "html", "empty-body"):
        reply = look(*ready(caller, Fault(kind, "read")))
        assert reply.status == 200, kind
        with pytest.raises(ValueError, match=r"."):
            json.loads(reply.body)


def test_a_wrong_content_type_has_the_right_body(caller: Any) -> None:
    reply = look(*ready(caller, Fault("wrong-content-type", "read")))
    assert reply.headers["Content-Type"] == "text/plain"
    assert len(json.loads(reply.body)["results"]) == 2


def test_a_huge_body_is_as_large_as_was_asked_for_and_still_json(caller: Any) -> None:
    reply = look(*ready(caller, Fault("huge", "read", value=200_000)))
    assert len(reply.body) == 200_000
    assert len(json.loads(reply.body)["results"]) == 2


def rows_with(caller: Any, kind: str) -> Any:
    return json.loads(look(*ready(caller, Fault(kind))).body)["results"]


def test_rows_may_have_unknown_fields(caller: Any) -> None:
    assert all("newMetric" in row for row in rows_with(caller, "unknown-fields"))


def test_rows_may_lack_fields_or_have_null(caller: Any) -> None:
    whole = look(*ready(caller))
    full = json.loads(whole.body)["results"][0]
    lacking = rows_with(caller, "missing-fields")[0]
    assert 0 < len(lacking) < len(full)
    nulls = rows_with(caller, "null-fields")[0]
    assert {name for name, value in nulls.items() if value is None} == set(full) - set(lacking)


def test_numbers_may_be_strings_by_fault_or_by_setting(caller: Any) -> None:
    assert isinstance(rows_with(caller, "numbers-as-strings")[0]["totalTime"], str)
    asked, test_id = ready(caller, numbers_as_strings=True)
    assert isinstance(asked.rows(test_id, "http-server")[0]["roundId"], str)


def test_rows_may_be_of_unknown_agents_twice_or_odd(caller: Any) -> None:
    assert rows_with(caller, "unknown-agents")[-1]["agent"]["agentId"] == "999999999"
    twice = rows_with(caller, "duplicate-rows")
    assert twice[:2] == twice[2:]
    odd = rows_with(caller, "odd-rows")
    assert None in odd
    assert "row" in odd


def test_faults_of_rows_leave_an_empty_answer_empty(caller: Any) -> None:
    for kind in ("unknown-agents", "duplicate-rows", "odd-rows", "missing-fields"):
        asked = caller(faults=(Fault(kind),))
        assert asked.rows(asked.create(), "http-server") == []


def test_rows_of_strangers_exist_in_version_6_too(caller: Any) -> None:
    asked = caller(faults=(Fault("unknown-agents"),))
    test_id = asked.create_v6()
    asked.now += 400
    rows = asked.get(f"/v6/web/http-server/{test_id}")["web"]["httpServer"]
    assert [row["agentId"] for row in rows][-1] == 999_999_999


def test_pages_may_loop_or_lead_away_in_both_versions(caller: Any) -> None:
    asked, test_id = ready(caller, Fault("looping-pages"))
    path = f"/v7/test-results/{test_id}/network"
    assert asked.get(path)["_links"]["next"]["href"] == f"http://127.0.0.1:8089{path}"
    assert asked.get(f"/v6/net/metrics/{test_id}")["pages"]["next"].endswith(f"/v6/net/metrics/{test_id}")
    asked, test_id = ready(caller, Fault("foreign-pages"))
    assert asked.get(path)["_links"]["next"]["href"].startswith("http://foreign.invalid/")


def test_links_may_lead_to_other_hosts(caller: Any) -> None:
    asked = caller(faults=(Fault("foreign-links"),))
    links = asked.get(f"/v7/tests/http-server/{asked.create()}")["_links"]
    assert all(link["href"].startswith("http://foreign.invalid/v7/") for link in links["testResults"])
    assert links["self"]["href"].startswith("http://127.0.0.1:8089/")


# --- headers


def test_the_date_may_jump_or_be_missing(caller: Any) -> None:
    jumped = look(*ready(caller, Fault("clock-jump", "read", value=-7200)))
    assert jumped.headers["Date"] == "Fri, 15 Jan 2027 06:06:40 GMT"
    assert "Date" not in look(*ready(caller, Fault("no-date", "read"))).headers


def test_limit_headers_may_be_absurd_malformed_or_missing(caller: Any) -> None:
    def shown(kind: str) -> set[str]:
        reply = look(*ready(caller, Fault(kind, "read")))
        return {value for name, value in reply.headers.items() if "Rate-Limit" in name}

    assert "-5" in shown("absurd-limits")
    assert "plenty" in shown("malformed-limits")
    assert shown("no-limits") == set()


# --- the world


def test_an_agent_may_never_answer(caller: Any) -> None:
    asked, test_id = ready(caller, Fault("silent-agent", target="3"))
    for layer in ("http-server", "network", "path-vis"):
        assert [row["agent"]["agentId"] for row in asked.rows(test_id, layer)] == ["4"]


def test_a_share_of_the_agents_may_never_answer(caller: Any) -> None:
    asked = caller(faults=(Fault("silent-agent", probability=0.5),))
    agents = [{"agentId": str(number)} for number in range(3, 43)]
    test_id = asked.create(agents=agents)
    asked.now += 400
    first = len(asked.rows(test_id, "network"))
    assert 8 <= first <= 32
    asked.ask("POST", f"/v7/tests/{test_id}/run")
    asked.now += 400
    assert len(asked.rows(test_id, "network")) == first, "the same agents are silent every time"


def test_a_layer_may_never_come(caller: Any) -> None:
    asked, test_id = ready(caller, Fault("silent-layer", layer="path-vis"))
    assert asked.rows(test_id, "path-vis") == []
    assert len(asked.rows(test_id, "network")) == 2


def test_hostile_texts_are_in_names_and_errors_and_travel_as_json(caller: Any) -> None:
    asked = caller(faults=(Fault("hostile"),))
    reply = asked.ask("GET", "/v7/agents")
    assert reply.body.isascii()
    names = [agent["agentName"] for agent in json.loads(reply.body)["agents"]]
    everything = "".join(names)
    for wanted in ("<script>", "\x1b[31m", "=HYPERLINK", "\n", "\x00", "\u202e", "\ud800", "| `code`"):
        assert wanted in everything, repr(wanted)
    assert any(len(name) > 1_000_000 for name in names), "one name has a megabyte"
    test_id = asked.create(url="https://down.example.com", agents=[{"agentId": "10"}])
    asked.now += 400
    (row,) = asked.rows(test_id, "http-server")
    assert row["agent"]["agentName"] in names
    assert "<script>" in row["errorDetails"]


# --- writing faults down


def test_faults_are_written_as_kind_match_and_lot() -> None:
    assert parse_fault("503") == Fault("503", "any")
    assert parse_fault("503:read") == Fault("503", "read")
    assert parse_fault("reset-after:create:0.25") == Fault("reset-after", "create", probability=0.25)
    assert parse_fault("401:any:#7") == Fault("401", "any", nth=7)
    assert parse_fault("401:any:#7+") == Fault("401", "any", after=6)
    assert parse_fault("403") == Fault("403", "create"), "what makes sense is the default"


@pytest.mark.parametrize(
    "text",
    ["", "nothing", "503:writes", "503:read:2", "503:read:x", "503:read:nan", "503:read:#0", "503:read:#"],
)
def test_a_fault_that_cannot_be_is_an_error_that_says_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"unknown|must be"):
        parse_fault(text)


def test_settings_with_an_unknown_fault_make_no_service() -> None:
    with pytest.raises(ValueError, match="unknown fault 'flood'"):
        Service(Settings(faults=(Fault("flood"),)))
    with pytest.raises(ValueError, match="no agent id"):
        Service(Settings(faults=(Fault("silent-agent", target="london"),)))
    with pytest.raises(ValueError, match="needs a target"):
        Service(Settings(faults=(Fault("silent-agent"),)))
    with pytest.raises(ValueError, match="unknown match"):
        Service(Settings(faults=(Fault("503", "writes"),)))
