"""A creation whose answer was lost: said so, never repeated by default, and what a person can do about it."""

from __future__ import annotations

import pytest
from process_world import Ended, World, plan_text, states, sums

# Killed between intention and POST, while the answer is on its way, and before the outcome is stored.
INSTANTS = ["intend.after:2", "post.during:2", "post.after:2"]


def killed(world: World, instant: str = "post.after:2") -> None:
    """A run of four specs that was killed in the middle of its second creation (and perhaps of its third)."""
    done = world.do("run", world.plan(plan_text(sites=4)), PROCESS_KILL=instant)
    assert done.code == -9, str(done)


def lost(world: World) -> list[dict[str, str]]:
    """What ``reconcile`` lists."""
    found = world.do("reconcile", "--json").document["unknown"]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("instant", INSTANTS)
def test_a_creation_in_flight_at_the_kill_becomes_unknown_is_said_so_and_is_not_repeated(
    world: World, instant: str
) -> None:
    killed(world, instant)
    in_flight = states(world.store)["creating"]
    assert in_flight >= 1
    shown = world.do("show", "--json").document
    assert (shown["state"], shown["exit_code"]) == ("interrupted", 3), "nobody holds its lock any more"
    assert shown["tests"]["unknown"] == in_flight, "said before a resume too"

    resumed = world.do("resume", "last", "--json")
    assert resumed.code == 3, str(resumed)
    tests = resumed.document["tests"]
    assert (tests["unknown"], tests["complete"]) == (in_flight, 4 - in_flight)
    assert sums(resumed.document) == []
    marker = lost(world)[0]["name"]
    assert marker[marker.rindex("[") :] in world.do("show").out, "show names what to look for"
    before = world.creations()
    assert world.do("resume", "last").code == 3, "still unknown"
    assert world.creations() == before
    assert world.duplicates() == []


def test_retry_is_a_policy_that_must_be_stated(world: World) -> None:
    killed(world)
    assert world.do("resume").code == 3
    taken = {creation["name"] for creation in lost(world)} & {test["name"] for test in world.creations()}
    retried = world.do("resume", "--unknown", "retry", "--json")
    assert retried.code == 0, str(retried)
    assert retried.document["tests"]["complete"] == 4
    # This is what the policy means: those were taken, and paid for, and nobody knows their ids.
    assert set(world.duplicates()) == taken


def test_skipped_creations_stay_unknown_are_not_spoken_of_and_are_never_tried_again(world: World) -> None:
    killed(world)
    in_flight = states(world.store)["creating"]
    skipped = world.do("resume", "--unknown", "skip", "--json")
    assert skipped.code == 3, str(skipped)
    assert skipped.document["tests"]["unknown"] == in_flight
    assert lost(world) == []
    assert "unknown outcome" not in world.do("show").out
    assert world.do("resume", "--unknown", "retry").code == 3
    assert world.duplicates() == []


@pytest.mark.parametrize("resumed_before", [False, True])
def test_an_adopted_test_is_collected_by_the_resume(world: World, resumed_before: bool) -> None:
    killed(world)
    if resumed_before:
        assert world.do("resume").code == 3
    ids = {test["name"]: test["test_id"] for test in world.creations()}
    # The second creation was taken for sure; a third one may have been about to leave.
    taken = [creation for creation in lost(world) if creation["name"] in ids]
    never_left = len(lost(world)) - len(taken)
    assert taken
    for creation in taken:
        found = ids[creation["name"]]
        done = world.do("reconcile", "last", "--adopt", f"{creation['spec'][:6]}={found}")
        assert done.code == 0, str(done)
        assert f"adopted {found}" in done.err
        assert "orchestrator resume" in done.err

    resumed = world.do("resume", "--json")
    assert resumed.code == (3 if never_left else 0), str(resumed)
    assert resumed.document["tests"]["complete"] == 4 - never_left
    assert world.duplicates() == []
    assert len(lost(world)) == never_left


def test_an_id_of_another_test_is_refused_and_one_that_was_a_mistake_is_put_right(world: World) -> None:
    killed(world)
    assert world.do("resume").code == 3
    ids = {test["name"]: test["test_id"] for test in world.creations()}
    lost_names = {creation["name"] for creation in lost(world)}
    creation = next(creation for creation in lost(world) if creation["name"] in ids)
    others = next(found for name, found in ids.items() if name not in lost_names)
    refused = world.do("reconcile", "--adopt", f"{creation['spec']}={others}")
    assert refused.code == 2, str(refused)
    assert f"test {others} is that of" in refused.err
    for found in ("1", ids[creation["name"]]):
        done = world.do("reconcile", "--adopt", f"{creation['spec']}={found}")
        assert done.code == 0, str(done)
    resumed = world.do("resume", "--json")
    assert resumed.document["tests"]["complete"] == 4 - len(lost(world)), str(resumed)
    assert creation["spec"] not in {other["spec"] for other in lost(world)}


def test_one_lost_creation_is_created_again_and_the_others_stay_as_they_are(world: World) -> None:
    killed(world)
    assert world.do("resume").code == 3
    first, *others = lost(world)
    taken = {test["name"] for test in world.creations()}
    done = world.do("reconcile", "--again", first["spec"][:8], "--json")
    assert (done.code, done.document["unknown"]) == (0, others)
    assert "orchestrator resume" in done.err
    resumed = world.do("resume", "--json")
    assert resumed.document["tests"]["unknown"] == len(others)
    assert resumed.document["tests"]["complete"] == 4 - len(others)
    assert sums(resumed.document) == []
    # It was asked for by name: where the first one was taken, it was paid for twice.
    assert set(world.duplicates()) == {first["name"]} & taken


def test_a_creation_that_was_given_up_is_listed_no_more(world: World) -> None:
    killed(world)
    assert world.do("resume").code == 3
    creations = lost(world)
    options = [word for creation in creations for word in ("--give-up", creation["spec"])]
    done = world.do("reconcile", *options, "--json")
    assert (done.code, done.document["unknown"]) == (0, [])
    resumed = world.do("resume", "--json")
    assert (resumed.code, resumed.document["tests"]["unknown"]) == (3, len(creations))
    told = world.do("report", "last").out
    assert "outcome is unknown" not in told, "the report asks for what was given up"
    assert "orchestrator reconcile" not in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--adopt", "ffffffff=1"], "no unknown creation begins with"),
        (["--adopt", "nonsense"], "SPEC=TESTID"),
        (["--adopt", "abc=12x"], "SPEC=TESTID"),
        (["--give-up", "ffffffff"], "no unknown creation begins with"),
        (["--again", "ffffffff"], "no unknown creation begins with"),
    ],
)
def test_a_wrong_name_changes_nothing(world: World, arguments: list[str], said: str) -> None:
    killed(world)
    before = lost(world)
    done: Ended = world.do("reconcile", *arguments)
    assert done.code == 2, str(done)
    assert said in done.err
    assert lost(world) == before
