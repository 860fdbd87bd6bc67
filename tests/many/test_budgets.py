"""The short form of the budget campaign: processes share budgets over PostgreSQL, and a witness counts."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path
from random import Random
from typing import NoReturn

import psycopg
import pytest
from budgets import TABLE, Campaign, summary
from postgres_server import PostgresServer

from orchestrator.budget.errands import Errand, Held, Wish
from orchestrator.budget.permits import Permit
from orchestrator.budget.teller import Teller
from orchestrator.clock import boot_seconds
from orchestrator.store.postgres.cell import take_turn


def came_of(server: PostgresServer, folder: Path, *, mutant: str) -> dict[str, object]:
    asked = argparse.Namespace(
        processes=3, seconds=12.0, window=5.0, aligned=False, lossy=0.0, chaos=False, mutant=mutant
    )
    campaign = Campaign(server, folder, asked)
    with campaign.witness():
        told = campaign.run([(4.0, "kill")] if mutant == "none" else [])
        return summary(told, campaign.ask_witness(), asked)


def test_processes_of_one_organization_are_never_refused_and_one_is_killed(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    came = came_of(postgres, tmp_path, mutant="none")
    assert came["own_429"] == 0
    assert came["creations"], "something was asked"


def test_processes_that_count_each_for_itself_are_refused(postgres: PostgresServer, tmp_path: Path) -> None:
    came = came_of(postgres, tmp_path, mutant="local")
    assert came["own_429"]


# -- the row -------------------------------------------------------------------------------------------------


@pytest.fixture
def table(database: str) -> str:
    with psycopg.connect(database) as db:
        db.execute(TABLE.read_bytes())
    return database


def turn(db: psycopg.Connection, errand: Errand, teller: Teller) -> str:
    return take_turn(db, "key", lambda *at: teller.turn(errand, *at), boot_seconds).brought.row.era


def test_of_several_that_find_no_row_one_begins_the_era(table: str) -> None:
    eras: list[str] = []

    def begin(name: str) -> None:
        with psycopg.connect(table, autocommit=True) as db:
            eras.append(turn(db, Errand(name, boot_seconds()), Teller(rng=Random(name))))

    threads = [threading.Thread(target=begin, args=(f"p{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(eras) == 6
    assert len(set(eras)) == 1


def test_a_burst_that_makes_the_body_large_fits_into_the_row(table: str) -> None:
    held = tuple(Held(Permit(10**14 + 7 * number, True, 0.0), boot_seconds()) for number in range(300))
    with psycopg.connect(table, autocommit=True) as db:
        errand = Errand("p", boot_seconds(), held=held, wishes=(Wish(True), Wish(False)))
        turn(db, errand, Teller(rng=Random(1)))
        stored = db.execute("SELECT length(body) FROM budget").fetchone()
    assert stored is not None
    assert stored[0] > 8192


def test_what_failed_within_a_turn_is_not_stored(table: str) -> None:
    def fail(*_at: object) -> NoReturn:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), psycopg.connect(table, autocommit=True) as db:
        take_turn(db, "key", fail, boot_seconds)
    with psycopg.connect(table, autocommit=True) as db:
        assert db.execute("SELECT count(*) FROM budget").fetchone() == (0,)
