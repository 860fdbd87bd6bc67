"""What is done to a database from outside a run: its tables are made and brought up to date."""

from __future__ import annotations

import os

from orchestrator.store.postgres import schema
from orchestrator.store.postgres.address import address
from orchestrator.store.postgres.link import Link


def prepare(url: str, *, tables: bool = True, ahead: int = schema.DAYS_AHEAD) -> list[str]:
    """Make the ``tables`` of a store, or bring them to this version, and make the parts for the next days.

    Returns the names of what was made. Raises ``StoreProblem``, and ``UsageProblem`` for a URL that is none.
    """
    where = address(url, os.environ)
    link = Link(where.url, where.place)
    try:
        db = link.session()
        with link.explained():
            made = schema.migrate(db) if tables else []
            schema.check(db, where.place)
            return [*made, *schema.maintain(db, ahead)]
    finally:
        link.drop()
