"""What a good plan becomes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import PlanInvalid
from orchestrator.model import AgentState, AgentType, Api, JsonObject, Target
from orchestrator.plan.load import load_plan, parse_bundle
from orchestrator.plan.model import Budget, Plan
from orchestrator.plan.selectors import Sample, Selector

Parse = Callable[..., Plan]
OneTest = Callable[..., str]
Lines = Callable[..., list[str]]

FULL = """\
version: 1
name: branch-sweep
api: v6
account_group: 1234
agents:
  branches: {type: enterprise, name: "branch-*", country: [GB, no], exclude: {name: "*-lab-*"}}
  cloud-eu: {type: [cloud], state: online, label: a, tag: [b], sample: {per: country, count: 2, seed: 5}}
  hq: ["1001", 1002]
targets:
  portals: ["https://portal.example.com", {name: mail, url: "https://mail.example.com"}]
tests:
  - name: web
    type: http-server
    targets: [portals, "https://extra.example.com"]
    agents: [branches, cloud-eu, 77, {country: US}]
    options: {httpTimeLimit: 10, desiredStatusCode: 200}
    raw: {newField: [1, {x: true}]}
    layers: [network, http-server]
    deadline: 1h30m
    expect: http-server.totalTime < 2s
    warn: [network.loss <= 1%]
    agents_per_test: 10
