"""Snapshots made of a simulated world's tests in virtual time: paced, once each, told whatever happens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from simulated_run import Simulated, in_process
from virtual_time import run_virtual

from orchestrator.actions.diagnose import Diagnosed, Question, diagnose
from orchestrator.actions.share import Told, choose, share
from orchestrator.errors import Exit, Refused, Unanswered, UsageProblem
from orchestrator.model import Api
from orchestrator.records import SnapshotState
from orchestrator.simulator.culprits import parse_culprit
from orchestrator.simulator.settings import Fault
from orchestrator.simulator.settings import Settings as World

PLAN = """\
version: 1
name: sites
agents: {cloud: {type: cloud, country: [GB]}}
targets: {sites: [%s]}
tests:
  - {name: web, type: http-server, targets: sites, agents: cloud, expect: ["http-server.responseCode == 200"]}
"""


@dataclass
class Made:
    """What sharing came to. ``seconds`` are the world's."""

    told: list[Told] = field(default_factory=list)
    waited: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def links(self) -> list[str | None]:
        return [one.snapshot.link for one in self.told]


def world(sites: int, *faults: Fault) -> World:
    broken = tuple(parse_culprit(f"host=site-{n}.example.com:dead") for n in range(sites))
    return World(culprits=broken, faults=faults)


def shared(
    folder: Path,
    made: World,
    work: Callable[[Simulated, str], Awaitable[None]],
    sites: int = 7,
    api: str = "v7",
) -> Simulated:
    """A run in which every site is dead, and what ``work`` does with it."""
    names = ", ".join(f'"https://site-{n}.example.com"' for n in range(sites))

    async def whole() -> Simulated:
        async with in_process(made, store=folder / "s.db") as simulated:
            ran = await simulated.run(PLAN.replace("name: sites", f"name: sites\napi: {api}") % names)
            await work(simulated, ran.outcome.run.id)
            return simulated

    return run_virtual(whole)


async def make(
    simulated: Simulated, run: str, most: int, *, again: bool = False, patience: float = 1e4
) -> Made:
    found, clock = Made(), simulated.session.doors.clock
    began = clock.now()
    chosen = await choose(simulated.session.opened, run, most, now=clock.wall())
    try:
        await share(
            simulated.session,
            chosen,
            found.told.append,
            again=again,
            patience=patience,
            waiting=found.waited.append,
        )
    finally:
        found.seconds = clock.now() - began
    return found


def test_five_are_made_at_once_and_the_others_wait_without_a_refusal(tmp_path: Path) -> None:
    async def work(simulated: Simulated, run: str) -> None:
        made = await make(simulated, run, 7)
        assert len({*made.links}) == 7
        assert 300.0 <= made.seconds <= 320.0
        assert len(made.waited) == 1, made.waited
        assert "5 snapshots in 5 min" in made.waited[0]

    simulated = shared(tmp_path, world(7), work)
    witness = simulated.service.witness()
    assert len(witness["snapshots"]) == 7
    assert witness["refused_429"]["own"] == 0


def test_of_a_test_there_is_one_however_often_it_is_asked_for(tmp_path: Path) -> None:
    async def work(simulated: Simulated, run: str) -> None:
        first, second = await make(simulated, run, 2), await make(simulated, run, 3)
        assert second.links[:2] == first.links
        assert [one.before for one in second.told] == [True, True, False]
        third = await make(simulated, run, 1, again=True)
        assert third.links != first.links[:1]
        kept = await simulated.session.opened.store.snapshots(run)
        assert {one.link for one in kept} == {*third.links, *second.links[1:]}

    assert len(shared(tmp_path, world(7), work).service.witness()["snapshots"]) == 4


@pytest.mark.parametrize("fault", ["reset-after", "502-taken"])
def test_a_lost_answer_is_not_asked_again_by_itself(tmp_path: Path, fault: str) -> None:
    async def work(simulated: Simulated, run: str) -> None:
        with pytest.raises(Unanswered, match="is not known"):
            await make(simulated, run, 1)
        (kept,) = await simulated.session.opened.store.snapshots(run)
        assert (kept.state, kept.link) == (SnapshotState.SENT, None)
        told = (await make(simulated, run, 1)).told
        assert [(one.before, one.snapshot.state) for one in told] == [(True, SnapshotState.SENT)]
        assert (await make(simulated, run, 1, again=True)).links[0] is not None

    simulated = shared(tmp_path, world(1, Fault(fault, "snapshot", first=1)), work, sites=1)
    assert len(simulated.service.witness()["snapshots"]) == 2


