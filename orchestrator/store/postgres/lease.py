"""One run per plan and organization: a row that its holder renews, and that others may take when it ended.

No lock of a session: a server that ends the session would give it to another while its holder goes on, and
knows nothing of it. That a row is lost is found out at the next renewal; writes are fenced in by the run.
"""

from __future__ import annotations

import math
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import anyio

from orchestrator.clock import Clock
from orchestrator.errors import PlanBusy, StoreProblem
from orchestrator.store.base import for_ever
from orchestrator.store.postgres.store import FREE, PostgresStore
from orchestrator.store.sql.engine import Db
from orchestrator.store.sql.rows import safe

# Renewed so often in the time that it lasts: three renewals may fail.
RENEWALS = 4
# Who waits looks so often (seconds), which is how soon a plan is taken that was let go.
LOOKED = 1.0
_TAKE = f"""
    INSERT INTO plan_leases AS held (organization, plan, owner, host, pid, since, leased_until)
    VALUES (?, ?, ?, ?, ?, clock_timestamp(), clock_timestamp() + make_interval(secs => ?))
    ON CONFLICT (organization, plan) DO UPDATE SET owner = excluded.owner, host = excluded.host,
        pid = excluded.pid, since = excluded.since, leased_until = excluded.leased_until
    WHERE {FREE.replace("leased_until", "held.leased_until")}
"""
_WHICH = "WHERE organization = ? AND plan = ?"
_UNTIL = "clock_timestamp() + make_interval(secs => ?)"
_RENEW = f"UPDATE plan_leases SET leased_until = {_UNTIL} {_WHICH} AND owner = ?"
_LET_GO = f"DELETE FROM plan_leases {_WHICH} AND owner = ?"
_HOLDER = (
    "SELECT host, pid, extract(epoch FROM since)::float8, "
    f"leased_until > clock_timestamp() FROM plan_leases {_WHICH}"
)


class PostgresLease:
    """Implements :class:`orchestrator.store.base.Lease` for all hosts that share a database.

    ``organization``: whose plans they are, by default that of the store.
    """

    def __init__(self, store: PostgresStore, organization: str | None = None) -> None:
        self._store = store
        self._organization = store.organization if organization is None else organization

    @asynccontextmanager
    async def hold(
        self,
        plan: str,
        clock: Clock,
        *,
        wait: bool,
        told: Callable[[str], None],
        longest: Callable[[], Awaitable[float]] = for_ever,
    ) -> AsyncIterator[None]:
        """Hold the plan while the block runs. Raises :class:`PlanBusy` as :class:`Lease` says."""
        key = (self._organization, safe(plan) or "")
        owner = secrets.token_hex(8)
        first = True
        while not await self._take(key, owner):
            holder, since = await self._holder(key)
            if not wait:
                raise PlanBusy(
                    f"another run of plan {plan!r} is going on{holder}",
                    hint="wait for it, or start with --wait",
                )
            if clock.wall() - since > await longest():
                raise PlanBusy(
                    f"the run of plan {plan!r} that is waited for{holder} seems frozen: it should have ended",
                    hint="let that process go on (kill -CONT) or end it; then `orchestrator resume` goes on",
                )
            if first:
                told(f"waiting for another run of plan {plan!r}{holder}")
            first = False
            await clock.sleep(LOOKED)
        failed: Exception | None = None
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._renew, key, owner)
                try:
                    yield
                except Exception as error:  # told below as it is, and not as one of a group
                    failed = error
                tasks.cancel_scope.cancel()
            if failed is not None:
                raise failed
        finally:
            # If the database is away now, the lease ends by itself.
            with anyio.CancelScope(shield=True), suppress(StoreProblem):
                await self._store.write(lambda db: db.execute(_LET_GO, (*key, owner)).rowcount)

    async def is_held(self, plan: str) -> bool:
        """Whether a run of the plan is alive on any host."""
        found = await self._store.read(
            lambda db: db.execute(_HOLDER, (self._organization, safe(plan))).fetchone()
        )
        return found is not None and bool(found[3])

    async def _take(self, key: tuple[str, str], owner: str) -> bool:
        tenure = self._store.tenure
        values = (*key, owner, socket.gethostname(), os.getpid(), tenure, tenure)

        def work(db: Db) -> bool:
            return db.execute(_TAKE, values).rowcount == 1

        return await self._store.write(work)

    async def _holder(self, key: tuple[str, str]) -> tuple[str, float]:
        """Who holds it, for people, and since when (epoch seconds by the database; ``inf``: by nobody)."""
        found = await self._store.read(lambda db: db.execute(_HOLDER, key).fetchone())
        if found is None:
            return "", math.inf
        return f" (process {found[1]} on {found[0]})", float(found[2])

    async def _renew(self, key: tuple[str, str], owner: str) -> None:
        """Until it is lost: then somebody else runs the plan, and the run's own fencing tells ours."""
        tenure = self._store.tenure
        held = 1
        while held:
            await anyio.sleep(tenure / RENEWALS)
            with suppress(StoreProblem):  # the database is away: what the run writes next will tell
                held = await self._store.write(lambda db: db.execute(_RENEW, (tenure, *key, owner)).rowcount)
