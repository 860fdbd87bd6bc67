"""Whoever reads may go: talk is then for nobody, data was not delivered, the exit code stays the truth."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from process_forked import signals_as_usual
from process_world import PATIENCE, World, ended, plan_text, until

# Of a store with one run of a plan; each prints something on stdout.
PRINTING = (
    ("runs",),
    ("show", "last"),
    ("show", "last", "--json"),
    ("results", "last"),
    ("results", "last", "--format", "csv"),
    ("report", "last"),
    ("report", "last", "--format", "junit"),
    ("explain", "last", "site-0"),
    ("reconcile", "last", "--json"),
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which one run was made; those who only read share it."""
    with World(tmp_path_factory.mktemp("streams")) as made:
        assert made.do("run", made.plan(plan_text())).code == 0
        yield made


def command(world: World, *arguments: str) -> list[str]:
    program = Path(__file__).parents[1] / "support" / "process_command.py"
    return [sys.executable, str(program), *arguments, "--store", str(world.store)]


def through_a_closed_pipe(world: World, *arguments: str, **more: int) -> tuple[int, str]:
    """The exit code and stderr of a command whose stdout nobody reads."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            command(world, *arguments),
            env=world.environment(),
            stdin=subprocess.DEVNULL,
            stdout=write,
            stderr=more.get("stderr", subprocess.PIPE),
            timeout=PATIENCE,
            check=False,
        )
    finally:
        os.close(write)
    return done.returncode, (done.stderr or b"").decode()


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_a_closed_pipe_ends_every_command_alike(world: World, arguments: tuple[str, ...]) -> None:
    assert through_a_closed_pipe(world, *arguments) == (141, "")


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_streams_that_the_caller_closed_change_no_exit_code(world: World, arguments: tuple[str, ...]) -> None:
    def close() -> None:
        os.close(1)
        os.close(2)

    done = subprocess.run(
        command(world, *arguments),
        env=world.environment(),
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE,
        check=False,
        preexec_fn=close,
    )
    assert done.returncode == 0


@pytest.mark.parametrize(
    "words", [("--help",), ("run", "--help"), ("schema",), ("completion", "bash")], ids=" ".join
)
def test_a_closed_pipe_ends_commands_without_a_store_alike(world: World, words: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    program = [sys.executable, "-m", "orchestrator", *words]
    try:
        done = subprocess.run(
            program, env=world.environment(), stdout=write, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_a_full_disk_under_the_data_is_told_and_is_no_success(
    world: World, arguments: tuple[str, ...]
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command(world, *arguments),
            env=world.environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 3
    assert b"No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["--json", None])
def test_a_run_whose_result_nobody_reads_ends_with_141_and_is_stored_as_what_it_was(
    make_world: Callable[..., World], option: str | None
) -> None:
    world = make_world()
    words = ["run", str(world.plan(plan_text())), "--base-url", world.origin, *([option] if option else [])]
    code, _ = through_a_closed_pipe(world, *words)
    assert code == 141
    shown = world.do("show", "last", "--json").document
    assert (shown["state"], shown["exit_code"]) == ("complete", 0)


def test_a_run_that_is_incomplete_says_so_in_its_code_whoever_reads(make_world: Callable[..., World]) -> None:
    world = make_world(faults=[{"kind": "500", "match": "create", "nth": 1}])
    code, _ = through_a_closed_pipe(world, "run", str(world.plan(plan_text())), "--base-url", world.origin)
    assert code == 3


@pytest.mark.parametrize("gone", ["closed pipe", "full disk"])
@pytest.mark.parametrize("level", [(), ("--log-level", "debug")], ids=["quiet log", "loud log"])
def test_a_dead_stderr_changes_no_exit_code(
    make_world: Callable[..., World], gone: str, level: tuple[str, ...]
) -> None:
    world = make_world()
    if gone == "full disk":
        write = os.open("/dev/full", os.O_WRONLY)
    else:
        read, write = os.pipe()
        os.close(read)
    try:
        words = [*level, "run", str(world.plan(plan_text())), "--base-url", world.origin, "--json"]
        done = subprocess.run(
            command(world, *words), env=world.environment(), stdout=subprocess.PIPE, stderr=write, check=False
        )
    finally:
        os.close(write)
    assert done.returncode == 0
    assert b'"state": "complete"' in done.stdout


@pytest.mark.parametrize("descriptor", ["<&-", ">&-", "2>&-", ">&- 2>&-"])
def test_a_stream_that_was_closed_from_the_start_changes_no_exit_code(world: World, descriptor: str) -> None:
    words = " ".join(command(world, "show", "last"))
    done = subprocess.run(
        ["sh", "-c", f"exec {words} {descriptor}"], env=world.environment(), capture_output=True, check=False
    )
    assert done.returncode == 0


def on_a_terminal(world: World, *arguments: str) -> tuple[subprocess.Popen[bytes], int]:
    """A command as the leader of a session on a terminal of its own, and the other end of that terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(world, *arguments),
        env=world.environment(TERM="xterm"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_take_the_terminal,  # noqa: PLW1509 - one thread, before exec, as a login does it
    )
    os.close(theirs)
    return process, ours


