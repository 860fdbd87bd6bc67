"""A month end to end: real runs in virtual time, an incident after the other, and processes that die.

``python tests/notices/month.py [--seed N] [--runs 720] [--kills 0.3]``

Each hour the plan is run by the real orchestrator against a simulated network in which something may be
broken (``notice_month`` says what), noted, and delivered to a receiver that remembers everything. In some of
the hours the process dies at a random point: before or after any write of the outbox, before or after the
receiver has heard. What it leaves is for the next run. It prints its figures, and ends with 1 if an incident
was not told once and ended once, a notice was lost, or one was sent again after an answer that came.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

from notice_month import INCIDENTS, RUNS, Hour, ended, month
from simulated_run import in_process
from virtual_time import run_virtual
from virtual_world import EPOCH

from orchestrator.actions import deliver as delivering
from orchestrator.actions import notify as noting
from orchestrator.actions.deliver import Notifier
from orchestrator.actions.notify import Ended
from orchestrator.addresses import Address, AddressBook
from orchestrator.courier.base import Parcel, Receipt
from orchestrator.outbox import Channel
from orchestrator.simulator.culprits import broken_world
from orchestrator.store.opening import Opened

CHANNEL = Channel("oncall")
AGENTS = ("London, England", "Paris, France", "Oslo, Norway", "Madrid, Spain", "Vienna, Austria")
MORE = ("Tokyo, Japan", "Singapore", "New York, NY")
NAMES = (*AGENTS, *MORE)
TARGETS = ("portal", "crm", "wiki", "shop")
PLAN = """
version: 1
name: hourly
agents: {some: {type: cloud, name: [NAMES]}}
tests:
  - name: web
    type: http-server
    targets: [TARGETS]
    agents: some
    layers: [http-server, network]
    expect: [http-server.responseCode == 200, network.loss <= 5]
