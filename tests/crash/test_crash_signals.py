"""SIGINT and SIGTERM: the first stops creations and collects what is paid for, the second leaves at once."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from process_world import PATIENCE, World, ended, plan_text, stands_still, states, sums, until

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
# So few creations a minute that a run is in the middle of its creations when it is interrupted.
FEW = {"instant_limit": 3}
SITES = 8


def begin(world: World, creations: int, *options: str, **environment: Any) -> subprocess.Popen[str]:
    """A run of eight specs that has created so many."""
    process = world.start("run", world.plan(plan_text(sites=SITES)), "--json", *options, **environment)
    until(lambda: len(world.creations()) >= creations, f"{creations} creations")
    return process


def hears(process: subprocess.Popen[str]) -> None:
    """The first signal is heard: it says so."""
    assert process.stderr is not None
    while "no more creations" not in process.stderr.readline():
        assert process.poll() is None, "ended before the first signal was heard"


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_the_first_signal_stops_creations_collects_what_is_paid_for_and_can_be_resumed(
    make_world: Callable[..., World], number: signal.Signals, code: int
) -> None:
    world = make_world(**FEW)
    process = begin(world, 3, "--grace", "100000", PROCESS_STOP="created.after:3")
    stands_still(process)
    process.send_signal(number)
    process.send_signal(signal.SIGCONT)
    done = ended(process)
    assert done.code == code, str(done)
    assert f"{number.name}: no more creations" in done.err
    run = done.document["run"]
    assert f"orchestrator resume {run}" in done.err
    created = len(world.creations())
    assert created < SITES, "went on creating after the signal"
    assert done.document["state"] == "interrupted"
    tests = done.document["tests"]
    assert tests["complete"] == created, f"paid for but not collected: {tests}"
    assert tests["not_run"] == SITES - created
    assert sums(done.document) == []

    resumed = world.do("resume", run, "--json")
    assert resumed.code == 0, str(resumed)
    assert resumed.document["tests"]["complete"] == len(world.creations()) == SITES
    assert world.duplicates() == []


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_the_second_signal_leaves_at_once_and_the_resume_collects_what_was_paid_for(
    make_world: Callable[..., World], number: signal.Signals, code: int
) -> None:
    world = make_world(**FEW)
    process = begin(world, 3, "--grace", "100000", PROCESS_STOP="created.after:3")
    stands_still(process)
    assert states(world.store)["waiting"] == 3, "three outcomes in the store"
    with world.stopped():  # so that nothing is collected between the signals
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        hears(process)
        process.send_signal(number)
        done = ended(process)
    assert done.code == code, str(done)
    assert "left at once; go on with: orchestrator resume" in done.err
    shown = world.do("show", "last", "--json").document
    assert (shown["state"], shown["exit_code"], sums(shown)) == ("interrupted", code, [])

    resumed = world.do("resume", "--json")
    unknown = resumed.document["tests"]["unknown"]
    assert resumed.code == (3 if unknown else 0), str(resumed)
    assert resumed.document["tests"]["complete"] == SITES - unknown
    assert world.duplicates() == []


def test_a_creation_that_was_under_way_when_the_second_signal_came_is_unknown_and_not_repeated(
    make_world: Callable[..., World],
) -> None:
    # The second creation is taken at once, and its answer comes long after this test.
    world = make_world(faults=[{"kind": "slow-headers", "match": "create", "nth": 2, "value": 1e6}])
    process = begin(world, 2, PROCESS_TIMEOUT=2 * PATIENCE)
    process.send_signal(signal.SIGINT)
    hears(process)
    process.send_signal(signal.SIGINT)
    assert ended(process).code == 130
    # That one for sure, and one more where the machine is busy.
    lost = states(world.store)["creating"]
    assert lost >= 1
    resumed = world.do("resume", "--json")
    assert resumed.code == 3, str(resumed)
    assert (resumed.document["tests"]["unknown"], resumed.document["tests"]["complete"]) == (
        lost,
        SITES - lost,
    )
    assert sums(resumed.document) == []
    assert world.duplicates() == []


def test_a_look_that_hangs_does_not_outlast_the_grace(make_world: Callable[..., World]) -> None:
    world = make_world(faults=[{"kind": "silent-before", "match": "read"}])
    # A request could take longer than this test waits.
    process = begin(world, SITES, "--grace", "40", PROCESS_TIMEOUT=2 * PATIENCE)
    until(lambda: world.witness()["requests"].get("read", 0) > 0, "a look that hangs")
    process.send_signal(signal.SIGTERM)
    done = ended(process)
    assert done.code == 143, str(done)
    assert sums(done.document) == []
    assert done.document["tests"]["timed_out"] == SITES, "created, and nothing came"
    assert states(world.store) == {"waiting": SITES}, "an interruption is no deadline"


def test_an_interrupted_run_writes_its_reports_too(make_world: Callable[..., World], tmp_path: Path) -> None:
    world = make_world(**FEW)
    outputs = [tmp_path / "report.md", tmp_path / "report.json"]
    words = [word for path in outputs for word in ("-o", str(path))]
    process = begin(world, 3, "--grace", "0", *words)
    process.send_signal(signal.SIGTERM)
    done = ended(process)
    assert done.code == 143, str(done)
    assert "INTERRUPTED" in outputs[0].read_text("utf-8").upper()
    written = json.loads(outputs[1].read_bytes())
    assert written.items() <= done.document.items(), "as on stdout"
    assert list(tmp_path.glob("**/*.part")) == []


@pytest.mark.parametrize("kind", ["silent-before", "silent-after"])
def test_a_creation_that_hangs_does_not_outlast_the_grace(
    make_world: Callable[..., World], kind: str
) -> None:
    world = make_world(faults=[{"kind": kind, "match": "create"}])
    process = world.start("run", world.plan(plan_text(sites=SITES)), "--json", "--grace", "5")
    until(lambda: world.witness()["requests"].get("create", 0) > 0, "a creation that hangs")
    process.send_signal(signal.SIGTERM)
    done = ended(process, 20.0)
    assert done.code == 143, str(done)
    assert sums(done.document) == []
    assert done.document["tests"]["unknown"] == 1, "it may exist, and is for reconcile"
    assert done.document["tests"]["not_run"] == SITES - 1
    assert "reconcile" in world.do("show").out


def test_a_signal_before_anything_is_stored_ends_quietly(make_world: Callable[..., World]) -> None:
    world = make_world(faults=[{"kind": "silent-before", "match": "agents"}])
    process = world.start("run", world.plan(plan_text()))
    until(lambda: world.witness()["requests"].get("agents", 0) > 0, "the question for agents")
    process.send_signal(signal.SIGINT)
    done = ended(process)
    assert done.code == 130, str(done)
    assert "Traceback" not in done.err
    assert world.creations() == []