budget: {reserve: 25%, max_tests: 500, max_units: 50, max_duration: 2h}
deadline: 90
"""


def test_a_full_plan_is_read_to_the_last_key(parse: Parse) -> None:
    plan = parse(FULL)
    assert (plan.version, plan.name, plan.api, plan.account_group) == (1, "branch-sweep", Api.V6, "1234")
    assert plan.selectors == {
        "branches": Selector(
            types=(AgentType.ENTERPRISE,),
            names=("branch-*",),
            countries=("GB", "NO"),
            exclude=(Selector(names=("*-lab-*",)),),
        ),
        "cloud-eu": Selector(
            types=(AgentType.CLOUD,),
            labels=("a", "b"),
            states=(AgentState.ONLINE,),
            sample=Sample(2, "country", 5),
        ),
        "hq": Selector(ids=("1001", "1002")),
    }
    (test,) = plan.tests
    assert test.targets == (
        Target("https://portal.example.com", {"url": "https://portal.example.com"}),
        Target("mail", {"url": "https://mail.example.com"}),
        Target("https://extra.example.com", {"url": "https://extra.example.com"}),
    )
    assert [ref.selector for ref in test.agents] == [
        plan.selectors["branches"],
        plan.selectors["cloud-eu"],
        Selector(countries=("US",)),
        Selector(ids=("77",)),
    ]
    assert test.fields == {"httpTimeLimit": 10, "desiredStatusCode": "200"}
    assert test.raw == {"newField": [1, {"x": True}]}
    assert test.layers == ("http-server", "network"), "the primary layer comes first"
    assert (test.deadline, test.agents_per_test, test.path_details) == (5400.0, 10, False)
    assert (test.expect, test.warn) == (("http-server.totalTime < 2s",), ("network.loss <= 1%",))
    assert plan.budget == Budget(0.25, 500, 50.0, 7200.0)
    assert plan.deadline == 90.0


def test_a_small_plan_has_the_documented_defaults(parse: Parse, one_test: OneTest) -> None:
    plan = parse(one_test())
    (test,) = plan.tests
    assert (plan.api, plan.budget.reserve, plan.deadline, plan.account_group) == (Api.V7, 0.10, None, None)
    assert (test.layers, test.deadline) == (("http-server", "network", "path-vis"), None)


def test_a_plan_cannot_be_changed(parse: Parse, one_test: OneTest) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        parse(one_test()).name = "other"  # type: ignore[misc]  # what the test is about


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90s", 90), ("3m", 180), ("1h30m", 5400), ("1d", 86400), ("0.5s", 0.5), ("45", 45)],
)
def test_a_duration_is_seconds(parse: Parse, one_test: OneTest, written: str, seconds: float) -> None:
    assert parse(one_test(f"deadline: {written}")).tests[0].deadline == seconds


@pytest.mark.parametrize("written", ["3x", "m", "''", "true", "[1]", "0", "8d", "3 minutes", "1m1h"])
def test_what_is_not_a_duration_is_refused(problems_of: Lines, one_test: OneTest, written: str) -> None:
    (problem,) = problems_of(one_test(f"deadline: {written}"))
    assert problem.startswith("8:15: deadline: a duration")


@pytest.mark.parametrize(
    ("written", "share"), [("10%", 0.1), ("0.25", 0.25), ("0", 0.0), ("'12.5 %'", 0.125)]
)
def test_the_reserve_is_a_share(parse: Parse, one_test: OneTest, written: str, share: float) -> None:
    assert parse(one_test(top=f"budget: {{reserve: {written}}}")).budget.reserve == pytest.approx(share)


class TestVariables:
    def test_one_alone_brings_its_type_and_one_in_a_text_its_text(
        self, parse: Parse, one_test: OneTest
    ) -> None:
        text = one_test(
            "options: {httpTimeLimit: '${limit}', followRedirects: '${follow}'}",
            targets="['https://${host}:${limit}/$${x}']",
            top="vars: {limit: 10, follow: false, host: a.example}",
        )
        (test,) = parse(text).tests
        assert test.fields == {"httpTimeLimit": 10, "followRedirects": False}
        assert test.targets[0].name == "https://a.example:10/${x}"

    def test_sets_override_and_are_read_as_yaml_values(self, parse: Parse, one_test: OneTest) -> None:
        text = one_test("options: {httpTimeLimit: '${limit}'}", top="vars: {limit: 10}")
        plan = parse(text, sets={"limit": "20"})
        assert (plan.vars, plan.tests[0].fields) == ({"limit": 20}, {"httpTimeLimit": 20})

    def test_an_unknown_set_is_a_problem(self, problems_of: Lines, one_test: OneTest) -> None:
        (problem,) = problems_of(one_test(top="vars: {limit: 10}"), sets={"limits": "20"})
        assert problem == "--set:1:1: unknown variable 'limits', did you mean 'limit'?"

    def test_the_environment_gives_texts_that_may_stand_for_numbers(
        self, parse: Parse, one_test: OneTest
    ) -> None:
        text = one_test("options: {httpTimeLimit: '${env:LIMIT}', password: '${env:PASSWORD}'}")
        plan = parse(text, environ={"LIMIT": "12", "PASSWORD": "12345"})
        assert plan.tests[0].fields == {"httpTimeLimit": 12, "password": "12345"}

    def test_a_default_from_the_environment_is_not_needed_when_it_is_overridden(
        self, parse: Parse, one_test: OneTest
    ) -> None:
        text = one_test(targets="['https://${host}']", top="vars: {host: '${env:HOST}'}")
        assert parse(text, sets={"host": "b.example"}).tests[0].targets[0].name == "https://b.example"

    def test_an_environment_that_is_not_text_is_a_problem(
        self, problems_of: Lines, one_test: OneTest
    ) -> None:
        (problem,) = problems_of(one_test("options: {password: '${env:P}'}"), environ={"P": "\udce9"})
        assert "is not UTF-8 text" in problem


class TestTargets:
    @pytest.mark.parametrize(
        ("type_name", "target", "fields"),
        [
            ("agent-to-server", "a.example:443", {"server": "a.example:443"}),
            ("agent-to-agent", "hq", {"targetAgentId": "hq"}),
            ("voice", "1001", {"targetAgentId": "1001"}),
            ("dns-trace", "a.example A", {"domain": "a.example A"}),
            ("dnssec", "a.example", {"domain": "a.example"}),
            ("page-load", "https://a.example", {"url": "https://a.example"}),
            ("http-server", "a.example", {"url": "a.example"}),
            ("sip-server", "a.example", {"targetSipCredentials": {"sipRegistrar": "a.example"}}),
            (
                "sip-server",
                "a.example:99",
                {"targetSipCredentials": {"sipRegistrar": "a.example", "port": 99}},
            ),
        ],
    )
    def test_a_bare_text_fills_the_field_of_its_type(
        self, parse: Parse, one_test: OneTest, type_name: str, target: str, fields: dict[str, Any]
    ) -> None:
        plan = parse(one_test(type=type_name, targets=f"['{target}']"))
        assert plan.tests[0].targets == (Target(target, fields),)

    def test_a_shared_group_may_carry_what_several_types_need(self, parse: Parse, one_test: OneTest) -> None:
        group = (
            "targets: {g: [{name: x, url: 'https://a.example', server: 'a.example:4', domain: a.example}]}"
        )
        text = one_test(targets="g", top=group)
        text += "  - {name: net, type: agent-to-server, targets: g, agents: '1'}\n"
        text += "  - {name: dns, type: dnssec, targets: g, agents: '1'}\n"
        assert [test.targets for test in parse(text).tests] == [
            (Target("x", {"url": "https://a.example"}),),
            (Target("x", {"server": "a.example:4"}),),
            (Target("x", {"domain": "a.example"}),),
        ]

    def test_the_same_target_of_two_groups_is_one(self, parse: Parse, one_test: OneTest) -> None:
        top = "targets: {g: ['https://a.example'], h: ['https://a.example', 'https://b.example']}"
        plan = parse(one_test(targets="[g, h]", top=top))
        assert [target.name for target in plan.tests[0].targets] == ["https://a.example", "https://b.example"]

    def test_a_target_without_a_name_is_called_by_its_address(self, parse: Parse, one_test: OneTest) -> None:
        (target,) = parse(one_test(targets="[{url: 'https://a.example', httpTimeLimit: 9}]")).tests[0].targets
        assert target == Target("https://a.example", {"url": "https://a.example", "httpTimeLimit": 9})

    def test_what_a_target_lacks_the_options_may_give(self, parse: Parse, one_test: OneTest) -> None:
        text = one_test(
            "options: {username: u, password: p, requestType: list}",
            type="ftp-server",
            targets="['ftp://a.example/', {url: 'ftp://b.example/', requestType: download}]",
        )
        assert len(parse(text).tests[0].targets) == 2

    def test_a_bare_word_can_be_the_name_of_an_agent_unless_a_group_is_near(
        self, parse: Parse, problems_of: Lines, one_test: OneTest
    ) -> None:
        top = "targets: {offices: [hq]}"
        assert parse(one_test(type="voice", targets="[hq]", top=top)).tests[0].targets[0].name == "hq"
        (problem,) = problems_of(one_test(type="voice", targets="[ofices]", top=top))
        assert "did you mean 'offices'?" in problem


class TestCsv:
    def _write(self, folder: Path, text: str) -> None:
        (folder / "sites.csv").write_bytes(text.encode())

    def test_rows_are_targets_and_cells_take_the_type_of_their_field(
        self, parse: Parse, one_test: OneTest, tmp_path: Path
    ) -> None:
        self._write(
            tmp_path,
            "\ufeffname,url,httpTimeLimit,followRedirects,desiredStatusCode\r\n"
            'a,"https://a.example/?q=""x"",y",7,false,204\r\n'
            "\r\n"
            " b , https://b.example ,8,true,200\r\n",
        )
        plan = parse(one_test(targets="[{csv: sites.csv}]"), folder=tmp_path)
        first, second = plan.tests[0].targets
        assert first == Target(
            "a",
            {
                "url": 'https://a.example/?q="x",y',
                "httpTimeLimit": 7,
                "followRedirects": False,
                "desiredStatusCode": "204",
            },
        )
        assert second.name == "b"

    def test_a_cell_can_hold_several_name_servers(
        self, parse: Parse, one_test: OneTest, tmp_path: Path
    ) -> None:
        self._write(tmp_path, "domain,dnsServers\na.example A,ns1.example;ns2.example\n")
        plan = parse(one_test(type="dns-server", targets="[{csv: sites.csv}]"), folder=tmp_path)
        assert plan.tests[0].targets[0].fields["dnsServers"] == ["ns1.example", "ns2.example"]

    def test_sip_credentials_can_be_columns(self, parse: Parse, one_test: OneTest, tmp_path: Path) -> None:
        self._write(tmp_path, "name,sipRegistrar,port,protocol\nx,sip.example,5061,tls\n")
        plan = parse(one_test(type="sip-server", targets="[{csv: sites.csv}]"), folder=tmp_path)
        credentials: JsonObject = {"sipRegistrar": "sip.example", "port": 5061, "protocol": "tls"}
        assert plan.tests[0].targets == (Target("x", {"targetSipCredentials": credentials}),)

    def test_a_quoted_cell_may_break_lines_and_later_places_count_them(
        self, problems_of: Lines, one_test: OneTest, tmp_path: Path
    ) -> None:
        self._write(tmp_path, 'name,url\n"a",https://a.example\n"b\nc",\n')
        problems = problems_of(one_test(targets="[{csv: sites.csv}]"), folder=tmp_path)
        assert problems == [
            "sites.csv:3:1: a target's name has control characters in it",
            "sites.csv:4:4: column 'url' is empty here, and http-server needs it",
        ]

    def test_a_file_that_is_not_utf_8_is_a_problem_in_that_file(
        self, problems_of: Lines, one_test: OneTest, tmp_path: Path
    ) -> None:
        (tmp_path / "sites.csv").write_bytes(b"name,url\ncaf\xe9,https://a.example\n")
        problems = problems_of(one_test(targets="[{csv: sites.csv}]"), folder=tmp_path)
        assert problems == ["sites.csv:2:4: the file is not UTF-8 text"]

    def test_a_folder_is_not_a_file(self, problems_of: Lines, one_test: OneTest, tmp_path: Path) -> None:
        (tmp_path / "sites.csv").mkdir()
        (problem,) = problems_of(one_test(targets="[{csv: sites.csv}]"), folder=tmp_path)
        assert "is not a file" in problem

    def test_a_file_in_a_folder_below_is_fine(self, parse: Parse, one_test: OneTest, tmp_path: Path) -> None:
        (tmp_path / "lists").mkdir()
        (tmp_path / "lists" / "a.csv").write_text("url\nhttps://a.example\n")
        plan = parse(one_test(targets="[{csv: lists/a.csv}]"), folder=tmp_path)
        assert plan.attachments == {"lists/a.csv": "url\nhttps://a.example\n"}


class TestStored:
    def test_a_bundle_needs_neither_file_nor_folder(self, one_test: OneTest, tmp_path: Path) -> None:
        (tmp_path / "sites.csv").write_text("url\nhttps://a.example\n")
        path = tmp_path / "plan.yaml"
        path.write_text(one_test("deadline: '${d}'", targets="[{csv: sites.csv}]", top="vars: {d: 60}"))
        plan = load_plan(path, environ={}, sets={"d": "90s"}, api=Api.V6)
        for file in tmp_path.iterdir():
            file.unlink()
        again = parse_bundle(plan.bundle(), environ={})
        assert again == plan
        assert again.tests[0].deadline == 90.0

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"text": 1}', json.dumps({"text": "", "file": "x"})])
    def test_what_is_not_a_bundle_is_refused(self, text: str) -> None:
        with pytest.raises(PlanInvalid, match="the stored plan cannot be read"):
            parse_bundle(text, environ={})

    def test_the_hash_follows_text_attachments_and_sets_but_not_the_environment(
        self, parse: Parse, one_test: OneTest
    ) -> None:
        text = one_test("options: {password: '${env:P}'}", top="vars: {x: 1}")
        plan = parse(text, environ={"P": "a"})
        assert plan.hash == parse(text, environ={"P": "b"}).hash
        assert plan.hash != parse(text, environ={"P": "a"}, sets={"x": "2"}).hash
        assert plan.hash != parse(text + "\n", environ={"P": "a"}).hash


class TestVersions:
    def test_the_command_line_can_ask_for_the_other_version(self, parse: Parse, one_test: OneTest) -> None:
        assert parse(one_test(), api=Api.V6).api is Api.V6

    def test_it_is_checked_against_the_version_that_is_asked_for(
        self, problems_of: Lines, one_test: OneTest
    ) -> None:
        text = one_test("options: {ipv6Policy: force-ipv4}")
        assert problems_of(text, api=Api.V6) == ["8:15: API v6 has no 'ipv6Policy' in http-server"]


class TestSecrets:
    def test_a_message_shows_neither_secret_options_nor_passwords_in_urls(
        self, problems_of: Lines, one_test: OneTest
    ) -> None:
        text = one_test(
            "options: {headers: ['X-Key: ${env:KEY}', 'X-Key: ${env:KEY}'], password: [1]}",
            targets="['https://u:${env:KEY}@a.example/a b']",
        )
        problems = problems_of(text, environ={"KEY": "hunter2"})
        assert len(problems) == 3
        assert "hunter2" not in "\n".join(problems)


@pytest.mark.parametrize("kind", ["type: http", "type: bgp", "type: [http-server]", "type:"])
@pytest.mark.parametrize(
    ("targets", "more", "why"),
    [
        ("['h:99999']", "", "a port is from 1 to 65535"),
        ("['https://h:99999/']", "", "a port is from 1 to 65535"),
        ("[{url: 'https://'}]", "", "has no host"),
        ("bad", "", "is a network"),
        (
            "['https://a.example']",
            "options: {httpTimeLimit: soon}",
            "a whole number is wanted",
        ),
        ("['https://a.example']", "options: {dnsServers: ['h:https']}", "a port is a number"),
    ],
)
def test_a_type_that_is_none_hides_no_value_that_is_wrong_in_all_types(
    problems_of: Callable[..., list[str]], kind: str, targets: str, more: str, why: str
) -> None:
    text = (
        "version: 1\nname: one\ntargets: {bad: [10.0.0.0/24]}\n"
        f"tests:\n  - name: web\n    {kind}\n    targets: {targets}\n    agents: ['1']\n    {more}\n"
    )
    assert any(why in problem for problem in problems_of(text))


def test_a_type_that_is_none_makes_no_problem_of_what_is_right_in_some_type(
    problems_of: Callable[..., list[str]],
) -> None:
    targets = "['https://a.example', 'a.example MX', branch-1, 'a.example:443', {url: 'https://a.example'}]"
    text = (
        "version: 1\nname: one\ntests:\n  - name: web\n    type: bgp\n    agents: ['1']\n"
        f"    targets: {targets}\n    options: {{httpTimeLimit: 5, protocol: tcp}}\n"
    )
    (problem,) = problems_of(text)
    assert "no type of test is called 'bgp'" in problem
