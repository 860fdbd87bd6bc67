"""Budgets that all processes of one host share, and what happens when the file or a process dies."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from process_world import PATIENCE, until

import orchestrator
from orchestrator.budget.holders import ASK_AGAIN, URGENT_RUN
from orchestrator.budget.permits import Permit
from orchestrator.budget.readings import LimitReading, Limits
from orchestrator.budget.shared import FAILURES_IN_A_ROW, SharedLedger, budget_key
from orchestrator.events import Fact, kind_of
from orchestrator.store.sqlite.cell import SqliteCell
from orchestrator.store.sqlite.host import boot_id, is_alive

SERVER = 1_700_000_040.0
END = SERVER + 60.0

Make = Callable[..., SharedLedger]


def said(now: float, organization: int, instant: int | None = None, reset: float = END) -> Limits:
    return Limits(
        LimitReading(240, organization, reset),
        None if instant is None else LimitReading(24, instant, reset),
        float(math.floor(SERVER + now)),
        None,
    )


@pytest.fixture
def events() -> list[str]:
    return []


@pytest.fixture
def make(tmp_path: Path, events: list[str]) -> Iterator[Make]:
    made: list[SharedLedger] = []

    def tell(fact: Fact) -> None:
        events.append(kind_of(fact))

    def make(pid: int = 1000, *, urgent: bool = False, boot: str = "boot", key: str = "key") -> SharedLedger:
        cell = SqliteCell(
            tmp_path / "budget.db", key, tell=tell, boot=boot, pid=pid, alive=lambda pid: pid != 666
        )
        ledger = SharedLedger(cell, rng=random.Random(pid), reserve=0.0, urgent=urgent, tell=tell)
        made.append(ledger)
        return ledger

    yield make
    for ledger in made:
        ledger.close()


def opened(ledger: SharedLedger, organization: int = 239, instant: int = 23) -> None:
    permit = ledger.try_reserve(0.5, instant=True)
    assert permit is not None
    ledger.settle(permit, said(0.6, organization, instant), 0.6, status=201)


def test_what_one_process_learned_and_spent_the_other_knows(make: Make) -> None:
    one, other = make(1), make(2)
    opened(one)
    assert one.try_reserve(1.0, instant=False) is not None
    view = other.view(1.0)
    assert view.organization.free == 238
    assert view.instant_test.free == 23
    assert view.organization.in_flight == 1


def test_what_another_process_spends_is_seen_between_two_looks_of_ours(make: Make) -> None:
    one, other = make(1), make(2)
    opened(one)
    assert one.view(1.0).organization.free == 239
    assert other.try_reserve(1.0, instant=False) is not None
    assert one.view(1.0).organization.free == 238


def test_a_look_waits_for_no_process_that_is_writing(make: Make, tmp_path: Path) -> None:
    ledger = make(1)
    opened(ledger)
    writer = sqlite3.connect(tmp_path / "budget.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert [ledger.view(1.0).organization.free for _ in range(20)] == [239] * 20
    writer.close()
    assert ledger.shared


def test_a_reservation_that_could_not_be_stored_is_not_counted(make: Make, tmp_path: Path) -> None:
    ledger = make(1)
    opened(ledger)
    reader = sqlite3.connect(tmp_path / "budget.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM budget").fetchall()
    stored = ledger.try_reserve(1.0, instant=False)
    reader.close()
    in_flight = ledger.view(1.0).organization.in_flight
    assert in_flight == (0 if stored is None else 1), "tokens leak when the file is busy"


def test_only_one_of_all_processes_probes(make: Make) -> None:
    one, other = make(1), make(2)
    assert one.try_reserve(0.5, instant=True) is not None
    assert other.try_reserve(0.5, instant=True) is None
    assert other.opens_at(0.5, instant=True) <= 1.5, "it must look again by itself"


def test_organizations_do_not_share(make: Make) -> None:
    one, other = make(1), make(2, key="another")
    opened(one, organization=0)
    assert one.try_reserve(1.0, instant=False) is None
    assert other.try_reserve(1.0, instant=False) is not None


def test_a_killed_process_gives_its_tokens_back_by_doing_nothing(make: Make) -> None:
    dead, other = make(7), make(2)
    opened(dead)
    for _ in range(5):
        dead.try_reserve(1.0, instant=False)
    assert other.view(1.0).organization.free == 234
    assert other.view(92.0).organization.in_flight == 0


def test_the_probe_of_a_dead_process_does_not_stop_the_others(make: Make) -> None:
    dead, other = make(666), make(2)
    assert dead.try_reserve(0.5, instant=True) is not None
    assert other.try_reserve(0.6, instant=True) is None, "a lost probe is waited out"
    assert other.try_reserve(3.0, instant=True) is not None


def test_a_reboot_makes_a_state_worthless(make: Make) -> None:
    before, after = make(1, boot="first"), make(2, boot="second")
    opened(before, organization=0)
    view = after.view(1.0)
    assert not view.organization.known
    assert view.organization.limit is None


def test_a_ticket_of_a_state_that_was_dropped_ends_nothing_in_the_new_one(make: Make) -> None:
    before, after = make(1, boot="first"), make(2, boot="second")
    old = before.try_reserve(0.5, instant=True)
    assert old is not None
    new = after.try_reserve(0.6, instant=True)
    assert new is not None
    assert old.id != new.id


def test_equals_share_a_window_evenly(make: Make) -> None:
    one, other = make(1), make(2)
    opened(one, instant=23)
    taken: dict[SharedLedger, list[Permit]] = {one: [], other: []}
    now = 1.0
    other.try_reserve(now, instant=True)
    while now < 50:
        for ledger, tries in ((one, 5), (other, 1)):  # one asks five times as often
            for _ in range(tries):
                permit = ledger.try_reserve(now, instant=True)
                if permit is not None:
                    taken[ledger].append(permit)
        now += ASK_AGAIN
    counts = sorted(len(permits) for permits in taken.values())
    assert sum(counts) == 22
    assert counts[1] - counts[0] <= 6


def test_an_urgent_process_goes_first_and_the_others_still_get_something(make: Make) -> None:
    sweep, incident = make(1), make(2, urgent=True)
    opened(sweep)
    taken = {sweep: 0, incident: 0}
    incident.try_reserve(1.0, instant=False)
    now = 1.1
    while now < 30:
        for ledger in (sweep, incident):
            taken[ledger] += ledger.try_reserve(now, instant=False) is not None
        now += ASK_AGAIN
    assert taken[incident] >= 2 * URGENT_RUN
    assert taken[sweep] == taken[incident] // URGENT_RUN


def test_nobody_waits_for_a_process_that_left(make: Make) -> None:
    sweep, incident = make(1), make(2, urgent=True)
    opened(sweep, instant=23)
    incident.try_reserve(1.0, instant=True)
    assert sweep.try_reserve(1.0, instant=True) is None
    incident.close()
    assert sweep.try_reserve(1.0, instant=True) is not None


def test_nobody_waits_for_a_process_that_stopped_asking(make: Make) -> None:
    sweep, incident = make(1), make(2, urgent=True)
    opened(sweep, instant=23)
    incident.try_reserve(1.0, instant=True)
    assert sweep.try_reserve(4.0, instant=True) is not None


def test_a_file_of_garbage_is_replaced(make: Make, tmp_path: Path, events: list[str]) -> None:
    (tmp_path / "budget.db").write_bytes(b"this is no database at all" * 100)
    ledger = make()
    now = 0.5
    while ledger.try_reserve(now, instant=True) is None:
        now += 0.5
        assert now < 3, "the damaged file was not replaced"
    assert ledger.shared
    assert "budget.recreated" in events


def test_a_file_that_is_damaged_while_in_use_is_replaced(
    make: Make, tmp_path: Path, events: list[str]
) -> None:
    ledger = make()
    opened(ledger)
    path = tmp_path / "budget.db"
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * (path.stat().st_size - 100))
    for step in range(6):
        ledger.view(1.0 + step)
    permit = ledger.try_reserve(10.0, instant=True)
    assert permit is not None
    ledger.settle(permit, said(10.1, 230, 20), 10.1, status=201)
    assert ledger.view(11.0).organization.free == 230
    assert ledger.shared


def test_a_file_that_was_deleted_is_made_anew(make: Make, tmp_path: Path) -> None:
    one, other = make(1), make(2)
    opened(one)
    (tmp_path / "budget.db").unlink()
    permit = one.try_reserve(1.0, instant=True)
    assert permit is not None
    assert other.try_reserve(1.0, instant=True) is None, "both must have gone over to the new file"


ODD: tuple[Any, ...] = ("x", [], {}, None, True, math.nan, [1], {"a": 1})
BODIES = [
    "",
    "{",
    "[]",
    '{"ledger": {}}',
    '{"ledger": {"clock": 1}, "holders": 2}',
    "[" * 100_000,
    "null",
    "1",
]


@pytest.mark.parametrize("body", BODIES)
def test_a_state_that_cannot_be_read_is_begun_anew(
    make: Make, tmp_path: Path, events: list[str], body: str
) -> None:
    ledger = make()
    opened(ledger)
    with sqlite3.connect(tmp_path / "budget.db") as db:
        db.execute("UPDATE budget SET body = ?", (body,))
    db.close()
    assert ledger.try_reserve(1.0, instant=True) is not None
    assert "budget.reset" in events


def test_a_place_that_cannot_be_written_means_going_on_alone_and_saying_so(tmp_path: Path) -> None:
    events: list[str] = []
    (tmp_path / "file").write_text("not a folder")
    ledger = SharedLedger(
        SqliteCell(tmp_path / "file" / "budget.db", "key"),
        rng=random.Random(1),
        tell=lambda fact: events.append(kind_of(fact)),
    )
    now = 0.5
    while ledger.try_reserve(now, instant=True) is None:
        now += 0.5
        assert now < 3
    assert not ledger.shared
    assert events.count("budget.alone") == 1
    assert ledger.view(now).organization.in_flight == 1


def test_an_answer_that_came_while_the_file_was_busy_is_not_forgotten(make: Make, tmp_path: Path) -> None:
    ledger = make()
    opened(ledger)
    permit = ledger.try_reserve(1.0, instant=False)
    assert permit is not None
    blocker = sqlite3.connect(tmp_path / "budget.db", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    ledger.settle(permit, said(1.1, 100), 1.1, status=429)
    blocker.execute("COMMIT")
    blocker.close()
    view = ledger.view(1.2)
    assert view.organization.in_flight == 0
    assert view.organization.remaining == 0
    assert ledger.refused().organization == 1
    assert ledger.shared


def test_a_file_that_stays_busy_is_given_up_and_the_answers_with_it_are_kept(
    make: Make, tmp_path: Path
) -> None:
    ledger = make()
    opened(ledger)
    permit = ledger.try_reserve(1.0, instant=False)
    assert permit is not None
    blocker = sqlite3.connect(tmp_path / "budget.db", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    ledger.settle(permit, said(1.1, 0), 1.1, status=429)
    for _ in range(FAILURES_IN_A_ROW):
        ledger.view(1.2)
    blocker.execute("COMMIT")
    blocker.close()
    assert not ledger.shared
    assert ledger.refused().organization == 1
    assert ledger.view(1.3).organization.remaining == 0


def test_the_file_names_neither_origin_nor_account(make: Make, tmp_path: Path) -> None:
    key = budget_key("https://api.example.com", "1234")
    assert key == budget_key("https://api.example.com", "1234")
    assert key != budget_key("https://api.example.com", "1235")
    ledger = make(key=key)
    opened(ledger)
    content = (tmp_path / "budget.db").read_bytes()
    assert b"example" not in content
    assert key.encode() in content


def test_a_missing_boot_id_and_a_dead_process_are_told(tmp_path: Path) -> None:
    assert boot_id(tmp_path / "none") == ""
    assert is_alive(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert not is_alive(child.pid)


def start(folder: Path, name: str) -> subprocess.Popen[bytes]:
    root = str(Path(orchestrator.__file__).parents[1]) if orchestrator.__file__ else str(Path.cwd())
    worker = Path(__file__).with_name("shared_ledger_worker.py")
    return subprocess.Popen(
        [sys.executable, str(worker), str(folder), name],
        env={**os.environ, "PYTHONPATH": root},
    )


def answers(folder: Path, name: str) -> list[tuple[int, float]]:
    log = folder / f"{name}.log"
    lines = log.read_text().splitlines() if log.exists() else []
    return [(int(line.split()[0]), float(line.split()[1])) for line in lines if line.count(".") == 1]


def test_two_processes_one_killed_in_the_middle_overspend_nothing(tmp_path: Path) -> None:
    server = sqlite3.connect(tmp_path / "server.db", isolation_level=None, timeout=PATIENCE)
    server.execute("CREATE TABLE used (window INTEGER PRIMARY KEY, organization INTEGER, instant INTEGER)")

    def spent() -> bool:
        """Whether a limit was near, in more than one window: else nothing would be proved."""
        found = server.execute("SELECT count(*), max(organization), max(instant) FROM used").fetchone()
        return bool(found[0] >= 2 and found[1] >= 35 and found[2] >= 7)

    def went_on() -> bool:
        return len([at for _, at in answers(tmp_path, "survivor") if at > killed]) >= 20

    workers = {name: start(tmp_path, name) for name in ("survivor", "victim")}
    try:
        until(lambda: len(answers(tmp_path, "victim")) >= 5, "answers of the victim")
        workers["victim"].send_signal(signal.SIGKILL)
        killed = time.monotonic()
        assert workers["victim"].wait(PATIENCE) == -signal.SIGKILL
        until(went_on, "the survivor goes on")
        until(spent, "the limits are near")
        (tmp_path / "stop").touch()
        assert workers["survivor"].wait(PATIENCE) == 0
    finally:
        for worker in workers.values():
            worker.kill()
            worker.wait()
    server.close()
    survivor, victim = answers(tmp_path, "survivor"), answers(tmp_path, "victim")
    assert [status for status, _ in survivor + victim if status == 429] == [], "the budget was overspent"
    with sqlite3.connect(tmp_path / "budget.db") as db:
        (body,) = db.execute("SELECT body FROM budget").fetchone()
    db.close()
    assert len(json.loads(body)["ledger"]["organization"]["flying"]) <= 1


def places(value: object, way: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Every place in a JSON document."""
    yield way
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield from places(one, (*way, key))