def _take_the_terminal() -> None:
    import fcntl  # noqa: PLC0415 - in the child only
    import termios  # noqa: PLC0415 - as above

    signals_as_usual()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_terminal_that_goes_away_stops_the_run_like_a_wish_to_stop(
    make_world: Callable[..., World],
) -> None:
    world = make_world(instant_limit=3)
    process, terminal = on_a_terminal(
        world, "run", str(world.plan(plan_text(sites=8))), "--base-url", world.origin, "--grace", "170"
    )
    until(lambda: len(world.creations()) >= 2, "two creations")
    os.close(terminal)  # as when an ssh connection drops: SIGHUP, and every write fails
    assert process.wait(PATIENCE) == 129
    shown = world.do("show", "last", "--json").document
    assert (shown["state"], shown["exit_code"]) == ("interrupted", 129)
    created = len(world.creations())
    assert shown["tests"]["complete"] == created, "paid for, and collected"
    assert world.do("resume", "--json").code == 0
    assert world.duplicates() == []


def test_a_run_begun_with_nohup_outlives_its_terminal(make_world: Callable[..., World]) -> None:
    world = make_world()
    process = world.start(
        "run",
        world.plan(plan_text()),
        "--json",
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    until(lambda: len(world.creations()) >= 1, "a creation")
    process.send_signal(signal.SIGHUP)
    assert ended(process).code == 0


def test_a_job_in_the_background_of_a_script_hears_no_ctrl_c(make_world: Callable[..., World]) -> None:
    world = make_world()
    process = world.start(
        "run",
        world.plan(plan_text()),
        "--json",
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    until(lambda: len(world.creations()) >= 1, "a creation")
    process.send_signal(signal.SIGINT)
    assert ended(process).code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_after_the_second_are_harmless(
    make_world: Callable[..., World], number: signal.Signals
) -> None:
    world = make_world(instant_limit=3)
    process = world.start("run", world.plan(plan_text(sites=8)), "--json", "--grace", "100000")
    until(lambda: len(world.creations()) >= 2, "two creations")
    while process.poll() is None:  # until its very end, in which Python has no handlers any more
        for _ in range(10):
            process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.001)
    done = ended(process)
    assert done.code == 128 + number, str(done)
    assert "Traceback" not in done.err
    assert world.do("show", "last", "--json").document["exit_code"] == 128 + number


def test_ctrl_c_during_start_up_prints_no_traceback(world: World) -> None:
    """At each of many moments of the start, from before anything is loaded to the command itself.

    The very first lines of Python itself are nobody's: they come before any program.
    """
    for words in (["--help"], ["show", "last", "--store", str(world.store)]):
        for hits in range(100, 4000, 400):
            program = (
                "import os, signal, sys\n"
                "left = [HITS]\n"
                "def trace(frame, event, argument):\n"
                "    left[0] -= 1\n"
                "    if left[0] == 0:\n"
                "        os.kill(os.getpid(), signal.SIGINT)\n"
                f"sys.argv = ['orchestrator', *{words!r}]\n"
                "from orchestrator.__main__ import main\n"
                "sys.setprofile(trace)\n"
                "main()\n"
            ).replace("HITS", str(hits + 1))
            done = subprocess.run(
                [sys.executable, "-c", program],
                env=world.environment(),
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode in (0, 130), (hits, done.stderr)
            assert "Traceback" not in done.stderr, (hits, done.stderr)
