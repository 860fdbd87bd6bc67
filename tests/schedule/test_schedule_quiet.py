"""A layer of an unknown number of rows: not read before it is quiet, not waited for beyond the deadline."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import pytest
from builders import make_answer, make_spec
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.model import Answer, Spec
from orchestrator.schedule import quiet
from orchestrator.schedule.feedback import PageRead
from orchestrator.schedule.latency import models
from orchestrator.schedule.polls import Polls
from orchestrator.schedule.progress import Progress
from orchestrator.schedule.quiet import LONGEST, PRIOR, SHORTEST, QuietTimes, Wait, quiet_time
from orchestrator.schedule.steps import Poll
from orchestrator.testtypes import TEST_TYPES

SERVERS = ("ns1", "ns2", "ns3")
DEADLINE = 180.0
KIND = ("dns-server", "network")
# One agent's rows of the network: seconds from the creation, and the server that each names.
Rows = list[tuple[float, str | None]]
GENTLE = settings(max_examples=150, deadline=None, derandomize=True, database=None)


@dataclass
class Watched:
    """How one layer was polled. ``read`` is when its test could be closed, ``news`` when rows were seen."""

    read: float
    polls: list[float]
    news: list[float]
    progress: Progress

    @property
    def everyone(self) -> float:
        """When every agent was first seen to have a row; rows that come with it are no news."""
        return self.news[0]


def dns(*servers: str, agents: tuple[str, ...] = ("1",)) -> Spec:
    return make_spec(
        "a",
        type="dns-server",
        fields={"domain": "example.com A", "dnsServers": list(servers)},
        agents=agents,
        layers=("network",),
        servers=len(servers),
        deadline=DEADLINE,
    )


def watch(spec: Spec, rows: Rows, learned: QuietTimes | None = None, stored: Rows | None = None) -> Watched:
    """Poll the only layer of a test as the schedule says, until it is closed; all agents answer alike."""
    layer = spec.layers[0]
    polls = Polls(models({}, TEST_TYPES), Random(0), learned)
    progress = Progress(spec)
    progress.accept(layer, answers(spec, layer, stored or [], 0.0))
    polls.opened(spec, progress, created=0.0, deadline=DEADLINE, now=0.0)
    now, asked, news = 0.0, [], []
    while (key := polls.closable()) is None:
        due = [*polls.urgent(now), *polls.candidates(now)]
        if not due:
            later = [when for when in polls.wakes() if when > now]
            now = min(later)
            continue
        step = due[0].step
        assert isinstance(step, Poll)
        polls.take(step)
        harvest = progress.accept(layer, answers(spec, layer, rows, now))
        asked.append(now)
        if harvest.fresh:
            news.append(now)
        polls.read(PageRead(step, harvest, None, now), now)
    assert key == spec.key
    return Watched(now, asked, news, progress)


def answers(spec: Spec, layer: str, rows: Rows, now: float) -> list[Answer]:
    there = [server for at, server in rows if at <= now]
    return [make_answer(layer, agent, server=server) for server in there for agent in spec.agents]


rows_of_three = st.lists(
    st.tuples(st.floats(5.0, 170.0), st.sampled_from([*SERVERS, None])), min_size=1, max_size=4
)


@GENTLE
@given(rows_of_three)
def test_a_layer_is_read_when_it_was_quiet_or_full_and_at_its_deadline_at_the_latest(rows: Rows) -> None:
    seen = watch(dns(*SERVERS), rows)
    assert seen.read <= DEADLINE
    if seen.read < DEADLINE and not seen.progress.complete("network"):
        assert seen.read - seen.news[-1] >= PRIOR, "read before it was quiet"
        assert seen.read == seen.polls[-1], "nobody looked at the end of the quiet time"
    if seen.progress.complete("network"):
        assert seen.read == seen.news[-1], "waited although nothing more could come"


@GENTLE
@given(rows_of_three)
def test_the_wait_costs_few_polls(rows: Rows) -> None:
    seen = watch(dns(*SERVERS), rows)
    waits = [when for when in seen.polls if seen.news and when > seen.news[0]]
    assert len(waits) <= quiet.POLLS * len(seen.news) + 1


@GENTLE
@given(first=st.floats(5.0, 60.0), gap=st.floats(0.0, 100.0), less=st.floats(0.0, 100.0))
def test_a_row_that_comes_sooner_is_never_missed_where_one_that_comes_later_is_not(
    first: float, gap: float, less: float
) -> None:
    later = watch(dns("ns1", "ns2"), [(first, "ns1"), (first + gap, "ns2")])
    sooner = watch(dns("ns1", "ns2"), [(first, "ns1"), (first + min(gap, less), "ns2")])
    assert sooner.progress.complete("network") >= later.progress.complete("network")


@pytest.mark.parametrize("gap", [0.0, 10.0, 25.0, 30.0])
def test_the_second_name_servers_rows_are_read(gap: float) -> None:
    seen = watch(dns("ns1", "ns2", agents=("1", "2")), [(20.0, "ns1:53"), (20.0 + gap, "ns2:53")])
    assert seen.progress.missing() == ()
    assert seen.progress.complete("network")


def test_a_row_that_names_no_server_is_enough_after_the_quiet_time() -> None:
    seen = watch(dns("ns1", "ns2"), [(20.0, None)])
    assert seen.progress.missing() == ()
    assert PRIOR <= seen.read - seen.everyone < PRIOR + 1


def test_a_known_number_of_rows_is_polled_as_if_there_were_no_quiet_times() -> None:
    seen = watch(dns("ns1"), [(20.0, "ns1:53")])
    assert seen.read == seen.everyone == seen.polls[-1]


def test_a_test_that_is_opened_again_knows_which_rows_were_there() -> None:
    spec, rows = dns("ns1", "ns2"), [(0.0, "ns1"), (30.0, "ns2")]
    anew = watch(spec, [rows[1]], stored=[rows[0]])
    assert anew.progress.complete("network")
    assert anew.read == anew.news[-1]


# -- what is learned ---------------------------------------------------------------------------------------


def test_a_kind_of_layer_that_never_brings_a_further_row_stops_costing_much() -> None:
    learned, took = QuietTimes(), []
    for _ in range(20):
        seen = watch(dns("ns1", "ns2"), [(20.0, None)], learned)
        took.append(seen.read - seen.everyone)
    assert took == sorted(took, reverse=True)
    assert took[0] >= PRIOR
    assert took[-1] == pytest.approx(SHORTEST, abs=0.1)


def test_a_kind_of_layer_that_brings_further_rows_is_waited_for_beyond_its_longest_gap() -> None:
    learned = QuietTimes()
    watch(dns("ns1", "ns2"), [(20.0, "ns1"), (50.0, "ns2")], learned)
    for _ in range(12):
        watch(dns("ns1", "ns2"), [(20.0, None)], learned)
    assert learned.of(*KIND) >= 30.0 * quiet.MARGIN
    late = watch(dns("ns1", "ns2"), [(20.0, "ns1"), (50.0, "ns2")], learned)
    assert late.progress.complete("network")


def test_kinds_learn_apart_and_what_was_learned_is_kept_beside_the_latencies() -> None:
    learned = QuietTimes({"dns-server": [12.0, 30.0], "http-server": [40.0]})
    assert learned.dump() == {}, "latencies are no quiet times"
    learned.in_vain(*KIND)
    learned.came("dns-server", "path-vis", 33.0)
    again = QuietTimes({**learned.dump(), "dns-server": [12.0]})
    assert again.dump() == learned.dump()
    assert again.of(*KIND) < PRIOR < again.of("dns-server", "path-vis")
    assert again.of("agent-to-agent", "network") == PRIOR
    assert not set(learned.dump()) & set(TEST_TYPES)


samples = st.lists(st.one_of(st.just(0.0), st.floats(0.01, 500.0)), max_size=quiet.REMEMBERED - 1)


@GENTLE
@given(samples, st.floats(0.01, 500.0))
def test_the_quiet_time_has_bounds_grows_with_gaps_and_shrinks_with_waits_in_vain(
    kept: list[float], gap: float
) -> None:
    before = quiet_time(kept)
    assert SHORTEST <= before <= LONGEST
    assert quiet_time([*kept, gap]) >= before
    assert quiet_time([*kept, 0.0]) <= before
    assert quiet_time(kept) >= min(LONGEST, max(kept, default=0.0)), "the longest gap would be missed"


@GENTLE
@given(st.floats(0.0, 1e5), st.lists(st.floats(0.0, 60.0), max_size=6), st.floats(SHORTEST, LONGEST))
def test_a_wait_polls_on_until_it_is_over(since: float, steps: list[float], seconds: float) -> None:
    wait, age = Wait(since), since
    for step in steps:
        age += step
        wait.news(age)
        assert not wait.over(age, seconds)
    assert wait.brought is bool(steps)
    for _ in range(quiet.POLLS + 1):
        following = wait.next_age(age, seconds)
        assert following > age
        age = following
    assert wait.over(age, seconds)
