"""Each cell is judged as soon as its layers are in, once, and again only by what is new."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from builders import make_answer, make_spec
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model import COLLECTED, Answer, AnswerStatus, CellResult, CellState, Spec, Verdict
from orchestrator.testtypes import DETAILS
from orchestrator.verdict.expect import judge_cell, parsed
from orchestrator.verdict.judging import Change, Judging

CODE = "http-server.responseCode == 200"
LAYERS = ("http-server", "network", "path-vis")


def web(**changes: Any) -> Spec:
    return make_spec(expect=(CODE,), **changes)


def names() -> Spec:
    """Two name servers, each a row of its own in both layers."""
    servers = ("ns1.example.com", "ns2.example.com")
    return make_spec(
        type="dns-server",
        target="example.com",
        fields={"domain": "example.com A", "dnsServers": servers},
        layers=("dns-server", "network"),
        servers=2,
        warn=("network.loss <= 1",),
    )


def error(layer: str, agent_id: str = "1", **changes: object) -> Answer:
    return make_answer(layer, agent_id, status=AnswerStatus.ERROR, error="no route", metrics={}, **changes)


def verdicts(changes: Sequence[Change]) -> dict[str, Verdict]:
    return {change.cell.agent_id: change.cell.verdict for change in changes}


def test_a_cell_is_judged_with_its_last_layer_and_not_before() -> None:
    judging = Judging(web())
    assert judging.take([make_answer("http-server", "1"), make_answer("http-server", "2")]) == ()
    assert judging.take([make_answer("network", "1")]) == ()
    assert verdicts(judging.take([make_answer("path-vis", "1")])) == {"1": Verdict.PASS}
    both = [make_answer("network", "2"), error("path-vis", "2")]
    assert judging.take(both) == (
        Change(CellResult("2", CellState.ERRORS, Verdict.WARN, ("path-vis: no route",))),
    )


def test_no_cell_waits_for_its_hops() -> None:
    judging = Judging(web(path_details=True))
    assert judging.take([make_answer(DETAILS)]) == ()
    assert verdicts(judging.take([make_answer(layer) for layer in LAYERS])) == {"1": Verdict.PASS}
    assert judging.take([make_answer(DETAILS)]) == ()


def test_rows_that_come_again_change_nothing() -> None:
    judging = Judging(web())
    rows = [make_answer(layer, agent) for layer in LAYERS for agent in ("1", "2")]
    assert len(judging.take(rows)) == 2
    assert judging.take(rows) == ()
    # What is read again and differs is not kept by the store either.
    assert judging.take([make_answer("http-server", metrics={"responseCode": 503})]) == ()
    assert judging.end() == ()


def test_a_newer_round_is_new_evidence_and_an_older_one_is_none() -> None:
    judging = Judging(web())
    judging.take([make_answer(layer, round_id=50) for layer in LAYERS])
    bad = {"responseCode": 503}
    assert judging.take([make_answer("http-server", round_id=49, metrics=bad)]) == ()
    (change,) = judging.take([make_answer("http-server", round_id=51, metrics=bad)])
    assert (change.cell.verdict, change.before) == (Verdict.FAIL, Verdict.PASS)


def test_the_row_of_another_server_that_comes_later_is_judged_too() -> None:
    judging = Judging(names())
    for layer in ("dns-server", "network"):
        assert judging.take([make_answer(layer, server="ns1.example.com", metrics={"loss": 0.0})]) == ()
    assert judging.take([make_answer("dns-server", server="ns2.example.com", metrics={})]) == ()
    late = make_answer("network", server="ns2.example.com", metrics={"loss": 30.0})
    (change,) = judging.take([late])
    assert (change.cell.state, change.cell.verdict, change.before) == (
        CellState.ANSWERED,
        Verdict.WARN,
        None,
    )


def test_the_next_direction_of_a_cell_that_may_have_been_whole_judges_it_again() -> None:
    """A row that names no direction may be about both: it is enough, and more may come."""
    spec = make_spec(
        type="agent-to-agent",
        fields={"targetAgentId": "9", "direction": "bidirectional"},
        layers=("network",),
        expect=("network.loss < 5",),
    )
    judging = Judging(spec)
    (first,) = judging.take([make_answer("network", metrics={"loss": 0.0})])
    assert (first.cell.verdict, first.before) == (Verdict.PASS, None)
    (second,) = judging.take([make_answer("network", direction="from-target", metrics={"loss": 50.0})])
    assert (second.cell.verdict, second.before) == (Verdict.FAIL, Verdict.PASS)
    assert second.cell.reasons == ("network.loss 50 % (from-target), expected < 5",)


def test_at_the_end_of_a_test_only_what_lacks_answers_is_left_to_judge() -> None:
    judging = Judging(web(agents=("1", "2", "3")))
    judging.take([make_answer(layer) for layer in LAYERS])
    judging.take([make_answer("network", "2")])
    why = ("http-server: status 500",)
    assert judging.end(why) == (
        Change(
            CellResult(
                "2",
                CellState.PARTIAL,
                Verdict.PARTIAL,
                ("no answer in http-server", "no answer in path-vis", *why),
            )
        ),
        Change(CellResult("3", CellState.MISSING, Verdict.NO_ANSWER, ("no answer", *why))),
    )
    assert judging.end(why) == ()


def test_what_an_earlier_session_has_stored_is_not_judged_a_second_time() -> None:
    rows = [make_answer(layer, agent) for layer in LAYERS for agent in ("1", "2")]
    first = Judging(web())
    stored = [change.cell for change in first.take(rows)]
    again = Judging(web())
    again.know(stored[:1])
    assert verdicts(again.take(rows)) == {"2": Verdict.PASS}, "the first is known, the second was lost"


places = st.sampled_from([(layer, agent) for layer in LAYERS for agent in ("1", "2")])
answers = st.builds(
    lambda place, round_id, good: (
        make_answer(*place, round_id=round_id) if good else error(*place, round_id=round_id)
    ),
    places,
    st.integers(1, 3),
    st.booleans(),
)


@given(rows=st.lists(answers, max_size=25), seed=st.integers(0, 99))
def test_however_rows_come_each_cell_is_judged_by_all_of_them(rows: list[Answer], seed: int) -> None:
    spec, random = web(), Random(seed)
    judging = Judging(spec)
    said: dict[str, CellResult] = {}
    kept: dict[tuple[str, str, int], Answer] = {}
    while rows:
        page, rows = rows[: (cut := random.randint(1, 5))], rows[cut:]
        for row in page:  # as the store keeps them
            kept.setdefault((row.layer, row.agent_id, row.round_id), row)
        for cell, before in judging.take(page):
            assert before == (said[cell.agent_id].verdict if cell.agent_id in said else None)
            said[cell.agent_id] = cell
        for agent in spec.agents:
            whole = judge_cell(spec, agent, kept.values(), parsed(spec))
            assert said.get(agent) == (whole if whole.state in COLLECTED else None)
    said.update((cell.agent_id, cell) for cell, _ in judging.end())
    assert [said[agent] for agent in spec.agents] == [
        judge_cell(spec, agent, kept.values(), parsed(spec)) for agent in spec.agents
    ]


@pytest.mark.parametrize("order", range(4))
def test_reasons_are_told_in_one_order_whatever_order_rows_come_in(order: int) -> None:
    servers = ["ns1.example.com", "ns2.example.com"]
    rows = [error(layer, server=server) for layer in ("dns-server", "network") for server in servers]
    Random(order).shuffle(rows)
    judging = Judging(names())
    found = [change.cell for row in rows for change in judging.take([row])]
    assert found == [
        CellResult(
            "1",
            CellState.ERRORS,
            Verdict.WARN,
            found[0].reasons,
        )
    ]
    stored = sorted(rows, key=lambda row: (row.layer, row.server or ""))
    assert found[0] == judge_cell(names(), "1", stored, parsed(names()))
