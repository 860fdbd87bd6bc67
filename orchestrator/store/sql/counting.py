"""What the tests, cells and paths of a run came to, counted in SQL: no row of them is read for it."""

from __future__ import annotations

from orchestrator.events import KINDS, HopsChosen
from orchestrator.lifecycle import SpecState
from orchestrator.model import AnswerStatus, CellState, Verdict
from orchestrator.records import Counts, Paths
from orchestrator.store.sql import rows
from orchestrator.store.sql.engine import Db
from orchestrator.testtypes import DETAILS, PATHS

OF_RUN = "run_n = (SELECT n FROM runs WHERE id = ?)"


def counts(db: Db, run: str) -> Counts:
    """Counts by state, from what is stored."""
    tests = db.execute(
        f"SELECT state, count(*), count(created) FROM specs WHERE {OF_RUN} GROUP BY state", (run,)
    )
    by_state = {SpecState(row[0]): (row[1], row[2]) for row in tests}
    cells: dict[CellState, int] = {}
    verdicts: dict[Verdict, int] = {}
    sent = (SpecState.CREATING.value, SpecState.WAITING.value, SpecState.UNKNOWN.value)
    pending_sent = 0
    for state, verdict, count, of_sent in db.execute(
        "SELECT cells.state, verdict, count(*), count(*) FILTER (WHERE specs.state IN (?, ?, ?)) FROM cells "
        f"JOIN specs ON specs.n = spec_n WHERE {OF_RUN} GROUP BY 1, 2",
        (*sent, run),
    ):
        if state == CellState.PENDING:
            pending_sent += of_sent
        cells[CellState(state)] = cells.get(CellState(state), 0) + count
        if verdict is not None:
            verdicts[Verdict(verdict)] = verdicts.get(Verdict(verdict), 0) + count
    left_out = db.execute(f"SELECT count(*) FROM left_out WHERE {OF_RUN}", (run,)).fetchone()[0]
    cells[CellState.NOT_RUN] = cells.get(CellState.NOT_RUN, 0) + left_out
    verdicts[Verdict.NOT_RUN] = verdicts.get(Verdict.NOT_RUN, 0) + left_out
    return Counts(
        tests={state: total for state, (total, _) in by_state.items()},
        created=sum(created for _, created in by_state.values()),
        cells=cells,
        verdicts=verdicts,
        left_out=left_out,
        pending_sent=pending_sent,
        **_begun(db, run),
        paths=_paths(db, run),
    )


def _begun(db: Db, run: str) -> dict[str, int]:
    """Open cells of which something has come, and the open tests of which something has."""
    tests, cells = db.execute(
        "SELECT count(DISTINCT specs.n), count(*) FILTER (WHERE cells.state = ?) FROM specs "
        "JOIN cells ON cells.spec_n = specs.n "
        f"WHERE {OF_RUN} AND specs.state = ? AND EXISTS (SELECT 1 FROM answers "
        "WHERE answers.spec_n = specs.n AND answers.agent_id = cells.agent_id)",
        (CellState.PENDING.value, run, SpecState.WAITING.value),
    ).fetchone()
    return {"begun_tests": tests, "begun_cells": cells}


def _paths(db: Db, run: str) -> Paths:
    """Counted per spec: where no spec wants details, no answer is looked at."""
    # The key is the last one of the object: this leaves out most of those that want none, unread.
    found = db.execute(
        f"SELECT n, key, content FROM specs WHERE {OF_RUN} AND content NOT LIKE '%\"path_details\":false}}'",
        (run,),
    )
    wanting = ((spec_n, key, rows.load(content)["path_details"]) for spec_n, key, content in found)
    specs = [one for one in wanting if one[2] is not False]
    chosen = _chosen(db, run) if any(whose == "auto" for _, _, whose in specs) else {}
    wanted = got = 0
    for spec_n, key, whose in specs:
        if whose == "auto" and key not in chosen:
            continue
        details = "SELECT agent_id, round_id FROM answers WHERE spec_n = ? AND layer = ?"
        detailed = set(db.execute(details, (spec_n, DETAILS)))
        measured = chosen.get(key) or set(
            db.execute(f"{details} AND status = ?", (spec_n, PATHS.name, AnswerStatus.OK.value))
        )
        wanted += len(measured)
        got += len(measured & detailed)
    return Paths(wanted, got)


def _chosen(db: Db, run: str) -> dict[str, set[tuple[str, int]]]:
    """By spec the paths whose hops were found worth a read."""
    found: dict[str, set[tuple[str, int]]] = {}
    told = db.execute(
        f"SELECT spec, at, kind, facts FROM events WHERE {OF_RUN} AND kind = ?", (run, KINDS[HopsChosen])
    )
    for event in (rows.event_record(run, row) for row in told):
        if event.spec is not None and isinstance(event.fact, HopsChosen):
            found.setdefault(event.spec, set()).update(event.fact.rounds)
    return found
