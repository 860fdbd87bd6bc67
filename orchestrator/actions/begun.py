"""The settings that a run goes on with: those that it was begun with, whoever goes on with it and where."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.actions.organizations import settled, whose
from orchestrator.errors import UsageProblem
from orchestrator.organizations import at_home
from orchestrator.records import RunRecord
from orchestrator.settings import Settings
from orchestrator.store.opening import Opened


async def settings_as_begun(
    opened: Opened, run: RunRecord, settings: Settings, *, again: bool = False, account: str | None = None
) -> Settings:
    """The settings to resume a run of this store with, or to run its tests ``again``.

    A run of an organization goes on at the organization's own origin, unless ``settings`` name one. Raises
    ``UsageProblem`` as :func:`as_begun`.
    """
    owner = await whose(opened, run.id)
    if owner and (organization := await settled(opened, owner)) is not None:
        settings = at_home(organization, settings)
    return as_begun(run, settings, again=again, account=account, owner=owner)


async def of_run(opened: Opened, run: RunRecord, named: str = "") -> Opened:
    """The store as that of the organization that a run is kept under, whose leases are others'.

    Raises ``UsageProblem`` for a run of another one than was ``named``.
    """
    owner = await whose(opened, run.id)
    if owner is None:
        return opened
    _same_organization(run, named, owner)
    return opened.of(owner)


def as_begun(
    run: RunRecord,
    settings: Settings,
    *,
    again: bool = False,
    account: str | None = None,
    owner: str | None = None,
) -> Settings:
    """The settings to resume a run with, or to run its tests ``again``: those that it was begun with.

    ``owner`` is the organization that the store keeps it under, if it keeps that. Raises ``UsageProblem`` for
    a run of another origin, account group (``account``) or organization than the one that was named, and for
    one whose world has ended.
    """
    if run.simulated:
        raise UsageProblem(
            f"run {run.id} was simulated, and its world has ended with it",
            hint="serve a world that lasts with `orchestrator simulator`, and name it with --base-url",
        )
    if run.origin != settings.origin:
        raise UsageProblem(
            f"run {run.id} belongs to {run.origin}, not to {settings.origin}",
            hint=f"give --base-url {run.origin}",
        )
    if account is not None and account != run.account:
        where = f"in account group {run.account}" if run.account else "without an account group"
        raise UsageProblem(
            f"run {run.id} was begun {where}, and its tests are there, not in {account}",
            hint="leave --aid out: a run goes on where it was begun",
        )
    organization = settings.organization if owner is None else owner
    _same_organization(run, settings.organization, organization)
    urgent = settings.urgent or (run.settings.urgent and not again)
    return replace(settings, account=run.account, organization=organization, urgent=urgent)


def _same_organization(run: RunRecord, named: str, owner: str) -> None:
    if named not in ("", owner):
        kept = f"one of organization {owner}" if owner else "of no organization"
        raise UsageProblem(
            f"run {run.id} is {kept}, not of {named}",
            hint="leave --organization out: a run goes on as the organization that it was begun for",
        )
