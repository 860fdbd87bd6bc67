"""What a hook of `orchestrator serve` starts: a diagnosis, by a worker if one is there, else on this host."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from orchestrator.actions.alerts import diagnosed, named
from orchestrator.actions.diagnose import AGENTS, BOX, Question, diagnose
from orchestrator.actions.handing import Handed, hand_over, seen_through, served
from orchestrator.actions.organizations import settled
from orchestrator.actions.run import Attendance
from orchestrator.actions.telling import NO_RUN
from orchestrator.alerts.allowance import UNITS_EACH
from orchestrator.alerts.config import load_hooks
from orchestrator.cli.bodies.common import say
from orchestrator.cli.bodies.notifying import Notices, notices_of
from orchestrator.cli.bodies.sessions import session, settings_of, token_of
from orchestrator.cli.masking import mask
from orchestrator.cli.options import Access, Notifying
from orchestrator.clock import Clock
from orchestrator.credentials import Credentials
from orchestrator.diagnosis.naming import plan_name
from orchestrator.errors import Exit, OrchestratorError, UsageProblem, telling
from orchestrator.records import RunRecord
from orchestrator.settings import Settings
from orchestrator.store.opening import Opened
from orchestrator.web.hooks import Alerts, Came, Wish
from orchestrator.web.secrets import secrets_of
from orchestrator.worker.engine import wake


@dataclass(frozen=True, slots=True)
class Starter:
    """Diagnoses, each in a session of its own: nothing is connected while nothing is to be done. Where
    workers take runs of the organization it is they who diagnose.

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
        if await served(self.opened, self.settings.organization):
            came = await self._handed(question, self.notices[wish.hook.name])
            if came is not None:
                return came
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

    async def _handed(self, question: Question, notices: Notices) -> Came | None:
        """What a worker found; ``None`` if none is there any more to begin it."""
        organization = self.settings.organization
        run = await hand_over(
            self.opened, question, self.settings, notify=notices.channels, mask=mask, environ=os.environ
        )
        await wake(self.opened.url)
        found: list[Handed | None] = []

        async def see() -> None:
            found.append(await seen_through(self.opened, run, question, organization, self.clock))
            tasks.cancel_scope.cancel()

        async def leave() -> None:
            async for _ in self.stops():
                tasks.cancel_scope.cancel()

        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(see)
                tasks.start_soon(leave)
        except BaseExceptionGroup as group:
            raise telling(group) from group
        if not found:
            return Came(run.id, "a worker goes on with it", UNITS_EACH)
        handed = found[0]
        if handed is None:
            return None
        # What its worker knew no address of is delivered from here.
        await notices.deliver(self.opened.of(organization), self.clock)
        headline = handed.run.facts.headline or handed.run.facts.stopped or handed.run.state.value
        return Came(run.id, headline if handed.over else "a worker goes on with it", handed.units)

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
    settings = settings_of(access, urgent=True)
    await _look_for_token(opened, access, settings)
    # Every diagnosis is told: whoever sent the alert waits for it, whatever came of the one before.
    notices = {
        hook.name: notices_of(Notifying(hook.notify, notify_on="always"), access, quiet=True)
        for hook in hooks
    }
    starter = Starter(settings, access, notices, stops, opened, clock)
    past = await diagnosed(opened, clock.wall())
    return Alerts(hooks, secrets, starter, clock, past=past, mask=mask, named=named)


async def _look_for_token(opened: Opened, access: Access, settings: Settings) -> None:
    """Nothing is begun without a token. The workers of an organization may have one that this host lacks."""
    token = token_of(access, settings)
    if isinstance(token, Credentials):
        return
    organization = await settled(opened, settings.organization)
    try:
        token(organization)
    except UsageProblem as problem:
        if organization is None or organization.token is None:
            raise
        say(f"warning: {problem.message}; alerts need a worker that has it")
