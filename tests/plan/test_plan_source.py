"""YAML as plans are read: values, places, bounds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import PlanInvalid, PlanProblem
from orchestrator.model import Json
from orchestrator.plan.load import load_plan, parse_plan
from orchestrator.plan.model import Plan
from orchestrator.plan.problems import Place, Problems
from orchestrator.plan.source import Scalar, find, plain, read_yaml, scalar_value
from orchestrator.plan.text import MAX_BYTES


def _read(text: str) -> Json:
    problems = Problems()
    node = read_yaml(text, "p.yaml", problems)
    assert problems.listed() == ()
    assert node is not None
    return plain(node)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("off", "off"),
        ("true", True),
        ("~", None),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("22:30", "22:30"),
        ("1e3", 1000.0),
        (".5", 0.5),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1e999", "1e999"),
        ("2026-11-21", "2026-11-21"),
        ("9" * 2000, "9" * 2000),
    ],
)
def test_an_unquoted_scalar_means_what_yaml_1_2_says(text: str, value: object) -> None:
    assert scalar_value(text) == value
    assert type(scalar_value(text)) is type(value)


def test_countries_stay_countries() -> None:
    assert _read("country: [NO, SE, GB]") == {"country": ["NO", "SE", "GB"]}


def test_quotes_make_texts() -> None:
    assert _read("a: '1'\nb: \"true\"\nc: !!str 3\nd: |\n  5\n") == {
        "a": "1",
        "b": "true",
        "c": "3",
        "d": "5\n",
    }


def test_an_anchor_can_be_used_again() -> None:
    assert _read("a: &x [1]\nb: *x\n") == {"a": [1], "b": [1]}


def test_every_value_and_key_knows_its_place() -> None:
    node = read_yaml("a:\n  b: [x,\n      y]\n", "p.yaml", Problems())
    assert node is not None
    assert find(node, ("a", "b", 1)) == Place("p.yaml", 3, 7)
    assert find(node, ("a", "b"), key=True) == Place("p.yaml", 2, 3)
    assert find(node, ("a", "b", 7)) == Place("p.yaml", 2, 6)


def test_a_file_of_more_than_five_mebibytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    path.write_bytes(b"#" * (MAX_BYTES + 10))
    with pytest.raises(PlanInvalid, match="larger than 5 MiB"):
        load_plan(path, environ={})


@pytest.mark.parametrize("name", ["nowhere.yaml", "."])
def test_a_plan_that_cannot_be_opened_is_a_problem_with_its_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(PlanInvalid, match="the plan cannot be read"):
        load_plan(tmp_path / name, environ={})


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfversion: 2\n")
    with pytest.raises(PlanInvalid) as caught:
        load_plan(path, environ={})
    assert "'2' is not 1" in str(caught.value)


def test_thousands_of_problems_are_listed_up_to_a_bound() -> None:
    text = "version: 1\nname: x\n" + "".join(f"k{n}: 1\n" for n in range(5000))
    with pytest.raises(PlanInvalid) as caught:
        parse_plan(text, "p.yaml", None, environ={})
    assert len(caught.value.problems) == 200
    assert "more problems" in caught.value.problems[-1].message


def _is_refused_or_a_plan(text: str) -> None:
    problems: tuple[PlanProblem, ...] = ()
    try:
        plan = parse_plan(text, "p.yaml", None, environ={"HOME": "/root"})
    except PlanInvalid as error:
        problems = error.problems
        plan = None
    assert isinstance(plan, Plan) or problems
    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems)
    assert all("\n" not in problem.message for problem in problems)


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=200))
def test_any_text_is_a_plan_or_a_list_of_problems(text: str) -> None:
    _is_refused_or_a_plan(text)


_YAML_BITS = st.sampled_from(
    [
        *"[]{}:,-?&*!|>'\"%@`#~\n ",
        *("\t", "  ", "- ", ": ", "? ", "&a ", "*a", "<<", "!!str ", "---\n", "...\n", "${", "}"),
        *("version: 1\n", "name: x\n", "tests:\n", "agents:\n", "targets:\n", "type: dnssec\n"),
        *("${env:HOME}", "%YAML 1.1\n"),
    ]
)


@settings(deadline=None, max_examples=200)
@given(st.lists(_YAML_BITS, max_size=40).map("".join))
def test_any_arrangement_of_yaml_signs_is_a_plan_or_a_list_of_problems(text: str) -> None:
    _is_refused_or_a_plan(text)


_WORDS = (
    "https://a.example",
    "a.example A",
    "1",
    "${x}",
    "${",
    "3m",
    "10%",
    "web",
    "dns-server",
    "",
    "é\x07",
)
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(_WORDS)
    | st.text(max_size=8)
)
_KNOWN = (
    *("version", "name", "api", "account_group", "agents", "targets", "tests", "budget", "deadline", "vars"),
    *("type", "options", "raw", "layers", "expect", "warn", "path_details", "agents_per_test", "reserve"),
    *("max_tests", "max_units", "country", "exclude", "sample", "count", "per", "seed", "id", "csv", "url"),
    *("requests", "dnsServers", "domain", "targetSipCredentials", "port"),
)
_KEYS = st.sampled_from(_KNOWN) | st.text(max_size=6)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=6),
    max_leaves=25,
)
_PLANS = st.fixed_dictionaries(
    {
        "version": st.just(1),
        "name": st.just("x"),
        "tests": st.lists(st.dictionaries(_KEYS, _TREES), max_size=3),
    },
    optional={"agents": _TREES, "targets": _TREES, "vars": _TREES, "budget": _TREES},
)


def _flow(value: Json) -> str:
    """YAML is a superset of JSON, so JSON is a way to write any tree."""
    return json.dumps(value, ensure_ascii=True)


@settings(deadline=None, max_examples=200)
@given(_PLANS | _TREES)
def test_any_tree_is_a_plan_or_a_list_of_problems(tree: Json) -> None:
    _is_refused_or_a_plan(_flow(tree))


_TYPES = st.sampled_from(
    ["http-server", "dns-server", "sip-server", "voice", "api", "page-load", "agent-to-agent"]
)
_BLOCKS = st.fixed_dictionaries(
    {"name": st.just("t"), "type": _TYPES, "targets": _TREES, "agents": _TREES},
    optional={"options": _TREES, "raw": _TREES, "layers": _TREES, "expect": _TREES, "deadline": _TREES},
)


@settings(deadline=None, max_examples=200)
@given(_BLOCKS)
def test_any_test_block_is_a_plan_or_a_list_of_problems(block: Json) -> None:
    _is_refused_or_a_plan(_flow({"version": 1, "name": "x", "tests": [block]}))


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=40))
def test_any_text_written_as_json_reads_back_as_itself(text: str) -> None:
    problems = Problems()
    node = read_yaml(_flow(text), "p.yaml", problems)
    if not len(problems):  # lone surrogates and the like are refused
        assert isinstance(node, Scalar)
        assert node.value == text


def test_half_a_surrogate_pair_is_refused_and_a_pair_is_joined() -> None:
    problems = Problems()
    read_yaml('a: "\\ud800x"', "p.yaml", problems)
    assert [str(one) for one in problems.listed()] == [
        "p.yaml:1:4: half of a surrogate pair is not a character"
    ]
    assert _read('"\\ud83d\\ude00"') == "\U0001f600"
