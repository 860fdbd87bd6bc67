"""One run per plan: a lock on a file, freed by the death of its holder and not by a time-out."""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from orchestrator.clock import Clock
from orchestrator.errors import PlanBusy, StoreProblem
from orchestrator.store.base import for_ever
from orchestrator.store.sqlite.files import LOCKS, denied, foreign_link

# A command that reads looks whether the lock is held by sharing it for an instant: a run asks so often.
PEEKED = 3
LONGEST_NOTE = 4096  # characters
_ELSEWHERE = "choose a writable --store"


class FileLease:
    """Implements :class:`orchestrator.store.base.Lease` for the runs of one host."""

    def __init__(self, store: Path) -> None:
        # Its real name: two stores of one folder have their own runs, two names of one store do not.
        self._store = store.resolve()

    @asynccontextmanager
    async def hold(
        self,
        plan: str,
        clock: Clock,
        *,
        wait: bool,
        told: Callable[[str], None],
        longest: Callable[[], Awaitable[float]] = for_ever,
    ) -> AsyncIterator[None]:
        """Hold the plan while the block runs. Raises :class:`PlanBusy` as :class:`Lease` says."""
        place = self._place(plan)
        lock = _lock(place)
        tries = 0
        while not _acquire(lock, self._store):
            holder, since = _holder(place)
            tries += 1
            if not wait and tries < PEEKED:
                await clock.sleep(0.1)
                continue
            if not wait:
                raise PlanBusy(
                    f"another run of plan {plan!r} is going on{holder}",
                    hint="wait for it, or start with --wait",
                )
            if clock.wall() - since > await longest():
                raise PlanBusy(
                    f"the run of plan {plan!r} that is waited for{holder} seems frozen: it should have ended",
                    hint="let that process go on (kill -CONT) or end it; then `orchestrator resume` goes on",
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
        """Whether a run of the plan is alive on this host. It shares a free lock for an instant."""
        place = self._place(plan).with_suffix(".lock")
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError:
            return True  # it cannot be told, so the store is believed
        try:
            # Also where we may not write, and two who look do not hinder each other.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _place(self, plan: str) -> Path:
        what = f"{self._store.name}\n{plan}".encode("utf-8", "surrogatepass")
        return self._store.parent / LOCKS / hashlib.sha256(what).hexdigest()[:16]


def _lock(place: Path) -> FileLock:
    link = foreign_link(place.parent)
    if link is not None:
        raise StoreProblem(f"no lock can be made in {link}: it is a link of another user", hint=_ELSEWHERE)
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreProblem(
            f"no lock can be made in {place.parent}: {error.strerror}", hint=_ELSEWHERE
        ) from error
    return FileLock(place.with_suffix(".lock"), thread_local=False)


def _acquire(lock: FileLock, store: Path) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    except OSError as error:
        linked = Path(lock.lock_file).is_symlink()  # never followed
        raise StoreProblem(
            f"no lock can be made at {lock.lock_file}: {'it is a link' if linked else error.strerror}",
            hint="remove the link" if linked else denied(store),
        ) from error
    return True


def _say_who(place: Path, wall: float) -> None:
    """Write the note beside a lock that we hold. What stands there is replaced, not written to: it may be a
    link, or another name of a file that is not ours to change."""
    who = {"pid": os.getpid(), "host": socket.gethostname(), "since": int(wall)}
    note = place.with_suffix(".json")
    with suppress(OSError):
        note.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(note, flags, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
            file.write(json.dumps(who))


def _holder(place: Path) -> tuple[str, float]:
    """Who holds it, as far as it said so, and since when (epoch seconds; ``inf`` where that is not known)."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with open(os.open(place.with_suffix(".json"), flags), encoding="utf-8") as file:  # noqa: PTH123 - as above
            who = json.loads(file.read(LONGEST_NOTE))
        return f" (process {int(who['pid'])} on {who['host']})", float(who["since"])
    return "", math.inf
