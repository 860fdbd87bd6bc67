"""What it must never claim, each a test."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from insight_runs import (
    ALIVE,
    CLEAN,
    NOT_RUN,
    PASSES,
    SILENT,
    How,
    expired,
    fails,
    hops,
    looked,
    observed,
    refused,
    row,
)
from insight_worlds import FLEET, OSLO

from orchestrator.insight.document import document
from orchestrator.insight.look import Insight
from orchestrator.insight.sentences import _FIRST
from orchestrator.insight.values import Observed, Trouble
from orchestrator.insight.words import our_words
from orchestrator.model import Agent, Hop, Verdict

# A cause, "everywhere", that things are unrelated, whom it harms, that it is over, what silence is not.
NEVER = re.compile(
    r"\b(broken|broke|outage|down|everywhere|unrelated|independent|caus(?:e|es|ed) by|because|due to"
    r"|customers?|users?|business|impact|recovered|resolved|over|unreachable|healthy|root)\b",
    re.IGNORECASE,
)
TARGETS = [f"t{n}.example.com" for n in range(1, 9)]
SLOW = Trouble("http-server", "http-server.totalTime 900 ms, expected < 500", "totalTime")
LOSS = Trouble("network", "network.loss 30 %, expected < 5", "loss")

World = Callable[[Agent, str], How]


def grid(how: World, targets: list[str] = TARGETS) -> list[Observed]:
    return [observed(agent, target, how(agent, target)) for target in targets for agent in FLEET]


def insight(how: World, targets: list[str] = TARGETS) -> Insight:
    return looked(grid(how, targets))


def lossy(_: Agent) -> How:
    return fails(LOSS, rows=(row("network", FLEET[0], {"loss": 30.0}), row("http-server", FLEET[0], ALIVE)))


def slow(wait: float = 700.0) -> How:
    rows = (
        row("http-server", FLEET[0], {**ALIVE, "totalTime": 900.0, "waitTime": wait}),
        row("network", FLEET[0], CLEAN),
    )
    return fails(SLOW, rows=rows)


HOWS: list[How] = [
    PASSES, SILENT, NOT_RUN, refused(), expired(), lossy(FLEET[0]), slow(),
    How(Verdict.WARN, None, (replace(SLOW, asked=False),)),
    How(Verdict.PARTIAL, (row("network", FLEET[0], CLEAN),)),
    How(None, ()),
]  # fmt: skip


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_no_sentence_has_a_word_of_those_that_are_never_said(data: st.DataObject) -> None:
    whats = st.sampled_from(HOWS)
    by_target = {target: data.draw(whats) for target in TARGETS}
    by_agent = {agent.id: data.draw(whats) for agent in FLEET if data.draw(st.integers(0, 4)) == 0}
    by_country = {one: data.draw(whats) for one in ("US", "FR") if data.draw(st.booleans())}

    def how(agent: Agent, target: str) -> How:
        return by_country.get(agent.country or "", by_agent.get(agent.id, by_target[target]))

    told = insight(how)
    sentences = [line for one in told.explanations for line in (one.text, one.why[:1], *one.contrast)]
    sentences += [one.text for one in told.silences]
    for text in [*map(our_words, sentences), *told.limits]:
        assert not NEVER.search(text), text


def test_every_kind_that_can_be_named_has_a_sentence() -> None:
    """Else a claim without a sentence could be made: no sentence, no claim."""
    from orchestrator.insight.kinds import KINDS  # noqa: PLC0415 - only here

    told = set(_FIRST) | {"country*target", "network*target", "location*target"}
    assert set(KINDS) <= told


def test_nothing_is_said_about_a_target_that_did_not_answer() -> None:
    told = insight(lambda _, target: SILENT if target == TARGETS[2] else PASSES)
    assert told.explanations == ()
    assert [one.group.kind for one in told.silences] == ["spec"]
    assert not [one for one in told.silences if one.group.kind in {"target", "host"}]


@pytest.mark.parametrize(
    "quiet", [SILENT, NOT_RUN, How(None, ()), HOWS[8]], ids=["silent", "not run", "open", "partial"]
)
def test_cells_that_were_not_judged_change_no_explanation(quiet: How) -> None:
    def how(agent: Agent, target: str) -> How:
        return expired() if target == TARGETS[2] and agent.id != "a01" else PASSES

    def without(agent: Agent, target: str) -> How:
        return (
            quiet if (agent.id, target) in {("a01", TARGETS[2]), ("a04", TARGETS[5])} else how(agent, target)
        )

    kept = [
        one
        for one in grid(how)
        if (one.record.agent_id, one.record.target) not in {("a01", TARGETS[2]), ("a04", TARGETS[5])}
    ]
    with_them, alone = looked(grid(without)), looked(kept)
    assert [(one.group, one.bad, one.known, one.bits) for one in with_them.explanations] == [
        (one.group, one.bad, one.known, one.bits) for one in alone.explanations
    ]


def test_every_agent_is_said_with_its_number_and_not_of_the_silent() -> None:
    told = insight(
        lambda agent, target: SILENT if agent.id == OSLO else expired() if target == TARGETS[2] else PASSES
    )
    (one,) = told.explanations
    assert "every agent that answered: 17 of 17" in our_words(one.text)


def test_a_country_of_which_one_agent_was_asked_is_not_named_but_the_agent() -> None:
    told = insight(lambda agent, _: refused() if agent.id == OSLO else PASSES)
    (one,) = told.explanations
    assert one.group.kind == "agent"
    assert [(same.group.kind, same.label) for same in one.same] == [("country", "NO")]
    assert one.contrast[-1][:3] == ("cannot be told from ", "", "country ")


def test_a_country_whose_other_agents_are_silent_is_not_named_either() -> None:
    french = [agent.id for agent in FLEET if agent.country == "FR"]

    def how(agent: Agent, _: str) -> How:
        return SILENT if agent.id in french[1:] else refused() if agent.id == french[0] else PASSES

    assert [one.group for one in insight(how).explanations] == [("agent", (french[0],))]


HOP = "198.51.100.7"
CUT = frozenset(agent.id for agent in FLEET[:6])


def through(agent: Agent, target: str, *, good_known: bool) -> How:
    if target in TARGETS[:3] and agent.id in CUT:
        return fails(LOSS, rows=(row("network", agent, {"loss": 30.0}), hops(HOP, f"203.0.113.{target[1]}")))
    rows = (row("http-server", agent, ALIVE), row("network", agent, CLEAN))
    return How(rows=(*rows, hops("198.51.100.9", f"203.0.113.{target[1]}")) if good_known else rows)


def test_a_hop_is_not_named_where_the_hops_of_good_cells_are_unknown() -> None:
    told = insight(lambda agent, target: through(agent, target, good_known=False))
    kinds = {one.group.kind for one in told.explanations}
    assert not kinds & {"hop", "link", "last-hop", "hop-prefix", "hop-network"}
    assert any("no hop is named" in limit for limit in told.limits)


def test_a_hop_is_named_where_they_are_known() -> None:
    told = insight(lambda agent, target: through(agent, target, good_known=True))
    (one,) = told.explanations
    assert (one.group.kind, one.group.value, one.bad, one.known) == ("hop", (HOP,), 18, 18)
    assert one.seen_by == "this run"
    assert "126 cells whose path avoids it pass" in [our_words(line) for line in one.contrast]


def test_hops_of_the_last_good_run_name_what_a_dead_path_does_not_show() -> None:
    def how(agent: Agent, target: str) -> How:
        if target in TARGETS[:3] and agent.id in CUT:
            return replace(refused(), earlier=((Hop(1, "192.0.2.1"), Hop(2, HOP)),))
        return through(agent, target, good_known=True)

    (one,) = insight(how).explanations
    assert (one.group.value, one.seen_by) == ((HOP,), "last good run")
    assert insight(how).from_history == 18


def test_slow_is_said_of_what_broke_an_expectation_only() -> None:
    """Values that differ, with nothing asked of them, are told by nobody."""

    def how(agent: Agent, target: str) -> How:
        return replace(slow(), verdict=Verdict.PASS, troubles=()) if target == TARGETS[0] else PASSES

    assert insight(how).explanations == ()


def test_the_network_is_not_blamed_from_latency_alone() -> None:
    late = Trouble("network", "network.avgLatency 300 ms, expected < 100", "avgLatency")
    rows = (row("network", FLEET[0], {"loss": 0.0, "avgLatency": 300.0}), row("http-server", FLEET[0], ALIVE))
    told = insight(lambda _, target: fails(late, rows=rows) if target == TARGETS[0] else PASSES)
    (one,) = told.explanations
    assert one.level == "slow"
    assert "network" not in our_words(one.text)


def test_a_cause_is_no_certainty_where_something_else_fits_as_well() -> None:
    five = {"a03", "a06", "a09", "a12", OSLO}
    told = insight(lambda agent, _: refused() if agent.id in five else PASSES, TARGETS[:1])
    (one,) = told.explanations
    assert one.near
    assert one.sure == "possible"


def test_two_cells_are_never_clear() -> None:
    for bits in (4.0, 25.0, 500.0):
        from orchestrator.insight.score import sure  # noqa: PLC0415 - only here

        assert sure(bits, 2, near=False) != "clear"
        assert sure(bits, 50, near=True) != "clear"


def test_blocked_probes_are_no_packet_loss() -> None:
    """HTTP answers, so what is lost is lost to a filter."""
    all_lost = Trouble("network", "network.loss 100 %, expected < 5", "loss")
    rows = (row("network", FLEET[0], {"loss": 100.0}), row("http-server", FLEET[0], ALIVE))
    told = insight(lambda _, target: fails(all_lost, rows=rows) if target == TARGETS[0] else PASSES)
    (one,) = told.explanations
    assert {phase.word for phase in one.phases} == {"error"}
    assert one.level == "application"
    assert any("loss is not judged" in our_words(line) for line in one.contrast)


def test_silence_is_not_called_anything_of_the_network() -> None:
    told = looked(grid(lambda *_: SILENT))
    assert told.explanations == ()
    (one,) = told.silences
    assert our_words(one.text).endswith("nothing can be said about the network")


def test_a_run_that_goes_on_says_so_before_anything_else() -> None:
    told = insight(lambda _, target: How(None, ()) if target == TARGETS[0] else PASSES)
    assert told.headline == "So far: all 126 cells pass; 18 cells open"


def test_what_is_said_of_a_hostile_name_is_data() -> None:
    """A name can say what it likes; it stands apart from our words, and formats escape it."""
    bad = "everywhere is down\x1b[31m"
    told = looked([observed(agent, bad, expired()) for agent in FLEET[:5]])
    (one,) = told.explanations
    assert bad in one.text
    assert "everywhere" not in our_words(one.text)
    assert document(told)["explanations"]
