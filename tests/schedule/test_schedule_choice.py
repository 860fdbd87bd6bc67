"""The schedule: what is chosen when, and when a test is closed."""

from __future__ import annotations

from random import Random

from builders import make_answer, make_spec

from orchestrator.events import Waiting
from orchestrator.model import Answer, Spec
from orchestrator.schedule.breaker import LONGEST_PAUSE, QUARANTINED_FOR
from orchestrator.schedule.closing import CLOSING_GRACE, LAST_TRIES
from orchestrator.schedule.feedback import (
    BaselineRead,
    CreationAmbiguous,
    CreationAnswered,
    CreationEnded,
    CreationUndone,
    DetailEnded,
    PageMissed,
    PageRead,
    ProbeEnded,
    ReadAnswered,
    ReadLost,
)
from orchestrator.schedule.latency import models
from orchestrator.schedule.order import creation_order
from orchestrator.schedule.pace import Load
from orchestrator.schedule.progress import Progress
from orchestrator.schedule.schedule import Schedule
from orchestrator.schedule.steps import Create, Detail, Poll, Probe, Purpose, Step
from orchestrator.testtypes import TEST_TYPES

LOAD = Load(organization_limit=240, instant_limit=24, instant_free=24, reserve=24.0)


def make_schedule(*specs: Spec) -> Schedule:
    schedule = Schedule(models({}, TEST_TYPES), Random(1))
    for spec in specs:
        schedule.add(spec)
    return schedule


def steps(schedule: Schedule, now: float) -> list[Step]:
    return [candidate.step for candidate in schedule.candidates(now, LOAD)]


def take(schedule: Schedule, now: float) -> Step:
    step = next(schedule.candidates(now, LOAD)).step
    schedule.take(step, now)
    return step


def opened(schedule: Schedule, spec: Spec, now: float, deadline: float = 180.0) -> Progress:
    progress = Progress(spec)
    schedule.opened(spec, progress, created=now, deadline=now + deadline, now=now)
    return progress


def rows(layer: str, *agents: str) -> list[Answer]:
    return [make_answer(layer, agent) for agent in agents]


def polled(schedule: Schedule, progress: Progress, poll: Poll, found: list[Answer], at: float) -> None:
    schedule.apply(PageRead(poll, progress.accept(poll.layer, found), None, at), at)


def first_poll(schedule: Schedule, now: float) -> Poll:
    step = take(schedule, now)
    assert isinstance(step, Poll), f"expected a poll, got {step}"
    return step


def test_a_creation_goes_before_polls_and_leaves_the_queue_when_taken() -> None:
    spec, other = make_spec("a"), make_spec("b")
    schedule = make_schedule(spec, other)
    assert take(schedule, 0.0) == Create("a")
    opened(schedule, spec, 1.0)
    assert steps(schedule, 100.0)[0] == Create("b")
    assert isinstance(steps(schedule, 100.0)[1], Poll)


def test_only_the_sentinel_layer_is_polled_until_it_is_complete() -> None:
    spec = make_spec("a")
    schedule = make_schedule()
    progress = opened(schedule, spec, 0.0)
    poll = first_poll(schedule, 60.0)
    assert (poll.layer, poll.purpose) == ("path-vis", Purpose.SENTINEL)
    polled(schedule, progress, poll, rows("path-vis", "1"), 60.0)
    assert schedule.wake(60.0) > 60.0
    again = first_poll(schedule, 80.0)
    assert again.layer == "path-vis"
    polled(schedule, progress, again, rows("path-vis", "1", "2"), 80.0)
    siblings = {first_poll(schedule, 80.0).layer, first_poll(schedule, 80.0).layer}
    assert siblings == {"http-server", "network"}


def test_a_test_is_closed_when_every_layer_is_complete() -> None:
    spec = make_spec("a")
    schedule = make_schedule()
    progress = opened(schedule, spec, 0.0)
    assert schedule.closable() is None
    for _ in range(3):
        poll = first_poll(schedule, 60.0)
        polled(schedule, progress, poll, rows(poll.layer, "1", "2"), 60.0)
    assert schedule.closable() == "a"
    assert schedule.closable() is None
    assert schedule.idle
    assert schedule.open_layers == 0


