"""Courtesy to targets: who is under way toward a host and on an agent, and who may go next."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.courtesy import Courtesy
from orchestrator.model import Json, Spec
from orchestrator.schedule.slots import Slots
from orchestrator.schedule.turns import Turns

LASTS = 180.0  # seconds until a test of these must be over


def spec(key: str, hosts: tuple[str, ...] = ("a",), agents: tuple[str, ...] = ("1",)) -> Spec:
    steps: list[Json] = [{"name": host, "url": f"https://{host}.example/"} for host in hosts]
    return Spec(
        key=key, test="t", type="http-server", target=key, fields={"requests": [*steps]},
        agents=agents, layers=("http-server",),
        deadline=180.0,
    )  # fmt: skip


def turns_of(specs: list[Spec], courtesy: Courtesy) -> tuple[Turns, Slots]:
    slots = Slots(courtesy)
    turns = Turns(lambda key: key.startswith("slow"), slots)
    for one in specs:
        turns.know(one)
        turns.append(one.key)
    return turns, slots


def went(turns: Turns, slots: Slots, now: float) -> list[str]:
    """All that may go at this moment, each answered at once."""
    slots.pass_time(now)
    found = []
    while turns.first is not None:
        found.append(turns.popleft(now))
        slots.begun(found[-1], now)
    return found


class TestRoom:
    def test_no_more_tests_than_allowed_are_under_way_toward_a_host(self) -> None:
        turns, slots = turns_of([spec(f"k{n}") for n in range(5)], Courtesy(per_host=2))
        assert went(turns, slots, 0.0) == ["k0", "k1"]
        slots.over("k0", 30.0)
        assert went(turns, slots, 30.0) == ["k2"]

    def test_who_must_wait_lets_others_pass(self) -> None:
        specs = [spec("k0"), spec("k1"), spec("k2", hosts=("b",)), spec("k3")]
        turns, slots = turns_of(specs, Courtesy(per_host=1))
        assert went(turns, slots, 0.0) == ["k0", "k2"]

    def test_a_test_counts_on_each_of_its_agents(self) -> None:
        specs = [spec("k0", ("a",), ("1", "2")), spec("k1", ("b",), ("2", "3")), spec("k2", ("c",), ("3",))]
        turns, slots = turns_of(specs, Courtesy(per_agent=1))
        assert went(turns, slots, 0.0) == ["k0", "k2"]
        slots.over("k0", 1.0)
        assert went(turns, slots, 1.0) == []  # agent 3 is still at it
        slots.over("k2", 2.0)
        assert went(turns, slots, 2.0) == ["k1"]

    def test_a_test_whose_answers_never_come_keeps_its_place_until_it_must_be_over(self) -> None:
        turns, slots = turns_of([spec("k0"), spec("k1")], Courtesy(per_host=1))
        assert went(turns, slots, 10.0) == ["k0"]
        assert list(slots.wakes()) == [10.0 + LASTS]
        assert went(turns, slots, 10.0 + LASTS - 0.1) == []
        assert went(turns, slots, 10.0 + LASTS) == ["k1"]

    def test_an_ambiguous_creation_keeps_its_place_and_one_that_was_refused_does_not(self) -> None:
        turns, slots = turns_of([spec("k0"), spec("k1"), spec("k2")], Courtesy(per_host=1))
        assert turns.popleft(0.0) == "k0"
        slots.begun("k0", 1.0)
        slots.never_begun("k0", 1.0)  # its end follows
        assert turns.first is None
        slots.pass_time(1.0 + LASTS)
        assert turns.popleft(181.0) == "k1"
        slots.never_begun("k1", 182.0)
        assert turns.first == "k2"


class TestSpacing:
    def test_the_next_beginning_toward_a_host_is_so_long_after_the_answer_to_the_last(self) -> None:
        turns, slots = turns_of([spec("k0"), spec("k1"), spec("k2", ("b",))], Courtesy(spacing=2.0))
        assert turns.popleft(0.0) == "k0"
        assert turns.popleft(0.0) == "k2"
        slots.pass_time(50.0)
        assert turns.first is None  # it may begin at any moment until it is answered
        slots.begun("k0", 50.5)
        slots.pass_time(52.4)
        assert turns.first is None
        assert min(slots.wakes()) == 52.5
        slots.pass_time(52.5)
        assert turns.first == "k1"

    def test_what_never_began_needs_no_distance(self) -> None:
        turns, slots = turns_of([spec("k0"), spec("k1")], Courtesy(spacing=2.0))
        turns.popleft(0.0)
        slots.over("k0", 0.5)
        assert turns.first == "k1"


class TestAfterAKill:
    def test_tests_of_an_earlier_session_count_while_they_may_be_under_way(self) -> None:
        turns, slots = turns_of([spec("k9")], Courtesy(per_host=2))
        slots.began_before(spec("k0"), -100.0, 0.0, over=False)
        slots.began_before(spec("k1"), -100.0, 0.0, over=True)
        slots.began_before(spec("k2"), -LASTS, 0.0, over=False)
        slots.began_before(spec("k9"), -50.0, 0.0, over=False, again=True)  # lost, to be created once more
        assert went(turns, slots, 0.0) == []
        assert went(turns, slots, LASTS - 100.0) == ["k9"]

    def test_their_beginnings_keep_their_distance(self) -> None:
        turns, slots = turns_of([spec("k1")], Courtesy(spacing=60.0))
        slots.began_before(spec("k0"), -20.0, 0.0, over=True)
        assert went(turns, slots, 39.9) == []
        assert went(turns, slots, 40.0) == ["k1"]


def test_the_slow_lane_comes_after_the_fast_one_and_who_goes_back_comes_first() -> None:
    specs = [spec("slow0", ("b",)), spec("k0"), spec("k1", ("c",))]
    turns, slots = turns_of(specs, Courtesy(per_host=1))
    assert turns.popleft(0.0) == "k0"
    slots.over("k0", 0.0)
    turns.appendleft("k0")
    assert (len(turns), turns.in_fast_lane) == (3, 2)
    assert went(turns, slots, 0.0) == ["k0", "k1", "slow0"]
    assert (len(turns), turns.in_fast_lane) == (0, 0)


# -- against a plain model --------------------------------------------------------------------------------


class Model:
    """The same rules by looking through everything: slow, and hard to get wrong."""

    def __init__(self, specs: list[Spec], courtesy: Courtesy) -> None:
        self.courtesy, self.now = courtesy, 0.0
        self.queue = list(specs)
        self.under_way: dict[str, tuple[Spec, float | None, float]] = {}  # spec, begun, until
        self.begun: dict[str, float] = {}  # hosts

    @staticmethod
    def hosts(one: Spec) -> set[str]:
        return {step["name"] for step in one.fields["requests"]}  # type: ignore[index, union-attr, call-overload, misc]

    def active(self) -> list[tuple[Spec, float | None]]:
        return [(one, begun) for one, begun, until in self.under_way.values() if until > self.now]

    def may(self, one: Spec) -> bool:
        courtesy, active = self.courtesy, self.active()
        for host in self.hosts(one):
            there = [begun for other, begun in active if host in self.hosts(other)]
            if courtesy.per_host is not None and len(there) >= courtesy.per_host:
                return False
            if courtesy.spacing and (
                None in there or self.begun.get(host, -1e9) + courtesy.spacing > self.now
            ):
                return False
        return courtesy.per_agent is None or all(
            sum(agent in other.agents for other, _ in active) < courtesy.per_agent for agent in one.agents
        )

    def first(self) -> str | None:
        return next((one.key for one in self.queue if self.may(one)), None)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Spec], Courtesy, int]:
    hosts, agents = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    names = st.lists(st.sampled_from("abc"[:hosts]), min_size=1, max_size=2, unique=True)
    ids = st.lists(st.sampled_from("1234"[:agents]), min_size=1, max_size=3, unique=True)
    pairs = draw(st.lists(st.tuples(names, ids), min_size=1, max_size=14))
    specs = [spec(f"k{n}", tuple(names), tuple(ids)) for n, (names, ids) in enumerate(pairs)]
    limit = st.none() | st.integers(1, 3)
    courtesy = Courtesy(draw(limit), draw(limit), draw(st.sampled_from([0.0, 2.0, 45.0])))
    return specs, courtesy, draw(st.integers(0, 2**20))


def play(specs: list[Spec], courtesy: Courtesy, rng: Random) -> Iterator[tuple[str | None, str | None]]:
    """A run in which everything may happen to a creation; who is next by both, at every moment."""
    turns, slots = turns_of(specs, courtesy)
    model, by_key = Model(specs, courtesy), {one.key: one for one in specs}
    for _ in range(100_000):
        slots.pass_time(model.now)
        yield turns.first, model.first()
        sent = [key for key, (_, begun, _) in model.under_way.items() if begun is None]
        open_ = [key for key, (one, begun) in _open(model).items() if begun is not None]
        key = turns.first
        if key is not None and rng.random() < 0.6:
            assert turns.popleft(model.now) == key
            model.queue.remove(by_key[key])
            model.under_way[key] = (by_key[key], None, float("inf"))
        elif sent and rng.random() < 0.6:
            key = rng.choice(sent)
            one, what = model.under_way.pop(key)[0], rng.random()
            if what < 0.15:  # a 429
                slots.over(key, model.now)
                turns.appendleft(key)
                model.queue.insert(0, one)
            elif what < 0.25:  # refused for good
                slots.never_begun(key, model.now)
            else:  # answered, or lost
                slots.begun(key, model.now)
                model.under_way[key] = (one, model.now, model.now + LASTS)
                model.begun.update(dict.fromkeys(model.hosts(one), model.now))
        elif open_ and rng.random() < 0.5:
            key = rng.choice(open_)
            slots.over(key, model.now)
            del model.under_way[key]
        elif not model.queue and not sent:
            return
        else:
            model.now += rng.choice([0.5, 1.0, 7.0, 60.0])
    raise AssertionError("it never ends")


def _open(model: Model) -> dict[str, tuple[Spec, float | None]]:
    return {one.key: (one, begun) for one, begun in model.active()}


@settings(max_examples=120, deadline=None)
@given(worlds())
def test_the_next_is_always_the_first_that_has_room_and_everything_is_created_in_the_end(
    world: tuple[list[Spec], Courtesy, int],
) -> None:
    specs, courtesy, seed = world
    for ours, wanted in play(specs, courtesy, Random(seed)):
        assert ours == wanted


def _no_spacing(self: Slots, needs: object, began: float, now: float) -> None:
    """Breaks the spacing."""


def _one_more(self: Slots, name: str, now: float) -> bool:
    limit = self._courtesy.per_host if name.startswith("host ") else self._courtesy.per_agent
    return limit is None or self._taken[name] <= limit


def _forgets_who_waits(self: Turns, line: object) -> None:
    """Breaks the passing on of a turn."""


@pytest.mark.parametrize(
    ("room", "name", "broken"),
    [
        (Slots, "_has_room", _one_more),
        (Slots, "_spaced", _no_spacing),
        (Slots, "pass_time", lambda self, now: None),
        (Turns, "_settle", _forgets_who_waits),
    ],
)
def test_a_broken_rule_is_found(
    room: type, name: str, broken: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, name, broken)
    rng = Random(5)
    for _ in range(300):
        specs = [
            spec(
                f"k{n}",
                tuple(rng.sample("ab", rng.randint(1, 2))),
                tuple(rng.sample("123", rng.randint(1, 2))),
            )
            for n in range(12)
        ]
        courtesy = Courtesy(rng.choice([None, 1, 2]), rng.choice([None, 1, 2]), rng.choice([0.0, 45.0]))
        try:
            if any(ours != wanted for ours, wanted in play(specs, courtesy, rng)):
                return
        except (AssertionError, ValueError):
            return
    raise AssertionError("nobody noticed")
