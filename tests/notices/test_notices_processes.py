"""The command line, killed at every point: nothing is lost, nothing is sent twice after an answer that came.

A receiver on loopback is the witness. The addresses are in a file, as secrets are; nothing repeats them.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from process_world import Ended, World, plan_text
from receiver import Receiver, receiving

# Where a process may die that delivers a notice: before the receiver can have answered, while nobody knows
# whether it has, and after the mark.
BEFORE_THE_ANSWER = ("begin_notice.before", "begin_notice.inside", "begin_notice.after", "notice.before")
UNKNOWN = ("notice.during", "notice.after", "end_notice.before", "end_notice.inside")
AFTER_THE_MARK = ("end_notice.after",)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world"), speed=200.0) as world:
        yield world


@pytest.fixture(scope="module")
def bad(world: World) -> Path:
    """A plan whose one site fails."""
    return world.plan(plan_text("sweep", sites=1).replace("site-0", "fail"), "bad.yaml")


@pytest.fixture(scope="module")
def good(world: World) -> Path:
    return world.plan(plan_text("sweep", sites=1), "good.yaml")


def channels(folder: Path, receiver: Receiver) -> Path:
    """The file that tells where the channel is."""
    book = folder / "channels"
    book.write_text(f"oncall = {receiver.url}/secret-secret-secret-hook\n")
    book.chmod(0o600)
    return book


def run(world: World, plan: Path, book: Path, store: Path, *more: str, **options: str) -> Ended:
    asked = ("--notify", "oncall", "--notify-file", str(book), "-q", *more)
    return world.do("run", plan, *asked, store=store, **options)


@pytest.fixture(scope="module")
def left(world: World, bad: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a run that died when its notice had been written."""
    folder = tmp_path_factory.mktemp("left")
    with receiving() as receiver:
        killed = run(
            world, bad, channels(folder, receiver), folder / "runs.db", PROCESS_KILL="keep_notice.after"
        )
        assert killed.code == -9, killed
        assert receiver.posts == []
    return folder / "runs.db"


@pytest.mark.parametrize("point", [*BEFORE_THE_ANSWER, *UNKNOWN, *AFTER_THE_MARK])
def test_killed_while_it_delivers_a_notice_is_neither_lost_nor_doubled(
    world: World, left: Path, tmp_path: Path, point: str
) -> None:
    store = Path(shutil.copyfile(left, tmp_path / "runs.db"))
    with receiving() as receiver:
        book = channels(tmp_path, receiver)
        killed = world.do("notify", "send", "--notify-file", book, store=store, PROCESS_KILL=point)
        assert killed.code == -9, killed
        sent = world.do("notify", "send", "--notify-file", book, store=store)
        assert sent.code == 0, sent
        posts = receiver.posts
        assert receiver.events() == ["bad"], "lost, or another one to who knows the keys"
        assert len({one.key for one in posts}) == 1
        tries = [one.document["attempt"] for one in posts]
        assert tries == [*range(tries[0], tries[0] + len(tries))]
        if point in UNKNOWN:
            assert len(posts) <= 2
            assert posts[-1].document["doubtful"]
            assert "an earlier try may have arrived" in posts[-1].document["text"]
        else:
            assert len(posts) == 1, "sent again after an answer that came"
            # Whether a request had left is not known to who finds that it was about to.
            may_have_left = point in {"begin_notice.after", "notice.before"}
            assert posts[-1].document["doubtful"] is may_have_left


@pytest.mark.parametrize("point", ["keep_notice.before", "keep_notice.inside"])
def test_a_run_that_nobody_lived_to_note_is_told_by_who_sends_what_is_left(
    world: World, bad: Path, tmp_path: Path, point: str
) -> None:
    store = tmp_path / "runs.db"
    with receiving() as receiver:
        book = channels(tmp_path, receiver)
        assert run(world, bad, book, store, PROCESS_KILL=point).code == -9
        for _ in range(2):
            assert world.do("notify", "send", "--notify-file", book, store=store).code == 0
        assert receiver.events() == ["bad"]
        assert len(receiver.posts) == 1