def test_at_its_deadline_a_test_gets_a_last_poll_of_every_missing_layer_and_is_closed() -> None:
    spec = make_spec("a")
    schedule = make_schedule()
    progress = opened(schedule, spec, 0.0, deadline=100.0)
    for _ in range(3):
        poll = first_poll(schedule, 100.0)
        assert poll.purpose is Purpose.LAST
        assert schedule.closable() is None
        polled(schedule, progress, poll, [], 100.0)
    assert schedule.closable() == "a"


def test_a_last_poll_that_cannot_be_afforded_does_not_keep_a_test_open_for_ever() -> None:
    schedule = make_schedule()
    opened(schedule, make_spec("a"), 0.0, deadline=100.0)
    assert steps(schedule, 100.0)
    assert schedule.wake(100.0) <= 100.0 + CLOSING_GRACE
    list(schedule.candidates(100.0 + CLOSING_GRACE, LOAD))
    assert schedule.closable() == "a"


def test_failed_last_polls_are_tried_a_few_times_only() -> None:
    schedule = make_schedule()
    spec = make_spec("a", layers=("dnssec",), type="dnssec")
    opened(schedule, spec, 0.0, deadline=10.0)
    now = 10.0
    for _ in range(LAST_TRIES):
        assert schedule.closable() is None
        poll = first_poll(schedule, now)
        schedule.apply(PageMissed(poll, again=True), now)
        now += 60.0
    assert schedule.closable() == "a"


def test_a_429_spends_no_try_and_the_poll_is_due_at_once() -> None:
    schedule = make_schedule()
    opened(schedule, make_spec("a", layers=("dnssec",), type="dnssec"), 0.0, deadline=10.0)
    for _ in range(10 * LAST_TRIES):
        poll = first_poll(schedule, 10.0)
        schedule.apply(PageMissed(poll, again=True, limited=True), 10.0)
    assert schedule.closable() is None


def test_a_creation_that_did_not_happen_goes_first_again_after_its_wait() -> None:
    schedule = make_schedule(make_spec("a"), make_spec("b"))
    assert take(schedule, 0.0) == Create("a")
    schedule.apply(CreationUndone("a", unreached=True), 0.0)
    assert steps(schedule, 0.9) == []
    due = schedule.wake(0.9)
    assert 1.0 <= due <= 2.0
    assert steps(schedule, due)[0] == Create("a")


def test_a_layer_that_will_never_come_hands_the_sentinel_over() -> None:
    schedule = make_schedule()
    opened(schedule, make_spec("a"), 0.0, deadline=1000.0)
    for refusal in range(LAST_TRIES):
        now = 60.0 + 60.0 * refusal
        poll = first_poll(schedule, now)
        assert poll.layer == "path-vis", "one odd answer ended a layer"
        schedule.apply(PageMissed(poll, again=False), now)
    following = first_poll(schedule, 300.0)
    assert following.layer == "network"
    assert following.purpose is Purpose.SENTINEL


def test_one_silent_agent_does_not_keep_back_what_the_others_have() -> None:
    spec = make_spec("a")
    schedule = make_schedule()
    progress = opened(schedule, spec, 0.0, deadline=600.0)
    layers = set()
    now = 0.0
    while now < 300.0:
        now += 5.0
        for candidate in list(schedule.candidates(now, LOAD)):
            poll = candidate.step
            assert isinstance(poll, Poll)
            schedule.take(poll, now)
            layers.add(poll.layer)
            polled(schedule, progress, poll, rows(poll.layer, "1"), now)
    assert layers == {"path-vis", "http-server", "network"}


def test_details_are_read_before_a_complete_test_is_closed() -> None:
    spec = make_spec("a", layers=("path-vis",), path_details=True)
    schedule = make_schedule()
    progress = opened(schedule, spec, 0.0)
    poll = first_poll(schedule, 60.0)
    harvest = progress.accept("path-vis", rows("path-vis", "1", "2"))
    schedule.apply(PageRead(poll, harvest, None, 60.0, (("1", 7), ("2", 7))), 60.0)
    assert schedule.closable() is None
    for _ in range(2):
        step = take(schedule, 60.0)
        assert isinstance(step, Detail)
        schedule.apply(DetailEnded(step, again=False), 60.0)
    assert schedule.closable() == "a"


