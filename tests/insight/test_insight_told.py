"""What is said of each kind, the headline, silence apart, and the document."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from insight_runs import (
    CLEAN,
    NAMES,
    NOT_RUN,
    PASSES,
    SILENT,
    How,
    expired,
    fails,
    looked,
    observed,
    refused,
    row,
)
from insight_worlds import FLEET, OSLO

from orchestrator.insight.document import document
from orchestrator.insight.headline import Standing, headline
from orchestrator.insight.look import Explanation, Insight
from orchestrator.insight.values import Trouble
from orchestrator.insight.words import Data, Names, plain, written
from orchestrator.model import Agent, AgentType, Verdict
from orchestrator.records import Paths

TARGETS = [f"t{n}.example.com" for n in range(1, 9)]
WARNS = How(Verdict.WARN, None, (Trouble("network", "network.loss 2 %, expected < 1", "loss", asked=False),))


def only(insight: Insight) -> Explanation:
    (one,) = insight.explanations
    return one


def world(breaks: object, targets: list[str] = TARGETS, agents: tuple[Agent, ...] = FLEET) -> Insight:
    assert callable(breaks)
    return looked(
        observed(agent, target, how if isinstance(how := breaks(agent, target), How) else PASSES)
        for target in targets
        for agent in agents
    )


def told(breaks: object, targets: list[str] = TARGETS) -> str:
    return plain(only(world(breaks, targets)).text)


def test_each_kind_has_its_sentence_with_its_counts() -> None:
    t3 = TARGETS[2]
    inside = {agent.id for agent in FLEET if agent.type is AgentType.ENTERPRISE}
    eleven = {agent.id for agent in FLEET[:11]}
    assert told(lambda _, t: expired() if t == t3 else None) == f"{t3} fails from every agent: 18 of 18"
    assert (
        told(lambda a, t: expired() if t == t3 and a.id in eleven else None)
        == f"{t3} fails from 11 of 18 agents"
    )
    assert (
        told(lambda a, _: refused() if a.id == OSLO else None)
        == "branch-09-oslo reaches everything badly: 8 of 8 cells"
    )
    assert (
        told(lambda a, t: refused() if a.id == OSLO and t != t3 else None)
        == "branch-09-oslo reaches nearly everything badly: 7 of 8 cells"
    )
    assert (
        told(lambda a, _: refused() if a.country == "FR" else None)
        == "Everything fails from FR: 24 of 24 cells, 3 agents"
    )
    assert (
        told(lambda a, t: refused() if a.country == "US" and t == t3 else None)
        == f"{t3} fails from US only: 4 of 4 agents there, 0 of 14 elsewhere"
    )
    assert (
        told(lambda a, t: refused() if a.id in inside and t == t3 else None)
        == f"{t3} fails from inside only (enterprise agents 11 of 11, others 0 of 7)"
    )
    assert told(lambda *_: refused()).startswith(
        "Everything fails: 144 of 144 cells. Look at what they share"
    )


def test_those_that_fail_earlier_are_counted_beside_those_that_get_that_far() -> None:
    cut = {agent.id for agent in FLEET[:5]}
    found = world(lambda a, t: refused() if a.id in cut else expired() if t == TARGETS[2] else None)
    (tls,) = [one for one in found.explanations if "tls" in {phase.word for phase in one.phases}]
    assert (
        plain(tls.text)
        == f"{TARGETS[2]} fails from every agent that gets that far: 13 of 13 (5 more fail earlier)"
    )
    assert plain(tls.why) == "TLS: certificate has expired"
    assert tls.level == "application"
    assert plain(tls.contrast[0]) == "the network to it is clean: loss at most 1 % in 13 of 13 cells"


def test_loss_is_told_as_a_range() -> None:
    def how(agent: Agent, _: str) -> How | None:
        loss = 8.0 + 2 * int(agent.id[1:])
        text = f"network.loss {loss:g} %, expected < 5"
        return fails(Trouble("network", text, "loss"), rows=(row("network", agent, {"loss": loss}),))

    found = only(world(lambda a, t: how(a, t) if t == TARGETS[0] else None))
    assert plain(found.why) == "Packet loss: loss 10 to 44 %"
    assert found.level == "network"


def test_a_loss_that_nobody_complains_of_is_not_told() -> None:
    def how(agent: Agent) -> How:
        text = f"network.jitter {agent.id[1:]} ms, expected < 0.5 ms"
        rows = (row("network", agent, {"loss": float(agent.id[1:]), "jitter": 2.0}),)
        return fails(Trouble("network", text, "jitter"), rows=rows)

    found = only(world(lambda a, t: how(a) if t == TARGETS[0] else None))
    assert plain(found.why).startswith("Packet loss: such as network.jitter ")


def test_only_a_run_of_one_target_says_that_one_target_was_tested() -> None:
    said = "only one target was tested: target and test cannot be told apart"

    def told_of(targets: list[str]) -> bool:
        found = world(lambda _, t: refused() if t == TARGETS[0] else WARNS, targets)
        return any(said in map(plain, one.contrast) for one in found.explanations)

    assert told_of(TARGETS[:1])
    assert not told_of(TARGETS[:2]), "the warnings of the other are looked at alone, but it is not alone"


def test_words_that_differ_in_a_number_are_told_as_an_example() -> None:
    found = only(
        world(lambda a, t: refused(f"Connect: timed out after 50{a.id[1:]} ms") if t == TARGETS[0] else None)
    )
    assert plain(found.why) == "Connect: such as Connect: timed out after 5001 ms"


def test_an_agent_that_passes_something_is_alive_and_its_neighbours_are_told() -> None:
    british = next(agent.id for agent in FLEET if agent.country == "GB")
    found = only(world(lambda a, t: refused() if a.id == british and t in TARGETS[:6] else None))
    assert [plain(line) for line in found.contrast] == [
        "2 cells of it pass, so the agent is alive",
        "other agents of its country pass: 16 of 16 cells",
    ]


def test_warnings_that_nothing_covers_are_explained_apart() -> None:
    found = world(lambda _, t: expired() if t == TARGETS[0] else WARNS if t == TARGETS[1] else None)
    fail, warn = found.explanations
    assert (fail.severity, warn.severity) == (Verdict.FAIL, Verdict.WARN)
    assert plain(warn.text) == f"{TARGETS[1]} has warnings from every agent: 18 of 18"
    assert found.bad == 18
    assert found.headline == "One cause explains 18 of 18 bad cells; one more has warnings only"


def test_the_same_name_in_two_blocks_is_told_with_its_block() -> None:
    names = replace(NAMES, doubled=frozenset({"shop"}))
    cells = [
        observed(agent, "shop", expired() if test == "web" else PASSES, test=test)
        for agent in FLEET
        for test in ("web", "deep")
    ]
    assert plain(only(looked(cells, names)).text) == "shop (web) fails from every agent: 18 of 18"


def test_data_are_escaped_where_a_format_says_how() -> None:
    sentence = (Data("a|b"), " fails from ", Data("`x`"))
    assert written(sentence, lambda text: f"<{text}>") == "<a|b> fails from <`x`>"
    assert plain(sentence) == "a|b fails from `x`"


# -- silence -----------------------------------------------------------------------------------------------


def test_a_silent_agent_is_named_with_the_other_agents_as_witnesses() -> None:
    found = world(lambda a, _: SILENT if a.id == OSLO else None)
    (one,) = found.silences
    assert plain(one.text) == (
        "branch-09-oslo did not answer: 8 of 8 cells. Agent side; other agents answer for every target"
    )
    assert found.headline == "8 of 144 cells have no answer: branch-09-oslo"
    assert (found.bad, found.judged, found.unjudged["no_answer"]) == (0, 136, 8)


def test_creations_without_an_answer_are_named_by_what_the_run_recorded() -> None:
    lost = replace(SILENT, silence="the answer to their creation was lost")
    found = world(lambda _, t: lost if t in TARGETS[:2] else None)
    (one,) = found.silences
    assert plain(one.text) == (
        "2 tests of 8 brought nothing, 36 of 36 cells: the answer to their creation was lost"
    )


def test_a_layer_that_is_missing_is_told_of_the_layer_and_its_type() -> None:
    part = How(Verdict.PARTIAL, (row("network", FLEET[0], CLEAN),))
    found = world(lambda a, _: part if int(a.id[1:]) % 2 else None)
    (one,) = found.silences
    assert one.group.kind == "layer*type"
    assert plain(one.text) == "layer http-server is missing in 72 of 144 cells of http-server"
    assert found.unjudged["partial"] == 72
    assert found.explanations == ()


def test_one_cell_without_an_answer_is_no_silence_worth_a_name() -> None:
    found = world(lambda a, t: SILENT if a.id == OSLO and t == TARGETS[0] else None)
    assert found.silences == ()
    assert found.headline == "1 of 144 cells has no answer"


# -- the headline ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("standing", "line"),
    [
        (Standing(passing=428), "All 428 cells pass"),
        (Standing(passing=1), "The one cell passes"),
        (Standing(), "Nothing was judged"),
        (Standing(348, 62, 1, 17, causes=4, explained=78), "Four causes explain 78 of 79 bad cells"),
        (
            Standing(9, 6, 5, causes=2, explained=6, warning_causes=1, warnings_explained=4),
            "Two causes explain 6 of 6 bad cells; one more has warnings only",
        ),
        (Standing(0, 38, causes=1, explained=38), "One cause explains 38 of 38 bad cells"),
        (Standing(99, 3), "3 failures without a common cause"),
        (Standing(99, 1, silent=2), "1 failure without a common cause; 2 without an answer"),
        (Standing(99, warning=4), "Nothing fails; 4 cells with warnings, without a common cause"),
        (
            Standing(99, warning=4, warning_causes=1, warnings_explained=4),
            "Nothing fails; one cause explains 4 of 4 cells with warnings",
        ),
        (Standing(99, partial=2), "99 cells pass; 2 lack a part of their answer"),
        (Standing(10, open=5), "So far: all 10 cells pass; 5 cells open"),
    ],
)
def test_the_headline_says_how_it_stands(standing: Standing, line: str) -> None:
    assert headline(standing) == line


# -- the document ------------------------------------------------------------------------------------------


def test_the_document_is_as_documented() -> None:
    found = looked(
        [
            observed(agent, target, how)
            for target in TARGETS
            for agent in FLEET
            for how in [
                SILENT if agent.id == "a02"
                else NOT_RUN if agent.id == "a03"
                else refused() if agent.id == OSLO or (agent.id, target) == ("a11", TARGETS[7])
                else PASSES
            ]
        ],
        paths=Paths(10, 9),
    )  # fmt: skip
    made = document(found)
    assert json.loads(json.dumps(made)) == {
        "schema": 1,
        "run": "run",
        "headline": "Two causes explain 16 of 17 bad cells; 8 cells were not run",
        "judged": 128,
        "bad": 9,
        "background": round(found.background, 4),
        "explanations": [
            {
                "rank": 1,
                "kind": "agent",
                "value": OSLO,
                "label": "branch-09-oslo",
                "severity": "fail",
                "level": "network",
                "phases": {"connect": 8},
                "bad": 8,
                "known": 8,
                "outside": {"bad": 1, "known": 120},
                "agents": 1,
                "countries": 1,
                "targets": 8,
                "bits": round(found.explanations[0].bits, 1),
                "p": float(f"{found.explanations[0].p:.2g}"),
                "sure": "clear",
                "same": [{"kind": "country", "value": "NO", "label": "NO"}],
                "near": [],
                "text": "branch-09-oslo reaches everything badly: 8 of 8 cells. Connect: connection refused",
                "contrast": ["cannot be told from country NO"],
                "seen_by": None,
                "number": 1,
            }
        ],
        "silences": [
            {
                "kind": "agent",
                "value": "a02",
                "label": "agent 02",
                "bad": 8,
                "known": 8,
                "sure": "clear",
                "text": "agent 02 did not answer: 8 of 8 cells. "
                "Agent side; other agents answer for every target",
                "number": 2,
            }
        ],
        "isolated": {
            "bad": 1,
            "cells": [{"test": "web", "target": TARGETS[7], "agent_id": "a11", "phase": "connect"}],
        },
        "unjudged": {"no_answer": 8, "not_run": 8, "pending": 0, "partial": 0},
        "paths": {"wanted": 10, "got": 9, "from_history": 0},
        "limits": [
            "8 cells were not run",
            "8 cells have no answer: nothing is said about their targets",
            "the hops of 1 of 10 paths did not come",
            "no hop is named: the paths of cells that pass are not known",
        ],
    }


def test_a_value_of_more_than_one_part_is_a_list_and_near_is_told_with_its_figures() -> None:
    five = {"a03", "a06", "a09", "a12", OSLO}
    made = document(world(lambda a, _: refused() if a.id in five else None, TARGETS[:1]))
    (one,) = explanations(made)
    assert one["value"] == ["web", TARGETS[0]]
    (near,) = one["near"]
    assert near["value"] == ["enterprise", "web", TARGETS[0]]
    assert (near["label"], near["bad"], near["known"]) == (f"enterprise to {TARGETS[0]}", 5, 11)
    assert one["contrast"] == [
        "only one target was tested: target and test cannot be told apart",
        f"cannot be told from agents of type enterprise to {TARGETS[0]}",
    ]


def test_cells_are_listed_where_asked_for() -> None:
    found = world(lambda a, _: refused() if a.id == OSLO else None)
    (bare,), (full,) = explanations(document(found)), explanations(document(found, cells=True))
    assert "cells" not in bare
    assert len(full["cells"]) == 8
    assert full["cells"][0] == {"test": "web", "target": TARGETS[0], "agent_id": OSLO}


def explanations(made: dict[str, object]) -> list[dict[str, Any]]:
    found = made["explanations"]
    assert isinstance(found, list)
    return found


def test_an_empty_run_has_a_document_too() -> None:
    made = document(looked([], Names()))
    assert (made["judged"], made["bad"], made["explanations"], made["silences"]) == (0, 0, [], [])


def test_a_secret_that_a_name_repeats_is_nowhere_in_the_document() -> None:
    secret = "sesame-sesame"
    targets = [f"{secret}.example.com", *TARGETS[1:]]
    whole = world(lambda _, t: expired() if t == targets[0] else None, targets)
    alone = world(lambda a, t: expired() if (a, t) == (FLEET[0], targets[0]) else None, targets)
    silent = world(lambda _, t: SILENT if t == targets[0] else None, targets)
    for found in (whole, alone, silent):
        assert secret in json.dumps(document(found, cells=True))
        assert secret not in json.dumps(document(found, lambda text: text.replace(secret, "***"), cells=True))
