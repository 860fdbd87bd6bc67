"""Organizations of a store that several hosts share: where each is, what may be run for it, and how much.

Never a token: only where each host finds it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from orchestrator.errors import UsageProblem
from orchestrator.settings import Settings, is_vendors

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")
_REFERENCE = re.compile(r"(?:env:TE_TOKEN(?:_[A-Z0-9_]+)?|(?:file|credential):[A-Za-z0-9_.-]{1,100})\Z")
MOST_RUNS = 10


@dataclass(frozen=True, slots=True)
class Organization:
    """One organization. Times are seconds; ``None`` of what is kept means for ever.

    ``called`` is how the API calls it, where that is another name. ``account_groups`` are those that runs may
    name; none means any. ``token`` is a reference. ``most_runs`` are under way at once,
    and so no more workers carry them out.
    """

    name: str
    origin: str
    called: str | None = None
    account_groups: tuple[str, ...] = ()
    token: str | None = None
    most_runs: int = MOST_RUNS
    answers_kept: float | None = None
    raw_kept: float | None = None
    runs_kept: float | None = None
    paused: bool = False
    paused_reason: str | None = None
    changed: float = 0.0

    def document(self) -> dict[str, object]:
        """As JSON values."""
        return {
            "name": self.name,
            "origin": self.origin,
            "called": self.called,
            "account_groups": list(self.account_groups),
            "token": self.token,
            "most_runs": self.most_runs,
            "answers_kept": self.answers_kept,
            "raw_kept": self.raw_kept,
            "runs_kept": self.runs_kept,
            "paused": self.paused,
            "paused_reason": self.paused_reason,
            "changed": self.changed,
        }


def check_name(name: str) -> str:
    """A name that can be one, as it is. Raises ``UsageProblem``."""
    if not _NAME.match(name):
        raise UsageProblem(
            f"{name[:60]!r} is no name for an organization",
            hint="letters, digits, '.', '-' and '_', beginning with a letter or a digit",
        )
    return name


def check_reference(reference: str) -> str:
    """A reference to a token that can be one, as it is. Raises ``UsageProblem``, and never repeats it.

    Whoever may write organizations must not be able to send any variable or file of a worker somewhere: names
    only, of variables that begin with ``TE_TOKEN``, of files in a folder that the worker names.
    """
    if not _REFERENCE.match(reference) or ".." in reference:
        raise UsageProblem(
            "this is no reference to a token",
            hint="env:TE_TOKEN_NAME, file:NAME (in the folder that ORCHESTRATOR_TOKENS names) or "
            "credential:NAME (in systemd's $CREDENTIALS_DIRECTORY); the token itself is never stored",
        )
    return reference


def at_home(organization: Organization, settings: Settings) -> Settings:
    """The settings at the organization's own origin, unless somebody named one."""
    return settings if settings.origin_named else replace(settings, origin=organization.origin)


def admit(organization: Organization, settings: Settings) -> None:
    """Raise ``UsageProblem`` if no session with these settings is to be opened for this organization now."""
    if organization.paused:
        why = f": {organization.paused_reason}" if organization.paused_reason else ""
        raise UsageProblem(
            f"organization {organization.name} is paused{why}",
            hint=f"orchestrator organizations resume {organization.name}",
        )
    fits(organization, settings)
    if not may_hear_a_token(settings):
        raise UsageProblem(
            f"organization {organization.name} is at {settings.origin}, which nobody named on this host",
            hint="a token goes only where its host says: name it with --base-url (of a worker: --origin)",
        )


def may_hear_a_token(settings: Settings) -> bool:
    """Whether a token may be sent to the origin. Who may write organizations must not be able to have the
    tokens of other hosts sent anywhere: an origin that only the store names has to be the vendor's."""
    return settings.origin_named or settings.origin in settings.origins or is_vendors(settings.origin)


def fits(organization: Organization, settings: Settings) -> None:
    """Raise ``UsageProblem`` if a run with these settings is none of this organization."""
    if settings.origin != organization.origin:
        raise UsageProblem(
            f"organization {organization.name} is at {organization.origin}, not at {settings.origin}",
            hint="name its origin with --base-url, or another --organization",
        )
    groups = organization.account_groups
    if groups and settings.account not in groups:
        named = (
            f"account group {settings.account} is" if settings.account else "the token's own account group is"
        )
        raise UsageProblem(
            f"{named} not one of those of organization {organization.name}",
            hint=f"name one with --aid: {', '.join(groups[:10])}",
        )


def same_name(organization: Organization, told: str) -> bool:
    """Whether the API's name of an organization is that of this one, whatever the case and the blanks."""
    return _plain(told) in (_plain(organization.name), _plain(organization.called or organization.name))


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