def test_a_rerun_waits_until_its_newest_rounds_are_known() -> None:
    spec = make_spec("a")
    schedule = make_schedule()
    schedule.add_rerun(spec, layer="http-server")
    poll = first_poll(schedule, 0.0)
    assert poll.purpose is Purpose.BASELINE
    assert steps(schedule, 1.0) == []
    assert not schedule.idle
    schedule.apply(BaselineRead("a", None), 1.0)
    assert take(schedule, 1.0) == Create("a")


def test_no_more_creations_than_can_be_read_in_time() -> None:
    specs = [make_spec(f"k{n}") for n in range(1000)]
    schedule = make_schedule(*specs)
    created = 0
    while any(isinstance(step, Create) for step in steps(schedule, 0.0)):
        step = take(schedule, 0.0)
        assert isinstance(step, Create)
        opened(schedule, specs[int(step.key[1:])], 0.0)
        created += 1
    assert schedule.creations_wait_for(0.0) is Waiting.OPEN_TESTS
    # Two windows of 240 less the reserve of 24, three layers each.
    assert created == 2 * (240 - 24) // 3


def test_a_rerun_accepts_newer_rounds_only_also_of_agents_that_were_silent_before() -> None:
    progress = Progress(make_spec("a"), baseline={"1": 100})
    old = [make_answer(agent_id="1", round_id=100), make_answer(agent_id="2", round_id=100)]
    assert progress.accept("http-server", old).stale == 2
    new = [make_answer(agent_id="1", round_id=160), make_answer(agent_id="2", round_id=160)]
    assert len(progress.accept("http-server", new).kept) == 2
    assert progress.complete("http-server")


def test_rows_of_strangers_and_repeated_rows_do_not_complete_a_layer() -> None:
    progress = Progress(make_spec("a"))
    harvest = progress.accept("network", rows("network", "1", "1", "99"))
    assert (harvest.fresh, harvest.strangers) == (1, 1)
    assert not progress.complete("network")


def test_a_dns_layer_needs_a_row_from_every_server() -> None:
    spec = make_spec("a", type="dns-server", layers=("dns-server",), agents=("1",), servers=2)
    progress = Progress(spec)
    progress.accept("dns-server", [make_answer("dns-server", server="ns1")])
    assert not progress.complete("dns-server")
    progress.accept("dns-server", [make_answer("dns-server", server="ns2")])
    assert progress.complete("dns-server")


def test_slow_types_go_first_and_blocks_and_targets_take_turns() -> None:
    specs = [
        make_spec("a1", test="fast", type="dnssec", target="x"),
        make_spec("b1", test="slow", type="page-load", target="x"),
        make_spec("b2", test="slow", type="page-load", target="x"),
        make_spec("b3", test="slow", type="page-load", target="y"),
        make_spec("c1", test="other", type="page-load", target="z"),
    ]
    median = {"dnssec": 18.0, "page-load": 50.0}
    ordered = [spec.key for spec in creation_order(specs, median.__getitem__)]
    assert ordered == ["b1", "c1", "b3", "b2", "a1"]
    assert [s.key for s in creation_order(specs, median.__getitem__, in_order=True)] == [s.key for s in specs]


def creations_due(schedule: Schedule, now: float) -> list[Step]:
    return [step for step in steps(schedule, now) if isinstance(step, Create | Probe)]