def test_a_refusal_is_told_and_may_be_asked_for_once_more(tmp_path: Path) -> None:
    async def work(simulated: Simulated, run: str) -> None:
        with pytest.raises(Refused, match="403"):
            await make(simulated, run, 1)
        assert [one.state for one in await simulated.session.opened.store.snapshots(run)] == [
            SnapshotState.REFUSED
        ]
        assert (await make(simulated, run, 1)).links[0] is not None

    shared(tmp_path, world(1, Fault("403", "snapshot", first=1)), work, sites=1)


def test_where_others_made_five_it_waits_and_blames_no_other_budget(tmp_path: Path) -> None:
    async def work(simulated: Simulated, run: str) -> None:
        at = simulated.session.doors.clock.wall()
        # As if made in the product just now.
        simulated.service._record.snapshots.extend({"at": at} for _ in range(5))
        clock = simulated.session.doors.clock
        made = await make(simulated, run, 1)
        assert made.links[0] is not None
        assert 300.0 <= made.seconds <= 375.0
        refused = simulated.session.doors.ledger.refused()
        assert (refused.organization, refused.instant_test, refused.bare) == (0, 0, 0)
        assert simulated.session.doors.ledger.opens_at(clock.now(), instant=False) <= clock.now()

    shared(tmp_path, world(1), work, sites=1)


def test_who_has_no_patience_is_told_when(tmp_path: Path) -> None:
    async def work(simulated: Simulated, run: str) -> None:
        with pytest.raises(Unanswered, match="all that an organization may") as told:
            await make(simulated, run, 6, patience=20.0)
        assert "report RUN --share" in str(told.value.hint)

    assert len(shared(tmp_path, world(7), work).service.witness()["snapshots"]) == 5


def test_a_run_without_trouble_and_one_of_version_6_are_not_shared(tmp_path: Path) -> None:
    async def nothing_bad(simulated: Simulated, run: str) -> None:
        with pytest.raises(UsageProblem, match="nothing in it is bad"):
            await make(simulated, run, 1)

    async def version_6(simulated: Simulated, run: str) -> None:
        with pytest.raises(UsageProblem, match="made by API v6"):
            await make(simulated, run, 1)

    shared(tmp_path, World(), nothing_bad, sites=1)
    shared(tmp_path / "v6", world(1), version_6, sites=1, api="v6")


# -- a diagnosis --------------------------------------------------------------------------------------------


def diagnosed(folder: Path, made: World, *, share: bool = True) -> tuple[Diagnosed, list[object]]:
    async def work() -> tuple[Diagnosed, list[object]]:
        async with in_process(made, store=folder / "s.db") as simulated:
            question = Question(("https://site-0.example.com",), share=share)
            found = await diagnose(simulated.session, question)
            return found, list(simulated.service.witness()["snapshots"])

    return run_virtual(work)


def test_a_diagnosis_shares_its_worst_test_if_it_is_told_to(tmp_path: Path) -> None:
    found, made = diagnosed(tmp_path, world(1))
    assert len(made) == 1
    link = found.account.snapshot.link if found.account.snapshot is not None else None
    assert link is not None
    assert f"<{link}>" in found.ticket
    told = found.document()["diagnose"]
    assert isinstance(told, dict)
    assert told["snapshot"] == link
    assert diagnosed(tmp_path / "not", world(1), share=False)[1] == []


def test_a_healthy_target_is_not_shared_and_a_refusal_changes_no_diagnosis(tmp_path: Path) -> None:
    assert diagnosed(tmp_path / "healthy", World(all_online=True))[1] == []
    found, made = diagnosed(tmp_path / "refused", world(1, Fault("403", "snapshot")))
    assert (made, found.exit_code) == ([], Exit.EXPECTATION_FAILED)
    assert found.account.unshared is not None
    assert "403" in found.account.unshared
    assert found.account.snapshot is None


def test_version_6_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    async def work() -> None:
        async with in_process(World(), store=tmp_path / "s.db") as simulated:
            with pytest.raises(UsageProblem, match="makes no snapshots"):
                await diagnose(simulated.session, Question(("x.example",), share=True, api=Api.V6))
            assert simulated.transport.requests == []

    run_virtual(work)
