"""What is decided of an assistant's calls and answers, without a server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.assistant import arguments as asked
from orchestrator.assistant.allowance import Allowance, Cost
from orchestrator.assistant.bounded import as_json, bounded, harmless
from orchestrator.assistant.plans import NAME, Plans
from orchestrator.assistant.tools import DATA, TOOLS, offered
from orchestrator.errors import CeilingExceeded, PlanInvalid, UsageProblem
from orchestrator.safe import visible

PLAN = """
version: 1
name: {name}
agents: {{some: {{type: cloud}}}}
tests: [{{name: web, type: http-server, agents: some, targets: ["https://a.example"]}}]
"""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3000),
    lambda inner: st.lists(inner, max_size=40) | st.dictionaries(st.text(max_size=20), inner, max_size=10),
    max_leaves=60,
)


@settings(max_examples=60, deadline=None)
@given(JSON, st.integers(4, 5000))
def test_an_answer_is_never_longer_than_it_may_be_and_tells_what_was_cut(value: object, most: int) -> None:
    whole = harmless(value, str)
    made, cuts = bounded(whole, most)
    assert len(as_json(made)) <= most
    if len(as_json(whole)) <= most and not cuts:
        assert len(as_json(made)) <= len(as_json(whole))


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_an_answer_holds_nothing_that_cannot_be_seen_and_reads_back_as_json(value: object) -> None:
    text = as_json(harmless(value, str))
    json.loads(text)
    assert all(visible(part) == part for part in text.split("\n"))


def test_a_short_answer_is_whole() -> None:
    document = {"run": "1", "rows": [{"n": n} for n in range(40)]}
    assert bounded(document) == (document, ())


def test_of_a_long_list_it_is_told_how_much_is_left() -> None:
    made, cuts = bounded({"rows": [{"text": "x" * 100} for _ in range(5000)]})
    assert isinstance(made, dict)
    assert [str(cut) for cut in cuts] == ["rows: 100 of 5000 are shown"]
    assert len(made["rows"]) == 100


def test_secrets_are_masked_in_keys_and_values() -> None:
    told = harmless({"sesame": ["open sesame"]}, lambda text: text.replace("sesame", "***"))
    assert told == {"***": ["open ***"]}


units = st.floats(0.001, 50)
counts = st.integers(1, 50)


@settings(max_examples=100, deadline=None)
@given(units, counts, st.lists(st.tuples(units, counts, st.floats(0, 1), st.booleans()), max_size=20))
def test_whatever_is_asked_for_the_ceilings_of_a_server_hold(
    most_units: float, most: int, calls: list[tuple[float, int, float, bool]]
) -> None:
    allowance, open_calls = Allowance(Cost(most_units, most)), []
    for wanted, creations, share, ends in calls:
        try:
            allowance = allowance.hold(Cost(wanted, creations))
        except CeilingExceeded:
            continue
        open_calls.append((Cost(wanted, creations), share))
        if ends:
            held, part = open_calls.pop(0)
            allowance = allowance.settle(held, Cost(held.units * part, int(held.creations * part)))
        whole = allowance.spent + allowance.held
        assert whole.units <= most_units + 1e-4
        assert whole.creations <= most


def test_what_was_not_spent_can_be_asked_for_again() -> None:
    allowance = Allowance(Cost(2.0, 10)).hold(Cost(2.0, 10))
    with pytest.raises(CeilingExceeded, match=r"0\.00 units and 0 creations"):
        allowance.hold(Cost(0.1, 1))
    assert allowance.settle(Cost(2.0, 10), Cost(0.5, 4)).left == Cost(1.5, 6)


@pytest.mark.parametrize("left_out", ["max_units", "max_creations", "deadline_seconds"])
@pytest.mark.parametrize("tool", ["run", "diagnose"])
def test_no_ceiling_can_be_left_out(tool: str, left_out: str) -> None:
    words: dict[str, object] = {"max_units": 1, "max_creations": 1, "deadline_seconds": 60}
    words |= {"plan_text": "x"} if tool == "run" else {"targets": ["a.example"]}
    asked.read(TOOLS[tool].takes, words)
    del words[left_out]
    with pytest.raises(UsageProblem, match=f"{left_out} is missing, and has no default"):
        asked.read(TOOLS[tool].takes, words)
    assert left_out in TOOLS[tool].input_schema["required"]  # type: ignore[operator] # a list


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"max_unit": 1}, "no argument 'max_unit', is it max_units?"),
        ({"max_units": "1"}, "max_units: Input should be a valid number"),
        ({"max_units": float("nan")}, "max_units"),
        ({"max_units": float("inf")}, "max_units"),
        ({"max_units": 0}, "greater than 0"),
        ({"max_creations": 1.5}, "max_creations"),
        ({"max_creations": True}, "max_creations"),
        ({"deadline_seconds": -1}, "greater than 0"),
        ({"plan_file": "a.yaml", "plan_text": "x"}, "give either plan_file or plan_text"),
        ({"variables": {"a": 1}}, "variables.a"),
    ],
)
def test_arguments_are_taken_as_they_are_meant_or_not_at_all(words: dict[str, object], told: str) -> None:
    usual = {"plan_text": "x", "max_units": 1.0, "max_creations": 1, "deadline_seconds": 60}
    with pytest.raises(UsageProblem) as problem:
        asked.read(asked.Run, usual | words)
    assert told in problem.value.message


@pytest.mark.parametrize("given", [None, [], "x", 3, {"": ""}, {"run": ["x"]}, {"run": "x" * 400}])
def test_nonsense_for_arguments_is_a_problem_and_no_defect(given: object) -> None:
    for tool in TOOLS.values():
        try:
            asked.read(tool.takes, given)
        except UsageProblem:
            continue
        assert given in (None, {}) or not given


def test_a_server_that_only_reads_offers_nothing_that_creates_or_changes() -> None:
    names = {tool.name for tool in offered(creations=False)}
    assert names == {"runs", "show", "results", "explain", "diff", "check"}
    assert {tool.name for tool in offered(creations=True)} - names == {"run", "diagnose", "stop"}


def test_each_tool_says_what_it_costs_and_that_texts_are_data() -> None:
    for tool in TOOLS.values():
        assert ("COSTS UNITS" in tool.description) is tool.creates
        assert ("no units" in tool.description) is not tool.creates
        assert DATA in tool.description


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plans = tmp_path / "plans"
    (plans / "more").mkdir(parents=True)
    (plans / "sweep.yaml").write_text(PLAN.format(name="${env:SWEEP}"), "utf-8")
    (plans / "more" / "deep.yml").write_text(PLAN.format(name="deep"), "utf-8")
    (plans / "notes.txt").write_text(PLAN.format(name="notes"), "utf-8")
    (tmp_path / "secret.yaml").write_text(PLAN.format(name="secret"), "utf-8")
    (plans / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (plans / "inside.yaml").symlink_to(plans / "more" / "deep.yml")
    (plans / "loop.yaml").symlink_to(plans / "loop.yaml")
    return plans


def _named(name: str) -> asked.Check:
    return asked.Check(plan_file=name)


def test_plans_of_the_folder_are_read_with_the_variables_that_they_may_have(folder: Path) -> None:
    plans = Plans(folder, {"SWEEP": "night"})
    assert plans.plan(_named("sweep.yaml")).name == "night"
    assert plans.plan(_named("more/deep.yml")).name == plans.plan(_named("inside.yaml")).name == "deep"
    with pytest.raises(PlanInvalid, match="SWEEP"):
        Plans(folder, {}).plan(_named("sweep.yaml"))


@pytest.mark.parametrize(
    "name",
    [
        *("../secret.yaml", "more/../../secret.yaml", "/etc/passwd", "link.yaml", "loop.yaml", "notes.txt"),
        *("more", ".", "none.yaml", "x\0.yaml", "..\\secret.yaml", "~/x.yaml", "a/" * 140),
    ],
)
def test_nothing_outside_of_the_folder_can_be_named(folder: Path, name: str) -> None:
    with pytest.raises(UsageProblem) as problem:
        Plans(folder, {"SWEEP": "x"}).plan(_named(name))
    assert "secret" not in (problem.value.hint or "")


def test_a_name_that_is_none_is_answered_with_those_that_there_are(folder: Path) -> None:
    with pytest.raises(UsageProblem, match=r"is it sweep\.yaml\?") as problem:
        Plans(folder).plan(_named("swep.yaml"))
    assert "more/deep.yml" in (problem.value.hint or "")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("https://a.example", "https://${env:HOME}"), "HOME"),
        (('["https://a.example"]', "{csv: secret.csv}"), "cannot be read here"),
        (("name: mine", "name: mine\naccount_group: '77'"), "account group"),
    ],
)
def test_the_text_of_a_plan_reads_no_variable_and_no_file(change: tuple[str, str], told: str) -> None:
    text = PLAN.format(name="mine").replace(*change)
    with pytest.raises(UsageProblem, match=told):
        Plans(environ={"HOME": "/root"}).plan(asked.Check(plan_text=text))


def test_a_plan_of_an_assistant_takes_no_runs_away_and_tells_nobody() -> None:
    text = PLAN.format(name="mine") + "keep: 1\nnotify: [{to: oncall}]\n"
    plan = Plans().plan(asked.Check(plan_text=text))
    assert (plan.name, plan.keep, plan.notify) == (f"{NAME}mine", None, ())
