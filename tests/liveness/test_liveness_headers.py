"""Whatever the limit headers say, every run ends by its deadline, and everything in it has an end."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate
from pathlib import Path

import anyio
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from virtual_time import run_virtual
from virtual_world import EPOCH, PATIENCE, Ran, run_in_virtual_time

from orchestrator.clock import LoopClock
from orchestrator.lifecycle import SpecState
from orchestrator.model import Spec
from orchestrator.runner.dispatcher import DEADLINE_GRACE, LONGEST_SLEEP
from orchestrator.simulator.service import Service
from orchestrator.simulator.settings import Settings
from orchestrator.thousandeyes.protocol import Reply, Request, Transport

DEADLINE = 400.0
# After its deadline a run has its last looks, and what is under way then has the time of one request.
GRACE = DEADLINE_GRACE + PATIENCE + LONGEST_SLEEP
FAMILIES = ("x-organization-rate-limit", "x-instant-test-rate-limit")
FOREVER = 3_000_000_000.0
TESTS = 5
# What no test is left in.
OPEN = {SpecState.PLANNED, SpecState.CREATING, SpecState.WAITING}


@dataclass(frozen=True, slots=True)
class Lie:
    """What one answer says of the limits: texts by name, ``None`` for no header; times are offsets from now.

    ``truth`` leaves the limits alone. ``status`` is a refusal instead of the world's answer.
    """

    limit: str | None = None
    remaining: str | None = None
    reset: float | str | None = None
    date: float | None = 0.0
    truth: bool = False
    status: int | None = None
    retry_after: str | None = None

    def told(self, reply: Reply, now: float) -> Reply:
        """The reply with this lie in its headers."""
        headers = dict(reply.headers)
        if not self.truth:
            headers = {name: text for name, text in headers.items() if not name.startswith(FAMILIES)}
            reset = f"{int(now + self.reset)}" if isinstance(self.reset, float) else self.reset
            named = {"limit": self.limit, "remaining": self.remaining, "reset": reset}
            for family in FAMILIES:
                headers |= {f"{family}-{name}": text for name, text in named.items() if text is not None}
        headers.pop("date", None)
        if self.date is not None:
            headers["date"] = formatdate(min(FOREVER, max(0.0, now + self.date)), usegmt=True)
        if self.retry_after is not None:
            headers["retry-after"] = self.retry_after
        return replace(reply, headers=headers)


class Liar:
    """Tells the lies in turn, for ever."""

    def __init__(self, inner: Transport, lies: Sequence[Lie], world: LoopClock) -> None:
        self._inner, self._lies, self._world = inner, lies, world
        self._told = 0

    async def send(self, request: Request) -> Reply:
        """As the inner transport, but for the headers."""
        self._told += 1
        lie = self._lies[self._told % len(self._lies)]
        if lie.status is None:
            reply = await self._inner.send(request)
        else:
            # A refusal is not taken: a test that exists all the same would be a lie about creations.
            sent = self._world.now()
            await anyio.sleep(0.1)
            reply = Reply(lie.status, {}, b"", sent, self._world.now())
        return lie.told(reply, self._world.wall())


TRUTH = Lie(truth=True)
ABSENT = Lie()
FROZEN = Lie("24", "0", 60.0)
NUMBERS = st.one_of(
    st.none(),
    st.integers(-5, 300).map(str),
    st.sampled_from(
        ["", "plenty", "1e9", "99999999999999999999", "-0", "0x10", "10, 10", "\u0663", "nan", "inf"]
    ),
)
RESETS = st.one_of(
    st.none(),
    st.floats(-7200.0, 7200.0),
    st.floats(0.0, 70.0),
    st.sampled_from([-1e9, 1e9, "soon", "", "0", "-1", "60", "32503680000000", "1e400", "nan"]),
)
LIES = st.builds(
    Lie,
    limit=NUMBERS,
    remaining=NUMBERS,
    reset=RESETS,
    date=st.one_of(st.just(0.0), st.none(), st.floats(-1e5, 1e5)),
    status=st.sampled_from([None, None, None, 429]),
    retry_after=st.sampled_from([None, None, None, "5", "-1", "1e12", "soon"]),
)


def specs() -> list[Spec]:
    return [
        Spec(
            key=f"{n:08x}0000",
            test="web",
            type="http-server",
            target=f"t{n}",
            fields={"url": f"https://t{n}.example.com"},
            agents=("3", "4"),
            layers=("http-server", "path-vis"),
            deadline=150.0,
        )
        for n in range(TESTS)
    ]


def run_with(
    lies: Sequence[Lie], *, aligned: bool = True, seed: int = 1
) -> tuple[Ran, float, dict[str, int]]:
    """The run, its seconds, and how many tests ended in which state."""
    service = Service(
        Settings(seed=seed, all_online=True, aligned=aligned, instant_limit=3, organization_limit=30)
    )
    with tempfile.TemporaryDirectory() as folder:

        async def work() -> tuple[Ran, float, dict[str, int]]:
            world = LoopClock(epoch=EPOCH)
            began = world.now()
            world.wall()
            ran = await run_in_virtual_time(
                specs(),
                service,
                Path(folder) / "o.db",
                seed=seed,
                deadline=DEADLINE,
                transport=lambda inner: Liar(inner, lies, world),
            )
            states: dict[str, int] = {}
            for test in await ran.store.tests(ran.outcome.run.id):
                states[test.state] = states.get(test.state, 0) + 1
            return ran, world.now() - began, states

        return run_virtual(work)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(lies=[FROZEN], aligned=True, seed=1)
@example(lies=[Lie("24", "0", -3600.0)], aligned=False, seed=1)
@example(lies=[Lie("24", "0", 1e9)], aligned=True, seed=1)
@example(lies=[Lie("1", "1", 59.0), Lie("240", "239", 1.0)], aligned=True, seed=1)
@example(lies=[TRUTH, FROZEN, ABSENT], aligned=False, seed=1)
@example(lies=[Lie(status=429)], aligned=True, seed=1)
@example(lies=[Lie(status=429, retry_after="1e12")], aligned=True, seed=1)
@example(lies=[Lie("24", "23", 30.0, date=None)], aligned=True, seed=1)
@given(
    lies=st.lists(st.one_of(LIES, st.just(TRUTH)), min_size=1, max_size=6),
    aligned=st.booleans(),
    seed=st.integers(1, 3),
)
def test_every_run_ends_by_its_deadline_whatever_the_headers_say(
    lies: list[Lie], aligned: bool, seed: int
) -> None:
    ran, seconds, states = run_with(lies, aligned=aligned, seed=seed)
    assert seconds <= DEADLINE + GRACE, f"the run took {seconds:.0f} s"
    assert not set(states) & OPEN, f"tests without an end: {states}"
    assert sum(states.values()) == TESTS
    names = [str(made["name"]) for made in ran.service.witness()["creations"]]
    assert len(set(names)) == len(names), "a test was created twice"


@pytest.mark.parametrize(
    "lies",
    [
        pytest.param([ABSENT], id="absent"),
        pytest.param([Lie("plenty", "", "soon, 17")], id="garbage"),
        pytest.param([Lie("99999999999999999999", "-5", "32503680000000")], id="absurd"),
        pytest.param([TRUTH, ABSENT], id="every other"),
        pytest.param([Lie(truth=True, date=-3600.0)], id="wrong date"),
        pytest.param([Lie(truth=True, date=None)], id="no date"),
    ],
)
def test_headers_that_are_no_use_do_not_keep_a_run_from_its_answers(lies: list[Lie]) -> None:
    _, seconds, states = run_with(lies)
    assert states == {"complete": TESTS}, f"after {seconds:.0f} s: {states}"