def test_the_next_run_of_the_plan_sends_what_a_kill_left(
    world: World, bad: Path, good: Path, tmp_path: Path
) -> None:
    store = tmp_path / "runs.db"
    with receiving() as receiver:
        book = channels(tmp_path, receiver)
        assert run(world, bad, book, store, PROCESS_KILL="keep_notice.before").code == -9
        assert run(world, good, book, store).code == 0
        assert receiver.events() == ["bad"]
        assert run(world, good, book, store).code == 0
        assert receiver.events() == ["bad", "recovered"]
        assert len(receiver.posts) == 2


@pytest.mark.parametrize("status", [301, 500])
def test_a_receiver_that_errs_changes_no_exit_code_and_is_told(
    world: World, bad: Path, tmp_path: Path, status: int
) -> None:
    store = tmp_path / "runs.db"
    with receiving(lambda _: status) as receiver:
        book = channels(tmp_path, receiver)
        ended = run(world, bad, book, store)
        assert ended.code == 1, ended
        assert f"notice to oncall not delivered: answered {status}" in ended.err
        assert len(receiver.posts) == (1 if status == 301 else 3)
        listed = world.do("notify", "list", "--json", store=store).document["notices"]
        assert [(one["state"], one["event"], one["tries"]) for one in listed] == [
            ("pending", "bad", len(receiver.posts))
        ]
    _keeps_its_secret(ended, store, str(listed))


def _keeps_its_secret(ended: Ended, store: Path, listed: str) -> None:
    with sqlite3.connect(store) as db:
        kept = "\n".join(db.iterdump())
    assert "secret-hook" not in f"{ended.out}{ended.err}{listed}{kept}"
    assert "127.0.0.1" not in ended.err


def test_a_channel_without_an_address_is_told_before_anything_is_created(
    world: World, bad: Path, tmp_path: Path
) -> None:
    created = len(world.creations())
    ended = world.do("run", bad, "--notify", "nobody", store=tmp_path / "runs.db")
    assert ended.code == 2, ended
    assert "no address is known of the channel 'nobody'" in ended.err
    assert "ORCHESTRATOR_NOTIFY_NOBODY" in ended.err
    assert len(world.creations()) == created
    assert not (tmp_path / "runs.db").exists()


def test_the_plan_names_who_is_told_and_a_resume_tells_it_too(world: World, tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    text = plan_text("named", sites=1).replace("site-0", "fail") + "notify: {to: oncall}\n"
    plan = world.plan(text, "named.yaml")
    with receiving() as receiver:
        book = channels(tmp_path, receiver)
        assert world.do("check", plan, store=store).out.count("no address of it is known") == 1
        killed = world.do("run", plan, "--notify-file", book, store=store, PROCESS_KILL="created.after")
        assert killed.code == -9
        assert receiver.posts == []
        resumed = world.do("resume", "--notify-file", book, store=store)
        assert resumed.code == 1, resumed
        assert receiver.events() == ["bad"]
        assert "told oncall: " in resumed.err


def test_a_url_on_the_command_line_is_used_and_forgotten(world: World, bad: Path, tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    with receiving() as receiver:
        url = f"{receiver.url}/secret-secret-secret-hook"
        ended = world.do("run", bad, "--notify", url, "--notify-on", "always", store=store)
        assert ended.code == 1, ended
        assert receiver.events() == ["bad"]
    _keeps_its_secret(ended, store, "")


def test_a_channel_can_be_tried(world: World, tmp_path: Path) -> None:
    with receiving() as receiver:
        book = channels(tmp_path, receiver)
        tried = world.do("notify", "test", "oncall", "--notify-file", book)
        assert tried.code == 0, tried
        assert receiver.events() == ["test"]
        assert json.dumps(receiver.posts[0].document)
        receiver.answers = lambda _: 404
        refused = world.do("notify", "test", "oncall", "--notify-file", book)
        assert refused.code == 3, refused
        assert "answered 404" in refused.err
