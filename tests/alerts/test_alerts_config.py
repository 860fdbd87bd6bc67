"""The file of hooks: every problem with its place, and no secret in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from documentation import ROOT, blocks

from orchestrator.actions import question
from orchestrator.alerts import config
from orchestrator.alerts.config import load_hooks
from orchestrator.alerts.values import Way
from orchestrator.errors import PlanInvalid

GOOD = """\
hooks:
  thousandeyes:
    kind: thousandeyes
    secret: [env:TE_HOOK, file:/etc/orchestrator/te-hook-before]
    by: basic
    allow: "*.example.com"
    notify: oncall
  pagerduty:
    kind: pagerduty
    secret: env:PD_HOOK
    allow: [shop.example.com]
    names: {PSHOP: https://shop.example.com}
    per_hour: 2
    units_a_day: 4
    agents: 20
    box: 5m
  mine:
    secret: env:MINE
    by: hmac
    header: X-Signature
    prefix: "sha256="
    each: items
    target: what.host
    time: sent
    when: {state: [firing, "down*"]}
    allow: ["*.example.com"]
    quiet: 30m
"""


def _file(folder: Path, text: str) -> Path:
    file = folder / "hooks.yaml"
    file.write_text(text, "utf-8")
    return file


def test_hooks_are_read_with_what_their_kind_brings(tmp_path: Path) -> None:
    te, pd, mine = load_hooks(_file(tmp_path, GOOD))
    assert (te.name, te.proof.way, te.proof.header, te.notify) == (
        "thousandeyes",
        Way.BASIC,
        "Authorization",
        ("oncall",),
    )
    assert te.proof.secrets == ("env:TE_HOOK", "file:/etc/orchestrator/te-hook-before")
    assert (pd.proof.way, pd.proof.header, pd.proof.prefix) == (Way.HMAC, "X-PagerDuty-Signature", "v1=")
    assert (pd.finding.time, pd.per_hour, pd.agents, pd.box) == ("event.occurred_at", 2, 20, 300.0)
    assert (mine.finding.each, mine.finding.target, mine.quiet) == ("items", "what.host", 1800.0)
    assert mine.finding.when == {"state": ("firing", "down*")}


_HOOK = "hooks:\n  a:\n    secret: env:A\n    allow: [a.example.com]\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1:1: the file is empty"),
        ("hooks: {}\n", "1:8: hooks"),
        ("hooks: 1\n", "1:8: hooks"),
        ("hook: {}\n", "did you mean 'hooks'?"),
        ("hooks:\n  a: 1\n", "2:6: the hook 'a' must be a mapping"),
        ("hooks:\n  a:\n    allow: x.example.com\n", "has no key 'secret'"),
        (_HOOK.replace("env:A", "hunter2hunter2"), "a reference is wanted"),
        (_HOOK.replace("  a:", "  A b:"), "2:3: 'A b' is no name of a hook"),
        (_HOOK + "    kind: pagerdut\n", "did you mean 'pagerduty'?"),
        (_HOOK + "    by: password\n", "no way to prove a sender is called 'password'"),
        (_HOOK + "    by: header\n", "5:9: by header needs the key 'header'"),
        (_HOOK + "    by: hmac\n    header: X-Sig\n", "could be sent again for ever"),
        (_HOOK + "    header: X-Sig\n", "5:5: by bearer has a header already"),
        (_HOOK + "    target: a..b\n", "5:13: target: a path such as"),
        (_HOOK + "    per_hour: 0\n", "5:15: per_hour"),
        (_HOOK + "    units_a_day: 1\n", "units_a_day"),
        (_HOOK + "    wndow: 5m\n", "5:5: unknown key 'wndow', did you mean 'window'?"),
        (_HOOK.replace("[a.example.com]", '["*"]'), "4:12: a pattern that lets every host pass"),
        (_HOOK.replace("[a.example.com]", '["https://a.example.com"]'), "patterns are of hosts"),
        (_HOOK + "    box: 10s\n", "5:10: box is 30 seconds to 30 minutes, not 10 s"),
        (_HOOK + "    box: 1h\n", "5:10: box is 30 seconds to 30 minutes, not 3600 s"),
        (_HOOK + "    time: sent\n    quiet: 9m\n", "6:12: quiet (540 s) is at least twice window (300 s)"),
        (_HOOK + "    time: sent\n    window: 6m\n", "6:13: quiet (600 s) is at least twice window (360 s)"),
        (_HOOK + "    when: {a..b: x}\n", "a path such as"),
        ("hooks: [\n", "2:1"),
        (_HOOK * 2, "hooks"),
    ],
)
def test_each_problem_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(PlanInvalid) as caught:
        load_hooks(_file(tmp_path, text))
    assert told in caught.value.message
    assert "hunter2" not in caught.value.message


def test_the_time_box_is_that_of_a_diagnosis(tmp_path: Path) -> None:
    assert (config.SHORTEST_BOX, config.LONGEST_BOX) == (question.SHORTEST_BOX, question.LONGEST_BOX)
    for box in ("30s", "30m"):
        (hook,) = load_hooks(_file(tmp_path, f"{_HOOK}    box: {box}\n    window: 1h\n"))
        assert hook.finding.time is None, "without a time no window counts"


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("by: basic", "by: basi").replace("quiet: 30m", "quiet: soon")
    with pytest.raises(PlanInvalid) as caught:
        load_hooks(_file(tmp_path, text))
    assert [one.line for one in caught.value.problems] == [5, 27]


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(PlanInvalid, match="cannot be read"):
        load_hooks(tmp_path / "none.yaml")


def test_the_file_of_the_document_is_sound(tmp_path: Path) -> None:
    (block,) = [one for one in blocks(ROOT / "docs" / "serve.md", "yaml") if one.text.startswith("hooks:")]
    te, pd, mine = load_hooks(_file(tmp_path, block.text))
    assert (te.notify, pd.finding.names["PABC123"]) == (("oncall",), "https://shop.example.com")
    assert (mine.finding.each, mine.finding.time) == ("items", "sent")
