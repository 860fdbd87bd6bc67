"""The text and the document of a notice: short, inert, and the same to every reader."""

from __future__ import annotations

import json
import re

import pytest
from builders import make_run
from hypothesis import given, settings
from hypothesis import strategies as st
from insight_runs import NAMES, expired, observed, refused
from insight_worlds import FLEET

from orchestrator.insight.look import Insight, look
from orchestrator.notices.document import delivered, document
from orchestrator.notices.machine import step
from orchestrator.notices.marks import code
from orchestrator.notices.reading import nothing_came, seen_of
from orchestrator.notices.text import TEXT, TITLE, Told, text, title
from orchestrator.notices.values import Event, State
from orchestrator.outbox import Draft, Notice

HOSTILE = "<!channel> @here `x` <@U123> [a](http://b) & <script>\u202e\x1b[31m\n# hi"


def insight(*, target: str = "crm", error: str = "certificate has expired", bad: int = 18) -> Insight:
    """One target fails from so many agents of two targets."""
    cells = [observed(agent, "wiki") for agent in FLEET]
    cells += [
        observed(agent, target, expired(error) if n < bad else refused(error))
        for n, agent in enumerate(FLEET)
    ]
    return look("6b0877f0", cells, NAMES)


def told_of(found: Insight, *, plan: str = "sweep", event: Event = Event.BAD, mask: str = "") -> Told:
    run = make_run("6b0877f07da67c22", plan=plan, finished=1_800_000_000.0, exit_code=1)

    def masked(told: str) -> str:
        return told.replace(mask, "***") if mask else told

    seen = seen_of(run, found, 1, mask=masked)
    return Told(plan, event, seen, step(State(), seen), run, found, None, masked)


def test_a_notice_says_what_and_where_to_look() -> None:
    told = text(told_of(insight()))
    lines = told.splitlines()
    assert lines[0] == title(told_of(insight())) == "✕ sweep: One cause explains 18 of 18 bad cells"
    assert lines[1].startswith("1 `crm` fails from every agent: 18 of 18. ")
    assert lines[-1] == "2027-01-15 08:00:00 UTC, run 6b0877f0, exit 1 · orchestrator report 6b0877f0"


@pytest.mark.parametrize("where", ["plan", "target", "error"])
def test_data_of_others_mentions_nobody_and_is_no_markup(where: str) -> None:
    plan = HOSTILE if where == "plan" else "sweep"
    target, error = (HOSTILE if where == name else "plain" for name in ("target", "error"))
    found = insight(target=target, error=error)
    told = text(told_of(found, plan=plan))
    assert not re.search(r"[@<>&\x1b\u202e]", told)
    assert told.count("`") % 2 == 0
    assert "\n#" not in told


@given(st.text(max_size=400), st.text(max_size=400), st.sampled_from(Event))
@settings(max_examples=25, deadline=None)
def test_whatever_the_data_a_notice_is_short_and_inert(plan: str, error: str, event: Event) -> None:
    told = told_of(insight(target=plan[:100] or "x", error=error or "x"), plan=plan, event=event)
    assert len(title(told)) <= TITLE
    assert len(text(told)) <= TEXT
    assert not re.search(r"[@<>&]", text(told))
    assert all(line.count("`") % 2 == 0 for line in text(told).splitlines()[1:])
    json.dumps(document(told), allow_nan=False).encode("ascii")


@given(st.text(max_size=300))
def test_data_in_code_marks_stay_in_them(data: str) -> None:
    told = code(data)
    assert told == "-" or (told[0] == told[-1] == "`" and "`" not in told[1:-1])
    assert not set(told) & set("@<>&\n\r\x1b\u202e\u200b")


def test_many_causes_are_cut_after_five() -> None:
    cells = [observed(agent, f"bad{n}", expired(f"certificate {n}")) for n in range(7) for agent in FLEET]
    cells += [observed(agent, f"good{n}") for n in range(40) for agent in FLEET]
    told = text(told_of(look("r", cells, NAMES)))
    assert "5 `bad" in told
    assert "6 `bad" not in told
    assert "and 2 more" in told


def test_a_secret_in_the_name_of_a_target_is_not_in_the_document() -> None:
    told = told_of(insight(target="sesame-sesame"), mask="sesame-sesame")
    found = json.dumps(document(told))
    assert "sesame" not in found
    assert "***" in found


def test_a_secret_is_in_neither_text_nor_document() -> None:
    found = told_of(insight(error="token sesame-sesame refused"), plan="sesame-sesame", mask="sesame-sesame")
    assert "sesame-sesame" not in json.dumps(document(found))
    assert "***" in text(found)


def test_the_document_has_its_keys() -> None:
    told = document(told_of(insight()))
    notice = Notice(1, "sweep", "oncall", 12, Draft("bad", "r", 1.0, told), tries=2, doubtful=True)
    sent = delivered(notice)
    assert list(sent) == [
        *("schema", "id", "event", "plan", "run", "simulated", "exit_code", "at", "state_since", "title"),
        *("text", "new", "over", "still", "flapping", "insight", "attempt", "doubtful"),
    ]
    assert (sent["schema"], sent["id"], sent["attempt"], sent["doubtful"]) == (1, "sweep/12", 2, True)
    assert sent["new"] == [
        {
            "kind": "target",
            "value": ["web", "crm"],
            "level": "application",
            "label": "crm",
            "since": "2027-01-15T08:00:00Z",
        }
    ]


def test_a_plan_that_did_not_run_says_why() -> None:
    seen = nothing_came(1_800_000_000.0, 4)
    told = Told("sweep", Event.INCOMPLETE, seen, step(State(), seen), problem="the token was refused (401)")
    assert text(told).splitlines() == [
        "\u2013 sweep: the token was refused (401)",
        "the token was refused (401)",
        "2027-01-15 08:00:00 UTC, no run, exit 4",
    ]
    assert document(told)["run"] is None


def test_the_same_notice_has_the_same_key_and_others_another() -> None:
    draft = Draft("bad", "r", 1.0, {"plan": "sweep"})
    one = Notice(1, "sweep", "oncall", 12, draft)
    others = [
        Notice(1, "sweep", "oncall", 13, draft),
        Notice(1, "sweep", "noc", 12, draft),
        Notice(1, "other", "oncall", 12, draft),
        Notice(1, "sweep", "oncall", 12, Draft("bad", "s", 1.0, {})),
    ]
    assert one.key == Notice(9, "sweep", "oncall", 12, draft, tries=3).key
    assert one.key not in {other.key for other in others}
