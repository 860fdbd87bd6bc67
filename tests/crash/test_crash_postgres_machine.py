"""The lives of a run, as in ``test_crash_machine``, over a database. ``EXAMPLES=200`` for more of them."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from postgres_server import NO_SERVER, PostgresServer, binaries
from stores import migrated

from orchestrator.errors import StoreProblem
from orchestrator.store.postgres.address import address
from orchestrator.store.postgres.link import Session
from orchestrator.store.postgres.store import PostgresStore

_SPEC = importlib.util.spec_from_file_location("lives", Path(__file__).with_name("test_crash_machine.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
lives = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(lives)

WATCH = """
    CREATE TABLE moves (n bigint GENERATED ALWAYS AS IDENTITY, key text, old text, new text);
    CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO moves (key, old, new) VALUES (NEW.key, OLD.state, NEW.state);
        RETURN NEW;
    END $$;
    CREATE TRIGGER watch AFTER UPDATE OF state ON specs FOR EACH ROW
        WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION watch();
"""
_SERVERS: list[PostgresServer] = []


@pytest.fixture(scope="module", autouse=True)
def served(postgres: PostgresServer) -> None:
    """Examples are no tests, and have no fixtures."""
    _SERVERS[:] = [postgres]


def watched(url: str) -> None:
    migrated(url)
    with psycopg.connect(url, options="-c search_path=orchestrator") as db:
        db.execute(WATCH.encode())


class InDatabase(lives.Lives):  # type: ignore[misc, name-defined] # a module that was loaded by its path
    """One run in a database of its own."""

    url = ""
    witness: psycopg.Connection | None = None

    def _open(self) -> None:
        if not self.url:
            self.url = _SERVERS[0].create(watched, named="watched")
            self.witness = psycopg.connect(self.url, autocommit=True, options="-c search_path=orchestrator")
        self.store = self._do(PostgresStore.open(address(self.url, {}), virtual=True))

    def _ask(self, sql: str) -> list[Any]:
        assert self.witness is not None
        found = self.witness.execute(sql.encode())
        return found.fetchall() if found.description else []

    def _die(self) -> None:
        assert isinstance(self.store, PostgresStore)
        engine = self.store._engine
        engine.close()
        engine.writer.session = engine.reader.session = _refused  # type: ignore[method-assign] # it is dead

    def teardown(self) -> None:
        super().teardown()
        if self.witness is not None:
            self.witness.close()
            _SERVERS[0].drop(self.url)


def _refused() -> Session:
    raise StoreProblem("killed")


TestInDatabase = InDatabase.TestCase
TestInDatabase.settings = settings(
    max_examples=int(os.environ.get("EXAMPLES", "4")),
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
if binaries() is None:
    TestInDatabase = pytest.mark.skip(NO_SERVER)(TestInDatabase)
