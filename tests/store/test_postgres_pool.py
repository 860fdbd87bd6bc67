"""Behind a pool of connections that gives a connection to one transaction at a time (PgBouncer)."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import anyio
import psycopg
import pytest
from builders import make_answer
from click.testing import CliRunner
from documentation import ROOT
from postgres_server import PostgresServer
from stores import RUN, sent, stored_run

from orchestrator.cli import cli
from orchestrator.store.opening import open_store
from orchestrator.worker.engine import Engine

ROLES = (ROOT / "docs" / "deploy" / "roles.sql").read_text("utf-8")
SETTINGS = """\
[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
auth_type = trust
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = {size}
unix_socket_dir =
logfile = {folder}/log
pidfile = {folder}/pid
"""


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    """A database with roles, made by one ``store migrate``."""
    url = postgres.create()
    with psycopg.connect(url) as db:
        db.execute(ROLES.encode())
    owner = url.replace("postgres@", "orchestrator_owner@")
    done = CliRunner().invoke(cli, ["store", "migrate", "--store", owner], standalone_mode=False)
    assert done.exception is None, done.output
    yield url
    postgres.drop(url)


@pytest.fixture(params=["session", "transaction"])
def pooled(url: str, postgres: PostgresServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """The way to it through a pool, as a worker."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not here")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="pool-"))
    said = SETTINGS.format(
        server=postgres.port,
        port=port,
        folder=folder,
        mode=request.param,
        size=20 if request.param == "session" else 2,
    )
    (folder / "settings").write_text(said)
    (folder / "users").write_text('"orchestrator_worker" ""\n')
    who = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    if who is not None:
        for place in (folder, folder / "settings", folder / "users"):
            os.chown(place, who.pw_uid, who.pw_gid)
    process = subprocess.Popen(
        [program, str(folder / "settings")],
        user=None if who is None else who.pw_uid,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield f"postgresql://orchestrator_worker@127.0.0.1:{port}/{url.rpartition('/')[2]}"
    process.terminate()
    process.wait(30)
    shutil.rmtree(folder)


def test_one_migration_gives_workers_their_rights_to_the_engines_tables_too(url: str) -> None:
    with psycopg.connect(url.replace("postgres@", "orchestrator_worker@")) as db:
        assert db.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (0,)


async def test_a_run_is_written_and_workers_are_woken_through_a_pool(pooled: str) -> None:
    while True:
        try:
            async with open_store(pooled) as opened, open_store(pooled) as other:
                await stored_run(opened.store, count=2)
                assert await opened.store.claim(RUN, "me")
                engine = Engine(pooled)
                for key in ("k0", "k1"):
                    await sent(opened.store, key)
                    assert await engine.wake(), "in between, on the same connections"
                    answers = [make_answer(round_id=n) for n in range(70)]
                    assert await opened.store.add_answers(RUN, key, answers) == 70
                    assert len(await other.store.answers(RUN, key)) == 70
                break
        except Exception as error:
            if "refused" not in str(error):
                raise
            await anyio.sleep(0.05)  # the pool starts: another process, there is nothing to wait on
