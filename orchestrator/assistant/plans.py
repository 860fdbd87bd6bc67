"""Which plan an assistant means: a file of one folder and nothing beside it, or a text that reads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from orchestrator.assistant.arguments import OfPlan
from orchestrator.errors import UsageProblem
from orchestrator.near import near
from orchestrator.plan.load import load_plan, parse_plan
from orchestrator.plan.model import Plan

# What a plan of an assistant's own is called begins so: it stands beside the plans of people, not among them.
NAME = "assistant: "
_ENDINGS = {".yaml", ".yml"}
_LISTED = 20


@dataclass(frozen=True, slots=True)
class Plans:
    """The folder of plans that may be run, if there is one, and the variables that these may read."""

    folder: Path | None = None
    environ: Mapping[str, str] | None = None

    def plan(self, asked: OfPlan) -> Plan:
        """The plan, which tells nobody of its runs. Raises ``UsageProblem``, ``PlanInvalid``."""
        if asked.plan_text is None:
            plan = load_plan(
                self._path(asked.plan_file or ""), environ=self.environ or {}, sets=asked.variables
            )
            return replace(plan, notify=())
        plan = parse_plan(asked.plan_text, "plan_text", None, environ={}, sets=asked.variables)
        if plan.account_group is not None:
            raise UsageProblem(
                "plan_text chooses an account group", hint="leave account_group out: the server has one"
            )
        # Runs of a plan take the place of older ones: not of those of a person's plan with the same name.
        return replace(plan, name=f"{NAME}{plan.name}", notify=(), keep=None)

    def _path(self, name: str) -> Path:
        if self.folder is None:
            raise UsageProblem(
                "this server has no folder of plans",
                hint="give plan_text, or have it started with --plans DIR",
            )
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
            raise UsageProblem(f"plan_file {name[:80]!r} must be named relative to the folder of plans")
        try:
            root = self.folder.resolve(strict=True)
            real = (root / path).resolve(strict=True)
        except (OSError, RuntimeError, ValueError) as error:
            raise self._none(name) from error
        if not real.is_relative_to(root):
            raise UsageProblem(f"plan_file {name[:80]!r} leads out of the folder of plans")
        if not real.is_file() or real.suffix.lower() not in _ENDINGS:
            raise self._none(name)
        return real

    def _none(self, name: str) -> UsageProblem:
        names = self.names()
        meant = near(name, names)
        proposal = f", is it {meant}?" if meant else ""
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        listed = f"{', '.join(names[:_LISTED])}{more}" if names else "it has none"
        return UsageProblem(f"there is no plan {name[:80]!r} in the folder of plans{proposal}", hint=listed)

    def names(self) -> list[str]:
        """The plans of the folder, relative to it."""
        if self.folder is None:
            return []
        try:
            found = sorted(path for path in self.folder.rglob("*") if path.suffix.lower() in _ENDINGS)
        except OSError:
            return []
        return [path.relative_to(self.folder).as_posix() for path in found]
