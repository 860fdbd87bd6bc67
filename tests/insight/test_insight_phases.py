"""Which layer broke first, what a cell has in common with others, and where the time went."""

from __future__ import annotations

import pytest
from builders import make_answer, make_spec
from insight_runs import ALIVE, CLEAN, How, fails, hops, looked, observed, row
from insight_worlds import FLEET

from orchestrator.insight.groups import groups_of, host_of, normalised, prefix_of, seen, traces_of
from orchestrator.insight.phases import phase_of, phase_of_trouble
from orchestrator.insight.values import Group, Observed, Phase, Trouble
from orchestrator.model import Answer, Verdict

AGENT = FLEET[0]


def error(layer: str, text: str, kind: str | None = None) -> Trouble:
    return Trouble(layer, text, None, kind)


def expects(name: str) -> Trouble:
    layer, _, metric = name.partition(".")
    return Trouble(layer, f"{name} is not as expected", metric)


@pytest.mark.parametrize(
    ("trouble", "phase"),
    [
        (error("http-server", "Could not resolve host", "dns"), Phase.DNS),
        (error("http-server", "Could not resolve host", "DNS"), Phase.DNS),
        (error("dns-server", "connection refused", "connect"), Phase.DNS),
        (error("dns-trace", "SERVFAIL"), Phase.DNS),
        (error("page-load", "DNS: NXDOMAIN for example.com"), Phase.DNS),
        (error("http-server", "timed out", "connect"), Phase.CONNECT),
        (error("http-server", "could not send", "Send"), Phase.CONNECT),
        (error("network", "Target agent is not reachable"), Phase.CONNECT),
        (error("http-server", "certificate has expired", "ssl"), Phase.TLS),
        (error("page-load", "SSL: certificate problem"), Phase.TLS),
        (error("http-server", "timed out after 5000 ms with 0 bytes received", "receive"), Phase.WAIT),
        (error("http-server", "closed after 812 bytes received", "receive"), Phase.RECEIVE),
        (error("web-transactions", "step 3: no such element"), Phase.RECEIVE),
        (error("http-server", "HTTP 503 Service Unavailable", "http"), Phase.ANSWER),
        (error("api", "status code 500"), Phase.ANSWER),
        (error("http-server", "something new", "quux"), Phase.ERROR),
        (expects("network.loss"), Phase.LOSS),
        (expects("network.jitter"), Phase.LOSS),
        (expects("rtp-server.mos"), Phase.LOSS),
        (expects("rtp-server.discards"), Phase.LOSS),
        (expects("http-server.waitTime"), Phase.WAIT),
        (expects("http-server.responseCode"), Phase.ANSWER),
        (expects("api.completion"), Phase.ANSWER),
        (expects("page-load.numErrors"), Phase.ANSWER),
        (expects("dnssec.isValid"), Phase.DNS),
        (expects("dns-server.mappings"), Phase.DNS),
        (expects("dns-server.resolutionTime"), Phase.SLOW),
        (expects("network.avgLatency"), Phase.SLOW),
        (expects("http-server.totalTime"), Phase.SLOW),
        (expects("http-server.throughput"), Phase.SLOW),
        (expects("http-server.sslVersion"), Phase.TLS),
        (expects("path-vis.numberOfHops"), Phase.ERROR),
    ],
    ids=lambda value: value.text[:40] if isinstance(value, Trouble) else value.word,
)
def test_a_trouble_has_the_phase_of_the_table(trouble: Trouble, phase: Phase) -> None:
    assert phase_of_trouble(trouble) is phase


def cell(*troubles: Trouble, rows: tuple[Answer, ...] = ()) -> Observed:
    return observed(AGENT, "t1.example.com", fails(*troubles, rows=rows))


def test_of_several_troubles_the_lowest_level_counts() -> None:
    lost = row("network", AGENT, {"loss": 100.0})
    assert phase_of(cell(error("http-server", "certificate", "ssl"), rows=(lost,))) is Phase.CONNECT
    assert phase_of(cell(expects("http-server.totalTime"), expects("network.loss"))) is Phase.LOSS


def test_an_error_that_nobody_asked_for_shows_where_the_asked_one_came_from() -> None:
    unasked = Trouble("network", "Could not resolve host", None, "dns", asked=False)
    assert phase_of(cell(expects("http-server.totalTime"), unasked)) is Phase.DNS


def test_an_expectation_that_only_warns_does_not_change_why_a_cell_fails() -> None:
    warned = Trouble("network", "network.loss 2 %", "loss", asked=False)
    assert phase_of(cell(expects("http-server.totalTime"), warned)) is Phase.SLOW
    assert phase_of(cell(warned)) is Phase.LOSS


def test_loss_of_all_probes_is_an_artefact_where_http_answers() -> None:
    rows = (row("network", AGENT, {"loss": 100.0}), row("http-server", AGENT, ALIVE))
    found = seen(cell(expects("network.loss"), rows=rows))
    assert found is not None
    assert (found.phase, found.filtered) == (Phase.ERROR, True)


@pytest.mark.parametrize(
    ("more", "phase"),
    [
        ((), Phase.CONNECT),
        ((row("network", AGENT, CLEAN),), Phase.ERROR),
        ((row("http-server", AGENT, ALIVE),), Phase.ERROR),
    ],
    ids=["nothing else came", "packets came", "HTTP answers"],
)
def test_a_trace_that_ends_early_tells_where_nothing_else_does(
    more: tuple[Answer, ...], phase: Phase
) -> None:
    trace = row("path-vis", AGENT, {"numberOfHops": 9, "pathTraces": 1})
    assert phase_of(cell(error("http-server", "?"), rows=(trace, *more))) is phase
    reached = row("path-vis", AGENT, {"numberOfHops": 9, "pathTraces": 1, "responseTime": 20.0})
    assert phase_of(cell(error("http-server", "?"), rows=(reached, *more))) is Phase.ERROR


