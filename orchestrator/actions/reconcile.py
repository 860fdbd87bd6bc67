"""Creations whose answer was lost: list them, adopt the tests that were found, give up the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.actions.begun import of_run
from orchestrator.clock import Clock
from orchestrator.errors import UsageProblem
from orchestrator.events import Adopted
from orchestrator.lifecycle import SpecState
from orchestrator.records import RunRecord, TestRecord
from orchestrator.report.summary import SCHEMA
from orchestrator.report.times import utc
from orchestrator.runner.journal import durably
from orchestrator.safe import clip
from orchestrator.store.base import Archive, Store
from orchestrator.store.opening import Opened

# Ids are 64-bit numbers, written without leading zeros.
_TEST_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
NO_ANSWER = "no answer is recorded: its run goes on, or ended in the middle"


def is_test_id(text: str) -> bool:
    """Whether this can be the id of a test."""
    return _TEST_ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of one lost creation: its test is ``test_id``, or it was given up (``None``).

    ``again``: a resume creates it once more, which may pay twice.
    """

    run: str
    spec: str
    test_id: str | None
    again: bool = False


@dataclass(frozen=True, slots=True)
class LostCreations:
    """The creations of a run whose outcome nobody knows, and that nobody has given up.

    ``late`` are the ids of tests, by spec, that came when another process had the run already: a resume
    adopts them.
    """

    run: RunRecord
    tests: tuple[TestRecord, ...]
    late: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, object]:
        """The document of ``reconcile --json``."""
        rows = [
            {
                "spec": test.spec.key,
                "name": test.name,
                "type": test.spec.type,
                "target": test.spec.target,
                "intended": utc(test.intended),
                "error": test.error or NO_ANSWER,
                **({"late_test_id": self.late[test.spec.key]} if test.spec.key in self.late else {}),
            }
            for test in self.tests
        ]
        return {"schema": SCHEMA, "run": self.run.id, "unknown": rows}


async def lost(store: Store, name: str) -> LostCreations:
    """What a run lost. Raises ``UsageProblem`` if there is no such run."""
    run = await store.run(name)
    late = {one.key: one.test_id for one in await store.late_tests(run.id)}
    return LostCreations(run, tuple((await _lost(store, run.id)).values()), late)


async def reconcile(
    opened: Opened,
    name: str,
    clock: Clock,
    *,
    adopt: Sequence[tuple[str, str]] = (),
    give_up: Sequence[str] = (),
    again: Sequence[str] = (),
    organization: str = "",
    decided: Callable[[Decided], None] = lambda _: None,
) -> LostCreations:
    """Adopt tests (pairs of a spec's key, or the beginning of one, and a test id), give up others, put
    others back to be created ``again`` by a resume, which may pay twice.

    Returns what is still lost. ``decided`` hears each decision when it is stored. Nothing is changed if any
    of it is wrong: raises ``UsageProblem`` for a name that fits no lost creation or more than one, a spec
    that is named twice, a test that answers another creation, a run of another ``organization`` than the one
    that was named; ``PlanBusy`` while the run goes on.
    """
    run = await opened.store.run(name)
    opened = await of_run(opened, run, organization)
    if (adopt or again) and run.simulated:
        raise UsageProblem(
            f"run {run.id} was simulated, and its world has ended with it",
            hint="there is no test that could be adopted; nothing was changed",
        )
    if adopt or give_up or again:
        # Not under the hands of a run that goes on.
        async with opened.lease.hold(run.plan, clock, wait=False, told=lambda _: None):
            for decision in await _decisions(opened.store, run, adopt, give_up, again):
                await _store(opened.store, decision, clock.wall())
                decided(decision)
    return await lost(opened.store, run.id)


async def _decisions(
    archive: Archive,
    run: RunRecord,
    adopt: Sequence[tuple[str, str]],
    give_up: Sequence[str],
    again: Sequence[str],
) -> list[Decided]:
    """All or nothing: a name that fits no creation is found out before anything is changed."""
    unknown = await _lost(archive, run.id)
    found: list[tuple[TestRecord, str]] = []
    if adopt:
        adoptable = {**unknown, **await _adopted_in_vain(archive, run.id)}
        found = [(_one(adoptable, key), test_id) for key, test_id in adopt]
        await _check_unclaimed(archive, run, found)
    left = [_one(unknown, key) for key in give_up]
    decisions = [Decided(run.id, test.spec.key, test_id) for test, test_id in found]
    decisions += [Decided(run.id, test.spec.key, None) for test in left]
    decisions += [Decided(run.id, _one(unknown, key).spec.key, None, again=True) for key in again]
    if len({one.spec for one in decisions}) < len(decisions):
        raise UsageProblem(
            "one lost creation is named twice", hint="name each spec once; nothing was changed"
        )
    return decisions


async def _store(store: Store, decision: Decided, at: float) -> None:
    if decision.again:
        await durably(store.move(decision.run, decision.spec, SpecState.PLANNED, at), store)
    elif decision.test_id is None:
        await durably(store.give_up(decision.run, decision.spec, at), store)
    else:
        await durably(store.adopt(decision.run, decision.spec, decision.test_id, at), store)


async def _check_unclaimed(archive: Archive, run: RunRecord, found: Sequence[tuple[TestRecord, str]]) -> None:
    """One test cannot be the answer to two creations: its answers would be counted for both targets."""
    owners = {test.test_id: test.spec for test in await archive.tests(run.id) if test.test_id is not None}
    for test, test_id in found:
        if not is_test_id(test_id):
            raise UsageProblem(
                f"{clip(test_id, 40)!r} is not the id of a test",
                hint="an id is a decimal number, as in the test's address; nothing was changed",
            )
        owner = owners.setdefault(test_id, test.spec)
        if owner.key != test.spec.key:
            raise UsageProblem(
                f"test {test_id} is that of {owner.target} ({owner.key}), not of {test.spec.target}",
                hint=_LOOK,
            )
        if test_id not in {one.test_id for one, _ in found if one.test_id} and await archive.newest_rounds(
            run.origin, test_id
        ):
            raise UsageProblem(f"test {test_id} has answered another creation already", hint=_LOOK)


_LOOK = "look for the marker in square brackets in the test's name; nothing was changed"


async def _adopted_in_vain(archive: Archive, run: str) -> dict[str, TestRecord]:
    """Specs whose adopted test has brought nothing: the id may have been wrong, and can be put right."""
    adopted = {event.spec for event in await archive.events(run) if isinstance(event.fact, Adopted)}
    tests = await archive.tests(run, [SpecState.WAITING, SpecState.TIMED_OUT])
    candidates = [test for test in tests if test.spec.key in adopted]
    return {test.spec.key: test for test in candidates if not await archive.answers(run, test.spec.key)}


async def _lost(archive: Archive, run: str) -> dict[str, TestRecord]:
    """Creations whose outcome nobody knows, by spec.

    One whose answer is not recorded is lost with its process, even before a resume says so.
    """
    tests = await archive.tests(run, [SpecState.UNKNOWN, SpecState.CREATING])
    return {test.spec.key: test for test in tests if not test.given_up}


def _one(unknown: Mapping[str, TestRecord], key: str) -> TestRecord:
    found = [test for name, test in unknown.items() if key and name.startswith(key)]
    if len(found) != 1:
        raise UsageProblem(
            f"{'no' if not found else 'more than one'} unknown creation begins with {key!r}",
            hint="`orchestrator reconcile` without options lists them",
        )
    return found[0]
