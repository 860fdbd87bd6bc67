"""The files of a store: whose they are, which links are followed, and what to do where they cannot be used.

In a folder that others may write to, a link may be a trap: what we write goes where its owner wants it. So a
link of another user (root apart) is not followed. Which file is opened is decided once, before SQLite opens
it by the name that was found; a file that is there is never opened here, because closing it would drop the
locks that SQLite has on it in this process.
"""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from contextlib import suppress
from pathlib import Path

from orchestrator.errors import StoreProblem

LOCKS = "locks"
MOST_LINKS = 40
_SIDES = ("", "-journal", "-wal", "-shm")
_KINDS = {
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


def foreign_link(path: Path) -> Path | None:
    """The first link on the way from this name to its file that belongs to another user than us and root."""
    for _ in range(MOST_LINKS):
        try:
            found = path.lstat()
        except OSError:
            return None  # whoever opens it will tell
        if not stat.S_ISLNK(found.st_mode):
            return None
        if found.st_uid not in {0, os.geteuid()}:
            return path
        path = path.parent / path.readlink()
    return path


def identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one that has its name; ``None`` where none is there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def real_file(path: Path) -> Path:
    """The file that a store is in or will be in. Raises :class:`StoreProblem` for what cannot be one."""
    link = foreign_link(path)
    if link is not None:
        raise StoreProblem(
            f"store {path}: {link} is a link of another user ({owner(link)})",
            hint="name the file itself, in a folder that only you write to",
        )
    try:
        real = path.resolve()
        mode = real.stat().st_mode if real.exists() else stat.S_IFREG
    except (OSError, RuntimeError) as error:
        raise StoreProblem(
            f"store {path}: {getattr(error, 'strerror', None) or error}", hint=denied(path)
        ) from error
    if stat.S_ISDIR(mode):
        raise StoreProblem(
            f"store {path}: this is a folder", hint=f"name a file in it: {path}/orchestrator.db"
        )
    if not stat.S_ISREG(mode):
        raise StoreProblem(
            f"store {path}: this is no file but {_KINDS.get(stat.S_IFMT(mode), 'something else')}",
            hint="choose a file with --store",
        )
    return real


def make_file(path: Path) -> None:
    """Make an empty file for its owner only, and its folder; leave one that is there. Raises ``OSError``."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(FileExistsError):
        # Plans may carry passwords of tests: nobody else reads the store.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))


def writable(path: Path) -> bool:
    """Whether a file that is there can be written, and what SQLite needs beside it."""
    return os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)


def owner(path: Path) -> str:
    """The user that a file belongs to, by name where it has one."""
    return user(path.lstat().st_uid)


def user(uid: int) -> str:
    """The name of a user, or the number of one without a name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def denied(path: Path) -> str:
    """What to do where the file of a store, its locks or its folder may not be used: a hint."""
    files = [path.with_name(path.name + side) for side in _SIDES]
    ours = [*files, *(path.with_name("budget.db" + side) for side in _SIDES), path.parent / LOCKS]
    with suppress(OSError):
        ours += sorted((path.parent / LOCKS).iterdir())
    foreign = [one for one in ours if _foreign(one)]
    if foreign and _foreign(path.parent) and not os.access(path.parent, os.W_OK) and _only(path.parent, ours):
        foreign = [path.parent]
    if not foreign:
        return "check the permissions of the file and its folder, or use another --store"
    whose = owner(foreign[0])
    names = " ".join(shlex.quote(str(one)) for one in foreign if one.parent not in foreign)
    me = user(os.geteuid())
    after = " (after a run as root?)" if whose == "root" else ""
    return f"it belongs to {whose}{after}: sudo chown -R {me} {names}, or use another --store"


def _foreign(path: Path) -> bool:
    try:
        return path.lstat().st_uid != os.geteuid()
    except OSError:
        return False


def _only(folder: Path, ours: list[Path]) -> bool:
    """Whether nothing else is in a folder: a whole system folder is nobody's to be given away."""
    try:
        return set(folder.iterdir()) <= set(ours)
    except OSError:
        return False