def test_a_state_that_is_damaged_in_any_one_place_stops_nobody(make: Make, tmp_path: Path) -> None:
    ledger = make()
    opened(ledger)
    assert ledger.try_reserve(1.0, instant=True) is not None, "a permit is under way"
    with sqlite3.connect(tmp_path / "budget.db") as db:
        (body,) = db.execute("SELECT body FROM budget").fetchone()
        for way in places(json.loads(body)):
            for odd in ODD:
                root: dict[str, Any] = {"": json.loads(body)}
                document: Any = root
                for step in ("", *way)[:-1]:
                    document = document[step]
                document[("", *way)[-1]] = odd
                db.execute("UPDATE budget SET body = ?", (json.dumps(root[""]),))
                db.commit()
                other = make(pid=2000)
                other.view(2.0)
                other.try_reserve(2.0, instant=True)
                other.opens_at(2.0, instant=False)
                other.close()
    db.close()


def test_the_database_of_another_program_is_left_as_it_is(
    make: Make, tmp_path: Path, events: list[str]
) -> None:
    with sqlite3.connect(tmp_path / "budget.db") as db:
        db.execute("CREATE TABLE bookmarks (name)")
    db.close()
    before = (tmp_path / "budget.db").read_bytes()
    ledger = make()
    assert any(ledger.try_reserve(float(second), instant=False) is not None for second in range(1, 40))
    assert "budget.alone" in events
    assert (tmp_path / "budget.db").read_bytes() == before


@pytest.mark.parametrize("damage", ["zero", "folder", "truncated", "columns", "garbage within"])
def test_a_damaged_file_stops_nobody(make: Make, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "budget.db"
    if damage == "zero":
        path.touch()
    elif damage == "folder":
        path.mkdir()
    elif damage == "columns":
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE budget (money)")
        db.close()
    else:
        opened(make())
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] + b"\xff" * (0 if damage == "truncated" else 5000))
    ledger = make(pid=2000)
    assert any(ledger.try_reserve(float(second), instant=False) is not None for second in range(1, 40))
