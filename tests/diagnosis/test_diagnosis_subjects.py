"""What a target is, by the way it is written."""

from __future__ import annotations

import pytest
from builders import make_agent

from orchestrator.diagnosis.places import places
from orchestrator.diagnosis.subjects import Kind, recognise
from orchestrator.errors import UsageProblem
from orchestrator.model import AgentType

HQ = make_agent("1001", name="hq-london")
AGENTS = [
    HQ,
    make_agent("7", name="São Paulo, Brazil"),
    make_agent("8", name="twin"),
    make_agent("9", name="Twin"),
]


@pytest.mark.parametrize(
    ("text", "kind", "host", "port"),
    [
        ("https://shop.example.com/basket?x=1", Kind.URL, "shop.example.com", 443),
        ("http://shop.example.com", Kind.URL, "shop.example.com", 80),
        ("https://shop.example.com:8443/", Kind.URL, "shop.example.com", 8443),
        ("https://[2001:db8::1]/", Kind.URL, "2001:db8::1", 443),
        ("vpn.example.com:443", Kind.PORT, "vpn.example.com", 443),
        ("[2001:db8::1]:443", Kind.PORT, "2001:db8::1", 443),
        ("shop.example.com", Kind.NAME, "shop.example.com", None),
        ("example.com MX", Kind.RECORD, "example.com", None),
        ("192.0.2.7", Kind.ADDRESS, "192.0.2.7", None),
        ("2001:db8::1", Kind.ADDRESS, "2001:db8::1", None),
        ("[2001:db8::1]", Kind.ADDRESS, "2001:db8::1", None),
        ("1001", Kind.AGENT, "", None),
        ("HQ-London", Kind.AGENT, "", None),
        ("são paulo, brazil", Kind.AGENT, "", None),
    ],
)
def test_a_target_is_what_it_looks_like(text: str, kind: Kind, host: str, port: int | None) -> None:
    found = recognise(f" {text} ", AGENTS)
    assert (found.kind, found.host, found.port) == (kind, host, port)
    assert (found.agent is not None) is (kind is Kind.AGENT)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("hq-londno", "hq-london"),
        ("intranet", "neither an agent nor a name with a dot"),
        ("twin", "2 agents are called"),
        ("ftp://x.example.com", "ftp"),
        ("https://user:secret@shop.example.com", "a user and a password"),
        ("example.com MXX", "MXX"),
        ("shop.example.com:99999", "99999"),
        ("https://", ""),
        ("a b c d", ""),
        ("\x1b[31mred", ""),
    ],
)
def test_what_can_be_nothing_is_refused_with_a_reason(text: str, says: str) -> None:
    with pytest.raises(UsageProblem) as refused:
        recognise(text, AGENTS)
    assert says in refused.value.message
    assert "secret" not in refused.value.message
    assert refused.value.hint


def test_from_takes_keys_names_and_runs() -> None:
    selector = places(["type=cloud country=gb,DE", "hq-*"]).selector
    assert (selector.types, selector.countries, selector.names) == (
        (AgentType.CLOUD,),
        ("GB", "DE"),
        ("hq-*",),
    )
    assert places(["last"]).run == "last"
    assert places(["6b0877f0"]).run == "6b0877f0"
    assert places([]).run is None


@pytest.mark.parametrize("text", ["contry=GB", "country=", "type=cluod", "=", "a=b=c"])
def test_from_refuses_what_says_of_no_agents(text: str) -> None:
    with pytest.raises(UsageProblem):
        places([text])