def test_a_passing_cell_has_no_phase_and_one_that_was_not_judged_is_not_seen() -> None:
    fine = seen(observed(AGENT, "t1.example.com"))
    assert fine is not None
    assert fine.phase is None
    for verdict in (Verdict.NO_ANSWER, Verdict.NOT_RUN, Verdict.PARTIAL, None):
        assert seen(observed(AGENT, "t1.example.com", How(verdict, ()))) is None


def test_a_failure_of_which_nothing_is_known_is_still_counted() -> None:
    found = looked(observed(agent, "t1.example.com", fails()) for agent in FLEET[:1])
    assert [one.phase for one in found.isolated] == [Phase.ERROR]


@pytest.mark.parametrize(
    ("kind", "fields", "host"),
    [
        ("http-server", {"url": "https://User@Shop.Example.com:8443/x"}, "shop.example.com"),
        ("agent-to-server", {"server": "shop.example.com:443"}, "shop.example.com"),
        ("agent-to-server", {"server": "[2001:db8::1]:443"}, "2001:db8::1"),
        ("dns-trace", {"domain": "shop.example.com A"}, "shop.example.com"),
        ("sip-server", {"targetSipCredentials": {"sipRegistrar": "sip.example.com"}}, "sip.example.com"),
        ("agent-to-agent", {"targetAgentId": "7"}, None),
        ("http-server", {"url": "https://[::bad"}, None),
        ("http-server", {"url": " "}, None),
    ],
)
def test_the_host_of_a_spec_is_found_whatever_its_type(
    kind: str, fields: dict[str, object], host: str | None
) -> None:
    assert host_of(make_spec(type=kind, fields=fields)) == host


def test_the_groups_of_a_cell_are_those_it_has_data_for() -> None:
    rows = (
        make_answer("http-server", metrics={**ALIVE, "serverIp": "203.0.113.7"}),
        make_answer("dns-server", server="ns1.example.com", metrics={"mappings": "203.0.113.8, 203.0.113.7"}),
        hops("198.51.100.7", "198.51.100.8"),
    )
    traces = traces_of(rows)
    found = set(groups_of(observed(AGENT, "t1.example.com", How(rows=rows)), traces, traces))
    assert Group("hop", ("192.0.2.1",)) not in found, "the first hop is the agent itself"
    assert {
        Group("server-ip", ("203.0.113.7",)),
        Group("dns-server", ("ns1.example.com",)),
        Group("dns-answer", ("203.0.113.7 203.0.113.8",)),
        Group("hop", ("198.51.100.7",)),
        Group("hop-prefix", ("198.51.100.0/24",)),
        Group("link", ("198.51.100.7", "198.51.100.8")),
        Group("last-hop", ("198.51.100.8",)),
        Group("host", ("t1.example.com",)),
        Group("country*target", ("US", "web", "t1.example.com")),
    } <= found
    assert not {group.kind for group in found} & {"location", "network", "label", "endpoint", "hop-network"}


def test_both_ends_of_a_test_between_agents_are_endpoints() -> None:
    one = observed(AGENT, "t1.example.com")
    spec = make_spec(type="agent-to-agent", fields={"targetAgentId": "a09"})
    found = set(groups_of(Observed(one.record, spec, (), (), AGENT), (), ()))
    assert {Group("endpoint", (AGENT.id,)), Group("endpoint", ("a09",))} <= found


def test_an_answer_of_dns_is_the_same_in_another_order_and_with_another_time_to_live() -> None:
    one = normalised("example.com. 300 IN A 203.0.113.7\nexample.com. 300 IN A 203.0.113.8")
    assert one == normalised("example.com. 12 IN A 203.0.113.8\nexample.com. 12 IN A 203.0.113.7")
    assert one != normalised("example.com. 12 IN A 203.0.113.8\nexample.com. 12 IN A 203.0.113.9")


def test_what_is_no_address_has_no_prefix() -> None:
    assert prefix_of("2001:db8:1:2::3") == "2001:db8:1::/48"
    assert prefix_of("?") is None


# -- where the time went, told -----------------------------------------------------------------------------

TARGETS = [f"t{n}.example.com" for n in range(1, 6)]
USUAL = {"dnsTime": 5.0, "connectTime": 20.0, "sslTime": 40.0, "waitTime": 40.0, "receiveTime": 10.0}


@pytest.mark.parametrize(
    ("times", "latency", "told"),
    [
        ({"waitTime": 800.0}, 20.0, "most of it server wait"),
        ({"sslTime": 800.0}, 20.0, "most of it TLS"),
        ({"connectTime": 400.0, "sslTime": 60.0}, 400.0, "most of it network"),
        ({"waitTime": 400.0, "receiveTime": 400.0}, 20.0, "in several phases"),
    ],
)
def test_the_part_that_holds_most_of_what_is_too_much_is_named(
    times: dict[str, float], latency: float, told: str
) -> None:
    slow = fails(
        expects("http-server.totalTime"),
        rows=(
            row("http-server", AGENT, {**USUAL, **times}),
            row("network", AGENT, {"loss": 0.0, "avgLatency": latency}),
        ),
    )
    fine = How(rows=(row("http-server", AGENT, USUAL), row("network", AGENT, CLEAN)))
    found = looked(
        observed(agent, target, slow if target == TARGETS[0] else fine)
        for target in TARGETS
        for agent in FLEET
    )
    (one,) = found.explanations
    assert one.why[0] == f"Slow, {told}"
    assert one.level == "slow"
