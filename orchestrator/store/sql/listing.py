"""The statements for pages. Each is one read of a few milliseconds in a store of ten thousand runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from orchestrator.catalogue import Outcome, PlanSeen, Which
from orchestrator.model import Verdict
from orchestrator.records import RunRecord, world_of
from orchestrator.store.sql import rows
from orchestrator.store.sql.archive import SqlArchive
from orchestrator.store.sql.counting import OF_RUN
from orchestrator.store.sql.engine import Db, marks

# Compact JSON; in a value of a user's its quotes would be escaped.
_SIMULATED = """settings LIKE '%"simulated":true%'"""


class SqlListing(SqlArchive):
    """Implements :class:`orchestrator.store.listing.Listing`; what the methods promise is said there."""

    # Whether runs are kept under the names of organizations.
    _by_organization = False

    async def runs_page(self, which: Which, before: str | None, most: int) -> list[RunRecord]:
        # A condition for each that is asked for: one that may be nothing would leave the index unused.
        conditions, values = ["NOT condemned"], list[object]()
        if which.plan is not None:
            conditions.append("plan = ?")
            values.append(rows.safe(which.plan))
        if which.states:
            conditions.append(f"state IN ({marks(which.states)})")
            values.extend(state.value for state in which.states)
        if which.origin is not None:
            simulated = which.origin == world_of("", None, simulated=True)[0]
            conditions.append(_SIMULATED if simulated else f"origin = ? AND NOT ({_SIMULATED})")
            values.extend(() if simulated else (which.origin,))
            conditions.append("account IS NULL" if which.account is None else "account = ?")
            values.extend(() if which.account is None else (rows.safe(which.account),))
        if which.organization is not None:
            conditions.append("organization = ?" if self._by_organization else "? IS NULL")
            values.append(rows.safe(which.organization))
        if before is not None:
            conditions.append("n < (SELECT n FROM runs WHERE id = ?)")
            values.append(before)

        sql = f"SELECT {rows.RUN_COLUMNS} FROM runs WHERE {' AND '.join(conditions)} ORDER BY n DESC LIMIT ?"

        def work(db: Db) -> list[RunRecord]:
            return [rows.run_record(row) for row in db.execute(sql, (*values, most))]

        return await self._read(work)

    async def plans(self) -> list[PlanSeen]:
        def work(db: Db) -> list[PlanSeen]:
            found = db.execute(
                "SELECT plan, number, id FROM runs JOIN "
                # By indexes alone: the rows have the texts of plans in them, and are long.
                "(SELECT max(n) AS newest, count(*) AS number FROM runs "
                "WHERE n NOT IN (SELECT n FROM runs WHERE condemned) GROUP BY plan) "
                "AS newest_of ON n = newest ORDER BY plan"
            )
            return [PlanSeen(*row) for row in found]

        return await self._read(work)

    async def worlds(self) -> list[tuple[str, str | None]]:
        def work(db: Db) -> list[tuple[str, str | None]]:
            found = db.execute(
                f"SELECT DISTINCT CASE WHEN {_SIMULATED} THEN '' ELSE origin END, account, {_SIMULATED} "
                "FROM runs WHERE NOT condemned ORDER BY 3, 1, 2"
            )
            return [world_of(origin, account, simulated=bool(said)) for origin, account, said in found]

        return await self._read(work)

    async def organizations(self) -> list[str]:
        if not self._by_organization:
            return []

        def work(db: Db) -> list[str]:
            named = (
                "SELECT DISTINCT organization FROM runs WHERE organization <> '' AND NOT condemned ORDER BY 1"
            )
            return [row[0] for row in db.execute(named)]

        return await self._read(work)

    async def outcomes(self, runs: Sequence[str]) -> list[Outcome]:
        return [await self._read(partial(_outcome, run=run)) for run in runs]


def _outcome(db: Db, run: str) -> Outcome:
    targets: dict[tuple[str, str], dict[Verdict | None, int]] = {}
    agents: dict[str, dict[Verdict | None, int]] = {}
    for test, target, agent, verdict, count in db.execute(
        "SELECT test, target, agent_id, verdict, count(*) FROM specs JOIN cells ON spec_n = specs.n "
        f"WHERE {OF_RUN} GROUP BY test, target, agent_id, verdict ORDER BY min(position)",
        (run,),
    ):
        told = rows.verdict_of(verdict)
        for tally in (targets.setdefault((test, target), {}), agents.setdefault(agent, {})):
            tally[told] = tally.get(told, 0) + count
    names = dict(db.execute(f"SELECT id, name FROM agents WHERE {OF_RUN}", (run,)))
    return Outcome(run, targets, agents, {one: names.get(one, one) for one in agents})
