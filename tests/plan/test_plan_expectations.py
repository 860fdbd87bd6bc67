"""Expectations of single targets: beside those of the block, checked at their place, no part of a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from builders import make_agent

from orchestrator.expand import expand
from orchestrator.model import Spec
from orchestrator.plan.model import Plan

SHARED = """
version: 1
name: own
targets:
  mixed:
    - {name: portal, url: "https://p.example", server: "p.example:443", expect: [http-server.totalTime < 2s, network.loss <= 1]}
    - {name: mail, url: "https://m.example", server: "m.example:443", warn: network.loss <= 5}
    - {name: plain, url: "https://x.example", server: "x.example:443"}
tests:
  - {name: web, type: http-server, targets: mixed, agents: ["1"], expect: http-server.responseCode == 200}
  - {name: net, type: agent-to-server, targets: mixed, agents: ["1"], expect: network.loss <= 1}
"""  # noqa: E501 - a target in one line, as people write it


def specs_of(plan: Plan) -> Sequence[Spec]:
    return expand(plan, [make_agent("1")]).specs


def judged(plan: Plan) -> dict[tuple[str, str], tuple[tuple[str, ...], tuple[str, ...]]]:
    return {(spec.test, spec.target): (spec.expect, spec.warn) for spec in specs_of(plan)}


def test_a_target_adds_to_the_block_what_the_block_can_judge(parse: Callable[..., Plan]) -> None:
    ok = "http-server.responseCode == 200"
    assert judged(parse(SHARED)) == {
        ("web", "portal"): ((ok, "http-server.totalTime < 2s", "network.loss <= 1"), ()),
        ("web", "mail"): ((ok,), ("network.loss <= 5",)),
        ("web", "plain"): ((ok,), ()),
        ("net", "portal"): (("network.loss <= 1",), ()),
        ("net", "mail"): (("network.loss <= 1",), ("network.loss <= 5",)),
        ("net", "plain"): (("network.loss <= 1",), ()),
    }


def test_expectations_are_no_part_of_what_is_created(parse: Callable[..., Plan]) -> None:
    text = SHARED.replace(", expect: [http-server.totalTime < 2s, network.loss <= 1]", "")
    bare = parse(text.replace(", warn: network.loss <= 5", ""))
    own, others = specs_of(parse(SHARED)), specs_of(bare)
    assert [spec.expect for spec in own] != [spec.expect for spec in others]
    assert [replace(spec, expect=(), warn=()) for spec in own] == [
        replace(spec, expect=(), warn=()) for spec in others
    ]


def test_a_csv_file_has_them_in_columns_and_beside_it(parse: Callable[..., Plan], tmp_path: Path) -> None:
    rows = (
        "name,url,limit,Expect,warn\n"
        "a,https://a.example,300 ms,network.loss <= 1; http-server.responseCode != 500,\n"
        "b,https://b.example,2s,,http-server.dnsTime < 1s\n"
    )
    (tmp_path / "t.csv").write_text(rows, "utf-8")
    plan = parse(
        "version: 1\nname: x\ntests:\n  - name: web\n    type: http-server\n    agents: ['1']\n"
        "    targets: {csv: t.csv, expect: 'http-server.totalTime < ${row.limit}'}\n",
        folder=tmp_path,
    )
    assert judged(plan) == {
        ("web", "a"): (
            ("network.loss <= 1", "http-server.responseCode != 500", "http-server.totalTime < 300 ms"),
            (),
        ),
        ("web", "b"): (("http-server.totalTime < 2s",), ("http-server.dnsTime < 1s",)),
    }
    assert plan.notes == ()


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ("expect: network.lss < 1", "5:65: layer network has no metric 'lss', did you mean 'loss'?"),
        ("expect: [network.loss < 1, 3]", "5:84: an expectation is a text, such as 'network.loss <= 1', or"),
        ("warn: {a: b}", "5:63: an expectation is a text, such as"),
        ("expect: ''", "5:65: an expectation is a text, such as"),
        ("expect: page-load.numErrors == 0", "5:65: http-server has no layer 'page-load'; it has"),
        ("warn: path-vis.numberOfHops < 9", "5:63: layer path-vis is not among the test's layers"),
        ("expekt: network.loss < 1", "5:57: http-server has no option 'expekt'"),
    ],
)
def test_a_mistake_is_told_at_its_place(own: str, said: str, problems_of: Callable[..., list[str]]) -> None:
    text = (
        "version: 1\nname: x\ntargets:\n  all:\n"
        f'    - {{name: portal, url: "https://portal.example.com", {own}}}\n'
        "tests:\n  - {name: web, type: http-server, targets: all, agents: ['1'],\n"
        "     layers: [http-server, network]}\n"
    )
    found = problems_of(text)
    assert len(found) == 1, found
    assert found[0].startswith(said)


def test_what_only_an_unreadable_block_could_judge_is_no_second_mistake(
    problems_of: Callable[..., list[str]],
) -> None:
    found = problems_of(SHARED.replace("type: http-server", "type: zzz"))
    assert [one for one in found if "layer" in one] == []


def test_one_name_with_other_expectations_is_two_targets(problems_of: Callable[..., list[str]]) -> None:
    one = '{name: a, url: "https://a.example", expect: network.loss < 1}'
    other = '{name: a, url: "https://a.example"}'
    text = (
        f"version: 1\nname: x\ntargets:\n  g: [{one}]\n  h: [{other}]\n"
        "tests:\n  - {name: web, type: http-server, targets: [g, h], agents: ['1']}\n"
    )
    assert "two targets called 'a'" in problems_of(text)[0]
