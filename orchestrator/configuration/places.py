"""Which file of configuration there is.

Never one of the current folder by itself: it may have come with somebody's repository, and it could send the
token somewhere.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from orchestrator.configuration import Configuration
from orchestrator.configuration.reading import load_configuration
from orchestrator.errors import UsageProblem
from orchestrator.settings import CONFIG, PROFILE, Settled, Source, settle

NAME = "orchestrator.toml"


def usual_file() -> Path | None:
    """The person's own file, whether it is there or not; ``None`` where nobody has a home."""
    try:
        folder = platformdirs.user_config_path("orchestrator")
    except RuntimeError:  # no HOME, and a user whom this host does not know
        return None
    # A relative XDG_CONFIG_HOME is to be ignored, by its standard: it would be the current folder.
    return folder / NAME if folder.is_absolute() else None


def config_file(flag: str | None, environ: Mapping[str, str]) -> Settled:
    """Which file counts: the one that was named, else the usual one where it is there, else none."""
    found = settle(CONFIG, flag=flag, environ=environ)
    if found.source is not Source.DEFAULT:
        return found
    usual = usual_file()
    there = usual is not None and os.path.lexists(usual)
    return Settled(str(usual) if there else None, Source.DEFAULT)


def configuration_of(file: str | None, profile: str | None, environ: Mapping[str, str]) -> Configuration:
    """The configuration that counts, with the profile that counts.

    Raises ``PlanInvalid`` for what is wrong in it, ``UsageProblem`` for a file that cannot be trusted and a
    profile that there is not.
    """
    path = config_file(file, environ).text
    name = settle(PROFILE, flag=profile, environ=environ).text
    if path is None:
        if name is not None:
            where = usual_file()
            raise UsageProblem(
                f"there is no file of configuration, so there is no profile {name[:64]!r}",
                hint=f"it is {where}, or the one of --config" if where else "name one with --config",
            )
        return Configuration()
    _refuse_meddled(Path(path))
    return load_configuration(Path(path), name)


def _refuse_meddled(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return  # whoever reads it will tell
    if stat.S_ISREG(mode) and mode & stat.S_IWOTH:
        raise UsageProblem(
            f"every user of this host can change {path}, and with it where the token goes",
            hint=f"chmod o-w {path}",
        )
