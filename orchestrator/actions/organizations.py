"""The stories of organizations: list them, write one, let one rest and go on; which one a session is of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict

from orchestrator.credentials import (
    Credentials,
    find_credentials,
    find_own_or_referenced,
    find_referenced,
    mask_of,
)
from orchestrator.errors import UsageProblem
from orchestrator.near import near
from orchestrator.organizations import Organization, check_name, check_reference
from orchestrator.settings import Settings
from orchestrator.store.opening import Opened, is_server
from orchestrator.thousandeyes.origin import parse_origin

if TYPE_CHECKING:
    from orchestrator.store.organizations import Organizations

# Finds the token of an organization of the store, or of one that is not written down (``None``).
FindToken = Callable[[Organization | None], Credentials]


class Changes(TypedDict, total=False):
    """What is to be changed of an organization; what is left out stays as it is."""

    origin: str
    called: str | None
    account_groups: tuple[str, ...]
    token: str | None
    most_runs: int
    answers_kept: float | None
    raw_kept: float | None
    runs_kept: float | None


def organizations_of(opened: Opened) -> Organizations:
    """The organizations of a store. Raises ``UsageProblem`` for one that only one host uses."""
    if opened.organizations is None:
        raise UsageProblem(
            "organizations are kept in a store that several hosts share: this one is a file",
            hint="name one with --store postgresql://USER@HOST/DATABASE",
        )
    return opened.organizations


async def listed(opened: Opened) -> list[Organization]:
    """All organizations, in the order of their names."""
    return await organizations_of(opened).listed()


async def write(opened: Opened, name: str, changes: Changes) -> tuple[Organization, bool]:
    """Write an organization, or change one; it, and whether it is new. Raises ``UsageProblem``."""
    kept = organizations_of(opened)
    check_name(name)
    if (reference := changes.get("token")) is not None:
        check_reference(reference)
    if "origin" in changes:
        changes = {**changes, "origin": parse_origin(changes["origin"])}
    before = await kept.get(name)
    if before is None:
        if "origin" not in changes:
            raise UsageProblem(
                f"organization {name} is new: its origin is wanted",
                hint="--base-url https://api.thousandeyes.com",
            )
        before = Organization(name, changes["origin"])
    new = await kept.put(replace(before, **changes))
    return await _known(kept, name), new


async def pause(opened: Opened, name: str, reason: str | None, *, paused: bool) -> Organization:
    """Let an organization rest: its runs do not begin; or go on. Raises ``UsageProblem``."""
    kept = organizations_of(opened)
    await _known(kept, name)
    await kept.pause(name, reason, paused=paused)
    return await _known(kept, name)


async def _known(kept: Organizations, name: str) -> Organization:
    found = await kept.get(name)
    if found is None:
        raise unknown(name, [one.name for one in await kept.listed()])
    return found


def unknown(name: str, names: list[str]) -> UsageProblem:
    """That there is no organization of this name, and which may have been meant."""
    meant = near(name, names)
    hint = f"did you mean {meant}?" if meant else f"orchestrator organizations set {name[:60]} --base-url ..."
    return UsageProblem(f"there is no organization {name[:60]!r} in this store", hint=hint)


async def settled(opened: Opened, name: str) -> Organization | None:
    """The organization that a name means in this store, if organizations are written down there at all.

    A store in which none is written down takes any name, as a file does. Raises ``UsageProblem`` for a name
    that is not one of those that there are.
    """
    if opened.organizations is None or not name:
        return None
    found = await opened.organizations.get(name)
    if found is None and (others := await opened.organizations.listed()):
        raise unknown(name, [one.name for one in others])
    return found


def finder(
    settings: Settings, environ: Mapping[str, str], usual: str | None = None
) -> Credentials | FindToken:
    """The token of the environment, or of the ``usual`` reference of a file of configuration; in a store of
    several organizations, who finds that of one.

    Raises ``UsageProblem`` as :func:`orchestrator.credentials.find_credentials`.
    """
    if not settings.organization or not is_server(settings.store):
        return find_credentials(environ, token_file=None, stdin=None, reference=usual)

    def find(organization: Organization | None) -> Credentials:
        return find_own_or_referenced(None if organization is None else organization.token, environ, usual)

    return find


def mask_of_organization(organization: Organization, environ: Mapping[str, str]) -> Callable[[str], str]:
    """Takes the organization's token out of a text, where this host has it."""
    if organization.token is None:
        return str
    try:
        return mask_of(find_referenced(organization.token, environ))
    except UsageProblem:
        return str


async def whose(opened: Opened, run: str) -> str | None:
    """The organization that a run (its whole id) is kept under, empty for none; ``None`` in a store that only
    one host uses, which keeps no such thing."""
    return None if opened.organizations is None else await opened.organizations.of_run(run)
