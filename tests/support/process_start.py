"""Imported first by a program that a test starts: what it loads stays, so nobody looks for garbage meanwhile.

As ``orchestrator.__main__`` does for users. Whatever works for long turns the collector on again.
"""

from __future__ import annotations

import gc

gc.disable()
