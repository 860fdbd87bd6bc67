"""Processes that share an organization's limits, as sessions of one event loop in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random

from simulated_run import Simulated

from orchestrator.actions.session import Session
from orchestrator.budget.shared import SharedLedger
from orchestrator.runner.wire import Wire
from orchestrator.store.sqlite.cell import SqliteCell


def process(simulated: Simulated, number: int, *, urgent: bool = False) -> Session:
    """The session of a process of its own: its ledger is its own, the row that they share is not."""
    session, folder = simulated.session, simulated.folder
    tell = session.doors.telling.tell
    cell = SqliteCell(folder / "budget.db", "key", tell=tell, boot="boot", pid=number, alive=lambda _: True)
    later = asyncio.get_running_loop().call_later
    ledger = SharedLedger(cell, urgent=urgent, reserve=0.0, rng=Random(number), tell=tell, later=later)
    wire = Wire(simulated.transport, ledger, session.doors.clock, session.doors.telling)
    return replace(session, doors=replace(session.doors, wire=wire, ledger=ledger))
