"""One SQLite connection: opened safely, migrated, and every failure told in words for people.

The journal-mode rule: SQLite before 3.51.3 can corrupt a WAL database when two connections write and
checkpoint at the same instant (sqlite.org/wal.html, "WAL-reset bug"), and a cron sweep beside an incident
run is just that. A rollback journal is not affected. ``synchronous=FULL`` always: a lost commit may be a
paid test that nobody knows of.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from orchestrator.errors import StoreProblem
from orchestrator.store.sql.engine import Db, marks
from orchestrator.store.sql.rows import Row
from orchestrator.store.sqlite.files import denied, identity, make_file, owner, real_file, writable

# "orch" in ASCII: tells our files from other SQLite databases.
APPLICATION_ID = 0x6F726368
# Another process may hold the write lock for the length of its commits, never for the length of a request.
BUSY_SECONDS = 30.0
# A commit waits so long for those who are reading just now (seconds).
READERS_SECONDS = 0.5
WAL_SAFE_SINCE = (3, 51, 3)


def journal_mode(version: tuple[int, ...] = sqlite3.sqlite_version_info[:3]) -> str:
    """The journal mode that is safe with two writers under a version of SQLite, by default this one."""
    return "WAL" if version >= WAL_SAFE_SINCE else "TRUNCATE"


def migrations() -> list[tuple[str, str]]:
    """Names and scripts of all migrations, in the order in which they are applied."""
    folder = resources.files("orchestrator.store.sqlite") / "migrations"
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda e: e.name)
    return [(entry.name.removesuffix(".sql"), entry.read_text("utf-8")) for entry in files]


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into :class:`StoreProblem` with a way out."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        if "locked" in text or "busy" in text:
            hint = f"another process has held it for {BUSY_SECONDS:.0f} s; wait for it or use another --store"
        elif "full" in text:
            hint = "free some space; what was stored is safe, then go on with `orchestrator resume`"
        elif "readonly" in text or "unable to open" in text:
            hint = _not_permitted(path)
        elif "malformed" in text or "not a database" in text:
            hint = "the file is damaged or no database: move it away, or use another --store"
        elif "disk I/O" in text:
            hint = "check the disk; what was committed before is kept"
        else:
            hint = "this store cannot be used; use another --store"
        raise StoreProblem(f"store {path}: {text}", hint=hint) from error


def is_locked(problem: StoreProblem) -> bool:
    """Whether another process had the lock: nothing was written, and it can be tried again."""
    # Python's own refusals have no code.
    return getattr(problem.__cause__, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


class Database:
    """A connection for one thread at a time; implements :class:`orchestrator.store.sql.engine.Engine`.

    Raises :class:`StoreProblem` only.
    """

    def __init__(self, path: Path, *, make: bool = True) -> None:
        """Open a file, or ``make`` it; without ``make`` one that may not be written is opened for reading."""
        self.path, self.place = path, str(path)
        with explained(path):
            real = real_file(path)
            self.read_only = not make and real.exists() and not writable(real)
            if not self.read_only:
                self._make(real)
            self.connection = _connect(real, read_only=self.read_only)
            self._file = identity(real)
            try:
                self._prepare()
            except BaseException:
                self.connection.close()
                raise

    def _make(self, real: Path) -> None:
        try:
            make_file(real)
        except OSError as error:
            raise StoreProblem(f"store {self.path}: {error.strerror or error}", hint=denied(real)) from error
        if not writable(real):
            raise StoreProblem(f"store {self.path}: it may not be written", hint=denied(real))

    def _prepare(self) -> None:
        run = self.connection.execute
        # In this order: another process that makes the store right now sets both in one transaction.
        tables = run("SELECT count(*) FROM sqlite_master").fetchone()[0]
        found = run("PRAGMA application_id").fetchone()[0]
        if tables and found != APPLICATION_ID:
            raise StoreProblem(
                f"store {self.path}: this is a database of something else",
                hint="choose another place with --store",
            )
        run("PRAGMA foreign_keys = ON")
        if self.read_only:
            self._check_schema()
            return
        run("PRAGMA synchronous = FULL")
        if not tables:
            # What is pruned can be given back page by page, beside others who write.
            run("PRAGMA auto_vacuum = INCREMENTAL")
        self._migrate()
        wanted = journal_mode()
        if run("PRAGMA journal_mode").fetchone()[0].upper() != wanted:
            run(f"PRAGMA journal_mode = {wanted}")

    def _check_schema(self) -> None:
        known, applied = [name for name, _ in migrations()], self._applied()
        self._refuse_newer(applied, known)
        if applied != known:
            raise StoreProblem(
                f"store {self.path}: written by an earlier version, and it may not be changed",
                hint=f"copy it to a folder of yours and name the copy with --store, or run `orchestrator "
                f"runs --store {self.path}` once as {owner(self.path.resolve())}",
            )

    def _refuse_newer(self, applied: list[str], known: list[str]) -> None:
        unknown = [name for name in applied if name not in known]
        if unknown:
            raise StoreProblem(
                f"store {self.path}: written by a newer version of orchestrator ({unknown[-1]})",
                hint="upgrade orchestrator, or use another --store",
            )

    def _migrate(self) -> None:
        known = migrations()
        if self._applied() == [name for name, _ in known]:
            return
        with self.transaction(wait=True):
            # Read again under the lock: two starting processes must not both migrate.
            applied = self._applied()
            self._refuse_newer(applied, [name for name, _ in known])
            self.connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self.connection.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY)")
            for name, script in known:
                if name not in applied:
                    for statement in statements(script):
                        self.connection.execute(statement)
                    self.connection.execute("INSERT INTO migrations (name) VALUES (?)", (name,))

    def _applied(self) -> list[str]:
        exists = self.connection.execute(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migrations'"
        ).fetchone()
        if not exists:
            return []
        return [row[0] for row in self.connection.execute("SELECT name FROM migrations ORDER BY name")]

    @contextmanager
    def transaction(self, *, wait: bool = False) -> Iterator[sqlite3.Connection]:
        """A write transaction. It takes the lock at once: a read that turns into a write could deadlock.

        Where somebody else has the lock it raises, or may ``wait`` for ``BUSY_SECONDS``.
        """
        with explained(self.path):
            self._wait_for_locks(BUSY_SECONDS if wait else 0.0)
            try:
                self.connection.execute("BEGIN IMMEDIATE")
                self._wait_for_locks(BUSY_SECONDS if wait else READERS_SECONDS)
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
            finally:
                self._wait_for_locks(BUSY_SECONDS)

    def stands(self) -> None:
        """Raise :class:`StoreProblem` if the file is not at its place any more, or another one is: what is
        open would still be read, and written to nowhere."""
        now = identity(real_file(self.path))
        if now != self._file:
            what = "was replaced by another file" if now is not None else "is not there any more"
            raise StoreProblem(
                f"store {self.path}: it {what} while it was open", hint="start what uses it once more"
            )

    def wait_for_locks(self) -> None:
        """As long as every statement does that is no write."""
        self._wait_for_locks(BUSY_SECONDS)

    def _wait_for_locks(self, seconds: float) -> None:
        self.connection.execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A place for SELECT statements."""
        with explained(self.path):
            yield self.connection

    @property
    def kind(self) -> str:
        """For people: the library, and how it writes."""
        return f"SQLite {sqlite3.sqlite_version}, journal mode {journal_mode()}"

    @property
    def schema(self) -> str:
        """The newest migration that this version knows."""
        return migrations()[-1][0]

    @property
    def patience(self) -> float:
        """How long a write waits for the lock of another process (seconds)."""
        return BUSY_SECONDS

    def passing(self, problem: StoreProblem) -> bool:
        """Whether another process had the lock: nothing was written, and it can be tried again."""
        return is_locked(problem)

    def of_one(self, problem: StoreProblem) -> bool:
        """A disk that fails one write fails the others too."""
        del problem
        return False

    def run_number(self, db: Db, run: str) -> int | None:
        """The number of a run. Who may write a run of this host is a matter of the lease on its plan."""
        row = db.execute("SELECT n FROM runs WHERE id = ?", (run,)).fetchone()
        return None if row is None else int(row[0])

    def load(self, db: Db, table: str, columns: str, rows: Iterable[Row]) -> None:
        """Insert rows."""
        db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks(columns.split(','))})", rows)

    def add_answers(self, db: Db, columns: str, rows: Sequence[Row]) -> int:
        """Insert those answers that are not there yet; how many there were."""
        if not rows:
            return 0
        values = marks(columns.split(","))
        sql = f"INSERT INTO answers ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING"
        return db.executemany(sql, rows).rowcount

    def set_cells(self, db: Db, spec_n: int, cells: Sequence[Row]) -> None:
        """Write the cells of a spec."""
        sql = "UPDATE cells SET state = ?, verdict = ?, reasons = ? WHERE agent_id = ? AND spec_n = ?"
        if cells:
            db.executemany(sql, ((*cell, spec_n) for cell in cells))

    def unhurried(self, db: Db) -> None:
        """It may take as long as it likes."""

    def prove_writable(self, db: Db) -> None:
        """Write to the disk and take it back."""
        db.execute("CREATE TABLE probe (x)")
        db.execute("DROP TABLE probe")

    def close(self) -> None:
        """Release the file."""
        with explained(self.path):
            self.connection.close()


def _connect(real: Path, *, read_only: bool) -> sqlite3.Connection:
    if not read_only:
        return sqlite3.connect(real, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        return _connect_reading(f"{real.as_uri()}?mode=ro")
    except sqlite3.OperationalError:
        # In WAL mode a reader writes too, unless it is told that nobody writes: then there is no WAL.
        if real.with_name(f"{real.name}-wal").exists() or _is_unfinished(real):
            raise
        return _connect_reading(f"{real.as_uri()}?mode=ro&immutable=1")


def _connect_reading(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _is_unfinished(path: Path) -> bool:
    """Whether a write was killed: whoever opens the store next takes it back, if that one may write."""
    try:
        return path.with_name(f"{path.name}-journal").stat().st_size > 0
    except OSError:
        return False


def _not_permitted(path: Path) -> str:
    if _is_unfinished(path) and not writable(path):
        return (
            "a run was killed in the middle of a write, and whoever reads must take that back: copy the file "
            "together with its -journal to a folder of yours, and name the copy with --store"
        )
    return denied(path)


def statements(script: str) -> Iterator[str]:
    """Split a script. ``executescript`` would commit, and a migration must be all or nothing."""
    part = ""
    for line in script.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            yield part
            part = ""
