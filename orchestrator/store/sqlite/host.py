"""What a host says of itself: which boot this is, where process ids have a meaning, who is alive."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path


def boot_id(path: Path = Path("/proc/sys/kernel/random/boot_id")) -> str:
    """What changes when the host's monotonic clock restarts; empty where the system does not tell."""
    with suppress(OSError):
        return path.read_text().strip()
    # The BSDs and macOS have no such file, but a time of the boot that does not move with the clock.
    with suppress(OSError, subprocess.SubprocessError):
        told = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "kern.boottime"], capture_output=True, text=True, timeout=5, check=True
        )
        return told.stdout.strip()
    return ""


def process_namespace() -> str:
    """Where process ids have a meaning: the host, or one container of it."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return "host"


def is_alive(pid: int) -> bool:
    """Whether a process of this host (and container) exists."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # no process has such a number
        return False
    except OSError:
        return True
    return True
