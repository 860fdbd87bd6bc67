"""One run per plan: a lock on a file, freed by the death of its holder and not by a time-out."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from orchestrator.clock import Clock
from orchestrator.errors import PlanBusy, StoreProblem

# A command that reads looks whether the lock is held by taking it for an instant: a run asks so often.
PEEKED = 3


class FileLease:
    """Implements :class:`orchestrator.store.base.Lease` for the runs of one host."""

    def __init__(self, store: Path) -> None:
        # Its real name: two stores of one folder have their own runs, two names of one store do not.
        self._store = store.resolve()

    @asynccontextmanager
    async def hold(
        self, plan: str, clock: Clock, *, wait: bool, told: Callable[[str], None]
    ) -> AsyncIterator[None]:
        """Hold the plan while the block runs. Raises :class:`PlanBusy` unless ``wait``."""
        place = self._place(plan)
        lock = _lock(place)
        tries = 0
        while not _acquire(lock):
            holder = _holder(place)
            tries += 1
            if not wait and tries < PEEKED:
                await clock.sleep(0.1)
                continue
            if not wait:
                raise PlanBusy(
                    f"another run of plan {plan!r} is going on{holder}",
                    hint="wait for it, or start with --wait",
                )
            if tries == 1:
                told(f"waiting for another run of plan {plan!r}{holder}")
            await clock.sleep(1.0)
        try:
            _say_who(place, clock.wall())
            yield
        finally:
            with suppress(OSError):
                place.with_suffix(".json").unlink(missing_ok=True)
            lock.release()

    async def is_held(self, plan: str) -> bool:
        """Whether a run of the plan is alive on this host. It takes a free lock for an instant."""
        place = self._place(plan)
        if not place.with_suffix(".lock").exists():
            return False
        lock = _lock(place)
        if not _acquire(lock):
            return True
        lock.release()
        return False

    def _place(self, plan: str) -> Path:
        what = f"{self._store.name}\n{plan}".encode("utf-8", "surrogatepass")
        return self._store.parent / "locks" / hashlib.sha256(what).hexdigest()[:16]


def _lock(place: Path) -> FileLock:
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreProblem(
            f"no lock can be made in {place.parent}: {error.strerror}", hint="choose a writable --store"
        ) from error
    return FileLock(place.with_suffix(".lock"), thread_local=False)


def _acquire(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    except OSError as error:
        raise StoreProblem(
            f"no lock can be made at {lock.lock_file}: {error.strerror}", hint="choose a writable --store"
        ) from error
    return True


def _say_who(place: Path, wall: float) -> None:
    who = {"pid": os.getpid(), "host": socket.gethostname(), "since": int(wall)}
    with suppress(OSError):
        place.with_suffix(".json").write_text(json.dumps(who), "utf-8")


def _holder(place: Path) -> str:
    """Who holds it, as far as it said so."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        who = json.loads(place.with_suffix(".json").read_text("utf-8"))
        return f" (process {int(who['pid'])} on {who['host']})"
    return ""
