"""Issue 9, number 14: what no agent could ever reach is told before it costs, and only that."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.expand import expand
from orchestrator.model import Agent, Api
from orchestrator.plan import hosts
from orchestrator.plan.load import load_plan
from orchestrator.plan.model import Plan
from orchestrator.testtypes import TEST_TYPES
from orchestrator.thousandeyes.v6_bodies import v6_body

Parse = Callable[..., Plan]
Lines = Callable[..., list[str]]
OneTest = Callable[..., str]
WEB = ("http", "https")
RUNBOOK = Path(__file__).parents[2] / "plans" / "incident-runbook.yaml"


def refused(read: Callable[[], str]) -> str:
    with pytest.raises(hosts.AddressInvalid) as caught:
        read()
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (":443", "has no host"),
        ("", "is empty"),
        ("h:99999", "from 1 to 65535, not '99999'"),
        ("h:0", "from 1 to 65535, not '0'"),
        ("h:-1", "a port is a number"),
        ("h:https", "not 'https', https is 443"),
        ("h:", "ends with ':' and no port"),
        ("h:8443:443", "has more than one port"),
        ("2001:db8::1:443", "did you mean '[2001:db8::1]:443', or the address '[2001:db8::1:443]'?"),
        ("2001:db8::1:49153", "did you mean '[2001:db8::1]:49153'?"),
        ("fe80::1%eth0", "names an interface"),
        ("[2001:db8::1:443", "a bracket that is not closed"),
        ("[a.example]:443", "no IPv6 address in its brackets"),
        ("2001:db8::zz", "neither a host with a port nor an IPv6 address"),
        ("10.0.0.0/24", "is a network"),
        ("2001:db8::/32", "is a network"),
        ("10.0.0.300", "is no IPv4 address"),
        ("10.0.0", "is no IPv4 address"),
        ("0.0.0.0", "is not the address of one host"),  # noqa: S104 - no socket listens here
        ("255.255.255.255:80", "is not the address of one host"),
        ("224.0.0.1", "is not the address of one host"),
        ("[ff02::1]:443", "is not the address of one host"),
        ("::", "is not the address of one host"),
        ("010.0.0.1", "without leading zeros"),
        ("10.0.0.1health", "is neither an address nor a name"),
        ("a.example/health", "without a path: 'a.example/health', did you mean 'a.example'?"),
        ("root@a.example", "without a user: did you mean 'a.example'?"),
        (
            "https://a.example:8443/x",
            "a name, not a URL: 'https://a.example:8443/x', did you mean 'a.example:8443'?",
        ),
        ("http:/x", "a name, not a URL: 'http:/x', did you mean 'x'?"),
        ("a.example b.example", "has a blank in it"),
        (" a.example", "has a blank in it: ' a.example', did you mean 'a.example'?"),
        ("\u201ca.example\u201d", "has quotation marks in it"),
        ("'a.example'", "did you mean 'a.example'?"),
        ("a.example\u200b", "an invisible character in it, U+200B"),
        ("a.example\u00a0", "an invisible character in it, U+00A0"),
        ("a..example", "an empty part between its dots"),
        ("*.example.com", "has '*' in its host"),
        ("a,b", "has ',' in its host"),
        ("<host>", "has '<' in its host"),
        ("-a.example", "has '-' in its host"),
        ("a" * 64 + ".example", "too long for a host"),
        (".".join(["abcdefgh"] * 30), "too long for a host"),
        ("i\u2764.example", "cannot be written as an international name because of '\u2764' (U+2764)"),
    ],
)
def test_a_server_that_cannot_be_is_refused_with_what_was_meant(text: str, why: str) -> None:
    assert why in refused(lambda: hosts.server(text, "server"))


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("a.example", "a.example"),
        ("a.example:443", "a.example:443"),
        ("localhost", "localhost"),
        ("localhost.", "localhost."),
        ("under_score.example", "under_score.example"),
        ("10.0.0.1:65535", "10.0.0.1:65535"),
        ("2001:db8::1", "2001:db8::1"),
        ("2606:4700:4700::1111", "2606:4700:4700::1111"),
        ("[2001:db8::1:443]", "[2001:db8::1:443]"),
        ("[2001:db8::1]:443", "[2001:db8::1]:443"),
        ("http:8080", "http:8080"),
        ("3com.example", "3com.example"),
        ("b\u00fccher.example:443", "xn--bcher-kva.example:443"),
        ("\u4f8b\u3048.\u30c6\u30b9\u30c8", "xn--r8jz45g.xn--zckzah"),
        ("B\u00dcCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_a_server_that_may_exist_goes_as_the_api_takes_it(text: str, sent: str) -> None:
    assert hosts.server(text, "server") == sent


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("https:///", "has no host"),
        ("https://:8443/", "has no host"),
        ("/health", "has no host"),
        ("https://?x=1", "has no host"),
        ("https://10.0.0.1health", "did you mean '10.0.0.1/health'?"),
        ("https://10.0.0.1:8443health", "a port is a number"),
        ("http:/x", "begins with 'http:/' instead of '://', did you mean 'http://x'?"),
        ("http:x.example", "did you mean 'http://x.example'?"),
        ("https//a.example/", "did you mean 'https://a.example/'?"),
        ("https:\\\\a.example", "did you mean 'https://a.example'?"),
        ("//a.example/", "has no scheme: did you mean 'https://a.example/'?"),
        ("https://https://a.example/", "a scheme twice, did you mean 'https://a.example/'?"),
        ("https://http:/a.example/", "a scheme twice"),
        ("htp://a.example", "begins with http://, https://, not 'htp://', did you mean 'http://'?"),
        ("https://h:8443:8443/", "more than one port"),
        ("https://h:99999/", "from 1 to 65535"),
        ("https://h:https/", "https is 443"),
        ("https://h:/", "no port"),
        ("https://2001:db8::1/", "stands in brackets, did you mean '[2001:db8::1]'?"),
        ("https://a b.example/", "has a blank in it"),
        ("\u201chttps://a.example\u201d", "did you mean 'https://a.example'?"),
        ('"https://a.example"', "did you mean 'https://a.example'?"),
        ("10.0.0.0/24", "is a network"),
        ("https://${host}/", "has '$' in its host"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused_with_what_was_meant(text: str, why: str) -> None:
    assert why in refused(lambda: hosts.url(text, "url", WEB))


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("https://a.example", "https://a.example"),
        ("HTTPS://a.example/%20?q='x'#y", "HTTPS://a.example/%20?q='x'#y"),
        ("a.example:8080/x", "a.example:8080/x"),
        ("http:8080/x", "http:8080/x"),
        ("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443/x"),
        ("https://a.example/@user", "https://a.example/@user"),
        ("https://a.example/?next=https://b.example/", "https://a.example/?next=https://b.example/"),
        ("https://b\u00fccher.example/\u00fc", "https://xn--bcher-kva.example/\u00fc"),
        ("https://u:p@b\u00fccher.example:8443/", "https://u:p@xn--bcher-kva.example:8443/"),
    ],
)
def test_a_url_that_may_exist_goes_as_the_api_takes_it(text: str, sent: str) -> None:
    assert hosts.url(text, "url", WEB) == sent


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("example.com FOO", "'FOO' is no record type"),
        ("example.com CNAM", "did you mean 'CNAME'?"),
        ("example.com mx", "in capitals, did you mean 'example.com MX'?"),
        ("A example.com", "did you mean 'example.com A'?"),
        ("aaaa example.com", "did you mean 'example.com AAAA'?"),
        ("A", "a record type and no name"),
        ("example.com,A", "did you mean 'example.com A'?"),
        ("example.com A AAAA", "one name and one record type"),
        ("example.com IN A", "the option dnsQueryClass"),
        ("10.0.0.1 PTR", "'1.0.0.10.in-addr.arpa PTR'"),
        ("2001:db8::1", "ip6.arpa PTR'"),
        ("example.com:5353 A", "has ':' in its host"),
        ("https://example.com A", "a name, not a URL"),
        ("admin@example.com", "without a user"),
    ],
)
def test_a_domain_that_cannot_be_asked_for_is_refused_with_what_was_meant(text: str, why: str) -> None:
    assert why in refused(lambda: hosts.domain(text, "domain"))


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("example.com", "example.com"),
        ("example.com  MX", "example.com MX"),
        ("_sip._tcp.example.com SRV", "_sip._tcp.example.com SRV"),
        ("*.example.com A", "*.example.com A"),
        ("0/25.2.0.192.in-addr.arpa NS", "0/25.2.0.192.in-addr.arpa NS"),
        (". NS", ". NS"),
        ("b\u00fccher.example TXT", "xn--bcher-kva.example TXT"),
    ],
)
def test_a_domain_that_may_exist_goes_as_the_api_takes_it(text: str, sent: str) -> None:
    assert hosts.domain(text, "domain") == sent


@pytest.mark.parametrize("api", Api)
def test_an_empty_target_from_the_command_line_is_told_for_every_test_that_uses_it(api: Api) -> None:
    with pytest.raises(Exception, match="url has no host") as caught:
        load_plan(RUNBOOK, environ={}, sets={"target": ""}, api=api)
    text = str(caught.value)
    assert "a record type and no name: 'A'" in text
    assert "server has no host: ':443'" in text


@pytest.mark.parametrize("api", Api)
def test_a_target_with_a_port_is_told_where_the_plan_adds_one(api: Api) -> None:
    with pytest.raises(Exception, match="more than one port: 'h:8443:443'"):
        load_plan(RUNBOOK, environ={}, sets={"target": "h:8443"}, api=api)


@pytest.mark.parametrize("api", Api)
def test_international_names_are_shown_as_written_and_sent_in_their_ascii_form(
    parse: Parse, one_test: OneTest, agent: Callable[..., Agent], api: Api
) -> None:
    plan = parse(one_test(targets="['https://b\u00fccher.example/']"), api=api)
    (spec,) = expand(plan, [agent("1")]).specs
    assert spec.target == "https://b\u00fccher.example/"
    assert spec.fields["url"] == "https://xn--bcher-kva.example/"
    if api is Api.V6:
        assert v6_body(spec, "x")["url"] == "https://xn--bcher-kva.example/"


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("dnsServers: [ns1.example, 'ns2.example:99999']", "dnsServers: a port is from 1 to 65535"),
        ("dnsServers: ['https://ns1.example']", "dnsServers is a name, not a URL"),
        ("dnsServers: [10.0.0.0/24]", "dnsServers is a network"),
    ],
)
def test_name_servers_are_looked_at_like_targets(
    problems_of: Lines, one_test: OneTest, option: str, why: str
) -> None:
    (problem,) = problems_of(one_test(f"options: {{{option}}}", type="dns-server", targets="[a.example A]"))
    assert why in problem


def test_steps_of_api_tests_may_take_their_address_from_an_answer_but_not_from_nowhere(
    parse: Parse, problems_of: Lines, one_test: OneTest
) -> None:
    good = "options: {requests: [{name: a, url: 'https://a.example/'}, {name: b, url: '{{next}}'}]}"
    assert parse(one_test(good, type="api")).tests[0].fields["requests"]
    (problem,) = problems_of(one_test("options: {requests: [{name: a, url: 'https:///x'}]}", type="api"))
    assert problem.startswith("8:41: url has no host")


def test_an_override_of_dns_is_an_address(problems_of: Lines, one_test: OneTest) -> None:
    (problem,) = problems_of(one_test("options: {dnsOverride: a.example}"))
    assert "dnsOverride is an IP address, not 'a.example'" in problem


@pytest.mark.parametrize(
    ("type_name", "how"),
    [
        ("http-server", "{url: 'http://localhost/'}"),
        ("agent-to-server", "{server: 'localhost'}"),
        ("sip-server", "{sipRegistrar: 'localhost'}"),
        ("dnssec", "{domain: 'localhost'}"),
    ],
)
def test_a_bare_word_that_is_no_group_tells_how_a_short_host_name_is_written_and_that_works(
    parse: Parse, problems_of: Lines, one_test: OneTest, type_name: str, how: str
) -> None:
    (problem,) = problems_of(one_test(type=type_name, targets="localhost"))
    assert f"a short host name is written as {how}" in problem
    assert parse(one_test(type=type_name, targets=f"[{how}]")).tests[0].targets


@pytest.mark.parametrize("url", ["https://u:hunter2/x@a.example/", "https://u:hunter2 @a.example/"])
def test_no_message_about_an_address_quotes_what_may_be_a_password(url: str) -> None:
    assert "hunter2" not in refused(lambda: hosts.url(url, "url", WEB))


FAULTS = (Path(__file__).parents[2] / "docs" / "faults.md").read_text("utf-8")
DOCUMENTED = re.findall(r"^\| `([^`]+)` \| ([a-z-]+) \| (.+) \|$", FAULTS, re.MULTILINE)
NEEDED = {
    "dns-server": "options: {dnsServers: [ns1.example]}",
    "web-transactions": "options: {transactionScript: x}",
}


def test_the_document_has_a_table_of_impossible_targets() -> None:
    assert len(DOCUMENTED) >= 15


@pytest.mark.parametrize(
    ("where", "target", "type_name", "said"),
    # A cell is never the name of a group.
    [("in place", *row) for row in DOCUMENTED]
    + [("CSV", *row) for row in DOCUMENTED if row[0] != "localhost"],
)
@pytest.mark.parametrize("api", Api)
def test_what_the_document_says_of_a_target_is_said_in_place_and_in_a_file(
    problems_of: Lines,
    one_test: OneTest,
    tmp_path: Path,
    target: str,
    type_name: str,
    said: str,
    api: Api,
    where: str,
) -> None:
    more = NEEDED.get(type_name, "options: {}")
    if where == "in place":
        (problem,) = problems_of(one_test(more, type=type_name, targets=f"['{target}']"), api=api)
        assert problem.startswith("6:15: ")
    else:
        column = TEST_TYPES[type_name].bare
        (tmp_path / "t.csv").write_text(f'name,{column},port\nx,"{target}",\n')
        more = more if type_name != "sip-server" else "options: {targetSipCredentials: {port: 5060}}"
        text = one_test(more, type=type_name, targets="[{csv: t.csv}]")
        (problem,) = problems_of(text, api=api, folder=tmp_path)
        assert problem.startswith("t.csv:2:3: ")
    assert said in problem


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("10.0.0.0/24:443", "is a network"),
        ("10.0.0.0/255.255.255.0", "is a network"),
        ("2001:db8::/32:443", "is a network"),
        ("'a.example':443", "did you mean 'a.example:443'?"),
        ('"":443', "(is a variable empty?)"),
    ],
)
def test_a_port_that_the_plan_adds_hides_no_reason(text: str, why: str) -> None:
    assert why in refused(lambda: hosts.server(text, "server"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("http.//a.example", "did you mean 'http://a.example'?"),
        ("https;//a.example", "did you mean 'https://a.example'?"),
        ("https:://a.example", "did you mean 'https://a.example'?"),
        ("mailto:a@b.example", "begins with http://, https://, not 'mailto:'"),
        ("sip:a@b.example", "begins with http://, https://, not 'sip:'"),
        ("https://10.0.0.0/24", "is a network"),
        ("https://10.0.0.0/24/", "is a network"),
        ("10.0.0.0/255.255.255.0", "is a network"),
    ],
)
def test_a_url_with_a_scheme_that_is_none_or_of_a_network_is_refused(text: str, why: str) -> None:
    assert why in refused(lambda: hosts.url(text, "url", WEB))


@pytest.mark.parametrize("text", ["https://10.0.0.1/24", "http.example//x", "sip:8080", "10.0.0.1/32"])
def test_a_url_that_only_looks_like_one_of_these_goes_as_it_is(text: str) -> None:
    assert hosts.url(text, "url", WEB) == text


@pytest.mark.parametrize("text", ["443 A", "10.0.0.300", "1.5 MX", "example.1"])
def test_a_name_that_ends_with_a_number_is_none(text: str) -> None:
    assert "no name ends with a number" in refused(lambda: hosts.domain(text, "domain"))


@pytest.mark.parametrize("text", ["0.0.0.0", "224.0.0.1", "::", "ff02::1"])  # noqa: S104 - no socket listens here
def test_an_address_alone_is_that_of_one_host(text: str) -> None:
    assert "is not the address of one host" in refused(lambda: hosts.address(text, "dnsOverride"))


@pytest.mark.parametrize(
    ("kind", "target", "raw"),
    [
        ("http-server", "https://a.example", "url: ''"),
        ("agent-to-server", "a.example", "server: 'h:99999'"),
        ("dns-trace", "a.example", "domain: ''"),
        ("agent-to-agent", "'1001'", "targetAgentId: ''"),
    ],
)
def test_raw_fields_are_no_way_around_the_check(
    problems_of: Lines, one_test: OneTest, kind: str, target: str, raw: str
) -> None:
    (problem,) = problems_of(one_test(f"raw: {{{raw}}}", type=kind, targets=f"[{target}]"))
    assert "is known here: it stands in 'targets' or 'options', not in 'raw'" in problem


@pytest.mark.parametrize("servers", ["[]", "null", "''"])
@pytest.mark.parametrize("api", Api)
def test_a_required_option_that_is_empty_is_missing(
    problems_of: Lines, one_test: OneTest, servers: str, api: Api
) -> None:
    text = one_test(f"options: {{dnsServers: {servers}}}", type="dns-server", targets="[a.example]")
    assert any("dnsServers" in problem for problem in problems_of(text, api=api))


@pytest.mark.parametrize("text", ["fe80::1%eth0", "::%. A", "[fe80::1%25eth0] PTR"])
def test_an_address_with_an_interface_is_no_name_either(text: str) -> None:
    assert "is a name, not the address" in refused(lambda: hosts.domain(text, "domain"))


def test_an_address_alone_names_no_interface() -> None:
    assert "names an interface" in refused(lambda: hosts.address("fe80::1%eth0", "dnsOverride"))
