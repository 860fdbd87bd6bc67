"""A diagnosis that is not alone: two at once on one host, and one beside a sweep. Real processes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from process_world import World, ended, plan_text, until

# A minute of the limits is six seconds; the sweep needs several minutes of them.
SPEED, INSTANT, SITES = 10.0, 6, 24
LONGEST = 210.0  # the box, and 30 seconds
URLS = ("https://shop.example.com", "https://mail.example.com")


@dataclass(frozen=True, slots=True)
class Beside:
    """What came of it, for a table, and whether it is as it should be; ``first``: with the sweep still going
    on, which then ended well."""

    figure: str
    good: bool
    first: bool = False


def _ask(world: World, url: str) -> Any:
    return world.start(
        *(
            "diagnose",
            url,
            "--base-url",
            world.origin,
            "--json",
            "-o",
            str(world.folder / "t.html"),
            "--quiet",
        )
    )


def side_by_side(folder: Path) -> Beside:
    """Two incidents of two targets, begun at once."""
    with World(folder, speed=SPEED) as world:
        processes = [_ask(world, url) for url in URLS]
        done = [ended(process) for process in processes]
        refused = world.witness()["refused_429"]["own"]
    told = [one.document["diagnose"] for one in done]
    seconds = [one["seconds"] for one in told]
    good = [one.code for one in done] == [0, 0] and max(seconds) <= LONGEST and refused == 0
    return Beside(f"{', '.join(f'{one:.0f} s' for one in seconds)}, {refused} refused", good)


def overtaking(folder: Path, speed: float = SPEED, instant: int = INSTANT, sites: int = SITES) -> Beside:
    """An incident while a sweep of the same organization goes on, which uses up its limits."""
    with World(folder, speed=speed, instant_limit=instant) as world:
        plan = world.plan(plan_text("sweep", sites=sites))
        sweep = world.start("run", plan, "--json")
        until(partial(_begun, world, instant), "creations of the sweep")
        diagnosis = ended(_ask(world, URLS[0]))
        left = sites - sum(str(one["name"]).startswith("sweep") for one in world.creations())
        swept = ended(sweep)
    told = json.loads(diagnosis.out)["diagnose"]
    first = diagnosis.code == 0 and left > 0 and swept.code == 0
    rest = f"{left} of {sites} of the sweep still to create, which ended {swept.code}"
    return Beside(f"{told['seconds']:.0f} s; {rest}", first and told["seconds"] <= LONGEST, first)


def _begun(world: World, least: int) -> bool:
    return len(world.creations()) >= least