def test_after_an_ambiguous_creation_the_next_waits_until_something_was_answered() -> None:
    schedule = make_schedule(make_spec("a"), make_spec("b"))
    assert take(schedule, 0.0) == Create("a")
    schedule.apply(CreationAmbiguous("a"), 1.0)
    schedule.apply(CreationEnded("a"), 1.0)
    assert creations_due(schedule, 1.5) == [], "the next was offered at once"
    assert creations_due(schedule, 3.0) == [Probe()]
    assert take(schedule, 3.0) == Probe()
    assert creations_due(schedule, 3.0) == [], "one probe is enough"
    schedule.apply(ReadLost(), 4.0)
    schedule.apply(ProbeEnded(), 4.0)
    assert creations_due(schedule, 5.9) == []
    due = schedule.wake(5.9)
    assert take(schedule, due) == Probe(tries=1), "each probe is waited for longer"
    schedule.apply(ReadAnswered(good=True), due + 1.0)
    schedule.apply(ProbeEnded(), due + 1.0)
    assert creations_due(schedule, due + 1.0) == [Create("b")]


def test_each_ambiguous_creation_after_another_doubles_the_pause_and_one_that_came_ends_it() -> None:
    schedule = make_schedule(*(make_spec(name) for name in "abcdefghijklmno"))
    now, pauses = 0.0, []
    for _ in range(12):
        step = take(schedule, now)
        assert isinstance(step, Create)
        now += 0.5
        schedule.apply(CreationAmbiguous(step.key), now)
        schedule.apply(CreationEnded(step.key), now)
        schedule.apply(ReadAnswered(good=True), now)
        due = schedule.wake(now)
        pauses.append(due - now)
        now = due
    assert all(2.0**n <= pause <= 2.0 * 2.0**n for n, pause in enumerate(pauses[:5])), pauses
    assert max(pauses) <= LONGEST_PAUSE
    schedule.apply(CreationAnswered(take_create(schedule, now)), now + 1.0)
    schedule.apply(CreationAmbiguous(take_create(schedule, now + 2.0)), now + 3.0)
    assert schedule.wake(now + 3.0) - now - 3.0 <= 2.0


def test_creations_that_were_lost_together_are_one_incident() -> None:
    schedule = make_schedule(*(make_spec(f"k{number}") for number in range(20)))
    keys = [take_create(schedule, 0.5 * number) for number in range(8)]
    for key in keys:
        schedule.apply(ReadAnswered(good=True), 4.0)  # or it would be an outage, for which all requests pause
        schedule.apply(CreationAmbiguous(key), 4.0)
        schedule.apply(CreationEnded(key), 4.0)
    assert schedule.wake(4.0) - 4.0 <= 2.0, "each of them made the pause longer"


def test_a_creation_that_came_ends_the_pause_of_one_that_was_lost() -> None:
    schedule = make_schedule(make_spec("a"), make_spec("b"), make_spec("c"))
    lost, came = take_create(schedule, 0.0), take_create(schedule, 0.5)
    schedule.apply(CreationAmbiguous(lost), 1.0)
    assert creations_due(schedule, 1.0) == []
    schedule.apply(CreationAnswered(came), 1.1)
    assert creations_due(schedule, 1.1) == [Create("c")]


def lose(schedule: Schedule, now: float) -> str:
    """The next creation stays ambiguous, and something else is answered."""
    key = take_create(schedule, now)
    schedule.apply(CreationAmbiguous(key), now + 0.1)
    schedule.apply(CreationEnded(key), now + 0.1)
    schedule.apply(ReadAnswered(good=True), now + 0.1)
    return key


def page_loads_and_others(*, in_order: bool = False) -> Schedule:
    pages = [make_spec(f"p{n}", type="page-load", layers=("page-load",)) for n in range(5)]
    schedule = Schedule(models({}, TEST_TYPES), Random(1), in_order=in_order)
    for spec in (*pages, make_spec("a"), make_spec("b")):
        schedule.add(spec)
    return schedule


def test_a_type_that_was_ambiguous_twice_in_a_row_lets_the_others_go_first() -> None:
    schedule = page_loads_and_others()
    assert [lose(schedule, 0.0), lose(schedule, 10.0)] == ["p0", "p1"], "one loss says nothing of a type"
    assert [take_create(schedule, 20.0) for _ in range(5)] == ["a", "b", "p2", "p3", "p4"]


