"""What a hook of `orchestrator serve` starts: a diagnosis on this host, as `orchestrator diagnose` does."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.actions.alerts import diagnosed, named
from orchestrator.actions.diagnose import AGENTS, BOX, Question, diagnose
from orchestrator.actions.run import Attendance
from orchestrator.actions.telling import NO_RUN
from orchestrator.alerts.config import load_hooks
from orchestrator.cli.bodies.notifying import Notices, notices_of
from orchestrator.cli.bodies.sessions import find_token, session, settings_of
from orchestrator.cli.masking import mask
from orchestrator.cli.options import Access, Notifying
from orchestrator.clock import Clock
from orchestrator.diagnosis.naming import plan_name
from orchestrator.errors import Exit, OrchestratorError, UsageProblem
from orchestrator.records import RunRecord
from orchestrator.settings import Settings
from orchestrator.store.opening import Opened
from orchestrator.web.hooks import Alerts, Came, Wish
from orchestrator.web.secrets import secrets_of


@dataclass(frozen=True, slots=True)
class Starter:
    """Diagnoses, each in a session of its own: nothing is connected while nothing is to be done.

    ``notices`` has who is told, by the name of the hook. ``stops`` gives the stops of the server: with the
    first a diagnosis creates nothing more and collects what is paid for, the second leaves at once. What
    cannot even begin is told by the server's own ``opened`` store and ``clock``.
    """

    settings: Settings
    access: Access
    notices: Mapping[str, Notices]
    stops: Callable[[], AsyncIterable[Exit]]
    opened: Opened
    clock: Clock

    async def __call__(self, wish: Wish) -> Came:
        """Implements :class:`orchestrator.web.hooks.Start`."""
        question = Question(
            targets=(wish.target,),
            agents=wish.hook.agents or AGENTS,
            box=wish.hook.box or BOX,
        )
        notices, plan, began = self.notices[wish.hook.name], plan_name((wish.target,)), False
        try:
            async with session(self.settings, self.access, reserve=0.0) as opened:
                began = True
                try:
                    found = await diagnose(opened, question, attend=self._attend)
                except (*NO_RUN, UsageProblem) as problem:
                    await notices.of_problem(opened, plan, problem)
                    raise
                run = await opened.doors.store.run(found.runs[0])
                await notices.of_run(opened, run, found.exit_code)
        except OrchestratorError as problem:
            if not began:
                world = (self.settings.origin, self.settings.account)
                await notices.of_none(self.opened, self.clock, world, plan, problem)
            raise
        return Came(found.runs[0], found.sentence, found.account.units)

    @contextmanager
    def _attend(self, run: RunRecord) -> Iterator[Attendance]:
        del run
        yield Attendance(stops=self.stops())


async def alerts_of(
    file: Path,
    opened: Opened,
    clock: Clock,
    access: Access,
    stops: Callable[[], AsyncIterable[Exit]],
) -> Alerts:
    """The hooks of a file, ready to take alerts; ``stops`` gives those of the server. The API is the one that
    the environment names.

    Raises ``PlanInvalid`` for the file, and ``UsageProblem`` where a secret, the token or the address of a
    channel is missing.
    """
    hooks = load_hooks(file)
    secrets = secrets_of(hooks, os.environ)
    find_token(access)
    # Every diagnosis is told: whoever sent the alert waits for it, whatever came of the one before.
    notices = {
        hook.name: notices_of(Notifying(hook.notify, notify_on="always"), access, quiet=True)
        for hook in hooks
    }
    starter = Starter(settings_of(access, urgent=True), access, notices, stops, opened, clock)
    past = await diagnosed(opened, clock.wall())
    return Alerts(hooks, secrets, starter, clock, past=past, mask=mask, named=named)
