"""The secrets of hooks, from where their references lead: the environment, or files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestrator.alerts.values import Hook
from orchestrator.errors import UsageProblem
from orchestrator.files import read_file

SHORTEST = 16
_LONGEST = 4096


def secrets_of(hooks: Iterable[Hook], environ: Mapping[str, str]) -> dict[str, list[bytes]]:
    """The secrets of each hook by its name. Raises ``UsageProblem`` for one that is missing or too short; a
    secret is never repeated."""
    return {hook.name: [_resolved(hook.name, one, environ) for one in hook.proof.secrets] for hook in hooks}


def _resolved(hook: str, reference: str, environ: Mapping[str, str]) -> bytes:
    kind, _, where = reference.partition(":")
    if kind == "env":
        found = environ.get(where, "").strip("\r\n").encode("utf-8", "surrogateescape")
    else:
        try:
            found = read_file(Path(where), _LONGEST).strip(b"\r\n")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "its name cannot be one"
            raise UsageProblem(f"hook {hook}: the secret at {reference} cannot be read: {reason}") from None
    if len(found) < SHORTEST:
        told = "is not there" if not found else f"has {len(found)} bytes, and {SHORTEST} is the least"
        raise UsageProblem(
            f"hook {hook}: the secret at {reference} {told}", hint="make one with `openssl rand -hex 32`"
        )
    return found
