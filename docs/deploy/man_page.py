"""A step of the build: the manual page, made of the help of all commands, becomes a part of the wheel.

pip and pipx put it where `man orchestrator` finds it.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManPage(BuildHookInterface):  # type: ignore[type-arg] # what it is configured by is of no interest
    """Writes the page beside the other files of the build."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before the files are put together."""
        del version
        sys.path.insert(0, self.root)
        try:
            from orchestrator.cli import cli  # noqa: PLC0415 - it is on the path only now
            from orchestrator.cli.manpage import man_page  # noqa: PLC0415 - as above

            page = man_page(cli, self.metadata.version, _date())
        except ImportError as problem:
            self.app.display_warning(f"no manual page is built: {problem}")
            return
        finally:
            sys.path.remove(self.root)
        target = Path(self.directory) / "orchestrator.1"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page, "utf-8")
        build_data["shared_data"][str(target)] = "share/man/man1/orchestrator.1"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called when they are."""
        del version, build_data, artifact_path
        (Path(self.directory) / "orchestrator.1").unlink(missing_ok=True)


def _date() -> str:
    """The date of what is built, if it is told: the same source makes the same wheel."""
    told = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(told), UTC).strftime("%Y-%m-%d") if told.isdigit() else ""
