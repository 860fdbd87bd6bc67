from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.model import Spec
from orchestrator.thousandeyes.v6 import V6
from orchestrator.thousandeyes.v7 import V7

MakeSpec = Callable[..., Spec]
ORIGIN = "https://api.thousandeyes.com"
PATHS = {
    "network": ("network", "net/metrics"),
    "path-vis": ("path-vis", "net/path-vis"),
    "http-server": ("http-server", "web/http-server"),
    "page-load": ("page-load", "web/page-load"),
    "web-transactions": ("web-transactions", "web/web-transactions"),
    "ftp-server": ("ftp-server", "web/ftp-server"),
    "dns-trace": ("dns-trace", "dns/trace"),
    "dns-server": ("dns-server", "dns/server"),
    "dnssec": ("dnssec", "dns/dnssec"),
    "sip-server": ("sip-server", "voice/sip-server"),
    "rtp-server": ("rtp-server", "voice/rtp-stream"),
}


@pytest.mark.parametrize("layer", sorted(PATHS))
def test_every_layer_has_its_path_in_both_versions(layer: str, make_spec: MakeSpec) -> None:
    spec = make_spec("http-server")
    v7, v6 = PATHS[layer]
    assert V7().poll(spec, "5", layer, None, ORIGIN, "7").path == f"/v7/test-results/5/{v7}"
    request = V6().poll(spec, "5", layer, None, ORIGIN, "7")
    assert (request.path, request.query, request.instant) == (f"/v6/{v6}/5", (("aid", "7"),), False)


def test_a_look_asks_for_the_newest_round_only(make_spec: MakeSpec) -> None:
    link = f"{ORIGIN}/v7/test-results/5/network?window=1d&startDate=x&aid=3&expand=y"
    request = V7().poll(make_spec("http-server"), "5", "network", link, ORIGIN, "7")
    assert request.query == (("expand", "y"), ("aid", "7"))
    assert V7().poll(make_spec("http-server"), "5", "network", link, ORIGIN, None).query[0] == ("aid", "3")


def test_a_link_under_another_name_of_the_layer_is_used(make_spec: MakeSpec) -> None:
    link = f"{ORIGIN}/v7/test-results/5/rtp-stream"
    assert (
        V7().poll(make_spec("voice"), "5", "rtp-server", link, ORIGIN, None).path
        == "/v7/test-results/5/rtp-stream"
    )
    link = f"{ORIGIN}/v6/web/http-server/5.json?format=json"
    request = V6().poll(make_spec("http-server"), "5", "http-server", link, ORIGIN, None)
    assert (request.path, request.query) == ("/v6/web/http-server/5.json", (("format", "json"),))


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/v7/test-results/5/network",
        f"{ORIGIN}/v7/test-results/6/network",
        f"{ORIGIN}/v7/test-results/5/path-vis",
        f"{ORIGIN}/v7/tests/5",
        f"{ORIGIN}/v6/net/metrics/5",
        "nonsense",
        "",
    ],
)
def test_a_link_to_another_place_test_or_layer_is_not_used(link: str, make_spec: MakeSpec) -> None:
    request = V7().poll(make_spec("http-server"), "5", "network", link, ORIGIN, None)
    assert (request.path, request.query) == ("/v7/test-results/5/network", ())


@pytest.mark.parametrize("link", ["https://evil.example/v6/net/metrics/5", f"{ORIGIN}/v6/net/metrics/6"])
def test_v6_links_are_checked_likewise(link: str, make_spec: MakeSpec) -> None:
    assert V6().poll(make_spec("http-server"), "5", "network", link, ORIGIN, None).path == "/v6/net/metrics/5"


@pytest.mark.parametrize(
    ("direction", "layer", "v7", "v6"),
    [
        (None, "network", (), ()),
        ("from-target", "network", (("direction", "from-target"),), (("direction", "FROM_TARGET"),)),
        ("from-target", "path-vis", (("direction", "from-target"),), (("direction", "FROM_TARGET"),)),
        ("bidirectional", "network", (("direction", "bidirectional"),), (("direction", "BIDIRECTIONAL"),)),
        ("bidirectional", "path-vis", (), ()),
    ],
)
def test_an_agent_to_agent_look_names_its_direction(
    direction: str | None,
    layer: str,
    v7: tuple[tuple[str, str], ...],
    v6: tuple[tuple[str, str], ...],
    make_spec: MakeSpec,
) -> None:
    spec = make_spec("agent-to-agent", direction=direction)
    assert V7().poll(spec, "5", layer, None, ORIGIN, None).query == v7
    assert V6().poll(spec, "5", layer, None, ORIGIN, None).query == v6


def test_a_next_page_is_followed_at_home_only() -> None:
    request = V7().follow(f"{ORIGIN}/v7/test-results/5/network?cursor=a%3Db", ORIGIN)
    assert request is not None
    assert (request.method, request.path, request.query) == (
        "GET",
        "/v7/test-results/5/network",
        (("cursor", "a=b"),),
    )
    assert V7().follow("https://evil.example/v8/test-results/5/network", ORIGIN) is None
    assert V7().follow(f"{ORIGIN}/v6/net/metrics/5", ORIGIN) is None
    assert V6().follow(f"{ORIGIN}/v6/net/metrics/5?lastRoundId=3", ORIGIN) is not None
    assert V6().follow("//evil.example/v7/net/metrics/5", ORIGIN) is None


def test_hop_details_are_asked_for_by_agent_and_round() -> None:
    v7, v6 = V7().path_detail("5", "11", 99, "7"), V6().path_detail("5", "11", 99, None)
    assert (v7.path, v7.query) == ("/v7/test-results/5/path-vis/agent/11/round/99", (("aid", "7"),))
    assert (v6.path, v6.query) == ("/v6/net/path-vis/5/11/99", ())


def test_an_id_cannot_change_the_path(make_spec: MakeSpec) -> None:
    for dialect in (V7(), V6()):
        request = dialect.poll(make_spec("http-server"), "5/../6?x#y", "network", None, ORIGIN, None)
        assert "5%2F..%2F6%3Fx%23y" in request.path
