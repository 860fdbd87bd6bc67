"""Which rows an agent gives in a layer, as far as is known, and what those that came tell of the others."""

from __future__ import annotations

import pytest
from builders import make_answer, make_spec

from orchestrator.testtypes.expected import ONE, Expected, expected
from orchestrator.testtypes.table import TEST_TYPES

TWO = ("ns1.example.com", "ns2.example.com")


def of(layer: str, *servers: str, kind: str = "dns-server", **fields: str) -> Expected:
    spec = make_spec(
        "a",
        type=kind,
        layers=TEST_TYPES[kind].layers,
        fields={"dnsServers": list(servers), **fields} if servers else fields,
        servers=max(1, len(servers)),
    )
    return expected(spec, layer)


def told(wanted: Expected, *rows: tuple[str | None, str | None]) -> set[str]:
    return {wanted.about(make_answer("network", server=server, direction=way)) for server, way in rows}


@pytest.mark.parametrize("layer", ["network", "path-vis"])
@pytest.mark.parametrize("kind", sorted(set(TEST_TYPES) - {"dns-server", "dns-trace", "dnssec"}))
def test_an_agent_gives_one_row_where_there_is_one_server_and_one_direction(kind: str, layer: str) -> None:
    assert of(layer, kind=kind) is ONE
    assert of(layer, kind=kind, direction="to-target") is ONE


def test_a_direction_means_nothing_where_a_type_has_none() -> None:
    assert of("network", kind="agent-to-server", direction="bidirectional") is ONE


@pytest.mark.parametrize(
    ("layer", "least", "most"), [("dns-server", 3, 3), ("network", 1, 3), ("path-vis", 1, 3)]
)
def test_name_servers_have_a_row_each_for_certain_in_their_own_layer_only(
    layer: str, least: int, most: int
) -> None:
    wanted = of(layer, *TWO, "192.0.2.53")
    assert (wanted.least, wanted.most) == (least, most)


@pytest.mark.parametrize(
    ("server", "row"),
    [
        ("ns2.example.com", "ns2.example.com:53"),
        ("ns2.example.com", "NS2.Example.Com."),
        ("192.0.2.53", "192.0.2.53:53"),
        ("2001:db8::53", "[2001:db8::53]:53"),
        ("ns2.example.com:5353", "ns2.example.com:5353"),
    ],
)
def test_a_row_names_its_server_as_the_network_does(server: str, row: str) -> None:
    wanted = of("network", "ns1.example.com", server)
    assert wanted.missing(told(wanted, (row, None))) == ("ns1.example.com",)
    assert wanted.all_there(told(wanted, (row, None), ("ns1.example.com:53", None)))


def test_one_server_by_two_spellings_is_one() -> None:
    wanted = of("network", *TWO)
    assert len(told(wanted, ("ns1.example.com", None), ("NS1.example.com:53", None))) == 1


def test_a_server_that_the_plan_writes_in_two_ways_gives_one_row() -> None:
    for layer in ("dns-server", "network"):
        wanted = of(layer, "ns1.example.com", "NS1.example.com.")
        assert wanted.all_there(told(wanted, ("ns1.example.com", None)))


@pytest.mark.parametrize("server", [None, "198.51.100.7", "resolver.example.net:53"])
def test_a_row_that_names_no_server_of_the_plan_may_be_all_there_is(server: str | None) -> None:
    wanted = of("network", *TWO)
    rows = told(wanted, (server, None))
    assert (wanted.enough(rows), wanted.all_there(rows), wanted.lacks(rows)) == (True, False, False)
    assert wanted.missing(rows) == ()


def test_rows_by_other_names_count_where_the_number_is_known_and_nothing_is_named_wrongly() -> None:
    wanted = of("dns-server", *TWO)
    rows = told(wanted, ("198.51.100.7", None))
    assert (wanted.lacks(rows), wanted.missing(rows)) == (True, ())
    assert wanted.all_there(told(wanted, ("198.51.100.7", None), ("198.51.100.8", None)))


@pytest.mark.parametrize("layer", ["network", "path-vis"])
@pytest.mark.parametrize(
    ("ways", "there", "missing"),
    [
        (("bidirectional",), True, ()),
        (("to-target", "from-target"), True, ()),
        (("to-target",), False, ("from-target",)),
        (("from-target",), False, ("to-target",)),
        ((None,), False, ()),
    ],
)
def test_a_row_about_one_direction_tells_that_the_other_is_due(
    layer: str, ways: tuple[str | None, ...], there: bool, missing: tuple[str, ...]
) -> None:
    wanted = of(layer, kind="agent-to-agent", direction="bidirectional")
    rows = told(wanted, *((None, way) for way in ways))
    assert wanted.enough(rows)
    assert (wanted.all_there(rows), wanted.missing(rows)) == (there, missing)
    assert wanted.lacks(rows) is bool(missing)
