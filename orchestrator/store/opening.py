"""Where runs are kept: from a flag, the environment or a default to a place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import UsageProblem

# Beside the store; all runs whose stores are in one folder share it.
SHARED_BUDGET = "budget.db"


def pick_store(flag: str | None, environ: Mapping[str, str]) -> Path:
    """The path of the store. Raises :class:`UsageProblem` for a database that is no file."""
    text = flag or environ.get("ORCHESTRATOR_STORE") or ""
    if not text:
        import platformdirs  # noqa: PLC0415 - start-up stays light

        return platformdirs.user_state_path("orchestrator") / "orchestrator.db"
    if text.startswith("sqlite:///"):
        text = text.removeprefix("sqlite:///")
    elif "://" in text:
        raise UsageProblem(
            f"store {text.split('://', 1)[0]}://…: only a file is supported in this version",
            hint="give a path, or sqlite:///path",
        )
    path = Path(text).expanduser()
    if path.name == SHARED_BUDGET:
        raise UsageProblem(
            f"store {path}: this name is for the budget that runs share", hint="choose another name"
        )
    return path
