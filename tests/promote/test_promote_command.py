"""`orchestrator promote` as people meet it: what it writes, and that it creates a scheduled test once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from process_world import Ended, World, ended, plan_text

SITE = "https://site-0.example.com"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as made:
        yield made


def swept(world: World) -> None:
    """A run with one site."""
    done = world.do("run", world.plan(plan_text(sites=2)), "-q")
    assert done.code == 0, done


def promote(world: World, *words: str | Path, **options: Any) -> Ended:
    return world.do("promote", "last", *words, "--base-url", world.origin, **options)


def test_one_test_is_the_body_itself_and_its_price_is_told_beside_it(world: World) -> None:
    swept(world)
    said = promote(world, "--target", SITE, "--interval", "15m")
    assert said.code == 0, said
    body = said.document
    assert (body["url"], body["interval"], body["alertsEnabled"], body["enabled"]) == (SITE, 900, False, True)
    assert body["testName"].endswith(SITE)
    assert len(body["agents"]) == 5
    assert "POST /v7/tests/http-server, about" in said.err
    assert "in 30 days" in said.err
    file = world.folder / "body.json"
    agent = body["agents"][1]["agentId"]
    cell = promote(world, "--cell", f"{SITE}@{agent}", "--name", "watch", "-o", file)
    assert (cell.code, cell.out) == (0, ""), cell
    written = json.loads(file.read_text("utf-8"))
    assert (written["agents"], written["testName"]) == ([{"agentId": agent}], "watch")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "one of --cause, --cell and --target"),
        (("--cause", "1", "--target", "x"), "one of --cause, --cell and --target"),
        (("--target", "nothing"), "has no target 'nothing'"),
        (("--cell", "https://site-0.example.com@nobody"), "has no agent 'nobody'"),
        (("--cause", "7"), "has no explanation 7"),
        (("--target", ""), "--target is empty"),
        (("--cell", " ", "--create", "--yes"), "--cell is empty"),
        (("--cell", "@x"), "names no target"),
        (("--target", "*", "--name", "x"), "2 tests cannot have one name"),
        (("--target", "*", "--create"), "nobody is there to be asked"),
        (("--target", "*", "--create", "--terraform"), "leave --terraform and -o out"),
        (("--target", "*", "--yes"), "--yes and --again are of --create"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_created(
    swept_once: World, words: tuple[str, ...], told: str
) -> None:
    said = promote(swept_once, *words)
    assert (said.code, said.out) == (2, ""), said
    assert told in said.err
    assert swept_once.witness()["scheduled"] == []


@pytest.fixture(scope="module")
def swept_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("promote")) as made:
        swept(made)
        yield made


def test_a_scheduled_test_is_created_once_however_often_it_is_asked_for(world: World) -> None:
    swept(world)
    first = promote(world, "--target", SITE, "--create", "--yes")
    assert first.code == 0, first
    again = promote(world, "--target", SITE, "--create", "--yes")
    assert again.code == 0, again
    made = world.witness()["scheduled"]
    assert [one["type"] for one in made] == ["http-server"]
    assert first.out.split("\t")[0] == again.out.split("\t")[0] == made[0]["test_id"]
    assert "is there already" in again.out
    other = promote(world, "--target", SITE, "--interval", "1h", "--create", "--yes")
    assert other.code == 0, other
    assert len(world.witness()["scheduled"]) == 2
    story = world.do("explain", "last", SITE)
    assert f"scheduled as test {made[0]['test_id']}" in story.out


@pytest.mark.parametrize("fault", ["reset-after", "502-taken"])
def test_an_order_whose_answer_was_lost_is_not_sent_again_by_itself(tmp_path: Path, fault: str) -> None:
    with World(tmp_path, faults=[{"kind": fault, "match": "schedule", "first": 1}]) as world:
        swept(world)
        lost = promote(world, "--target", SITE, "--create", "--yes")
        assert lost.code == 3, lost
        assert "not known" in lost.err
        refused = promote(world, "--target", SITE, "--create", "--yes")
        assert refused.code == 2, refused
        assert "--again" in refused.err
        assert len(world.witness()["scheduled"]) == 1
        meant = promote(world, "--target", SITE, "--create", "--yes", "--again")
        assert meant.code == 0, meant
        assert len(world.witness()["scheduled"]) == 2


def test_what_the_api_refuses_can_be_ordered_again(tmp_path: Path) -> None:
    with World(tmp_path, faults=[{"kind": "400", "match": "schedule", "first": 1}]) as world:
        swept(world)
        refused = promote(world, "--target", SITE, "--create", "--yes")
        assert refused.code == 3, refused
        assert "did not take" in refused.err
        assert promote(world, "--target", SITE, "--create", "--yes").code == 0
        assert len(world.witness()["scheduled"]) == 1


def test_a_kill_between_the_order_and_its_answer_creates_nothing_twice(world: World) -> None:
    swept(world)
    with world.stopped():
        process = world.start(
            "promote", "last", "--target", SITE, "--create", "--yes", "--base-url", world.origin
        )
        _until_intended(world)
        process.kill()
        ended(process)
    again = promote(world, "--target", SITE, "--create", "--yes")
    assert again.code == 2, again
    assert len(world.witness()["scheduled"]) <= 1


def test_orders_at_the_same_time_create_it_once(world: World) -> None:
    swept(world)
    words = ("promote", "last", "--target", SITE, "--create", "--yes", "--base-url", world.origin)
    all_of_them = [ended(one) for one in [world.start(*words) for _ in range(3)]]
    assert [one.code for one in all_of_them] == [0, 0, 0], "\n".join(map(str, all_of_them))
    assert len(world.witness()["scheduled"]) == 1


def _until_intended(world: World) -> None:
    from process_world import looked_at, until  # noqa: PLC0415 - of this test alone

    def there() -> bool:
        with looked_at(world.store) as store:
            found = store.execute("SELECT count(*) FROM events WHERE kind = 'promotion.intended'").fetchone()
        return bool(found[0])

    until(there, "the order is durable")


def test_a_simulated_run_has_nothing_to_create_from(world: World) -> None:
    plan, words = world.plan(plan_text(sites=1)), ("--simulate", "-q", "--store", str(world.store))
    command = [sys.executable, "-m", "orchestrator", "run", str(plan), *words]
    assert subprocess.run(command, env=world.environment(), check=False).returncode == 0
    said = promote(world, "--target", SITE, "--create", "--yes")
    assert said.code == 2
    assert "was simulated" in said.err
