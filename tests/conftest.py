"""For every test: nothing depends on how busy the machine is, so no made-up example has a time limit."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")
