"""What a command was told: flags win over the environment, that over the plan, the plan over defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from orchestrator.errors import UsageProblem

# The vendor's production API, without a version, and where all of its APIs are.
PRODUCTION = "https://api.thousandeyes.com"
_VENDOR = "thousandeyes.com"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to talk to, as whom, and where to keep what comes back.

    ``store`` is a URL (see :mod:`orchestrator.store.opening`). ``organization`` tells apart the budgets of
    several organizations at one origin; without it, runs at the same origin share theirs.

    ``origin_named``: somebody asked for this origin, so no other will do. Else ``origins`` are those that
    this host may send a token to.
    """

    origin: str
    store: str
    account: str | None = None
    organization: str = ""
    allow_http: bool = False
    ca_file: str | None = None
    urgent: bool = False
    origin_named: bool = True
    origins: tuple[str, ...] = ()


def named_origin(flag: str | None, environ: Mapping[str, str]) -> str | None:
    """The origin as it was given. ``TE_API_ENDPOINT`` is the Terraform provider's name for it."""
    return flag or environ.get("TE_BASE_URL") or environ.get("TE_API_ENDPOINT") or None


def is_vendors(origin: str) -> bool:
    """Whether a normal origin is the vendor's own, in whatever region: nobody else can answer there."""
    parts = urlsplit(origin)
    host = parts.hostname or ""
    return parts.scheme == "https" and (host == _VENDOR or host.endswith(f".{_VENDOR}"))


def pick_account(flag: str | None, environ: Mapping[str, str], plan: str | None = None) -> str | None:
    """The account group id, if any was named. Raises :class:`UsageProblem` for what cannot be one."""
    account = flag or environ.get("TE_AID") or plan or None
    if account is not None and not (account.isascii() and account.isalnum()):
        raise UsageProblem("an account group is named by its id, letters and digits only (TE_AID, --aid)")
    return account