def test_a_type_that_came_or_has_waited_long_enough_has_its_place_back() -> None:
    schedule = page_loads_and_others()
    lose(schedule, 0.0), lose(schedule, 10.0)
    assert take_create(schedule, 20.0) == "a"
    schedule.apply(CreationAnswered("a"), 20.5)
    assert take_create(schedule, 10.1 + QUARANTINED_FOR) == "p2"
    schedule.apply(CreationAnswered("p2"), 140.0)
    assert [take_create(schedule, 141.0) for _ in range(3)] == ["p3", "p4", "b"]


def test_in_order_is_in_order_whatever_happens() -> None:
    schedule = page_loads_and_others(in_order=True)
    lose(schedule, 0.0), lose(schedule, 10.0)
    assert [take_create(schedule, 30.0) for _ in range(3)] == ["p2", "p3", "p4"]


def test_a_re_run_of_a_type_in_quarantine_is_prepared_after_the_others() -> None:
    schedule = page_loads_and_others()
    for number in range(3):
        page = make_spec(f"q{number}", type="page-load", layers=("page-load",))
        schedule.add_rerun(page, layer="page-load")
    schedule.add_rerun(make_spec("healthy"), layer="network")
    lose(schedule, 0.0), lose(schedule, 10.0)
    polls = [step.key for step in steps(schedule, 10.2) if isinstance(step, Poll)]
    assert polls == ["healthy"], "re-runs are prepared while creations pause, those in quarantine last"


def take_create(schedule: Schedule, now: float) -> str:
    step = next(step for step in steps(schedule, now) if isinstance(step, Create))
    schedule.take(step, now)
    return step.key


def test_while_a_creation_takes_much_longer_than_others_did_no_other_is_sent() -> None:
    schedule = make_schedule(*(make_spec(name) for name in "abcdef"))
    key = take_create(schedule, 0.0)
    assert creations_due(schedule, 4.0)
    assert creations_due(schedule, 6.0) == []
    schedule.apply(CreationAnswered(key), 8.0)  # it took eight seconds, so ...
    take_create(schedule, 10.0)
    assert creations_due(schedule, 25.0), "creations that take long are not late"
    assert creations_due(schedule, 27.0) == []


def test_an_ambiguous_re_run_is_collected_and_the_next_one_waits_all_the_same() -> None:
    schedule = make_schedule(make_spec("a"), make_spec("b"))
    schedule.apply(CreationAmbiguous(take_create(schedule, 0.0)), 1.0)
    opened(schedule, make_spec("a"), 1.0)
    assert schedule.creations_under_way == 0
    assert creations_due(schedule, 1.0) == []
    assert creations_due(schedule, 3.0) == [Probe()]


def test_a_test_is_not_closed_while_a_poll_of_it_is_under_way() -> None:
    schedule = make_schedule()
    progress = opened(schedule, make_spec("a", layers=("network",)), 0.0)
    poll = first_poll(schedule, 60.0)
    schedule.give_up()
    assert schedule.closable() is None, "its rows would be stored after the verdict"
    polled(schedule, progress, poll, rows("network", "1", "2"), 70.0)
    assert schedule.closable() == "a"


def test_failures_of_a_gateway_do_not_count_as_refusals_of_a_layer() -> None:
    schedule = make_schedule()
    opened(schedule, make_spec("a", layers=("network",)), 0.0, deadline=10_000.0)
    now = 60.0
    for again in (True, True, True, False, True, False):
        poll = first_poll(schedule, now)
        schedule.apply(PageMissed(poll, again=again), now)
        now += 60.0
    assert schedule.open_layers == 1, "an outage ended a layer"
    schedule.apply(PageMissed(first_poll(schedule, now), again=False), now)
    assert schedule.open_layers == 0


def test_a_page_that_is_never_to_be_had_ends_its_layer() -> None:
    schedule = make_schedule()
    progress = opened(schedule, make_spec("a", layers=("network",)), 0.0, deadline=10_000.0)
    now, polls = 60.0, 0
    while schedule.open_layers and polls < 20:
        poll = first_poll(schedule, now)
        polls += 1
        if poll.page == 1:
            harvest = progress.accept("network", rows("network", "1"))
            schedule.apply(PageRead(poll, harvest, "/v7/next", now), now)
        else:
            schedule.apply(PageMissed(poll, again=False), now)
        now += 60.0
    assert polls == 2 * LAST_TRIES
