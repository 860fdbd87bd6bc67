"""A diagnosis is an ordinary run that grows: end to end against simulated incidents, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest
from diagnose_incidents import listed
from simulated_run import Simulated, in_process
from virtual_time import run_virtual

from orchestrator.actions import run as running
from orchestrator.actions.diagnose import Diagnosed, Question, diagnose
from orchestrator.actions.run import Attendance
from orchestrator.diagnosis.picture import Picture
from orchestrator.diagnosis.places import places
from orchestrator.errors import CeilingExceeded, Exit, PlanBusy, UsageProblem
from orchestrator.lifecycle import SpecState
from orchestrator.plan.load import parse_plan
from orchestrator.records import Planned, RunState
from orchestrator.simulator.culprits import parse_culprit
from orchestrator.simulator.settings import MEDIANS, Fault, Settings

T = TypeVar("T")
URL = "https://shop.example.com"
GOOD = "http-server.responseCode == 200"
DEAD, FROM_US = f"target={URL}:dead", f"country=US,target={URL}:dead"


def world(*culprits: str, **changes: Any) -> Settings:
    return Settings(seed=7, topology="shared", culprits=tuple(map(parse_culprit, culprits)), **changes)


def simulated(work: Callable[[Simulated], Any], folder: Path, *culprits: str, **changes: Any) -> Any:
    async def inside() -> Any:
        async with in_process(world(*culprits, **changes), store=folder / "o.db") as opened:
            return await work(opened)

    return run_virtual(inside)


def asked(folder: Path, *culprits: str, question: Question | None = None, **changes: Any) -> Diagnosed:
    async def work(opened: Simulated) -> Diagnosed:
        return await diagnose(opened.session, question or Question((URL,)))

    found: Diagnosed = simulated(work, folder, *culprits, **changes)
    return found


def test_a_target_that_is_dead_is_found_confirmed_and_costs_three_creations(tmp_path: Path) -> None:
    found = asked(tmp_path, DEAD)
    assert found.sentence == f"{URL} fails from every agent: 12 of 12"
    assert (found.exit_code, found.account.stopped) == (Exit.EXPECTATION_FAILED, "certain")
    assert (found.account.tests, found.account.reruns, len(found.runs)) == (2, 1, 2)
    assert found.found.confirmed
    assert found.account.seconds < 120
    document = found.document()["diagnose"]
    assert isinstance(document, dict)
    assert (document["confirmed"], document["waves"]) == (True, 1)


def test_a_country_is_named_once_its_neighbours_were_asked_in_the_same_run(tmp_path: Path) -> None:
    async def work(opened: Simulated) -> tuple[Diagnosed, Any, Any]:
        found = await diagnose(opened.session, Question((URL,)))
        store = opened.session.doors.store
        return found, await store.run(found.runs[0]), await store.tests(found.runs[0])

    found, run, tests = simulated(work, tmp_path, FROM_US)
    assert "fails from US only" in found.sentence
    blocks = [test.spec.test for test in tests]
    assert blocks.count("web") == 2
    assert "path" in blocks
    assert all(test.state in {SpecState.COMPLETE, SpecState.PARTIAL} for test in tests)
    assert run.facts.planned is not None
    assert run.facts.planned.tests == len(tests)
    assert run.facts.planned.cells == sum(len(test.spec.agents) for test in tests)


def test_what_is_well_is_waited_for_to_the_last_agent_and_not_confirmed(tmp_path: Path) -> None:
    found = asked(tmp_path)
    assert found.sentence == f"{URL} passes from all 12 agents"
    assert (found.exit_code, found.account.stopped, len(found.runs)) == (Exit.OK, "nothing bad", 1)


def test_one_wave_alone_is_one_run_without_a_second_round(tmp_path: Path) -> None:
    found = asked(tmp_path, FROM_US, question=Question((URL,), waves=False, confirm=False))
    assert (len(found.runs), found.account.tests, found.account.reruns) == (1, 2, 0)


def test_the_box_holds_where_nobody_answers(tmp_path: Path) -> None:
    found = asked(
        tmp_path, question=Question((URL,), box=60.0), medians=dict.fromkeys(MEDIANS, 140.0), sigma=0.01
    )
    assert found.account.stopped == "time box"
    assert found.account.seconds <= 90
    assert found.exit_code is Exit.INCOMPLETE
    assert "nothing answered" in found.sentence or "no answer" in found.sentence


def test_a_refused_creation_ends_it_with_the_refusal(tmp_path: Path) -> None:
    found = asked(tmp_path, faults=(Fault("403", "create"),))
    assert found.exit_code is Exit.REFUSED
    assert found.refused


def test_a_control_shows_that_the_agents_are_well(tmp_path: Path) -> None:
    question = Question((URL,), controls=("https://www.example.com",))
    found = asked(tmp_path, DEAD, question=question)
    assert found.sentence == f"{URL} fails from every agent: 12 of 12"
    assert "the same agents pass elsewhere" in found.ticket


def test_two_targets_contrast_each_other(tmp_path: Path) -> None:
    found = asked(tmp_path, DEAD, question=Question((URL, "https://www.example.com")))
    assert found.sentence == f"{URL} fails from every agent: 12 of 12"


def test_from_says_whom_to_ask(tmp_path: Path) -> None:
    found = asked(tmp_path, question=Question((URL,), whence=places(["country=GB,US"]), agents=5))
    assert {agent.country for agent in found.found.asked.agents} == {"GB", "US"}
    assert len(found.found.asked.agents) == 5


def test_the_same_agents_as_last_time_are_asked_again(tmp_path: Path) -> None:
    async def work(opened: Simulated) -> tuple[Diagnosed, Diagnosed]:
        first = await diagnose(opened.session, Question((URL,), seed=3))
        again = Question((URL,), whence=places([first.runs[0]]), seed=99)
        return first, await diagnose(opened.session, again)

    first, second = simulated(work, tmp_path)
    assert {one.id for one in first.found.asked.agents} == {one.id for one in second.found.asked.agents}


def test_it_is_an_ordinary_run_that_can_be_run_again_and_compared(tmp_path: Path) -> None:
    async def work(opened: Simulated) -> tuple[Diagnosed, int, Diagnosed]:
        good = await diagnose(opened.session, Question((URL,)))
        again = await opened.rerun(good.runs[0])
        against = await diagnose(opened.session, Question((URL,), against="last-good"))
        return good, again.code, against

    good, code, against = simulated(work, tmp_path)
    assert code == 0
    assert against.account.before is not None
    assert good.account.before is None
    assert "Last good: " in against.ticket


def test_the_plan_that_it_leaves_asks_the_same_again(tmp_path: Path) -> None:
    found = asked(tmp_path, FROM_US)
    assert found.plan is not None
    plan = parse_plan(found.plan, "saved.yaml", None, environ={})
    assert {block.name for block in plan.tests} == {"web", "resolution", "path"}


def test_a_plan_can_take_the_place_of_the_usual_tests(tmp_path: Path) -> None:
    test = f"{{name: web, type: http-server, targets: ['{URL}'], agents: ['3', '4', '5'], expect: [{GOOD}]}}"
    text = f"version: 1\nname: own\ntests: [{test}]\n"
    preset = parse_plan(text, "own.yaml", None, environ={})
    found = asked(tmp_path, DEAD, question=Question((URL,), preset=preset))
    assert (found.exit_code, found.account.tests) == (Exit.EXPECTATION_FAILED, 1)
    assert found.found.confirmed


def test_who_looks_is_shown_every_second_how_it_stands(tmp_path: Path) -> None:
    seen: list[Picture] = []

    async def work(opened: Simulated) -> None:
        await diagnose(opened.session, Question((URL,)), show=seen.append)

    simulated(work, tmp_path, DEAD)
    gaps = [after.elapsed - before.elapsed for before, after in pairwise(seen)]
    assert max(gaps[:-1]) <= 1.6
    assert [one.elapsed for one in seen] == sorted(one.elapsed for one in seen)


def test_a_stop_ends_it_with_its_code_and_a_run_that_can_be_resumed(tmp_path: Path) -> None:
    async def work(opened: Simulated) -> tuple[Diagnosed, Any]:
        async def stop() -> Any:
            await opened.session.doors.clock.sleep(12.0)
            yield Exit.SIGINT

        @contextmanager
        def attend(_: object) -> Any:
            yield Attendance(stops=stop(), grace=2.0)

        found = await diagnose(opened.session, Question((URL,)), attend=attend)
        resumed = await opened.resume(found.runs[0])
        return found, resumed

    found, resumed = simulated(work, tmp_path)
    assert (found.exit_code, found.account.stopped) == (Exit.SIGINT, "interrupted")
    assert resumed.code == 0
    assert resumed.states() == {"complete": 2}


def test_after_a_stop_nothing_more_is_begun_and_nothing_becomes_public(tmp_path: Path) -> None:
    async def work(opened: Simulated) -> tuple[Diagnosed, list[object]]:
        async def stop() -> Any:
            await opened.session.doors.clock.sleep(12.0)
            yield Exit.SIGINT

        @contextmanager
        def attend(_: object) -> Any:
            # Long enough for what is paid for to come in and to tell all apart.
            yield Attendance(stops=stop(), grace=300.0)

        found = await diagnose(opened.session, Question((URL,), share=True), attend=attend)
        return found, list(opened.service.witness()["snapshots"])

    found, public = simulated(work, tmp_path, DEAD)
    assert (found.account.stopped, len(found.runs), found.account.reruns) == ("interrupted", 1, 0)
    assert public == []
    assert found.account.snapshot is None


def test_the_second_round_hears_the_stops_too_and_the_second_one_leaves_it_at_once(tmp_path: Path) -> None:
    left: list[float] = []

    async def work(opened: Simulated) -> Diagnosed:
        clock, seen = opened.session.doors.clock, anyio.Event()

        def show(picture: Picture) -> None:
            if picture.stage == "confirming" and picture.elapsed > 1.0:
                seen.set()

        async def stop() -> Any:
            await seen.wait()
            left.append(clock.now())
            yield Exit.SIGTERM
            yield Exit.SIGTERM

        @contextmanager
        def attend(_: object) -> Any:
            yield Attendance(stops=stop(), grace=30.0)

        found = await diagnose(opened.session, Question((URL,)), attend=attend, show=show)
        left.append(clock.now())
        return found

    # Whether the tests are run once more is never answered.
    hangs = Fault("silent-after", "rerun")
    found = simulated(work, tmp_path, DEAD, faults=(hangs,))
    assert found.exit_code is Exit.SIGTERM
    assert len(found.runs) == 2
    assert left[1] - left[0] < 5.0


def test_a_second_person_is_told_which_run_to_watch(tmp_path: Path) -> None:
    async def work(opened: Simulated) -> tuple[str, str | None, str]:
        store, told = opened.session.doors.store, list[PlanBusy]()

        async def second() -> None:
            await opened.session.doors.clock.sleep(10.0)
            with pytest.raises(PlanBusy) as busy:
                await diagnose(opened.session, Question((URL,)))
            told.append(busy.value)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(second)
            tasks.start_soon(diagnose, opened.session, Question((URL,)))
        run = (await store.runs(1))[0]
        assert run.state is RunState.COMPLETE
        return told[0].message, told[0].hint, run.id

    message, hint, run = simulated(work, tmp_path)
    assert run in message
    assert hint == f"watch it: orchestrator show {run}"


def test_another_target_is_diagnosed_at_the_same_time(tmp_path: Path) -> None:
    async def work(opened: Simulated) -> list[Diagnosed]:
        found: list[Diagnosed] = []

        async def one(url: str) -> None:
            found.append(await diagnose(opened.session, Question((url,))))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one, URL)
            tasks.start_soon(one, "https://www.example.com")
        return found

    found = simulated(work, tmp_path, DEAD)
    codes = {one.found.asked.title: one.exit_code for one in found}
    assert codes == {URL: Exit.EXPECTATION_FAILED, "https://www.example.com": Exit.OK}


@pytest.mark.parametrize(
    ("question", "error"),
    [
        (Question(()), UsageProblem),
        (Question((URL,), box=5.0), UsageProblem),
        (Question((URL,), agents=0), UsageProblem),
        (Question((URL,), against="no-such-run"), UsageProblem),
        (Question((URL,), whence=places(["country=ZZ"])), UsageProblem),
        (Question((URL,), whence=places(["id=999999"])), UsageProblem),
        (Question((URL,), whence=places(["deadbeef00"])), UsageProblem),
        (Question(tuple(f"https://s{n}.example.com" for n in range(9))), CeilingExceeded),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_created(
    question: Question, error: type[Exception], tmp_path: Path
) -> None:
    async def work(opened: Simulated) -> Sequence[object]:
        with pytest.raises(error):
            await diagnose(opened.session, question)
        created: Sequence[object] = opened.service.witness()["creations"]
        return created

    assert not simulated(work, tmp_path)


def test_specs_that_were_added_before_a_kill_are_collected_by_a_resume(tmp_path: Path) -> None:
    """As after kill -9 between the second wave's write and its first creation: nothing was sent of it."""

    async def work(opened: Simulated) -> Any:
        found = await diagnose(opened.session, Question((URL,), waves=False, confirm=False))
        store = opened.session.doors.store
        run = await store.run(found.runs[0])
        tests = await store.tests(run.id)
        more = replace(
            tests[0], spec=replace(tests[0].spec, key="later"), test_id=None, state=SpecState.PLANNED
        )
        planned = Planned(len(tests) + 1, sum(len(one.spec.agents) for one in (*tests, more)))
        facts = replace(run.facts, planned=planned)
        await store.add_specs(run.id, [more], facts)
        await store.update_run(run.id, state=RunState.RUNNING, finished=None, exit_code=None, facts=facts)
        return await opened.resume(run.id)

    resumed = simulated(work, tmp_path)
    assert resumed.states() == {"complete": 3}


def test_the_world_has_agents_enough_for_what_is_said_here() -> None:
    assert sum(1 for one in listed(world()) if one.country == "US") >= 3
    assert running.GRACE > 2.0
