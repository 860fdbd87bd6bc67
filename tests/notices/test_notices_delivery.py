"""What runs change is noted and delivered: in order, once, within half a minute, whatever a receiver does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import pytest
from simulated_run import Simulated, in_process
from virtual_time import run_virtual

from orchestrator.actions import deliver as delivering
from orchestrator.actions import notify as noting
from orchestrator.actions.deliver import Delivery, Notifier
from orchestrator.actions.notify import Ended
from orchestrator.addresses import Address, AddressBook
from orchestrator.courier.base import Parcel, Receipt
from orchestrator.errors import CeilingExceeded
from orchestrator.outbox import Channel, On
from orchestrator.simulator.settings import Settings as World

ONCALL = Channel("oncall")
ADDRESS = Address("oncall", "https://hooks.example.com/x")
TAKEN = Receipt(True, "answered 200")
BAD = "https://down.example.com"
PLAN = """
version: 1
name: sweep
agents: {{some: {{type: cloud, country: [GB, DE, FR]}}}}
tests:
  - {{name: web, type: http-server, targets: [{target}], agents: some,
      expect: [http-server.responseCode == 200]}}
"""

Answer = Callable[[int], Awaitable[Receipt]]


@dataclass
class Witness:
    """A courier that remembers, and answers as a test wants."""

    answer: Answer | None = None
    parcels: list[Parcel] = field(default_factory=list)

    def check(self, address: Address) -> None:
        """Every address will do."""

    async def carry(self, address: Address, parcel: Parcel) -> Receipt:
        self.parcels.append(parcel)
        return TAKEN if self.answer is None else await self.answer(len(self.parcels))

    def told(self) -> list[str]:
        return [f"{one.document['id']} {one.document['event']}" for one in self.parcels]


@dataclass
class Place:
    """A world, a store, a witness."""

    simulated: Simulated
    witness: Witness
    channels: tuple[Channel, ...] = (ONCALL,)

    async def run(self, target: str = "https://fine.example.com", *, wish: bool = True) -> Ended:
        """A run that wants its channels told; nobody has noted it yet."""
        plan = PLAN.format(target=target)
        ran = await self.simulated.run(plan, notify=self.channels if wish else ())
        return Ended(ran.outcome.run, ran.code, ran.outcome.insight)

    async def note(self, ended: Ended) -> None:
        await noting.note(self.simulated.session.doors.store, ended, self.channels)

    async def deliver(self, *names: str) -> list[Delivery]:
        session = self.simulated.session
        book = AddressBook(given={name: replace(ADDRESS, name=name) for name in names or ("oncall",)})
        return await delivering.deliver(session.opened, Notifier(book, self.witness), session.doors.clock)

    async def told(self, target: str = "https://fine.example.com") -> list[str]:
        """What the witness has seen after one run more."""
        await self.note(await self.run(target))
        await self.deliver()
        return self.witness.told()


@asynccontextmanager
async def place(folder: Path, answer: Answer | None = None) -> AsyncIterator[Place]:
    async with in_process(World(), store=folder / "runs.db") as simulated:
        yield Place(simulated, Witness(answer))


def test_a_state_is_told_when_it_changes_and_once(tmp_path: Path) -> None:
    async def work() -> None:
        async with place(tmp_path) as here:
            assert await here.told() == []
            assert await here.told(BAD) == ["sweep/1 bad"]
            assert await here.told(BAD) == ["sweep/1 bad"]
            assert await here.told(BAD) == ["sweep/1 bad"]
            assert await here.told() == ["sweep/1 bad", "sweep/2 recovered"]
            assert "over after" in here.witness.parcels[-1].title

    run_virtual(work)


def test_a_run_is_noted_once(tmp_path: Path) -> None:
    async def work() -> None:
        async with place(tmp_path) as here:
            here.channels = (Channel("oncall", On.ALWAYS),)
            ended = await here.run(BAD)
            for _ in range(3):
                await here.note(ended)
            await here.deliver()
            assert here.witness.told() == ["sweep/1 bad"]

    run_virtual(work)


def test_always_tells_every_run_and_bad_those_that_are_not_good(tmp_path: Path) -> None:
    async def work() -> None:
        async with place(tmp_path) as here:
            here.channels = (Channel("all", On.ALWAYS), Channel("some", On.BAD))
            for target in ("https://fine.example.com", BAD, BAD, "https://fine.example.com"):
                await here.note(await here.run(target))
            await here.deliver("all", "some")
            notices = await here.simulated.session.doors.store.notices()
            told = [(one.channel, one.draft.event) for one in notices]
            assert [event for name, event in told if name == "all"] == ["good", "bad", "bad", "good"]
            assert [event for name, event in told if name == "some"] == ["bad", "bad"]

    run_virtual(work)


def test_runs_that_nobody_lived_to_note_are_noted_by_the_next_in_their_order(tmp_path: Path) -> None:
    async def work() -> None:
        async with place(tmp_path) as here:
            for _ in range(3):
                await here.run(BAD)
            await here.run(BAD, wish=False)
            await here.note(await here.run())
            await here.deliver()
            assert here.witness.told() == ["sweep/1 bad", "sweep/2 recovered"]

    run_virtual(work)


def test_what_nobody_lived_to_note_is_noted_without_another_run(tmp_path: Path) -> None:
    async def work() -> None:
        async with place(tmp_path) as here:
            await here.run(BAD)
            await noting.catch_up_all(here.simulated.session.doors.store)
            await noting.catch_up_all(here.simulated.session.doors.store)
            await here.deliver()
            assert here.witness.told() == ["sweep/1 bad"]

    run_virtual(work)


def test_what_was_not_delivered_is_delivered_by_the_next_in_order(tmp_path: Path) -> None:
    async def refused(number: int) -> Receipt:
        return Receipt(False, "answered 500", again=True) if number <= 6 else TAKEN

    async def work() -> None:
        async with place(tmp_path, refused) as here:
            for target in (BAD, BAD, BAD):
                await here.note(await here.run(target))
            (one,) = await here.deliver()
            assert (one.sent, one.said) == (False, "answered 500")
            await here.note(await here.run())
            assert [each.sent for each in await here.deliver()] == [False]
            assert [each.sent for each in await here.deliver()] == [True, True]
            assert here.witness.told() == [*["sweep/1 bad"] * 7, "sweep/2 recovered"]
            assert len({each.key for each in here.witness.parcels}) == 2
            assert here.witness.parcels[6].document["attempt"] == 7
            assert await here.deliver() == []

    run_virtual(work)


@pytest.mark.parametrize("again", [True, False])
def test_a_notice_that_may_have_arrived_says_so_when_it_is_sent_again(tmp_path: Path, again: bool) -> None:
    async def lost(number: int) -> Receipt:
        return Receipt(False, "no answer", doubtful=again, again=False) if number == 1 else TAKEN

    async def work() -> None:
        async with place(tmp_path, lost) as here:
            await here.note(await here.run(BAD))
            await here.deliver()
            await here.deliver()
            first, second = here.witness.parcels
            assert first.key == second.key
            assert (first.document["doubtful"], second.document["doubtful"]) == (False, again)
            assert ("an earlier try may have arrived" in second.text) is again

    run_virtual(work)


async def _hangs(_: int) -> Receipt:
    await anyio.sleep_forever()
    return TAKEN


async def _slow(_: int) -> Receipt:
    await anyio.sleep(10.0)
    return Receipt(False, "no answer within 10 s", doubtful=True, again=True)


@pytest.mark.parametrize("answer", [_hangs, _slow])
def test_receivers_that_hang_cost_half_a_minute_in_all(tmp_path: Path, answer: Answer) -> None:
    async def work() -> None:
        async with place(tmp_path, answer) as here:
            here.channels = tuple(Channel(name, On.ALWAYS) for name in ("one", "two", "three"))
            for _ in range(3):
                await here.note(await here.run())
            before = anyio.current_time()
            told = await here.deliver("one", "two", "three")
            assert anyio.current_time() - before <= 30.0
            assert sorted(each.channel for each in told) == ["one", "three", "two"]
            assert not any(each.sent for each in told)
            left = await here.simulated.session.doors.store.notices(pending=True)
            assert len(left) == 9
            assert all(each.doubtful for each in left if each.tries)

    run_virtual(work)


def test_a_channel_that_hangs_does_not_keep_the_others(tmp_path: Path) -> None:
    async def work() -> None:
        async with place(tmp_path) as here:
            here.channels = (Channel("hangs"), Channel("hears"))
            await here.note(await here.run(BAD))

            class One(Witness):
                async def carry(self, address: Address, parcel: Parcel) -> Receipt:
                    if address.name == "hangs":
                        await anyio.sleep_forever()
                    return await super().carry(address, parcel)

            here.witness = One()
            told = await here.deliver("hangs", "hears")
            assert {each.channel: each.sent for each in told} == {"hangs": False, "hears": True}

    run_virtual(work)


def test_two_who_deliver_at_once_send_each_notice_once(tmp_path: Path) -> None:
    async def work() -> None:
        async with place(tmp_path) as here:
            here.channels = (Channel("oncall", On.ALWAYS),)
            for _ in range(4):
                await here.note(await here.run())
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(here.deliver)
            assert here.witness.told() == [f"sweep/{number} good" for number in (1, 2, 3, 4)]

    run_virtual(work)


def test_a_week_later_it_is_no_news(tmp_path: Path) -> None:
    async def work() -> None:
        async with place(tmp_path) as here:
            await here.note(await here.run(BAD))
            await anyio.sleep(8 * 86_400)
            (one,) = await here.deliver()
            assert one.said.startswith("given up")
            assert here.witness.parcels == []
            assert await here.deliver() == []

    run_virtual(work)


def test_a_plan_that_could_not_be_run_is_told(tmp_path: Path) -> None:
    async def work() -> None:
        async with place(tmp_path) as here:
            store, world = here.simulated.session.doors.store, ("simulated", None)
            problem = CeilingExceeded("12 tests, and at most 5 are allowed")
            for _ in range(2):
                await noting.note_problem(store, "sweep", world, problem, 1_800_000_000.0, here.channels)
            await here.deliver()
            (parcel,) = here.witness.parcels
            assert parcel.document["event"] == "incomplete"
            assert parcel.document["run"] is None
            assert "12 tests" in parcel.title

    run_virtual(work)


def test_a_part_of_the_tests_that_runs_again_ends_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        async with place(tmp_path) as here:
            bad = await here.run(BAD)
            await here.note(bad)
            await here.note(await here.run(BAD))
            await here.note(await here.run(BAD))
            again = await here.simulated.rerun(bad.run.id, failed=True)
            await here.note(Ended(again.outcome.run, 0, None))
            await here.deliver()
            assert here.witness.told() == ["sweep/1 bad"]

    run_virtual(work)


def test_a_channel_without_an_address_keeps_its_notices(tmp_path: Path) -> None:
    async def work() -> None:
        async with place(tmp_path) as here:
            await here.note(await here.run(BAD))
            (one,) = await here.deliver("another")
            assert (one.sent, one.said) == (False, "no address of it is known here")
            assert [each.sent for each in await here.deliver()] == [True]

    run_virtual(work)
