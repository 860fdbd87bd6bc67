"""Two runs of one organization, each a process of its own, share its limits; one dies, the other goes on.

The real command line, its own store and shared budget, a loopback API in a third process as the witness, and
a clock twenty times faster than life for all of them, so that a window of a minute is three seconds.
"""

from __future__ import annotations

import signal
from collections import Counter
from functools import partial
from pathlib import Path

from process_world import PATIENCE, World, ended, plan_text, sums, until

INSTANT, ORGANIZATION, SITES = 4, 40, 9


def test_two_runs_share_the_limits_and_when_one_is_killed_the_other_goes_on(tmp_path: Path) -> None:
    with World(tmp_path, speed=20.0, instant_limit=INSTANT, organization_limit=ORGANIZATION) as world:
        runs = {}
        try:
            # One after the other: on a slow machine the survivor must not be done before the other begins.
            for name, sites in (("victim", 4 * SITES), ("survivor", SITES)):
                text = plan_text(name, sites=sites)
                runs[name] = world.start("run", world.plan(text, f"{name}.yaml"), "--json")
                until(partial(has_created, world, name), f"creations of the {name}")
            runs["victim"].send_signal(signal.SIGKILL)
            assert runs["victim"].wait(PATIENCE) == -signal.SIGKILL
            before = created(world, "survivor")
            done = ended(runs["survivor"])
        finally:
            for process in runs.values():
                process.kill()
                process.communicate()
        witness = world.witness()

    assert done.code == 0, str(done)
    assert done.document["tests"]["complete"] == SITES, "the survivor did not finish"
    assert sums(done.document) == []
    assert before < SITES, "the survivor was done before the other died, so nothing was proved"
    assert witness["refused_429"]["own"] == 0, f"the limits were overspent: {witness['refused_429']}"
    per_window = Counter(int(made["at"] // 60) for made in witness["creations"])
    assert max(per_window.values()) <= INSTANT
    assert INSTANT in per_window.values(), "no window was used up, so sharing was not put to the test"


def created(world: World, plan: str = "") -> int:
    """How many tests exist, of one plan or of all."""
    return sum(str(made["name"]).startswith(plan) for made in world.creations())


def has_created(world: World, plan: str) -> bool:
    """Whether a test of the plan exists."""
    return created(world, plan) > 0
