"""What `orchestrator mcp` does."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import anyio

from orchestrator.actions.session import Session
from orchestrator.assistant.allowance import Allowance, Cost
from orchestrator.assistant.desk import Desk
from orchestrator.assistant.plans import Plans
from orchestrator.cli.bodies.common import opened_store, run_async, set_up_logging
from orchestrator.cli.bodies.sessions import session, settings_of, token_mask
from orchestrator.cli.masking import mask
from orchestrator.cli.options import Access, Breaking, World
from orchestrator.cli.signals import heard_signals
from orchestrator.clock import LoopClock
from orchestrator.credentials import STDIN
from orchestrator.errors import MissingExtra, UsageProblem
from orchestrator.plan.model import Plan


@dataclass(frozen=True, slots=True)
class Terms:
    """What an assistant may do. Without ceilings it only reads."""

    plans: Path | None
    plan_env: tuple[str, ...]
    max_units: float | None
    max_creations: int | None

    @property
    def allowance(self) -> Allowance | None:
        """What may be created."""
        if self.max_units is None or self.max_creations is None:
            return None
        return Allowance(Cost(self.max_units, self.max_creations))

    def folder(self) -> Plans:
        """The plans that may be run. Raises ``UsageProblem`` for a folder that there is not."""
        if self.plans is not None and not self.plans.is_dir():
            raise UsageProblem(f"--plans: there is no folder {str(self.plans)[:200]!r}")
        environ = {name: os.environ[name] for name in self.plan_env if name in os.environ}
        return Plans(self.plans, environ)


def serve(terms: Terms, world: World, breaking: Breaking, access: Access) -> None:
    """Serve an assistant until it goes away, or a signal comes."""
    set_up_logging()
    try:
        from orchestrator.assistant import server  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise MissingExtra("the server for assistants", "mcp") from error
    if access.token_file == STDIN:
        raise UsageProblem(
            "standard input is the assistant's: no token can be read from it",
            hint="name a file with --token-file, or put the token into TE_TOKEN",
        )
    settings_of(access)  # what cannot be is said now, and not to the assistant
    token_mask(access)
    plans = terms.folder()

    def connect(plan: Plan | None) -> AbstractAsyncContextManager[Session]:
        account, reserve = (None, 0.0) if plan is None else (plan.account_group, plan.budget.reserve)
        settings = settings_of(access, plan_account=account, urgent=plan is None)
        return session(settings, access, world, breaking, reserve=reserve)

    async def work() -> None:
        desk = Desk(
            store=lambda: opened_store(access.store),
            connect=connect,
            plans=plans,
            clock=LoopClock(),
            mask=mask,
            allowance=terms.allowance,
        )
        ended = anyio.Event()
        with heard_signals() as received:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_heed, received, desk, ended)
                await server.serve(desk, mask, ended)
                tasks.cancel_scope.cancel()

    run_async(work)


async def _heed(received: AsyncIterator[signal.Signals], desk: Desk, ended: anyio.Event) -> None:
    """The first signal ends the conversation, what is paid for is collected; the second leaves at once."""
    first = True
    async for _ in received:
        if first:
            ended.set()
            first = False
        else:
            desk.leave()
