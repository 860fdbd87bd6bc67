"""A diagnosis that somebody else goes on with, or that a worker begins, asks what it would have asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from simulated_run import Simulated, in_process
from virtual_time import run_virtual

from orchestrator.actions import going_on
from orchestrator.actions.carrying import Carrying
from orchestrator.actions.diagnose import Question, diagnose
from orchestrator.actions.question import dump_question, load_question
from orchestrator.actions.queueing import queued_run
from orchestrator.actions.restored import restored
from orchestrator.actions.run import Outcome
from orchestrator.actions.session import Session
from orchestrator.diagnosis.blocks import Extras
from orchestrator.diagnosis.places import places
from orchestrator.diagnosis.plantext import Frame, unasked
from orchestrator.errors import Exit, UsageProblem
from orchestrator.lifecycle import SpecState
from orchestrator.model import Api
from orchestrator.outbox import Channel
from orchestrator.queueing.attempts import Attempts, Next
from orchestrator.queueing.slots import Overlap
from orchestrator.queueing.values import Taken
from orchestrator.records import RunRecord, RunSettings, RunState
from orchestrator.simulator.culprits import parse_culprit
from orchestrator.simulator.settings import Settings
from orchestrator.store.facts import dump_settings, load_settings

URL = "https://shop.example.com"
FROM_US = Settings(seed=7, topology="shared", culprits=(parse_culprit(f"country=US,target={URL}:dead"),))


def simulated(work: Callable[[Simulated], Any], folder: Path, world: Settings = FROM_US) -> Any:
    async def inside() -> Any:
        async with in_process(world, store=folder / "o.db") as opened:
            return await work(opened)

    return run_virtual(inside)


async def _left_after(opened: Simulated, seconds: float) -> RunRecord:
    """A diagnosis whose process dies in the middle."""
    with opened.session.doors.clock.move_on_after(seconds):
        await diagnose(opened.session, Question((URL,)))
    return await opened.session.doors.store.run("last")


async def _confirmed_by(session: Session, run: RunRecord) -> list[RunRecord]:
    return [one for one in await session.doors.store.runs(10, run.plan) if one.parent == run.id]


# Before its first answer, and when the second wave was asked and confirmed.
@pytest.mark.parametrize("seconds", [3.0, 60.0])
def test_whoever_goes_on_with_a_diagnosis_asks_both_waves_once_and_confirms(
    seconds: float, tmp_path: Path
) -> None:
    async def work(opened: Simulated) -> tuple[Outcome, Any, Any, Any]:
        session = opened.session
        left = await _left_after(opened, seconds)
        assert left.state is RunState.RUNNING
        outcome = await going_on.resume(session, await session.doors.store.run(left.id))
        tests = await session.doors.store.tests(left.id)
        return outcome, tests, await _confirmed_by(session, left), opened.service.witness()

    outcome, tests, again, witness = simulated(work, tmp_path)
    assert outcome.exit_code is Exit.EXPECTATION_FAILED
    blocks = [test.spec.test for test in tests]
    assert blocks.count("web") == 2
    assert blocks.count("path") == 1
    # A creation whose answer was lost with the process is not repeated.
    states = {SpecState.COMPLETE, SpecState.PARTIAL, SpecState.UNKNOWN}
    assert {test.state for test in tests} <= states
    assert len(again) == 1
    assert again[0].settings.confirms
    assert again[0].settings.question is None
    names = [creation["name"] for creation in witness["creations"]]
    assert len(names) == len(set(names))


def test_a_diagnosis_that_ended_is_not_asked_on(tmp_path: Path) -> None:
    async def work(opened: Simulated) -> tuple[int, int]:
        found = await diagnose(opened.session, Question((URL,), waves=False, confirm=False))
        run = await opened.session.doors.store.run(found.runs[0])
        before = len(opened.service.witness()["creations"])
        await going_on.resume(opened.session, run)
        return before, len(opened.service.witness()["creations"])

    before, after = simulated(work, tmp_path)
    assert before == after


def test_a_diagnosis_of_a_store_that_was_restored_collects_and_creates_nothing_more(tmp_path: Path) -> None:
    async def work(opened: Simulated) -> tuple[Any, ...]:
        session = replace(opened.session, simulated=False)  # a real one is in doubt
        with session.doors.clock.move_on_after(9.0):
            await diagnose(session, Question((URL,)))
        left = await session.doors.store.run("last")
        before = len(opened.service.witness()["creations"])
        would = await restored(session.opened, session.doors.clock, dry_run=True)
        found = await restored(session.opened, session.doors.clock)
        assert would.diagnoses == found.diagnoses == (left.id,)
        assert (await restored(session.opened, session.doors.clock)).diagnoses == ()
        await going_on.resume(session, await session.doors.store.run(left.id))
        run = await session.doors.store.run(left.id)
        return before, opened.service.witness(), run, await _confirmed_by(session, run)

    before, witness, run, again = simulated(work, tmp_path)
    assert len(witness["creations"]) == before > 0
    assert run.facts.planned is not None
    assert (run.settings.question["box"], again) == (180.0, [])


class NoStops:
    """Nobody stops the run, and its host was never suspended."""

    async def __aiter__(self) -> AsyncIterator[Exit]:
        await anyio.sleep_forever()
        yield Exit.SIGTERM

    def lapsed(self) -> bool:
        return False


def _queued(session: Session, question: Question) -> RunRecord:
    bundle = unasked(Frame("diagnose", question.api.value, question.box))
    known = RunSettings(reserve=0.0, notify=(Channel("oncall"),), question=dump_question(question))
    name = f"diagnose {question.targets[0]}"
    return queued_run(name, bundle, session.settings, session.doors.clock.wall(), known)


def test_a_worker_begins_a_diagnosis_that_was_submitted_and_another_one_goes_on_with_it(
    tmp_path: Path,
) -> None:
    async def work(opened: Simulated) -> Any:
        session = opened.session
        store = session.opened.store
        queued = _queued(session, Question((URL,)))
        await store.create_run(queued, (), (), ())

        @asynccontextmanager
        async def connect(record: RunRecord, taken: Taken, reserve: float) -> AsyncIterator[Session]:
            assert (record.id, taken.run, reserve) == (queued.id, queued.id, 0.0)
            yield session

        carrying = Carrying(store, connect, {})
        taken = Taken(queued.id, "acme", 1, Overlap.QUEUE, begun=False, attempts=Attempts(1), cancel=None)
        with session.doors.clock.move_on_after(12.0):
            await carrying.carry(taken, NoStops())
        ending = await carrying.carry(replace(taken, begun=True), NoStops())
        run = await store.run(queued.id)
        return ending, run, await store.tests(run.id), await _confirmed_by(session, run)

    ending, run, tests, again = simulated(work, tmp_path)
    assert (ending.next, ending.code) == (Next.OVER, Exit.EXPECTATION_FAILED)
    assert run.settings.notify == (Channel("oncall"),)
    assert [test.spec.test for test in tests].count("web") == 2
    assert len(again) == 1


def test_a_target_that_can_be_none_ends_a_diagnosis_that_waited(tmp_path: Path) -> None:
    async def work(opened: Simulated) -> Any:
        session, store = opened.session, opened.session.opened.store
        queued = _queued(session, Question(("https://",)))
        await store.create_run(queued, (), (), ())

        @asynccontextmanager
        async def connect(record: RunRecord, taken: Taken, reserve: float) -> AsyncIterator[Session]:
            yield session

        taken = Taken(queued.id, "acme", 1, Overlap.QUEUE, begun=False, attempts=Attempts(1), cancel=None)
        ending = await Carrying(store, connect, {}).carry(taken, NoStops())
        return ending, await store.run(queued.id)

    ending, run = simulated(work, tmp_path)
    assert (ending.next, ending.code) == (Next.OVER, Exit.USAGE)
    assert run.exit_code == Exit.USAGE


def test_what_was_asked_comes_back_from_the_store_as_it_was() -> None:
    question = Question(
        (URL, "www.example.com A"),
        whence=places(["type=cloud country=GB,DE state=online", "branch-*", "id=1001", "label=hq"]),
        agents=7,
        box=90.0,
        controls=("https://www.example.com",),
        against="last-good",
        waves=False,
        confirm=False,
        extras=Extras(("9.9.9.9",), pages=True),
        api=Api.V6,
        seed=3,
        first=("3", "4"),
    )
    stored = load_settings(dump_settings(RunSettings(question=dump_question(question))))
    assert stored.question is not None
    assert load_question(stored.question) == question
    with pytest.raises(UsageProblem, match="another version"):
        load_question({"targets": [URL]})
