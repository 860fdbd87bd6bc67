"""A file of defaults for a person or a host, with profiles: read, checked, every problem with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.settings import Setting, Written

__all__ = ["Configuration"]


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a file says, with a profile's values over those for all. ``file`` is ``None`` where there is none.

    ``profiles`` are all that it has, ``profile`` the one that counts.
    """

    file: str | None = None
    profile: str | None = None
    profiles: tuple[str, ...] = ()
    values: Mapping[str, Written] = field(default_factory=dict)

    def get(self, setting: Setting) -> Written | None:
        """What it says of a setting."""
        return self.values.get(setting.key)
