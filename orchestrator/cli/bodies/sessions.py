"""What the bodies need that talk to the API: plans, settings, sessions."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click

from orchestrator import app
from orchestrator.actions.organizations import FindToken, finder
from orchestrator.actions.session import Session, resolve
from orchestrator.cli.bodies.common import say
from orchestrator.cli.configured import configured
from orchestrator.cli.masking import add_mask, mask
from orchestrator.cli.options import Access, Breaking, Reading, World
from orchestrator.configuration.trust import refuse_parted
from orchestrator.credentials import (
    Credentials,
    Masker,
    find_credentials,
    find_referenced,
    mask_of,
    token_place,
)
from orchestrator.errors import UsageProblem
from orchestrator.events import Listener
from orchestrator.listeners.log import LogListener
from orchestrator.model import Api
from orchestrator.organizations import Organization
from orchestrator.plan.load import load_plan
from orchestrator.plan.model import Plan
from orchestrator.safe import terminal
from orchestrator.settings import BASE_URL, ORGANIZATION, TOKEN, Settings, settle


def read_plan(path: str, reading: Reading, *, quiet: bool = False) -> Plan:
    """The plan of a command; what is worth a note in it is said, unless ``quiet``. Raises ``PlanInvalid``."""
    if not path.strip():
        raise click.UsageError("PLAN is empty (is a variable empty?)")
    api = None if reading.api is None else Api(reading.api)
    plan = load_plan(Path(path), sets=sets_of(reading.sets), environ=os.environ, api=api)
    for note in () if quiet else plan.notes:
        click.echo(terminal(note), err=True)
    return plan


def sets_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """``NAME=VALUE`` pairs as a mapping."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise click.UsageError(f"--set takes NAME=VALUE, not {pair!r}")
        found[name] = value
    return found


def settings_of(
    access: Access, *, plan_account: str | None = None, urgent: bool = False, begun: bool = False
) -> Settings:
    """The settings of a command. What goes on with what was ``begun`` has the organization of then, unless a
    flag says it. Raises ``UsageProblem``."""
    return resolve(
        os.environ,
        usual=configured().values,
        base_url=access.base_url,
        account=access.aid,
        store=access.store,
        plan_account=plan_account,
        organization=access.organization if begun else organization_of(access),
        allow_http=access.allow_http,
        ca_file=access.ca_file,
        urgent=urgent,
    )


def organization_of(access: Access) -> str:
    """The organization of what begins now."""
    found = settle(ORGANIZATION, flag=access.organization, file=configured().get(ORGANIZATION))
    return found.text or ""


def token_mask(access: Access) -> Callable[[str], str]:
    """Takes the token out of a text, if there is one; who named a file for it means that there is."""
    try:
        credentials = _token(access)
    except UsageProblem:
        if access.token_file is not None or configured().get(TOKEN) is not None:
            raise
        return str
    add_mask(Masker(credentials))
    return mask_of(credentials)


def token_of(access: Access, settings: Settings) -> Credentials | FindToken:
    """The token of a command, masked from here on: the one that it was given, else that of the environment
    or of the organization that is meant. Raises ``UsageProblem``."""
    if access.token_file is not None:
        return find_token(access)
    found = finder(settings, os.environ, _reference(access))
    return _masked(found) if isinstance(found, Credentials) else lambda whose: _masked(found(whose))


def token_of_worker(access: Access) -> FindToken:
    """The token of an organization whose runs a worker carries out: where it is written down to be, else that
    of the command."""

    def find(organization: Organization | None) -> Credentials:
        if organization is None or organization.token is None:
            return find_token(access)
        return _masked(find_referenced(organization.token, os.environ))

    return find


def find_token(access: Access) -> Credentials:
    """The token of a command, masked from here on in all that is shown. Raises ``UsageProblem``."""
    return _masked(_token(access))


def _masked(credentials: Credentials) -> Credentials:
    _hide(credentials)
    return credentials


@cache
def _hide(credentials: Credentials) -> None:
    """Once, however many runs a worker carries out with it."""
    add_mask(Masker(credentials))


def _token(access: Access) -> Credentials:
    return find_credentials(
        os.environ, token_file=access.token_file, stdin=sys.stdin, reference=_reference(access)
    )


def _reference(access: Access) -> str | None:
    """The reference to the token in the file of configuration. Raises ``UsageProblem`` where a token and an
    origin that were written down together would be parted."""
    file = configured()
    origin = settle(BASE_URL, flag=access.base_url, environ=os.environ, file=file.get(BASE_URL))
    refuse_parted(file, origin, token_place(os.environ, access.token_file, file.get(TOKEN)))
    reference = file.get(TOKEN)
    return None if reference is None else str(reference.value)


@dataclass(frozen=True, slots=True)
class Otlp:
    """Where telemetry goes, if it was said; ``resumed``: of a run that another session began."""

    url: str | None = None
    quiet: bool = False
    resumed: bool = False


@asynccontextmanager
async def session(
    settings: Settings,
    access: Access,
    world: World | None = None,
    breaking: Breaking = Breaking(),  # noqa: B008 - frozen
    *,
    reserve: float,
    seed: int = 0,
    otlp: Otlp = Otlp(),
) -> AsyncIterator[Session]:
    """A session with the API, or with the simulator if that was asked for."""

    def opening(more: Sequence[Listener]) -> AbstractAsyncContextManager[Session]:
        listeners = [LogListener(), *more]
        if world is not None and world.simulate:
            return app.simulate(
                settings,
                reserve=reserve,
                listeners=listeners,
                culprits=breaking.culprits,
                noise=breaking.noise,
                speed=world.speed,
                seed=seed,
                unmet=lambda sentence: say(f"warning: {sentence}"),
            )
        return app.connect(settings, token_of(access, settings), reserve=reserve, listeners=listeners)

    if otlp.url is None:
        joined = opening(())
    else:
        joined = app.telling_by_otlp(
            opening,
            otlp.url,
            mask=mask,
            allow_http=access.allow_http,
            resumed=otlp.resumed,
            warned=lambda warning: None if otlp.quiet else say(f"warning: {warning}"),
        )
    async with joined as opened:
        yield opened
