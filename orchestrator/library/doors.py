"""What every function of the library needs: the store, settings, a session.

What is not named (token, store, ...) is looked for in the environment, as by the command line; a file of
configuration is not read, since a program says itself what it wants.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from orchestrator.actions.organizations import finder
from orchestrator.actions.session import Session, resolve
from orchestrator.app import SIMULATED_SPEED, connect, simulate, telling_by_otlp
from orchestrator.credentials import Credentials, mask_of
from orchestrator.errors import telling
from orchestrator.events import Listener
from orchestrator.listeners.telling import Guarded
from orchestrator.organizations import Organization
from orchestrator.settings import Settings
from orchestrator.store.opening import Opened, open_store, pick_store

# Where runs are kept: a path, or a URL as ``--store`` takes it; ``None`` is the default place.
Place = Path | str | None


def place(store: Place) -> str:
    """The URL of a store that a caller named, or of the default one. Raises ``UsageProblem``."""
    return pick_store(None if store is None else str(store), os.environ)


def stored(store: Place) -> AbstractAsyncContextManager[Opened]:
    """A store that there is. Raises ``UsageProblem``, ``StoreProblem``."""
    return open_store(place(store), make=False)


def settings_of(
    base_url: str | None,
    account: str | None,
    store: Place,
    *,
    plan_account: str | None = None,
    urgent: bool = False,
    organization: str = "",
) -> Settings:
    """What a run would use. Raises ``UsageProblem``."""
    return resolve(
        os.environ,
        base_url=base_url,
        account=account,
        store=place(store),
        plan_account=plan_account,
        organization=organization,
        urgent=urgent,
    )


@asynccontextmanager
async def session_of(
    settings: Settings,
    credentials: Credentials | None,
    *,
    reserve: float,
    simulated: bool = False,
    seed: int = 0,
    listeners: Sequence[Listener] = (),
    otlp: str | None = None,
    resumed: bool = False,
) -> AsyncIterator[Session]:
    """A session with the API, or with a simulated one; raises what went wrong as one error.

    ``otlp`` is where telemetry goes; ``resumed``: of a run that another session began.
    """
    token = None if simulated else credentials or finder(settings, os.environ)
    masks: list[Callable[[str], str]] = []

    def find(organization: Organization | None) -> Credentials:
        """The token, which from here on is masked."""
        assert token is not None  # noqa: S101 - who is connected has one
        found = token if isinstance(token, Credentials) else token(organization)
        masks.append(mask_of(found))
        return found

    def mask(text: str) -> str:
        return masks[-1](text) if masks else text

    def opening(more: Sequence[Listener]) -> AbstractAsyncContextManager[Session]:
        guarded = [*(Guarded(listener) for listener in listeners), *more]
        if simulated:
            return simulate(settings, reserve=reserve, listeners=guarded, speed=SIMULATED_SPEED, seed=seed)
        return connect(settings, find, reserve=reserve, listeners=guarded)

    if otlp is None:
        joined = opening(())
    else:
        joined = telling_by_otlp(opening, otlp, mask=mask, allow_http=settings.allow_http, resumed=resumed)
    try:
        async with joined as session:
            yield session
    except BaseExceptionGroup as group:
        raise telling(group) from group