""".replace("NAMES", ", ".join(f'"{name}"' for name in NAMES)).replace(
    "TARGETS", ", ".join(f'"https://{name}.example.com"' for name in TARGETS)
)
# What the incidents are: of the target's side, of an agent's, of a path's, and of one kind of failure each.
BROKEN = (
    "target=crm.example.com:dead",
    "agent=London, England:loss=40%",
    "target=wiki.example.com:tls",
    "agent=Tokyo, Japan:dead",
    "target=shop.example.com:http=503",
)
SITE = "agent=Oslo, Norway:dead"
POINTS = ("keep_notice", "begin_notice", "carry", "end_notice")


class Killed(BaseException):
    """The process dies here."""


@dataclass
class Death:
    """Where a process dies, if it comes there."""

    point: str = ""
    after: bool = False

    async def at(self, point: str, act: Callable[[], Awaitable[Any]]) -> Any:
        """Do something, and die before or after it."""
        if self.point == point and not self.after:
            raise Killed
        found = await act()
        if self.point == point and self.after:
            raise Killed
        return found


class DyingStore:
    """The store of a process that dies."""

    def __init__(self, store: Any, death: Death) -> None:
        self._store, self._death, self._dead = store, death, False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if name not in POINTS:
            return method

        async def dying(*given: Any, **named: Any) -> Any:
            if self._dead:  # what stands in a finally is not reached by who was killed
                raise Killed
            try:
                return await self._death.at(name, lambda: method(*given, **named))
            except Killed:
                self._dead = True
                raise

        return dying

    def die(self) -> None:
        """Nothing is written from now on."""
        self._dead = True


@dataclass
class Receiver:
    """Hears notices and remembers them. ``lost_answer``: keys that were heard, and whose sender died before
    it had written that down."""

    heard: list[Parcel] = field(default_factory=list)
    again: int = 0
    wrong: list[str] = field(default_factory=list)
    death: Death = field(default_factory=Death)
    store: DyingStore | None = None
    lost_answer: set[str] = field(default_factory=set)

    def check(self, address: Address) -> None:
        """Every address will do."""

    async def carry(self, address: Address, parcel: Parcel) -> Receipt:
        """Take it, unless the process dies before."""
        try:
            found: Receipt = await self.death.at("carry", lambda: self._take(parcel))
        except Killed:
            assert self.store is not None
            self.store.die()
            if self.death.after:
                self.lost_answer.add(parcel.key)
            raise
        if self.death.point == "end_notice" and not self.death.after:
            self.lost_answer.add(parcel.key)
        return found

    async def _take(self, parcel: Parcel) -> Receipt:
        if parcel.key in {one.key for one in self.heard}:
            self.again += 1
            if parcel.key not in self.lost_answer:
                self.wrong.append(f"sent again after an answer that came: {parcel.document['id']}")
            if not parcel.document["doubtful"]:
                self.wrong.append(f"sent again without a word of it: {parcel.document['id']}")
        self.heard.append(parcel)
        return Receipt(True, "answered 200")

    def messages(self) -> list[Parcel]:
        """What was heard, each key once, in order."""
        return [*{one.key: one for one in self.heard}.values()]


def culprits(hour: Hour) -> list[str]:
    """What is broken in an hour."""
    cells = [(agent, target) for target in TARGETS for agent in NAMES]
    flaking = [cells[number] for number in hour.flakes]
    return [
        *(BROKEN[number] for number in sorted(hour.incidents)),
        *([SITE] if hour.site else []),
        *(f"agent={agent},target={target}.example.com:receive" for agent, target in flaking),
    ]


def one_hour(hour: Hour, seed: int, store: Path, receiver: Receiver, death: Death) -> int:
    """Run, note, deliver; whether the process died."""
    world = broken_world(seed, culprits(hour), hour.number + 1)

    async def work() -> int:
        async with in_process(world, store=store, epoch=EPOCH + 3600.0 * hour.number) as simulated:
            ran = await simulated.run(PLAN, notify=(CHANNEL,))
            session = simulated.session
            dying = DyingStore(session.doors.store, death)
            receiver.death, receiver.store = death, dying
            opened: Opened = replace(session.opened, store=dying)
            book = AddressBook(given={"oncall": Address("oncall", "https://hooks.example.com/x")})
            try:
                done = Ended(ran.outcome.run, ran.code, ran.outcome.insight)
                await noting.note(dying, done, (CHANNEL,))
                await delivering.deliver(opened, Notifier(book, receiver), session.doors.clock)
            except Killed:
                return 1
            except BaseExceptionGroup as group:
                if group.subgroup(Killed) is None:
                    raise
                return 1
            return 0

    return run_virtual(work)


def told(
    seed: int, runs: int, kills: float, folder: Path, flakes: float = 0.001
) -> tuple[dict[str, Any], list[str]]:
    """The figures of a month, and what is wrong with it."""
    rng, receiver, died = Random(seed), Receiver(), 0
    for hour in month(seed, cells=len(NAMES) * len(TARGETS), flakes=flakes, runs=runs):
        # The last hour lives, so that everything comes to an end.
        dies = hour.number < runs - 1 and rng.random() < kills
        death = Death(rng.choice(POINTS), rng.random() < 0.5) if dies else Death()
        died += one_hour(hour, seed, folder / "runs.db", receiver, death)
    messages = receiver.messages()
    new = Counter(label(one) for parcel in messages for one in parcel.document["new"])  # type: ignore[union-attr] # a list
    over = Counter(label(one) for parcel in messages for one in parcel.document["over"])  # type: ignore[union-attr] # a list
    wrong = list(receiver.wrong)
    expected = [name(text) for text in BROKEN]
    wrong += [f"told {new[one]} times: {one}" for one in expected if new[one] != 1]
    wrong += [
        f"ended {over[expected[n]]} times: {expected[n]}"
        for n in ended(seed, runs=runs)
        if over[expected[n]] != 1
    ]
    numbers = [int(str(one.document["id"]).rpartition("/")[2]) for one in messages]
    if numbers != [*range(1, len(numbers) + 1)]:
        wrong.append(f"lost or out of order: {numbers}")
    figures = {
        "runs": runs,
        "messages": len(messages),
        "incidents": INCIDENTS,
        "processes that died": died,
        "sent again with a word of it": receiver.again,
        "events": dict(Counter(str(one.document["event"]) for one in messages)),
    }
    return figures, wrong


def label(one: Any) -> str:
    """What a cause is called in a document."""
    return str(one["label"])


def name(culprit: str) -> str:
    """What a cause of a culprit is called: the target's or the agent's name."""
    kind, _, told = culprit.rpartition(":")[0].partition("=")
    return f"https://{told}" if kind == "target" else told


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--kills", type=float, default=0.3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures, wrong = told(given.seed, given.runs, given.kills, Path(folder))
    for what, value in figures.items():
        print(f"{what}: {value}")  # noqa: T201 - a script's answer
    for line in wrong:
        print(f"WRONG {line}")  # noqa: T201 - as above
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
