"""The server that tests are given: one for all, a database for each, and nothing left of it."""

from __future__ import annotations

import psycopg
import pytest
from postgres_server import PostgresServer


def test_each_test_has_an_empty_database_of_its_own(postgres: PostgresServer) -> None:
    first, second = postgres.create(), postgres.create()
    with psycopg.connect(first) as db:
        db.execute("CREATE TABLE seen (x int)")
    with psycopg.connect(second) as db, pytest.raises(psycopg.errors.UndefinedTable):
        db.execute("SELECT * FROM seen")
    postgres.drop(first)
    postgres.drop(second)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(first)


def test_what_was_prepared_once_is_copied(postgres: PostgresServer) -> None:
    prepared: list[str] = []

    def prepare(url: str) -> None:
        prepared.append(url)
        with psycopg.connect(url) as db:
            db.execute("CREATE TABLE seen (x int)")

    urls = [postgres.create(prepare, named="seen") for _ in range(2)]
    assert len(prepared) == 1
    for url in urls:
        with psycopg.connect(url) as db:
            assert db.execute("SELECT count(*) FROM seen").fetchone() == (0,)
        postgres.drop(url)


def test_a_test_gets_a_url(database: str) -> None:
    with psycopg.connect(database) as db:
        assert db.execute("SELECT 1").fetchone() == (1,)
