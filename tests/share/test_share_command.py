"""`orchestrator report --share` as people meet it: asked for first, made once, killed in the middle."""

from __future__ import annotations

import os
import pty
from collections.abc import Iterator
from pathlib import Path

import pytest
from process_world import Ended, World, ended, looked_at, plan_text, until

SITE = "https://site-0.example.com"
CULPRIT = "host=site-0.example.com:dead"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, culprits=[CULPRIT]) as made:
        assert made.do("run", made.plan(plan_text(sites=2)), "-q").code == 1
        yield made


def words(world: World, *more: str) -> tuple[str, ...]:
    return ("report", "last", "--base-url", world.origin, "--share", "2", *more)


def answering(world: World, answer: str) -> Ended:
    """With a terminal whose person says this."""
    ours, theirs = pty.openpty()
    try:
        process = world.start(*words(world), stdin=theirs)
        os.write(ours, f"{answer}\n".encode())
        return ended(process)
    finally:
        os.close(ours)
        os.close(theirs)


def test_nothing_becomes_public_without_a_yes_and_of_a_test_there_is_one(world: World) -> None:
    alone = world.do(*words(world))
    assert (alone.code, alone.out) == (2, ""), alone
    assert "--yes" in alone.err
    no = answering(world, "n")
    assert (no.out, world.witness()["snapshots"]) == ("", []), no
    assert no.code != 0
    assert f"web {SITE}: 5 of 5 cells fail, cause 1" in no.err
    assert "Anybody who has the link" in no.err
    yes = answering(world, "y")
    assert yes.code == 0, yes
    (made,) = world.witness()["snapshots"]
    assert made["public"]
    link = f"https://{made['id']}.share.thousandeyes.invalid/view/tests/"
    again = world.do(*words(world, "--yes", "--format", "json"))
    assert again.code == 0, again
    assert "(made before)" in again.err
    told = again.document["snapshots"]
    assert [(one["target"], one["state"]) for one in told] == [(SITE, "made")]
    assert told[0]["link"].startswith(link)
    for shown in (world.do("show", "last"), world.do("report", "last"), yes):
        assert link in shown.out
    assert len(world.witness()["snapshots"]) == 1


def test_a_kill_between_the_request_and_its_answer_makes_no_second_one(world: World) -> None:
    with world.stopped():
        process = world.start(*words(world, "--yes"))

        def is_intended() -> bool:
            with looked_at(world.store) as store:
                return bool(store.execute("SELECT count(*) FROM snapshots").fetchone()[0])

        until(is_intended, "the intention is durable")
        process.kill()
        ended(process)
    again = world.do(*words(world, "--yes"))
    assert "may exist" in again.err, again
    assert "may exist" in again.out
    assert len(world.witness()["snapshots"]) <= 1
