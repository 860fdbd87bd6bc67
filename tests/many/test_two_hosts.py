"""Commands that share an organization over PostgreSQL, as on several hosts, against a simulated world."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import PostgresServer
from process_world import World, ended, plan_text
from stores import lent

SITES = 30
# A machine that stands still for a moment is no reason to lose a request: minutes of this world are seconds.
SPEED = 20.0


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    """A store with its tables."""
    yield from lent(postgres)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, speed=SPEED, organization_limit=2400, instant_limit=24) as world:
        yield world


def test_two_runs_share_the_limits_of_an_organization_and_none_is_refused(world: World, url: str) -> None:
    runs = [
        world.start(
            *("run", world.plan(plan_text(name, sites=SITES), f"{name}.yaml")),
            *("--store", url, "--organization", "acme", "--json"),
        )
        for name in ("one", "two")
    ]
    came = [ended(run) for run in runs]
    assert [one.code for one in came] == [0, 0], "\n".join(map(str, came))
    assert len(world.creations()) == 2 * SITES
    assert world.witness()["refused_429"]["own"] == 0
    assert world.duplicates() == []


def test_an_organization_is_written_down_and_rests_and_names_must_be_known(world: World, url: str) -> None:
    def do(*words: str) -> str:
        found = world.do(*words, "--store", url)
        assert found.code == 0, str(found)
        return found.out + found.err

    plan = world.plan(plan_text(sites=1))
    here = ("--base-url", world.origin)
    assert "any name" in do("organizations", "list")
    assert "new: acme" in do(
        "organizations", "set", "acme", *here, "--keep-answers", "30d", "--most-runs", "3"
    )
    do("organizations", "set", "acme", "--token", "env:TE_TOKEN_ACME", "--keep-answers", "ever")
    (kept,) = json.loads(world.do("organizations", "list", "--json", "--store", url).out)["organizations"]
    assert kept["origin"] == world.origin
    assert (kept["token"], kept["most_runs"], kept["answers_kept"]) == ("env:TE_TOKEN_ACME", 3, None)

    def run(name: str) -> tuple[int, str]:
        found = world.do("run", plan, "--store", url, "--organization", name)
        return found.code, found.err

    code, told = run("acne")
    assert code == 2
    assert "did you mean acme" in told
    do("organizations", "pause", "acme", "--reason", "the contract ended")
    code, told = run("acme")
    assert code == 2
    assert "paused: the contract ended" in told
    do("organizations", "resume", "acme")
    assert run("acme")[0] == 0
    assert len(world.creations()) == 1


def test_a_token_instead_of_its_reference_is_refused_and_never_repeated(world: World, url: str) -> None:
    here = ("--base-url", world.origin, "--store", url)
    found = world.do("organizations", "set", "acme", "--token", "sesame-123", *here)
    assert found.code == 2, str(found)
    assert "no reference to a token" in found.err
    assert "sesame-123" not in found.err
    assert "there is no organization" in world.do("organizations", "pause", "acme", "--store", url).err
