"""Mistakes of users end with 2 and a sentence: never with a traceback or with 70, and never not at all."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType

import anyio
import anyio.lowlevel
import click
import pytest
from builders import make_answer, make_run, make_spec, make_tests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator import cli
from orchestrator.cli.bodies import serve as pages
from orchestrator.cli.bodies import simulator, worker
from orchestrator.clock import LoopClock
from orchestrator.errors import UsageProblem
from orchestrator.lifecycle import SpecState
from orchestrator.records import RunState
from orchestrator.store.opening import open_store

RUN = "65000000deadbeef"
PLAN = """
version: 1
name: sweep
agents: {every: {type: cloud}}
tests: [{name: web, type: http-server, agents: every, targets: ["https://a.example"]}]
"""
# Nobody listens there.
NOWHERE = "http://127.0.0.1:1"
NONSENSE = (
    *(
        "",
        " ",
        "nan",
        "inf",
        "-inf",
        "-1",
        "0",
        "1e400",
        "9" * 30,
        "9" * 5000,
        "²",
        "٣",
        "½",
        "x\0y",
        "\ud800",
    ),
    *("\udcff", "~nosuchuser/x", "/dev/null", "/dev/full", ".", "a" * 300, "a/" * 3000, "=", "@", "%s", "-"),
)
# Seconds until a command is taken to hang.
PATIENCE = 20
# What a user's mistake may end with; 0 where nonsense is a name like any other.
FAIR = {0, 2, 3, 4, 6}

Say = Callable[..., tuple[int, str]]


class Hangs(BaseException):
    """A command did not come to its end."""


def _hangs(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise Hangs


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a plan and a store with one lost creation; whatever is written stays in it."""

    async def store() -> None:
        async with open_store(str(tmp_path / "runs.db")) as opened:
            run, tests = make_run(RUN), make_tests([make_spec("k00000")], RUN)
            await opened.store.create_run(run, tests, (), ())
            await opened.store.intend(RUN, "k00000", "name", 1.0)
            await opened.store.move(RUN, "k00000", SpecState.UNKNOWN, 2.0, "lost")
            await opened.store.update_run(
                RUN, state=RunState.INCOMPLETE, finished=3.0, exit_code=3, facts=run.facts
            )

    anyio.run(store)
    (tmp_path / "plan.yaml").write_text(PLAN, "utf-8")
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("TE_", "ORCHESTRATOR", "CREDENTIALS"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TE_TOKEN", "a-token-that-is-only-a-test")
    monkeypatch.setenv("TE_BASE_URL", NOWHERE)
    monkeypatch.setenv("ORCHESTRATOR_STORE", str(tmp_path / "runs.db"))

    async def at_once(clock: LoopClock, seconds: float) -> None:
        del clock, seconds
        await anyio.lowlevel.checkpoint()

    monkeypatch.setattr(LoopClock, "sleep", at_once)  # between attempts to reach nobody
    before = {number: signal.getsignal(number) for number in (signal.SIGPIPE, signal.SIGALRM)}
    signal.signal(signal.SIGALRM, _hangs)
    yield tmp_path
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def say(place: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command; returns its exit code, and what it said on both streams."""

    def run(*words: str) -> tuple[int, str]:
        signal.alarm(PATIENCE)
        try:
            with pytest.raises(SystemExit) as end:
                cli.main(words)
        except Hangs:
            pytest.fail(f"hangs: {words!r}")
        finally:
            signal.alarm(0)
        said = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return end.value.code, said.out + said.err

    return run


def fair(say: Say, *words: str) -> None:
    code, said = say(*words)
    told = f"{words!r} ended with {code}:\n{said}"
    assert code in FAIR, told
    assert "Traceback" not in said, told
    assert "defect:" not in said, told


def commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(cli.cli)
    for name in cli.COMMANDS:
        command = cli.cli.get_command(context, name)
        assert command is not None
        yield name, command


def takes_a_value(command: click.Command) -> list[click.Option]:
    return [one for one in command.params if isinstance(one, click.Option) and not one.is_flag]


def arguments(command: click.Command, **said: str) -> list[str]:
    known = {
        "plan": "plan.yaml",
        "base": "last-good",
        "run": "last",
        "cell": "example",
        "shell": "bash",
        "targets": "https://a.example",
    } | said
    return [known[str(one.name)] for one in command.params if isinstance(one, click.Argument)]


@pytest.fixture
def serves_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulator and the pages would serve for ever, and a worker wait long for its store."""

    async def serve(*_: object) -> None:
        """Not here."""

    @asynccontextmanager
    async def serving(*_: object) -> AsyncIterator[str]:
        raise UsageProblem("not here")
        yield ""

    monkeypatch.setattr(simulator, "_serve", serve)
    monkeypatch.setattr(pages, "serving", serving)
    monkeypatch.setattr(worker, "START", 0.0)


@pytest.mark.usefixtures("serves_nobody")
@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_no_option_of_a_command_ends_in_a_defect_whatever_is_given_to_it(say: Say, name: str) -> None:
    command = dict(commands())[name]
    for option in takes_a_value(command):
        for value in NONSENSE:
            if value == "-" and option.name == "token_file":
                continue  # standard input, and whoever runs the tests may sit there
            fair(say, name, *arguments(command), option.opts[0], value)


@pytest.mark.usefixtures("serves_nobody")
@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_no_argument_of_a_command_ends_in_a_defect_whatever_is_given_to_it(say: Say, name: str) -> None:
    command = dict(commands())[name]
    for one in command.params:
        if isinstance(one, click.Argument):
            for value in NONSENSE:
                fair(say, name, "--", *arguments(command, **{str(one.name): value}))


@pytest.mark.usefixtures("serves_nobody")
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(data=st.data())
def test_no_words_after_a_command_end_in_a_defect(say: Say, data: st.DataObject) -> None:
    name, command = data.draw(st.sampled_from(list(commands())))
    options = [option for option in takes_a_value(command) if option.name != "token_file"]
    words = arguments(command)
    for option in data.draw(st.lists(st.sampled_from(options), max_size=2)) if options else ():
        words += [option.opts[0], data.draw(st.text(max_size=12) | st.sampled_from(NONSENSE))]
    fair(say, name, *words)


@pytest.mark.parametrize("option", ["--speed", "--grace"])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1", "1e400", "x"])
def test_speed_and_grace_are_finite_numbers(say: Say, option: str, value: str) -> None:
    code, said = say("run", "plan.yaml", "--simulate", option, value)
    assert code == 2
    assert option in said


@pytest.mark.parametrize("store", ["~nosuchuser/x", "sqlite:///~nosuchuser/x", "~no-such-user"])
@pytest.mark.parametrize("command", ["runs", "show", "doctor"])
def test_a_store_that_can_be_none_is_told_as_one(say: Say, command: str, store: str) -> None:
    code, said = say(command, "--store", store)
    assert code == 2
    assert "store" in said


def test_a_user_without_a_home_is_told_to_name_a_store(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("ORCHESTRATOR_STORE")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)

    def unknown(uid: int) -> object:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr("pwd.getpwuid", unknown)
    code, said = say("runs")
    assert code == 2
    assert "name a place with --store" in said


@pytest.mark.parametrize("limit", ["99999999999999999999", "0", "-1", "1e3"])
def test_a_number_of_runs_that_is_none_is_refused(say: Say, limit: str) -> None:
    assert say("runs", "--limit", limit)[0] == 2


@pytest.mark.parametrize("test_id", ["²", "0", "1" * 200, "", "-1", "٣", "007", "1.0", "9" * 20, " 1"])
def test_what_cannot_be_the_id_of_a_test_is_not_adopted(say: Say, test_id: str) -> None:
    code, said = say("reconcile", RUN, "--adopt", f"k00000={test_id}")
    assert code == 2
    assert "adopted" not in said
    assert "k00000" in say("reconcile", RUN)[1], "it is still lost"


@pytest.mark.parametrize("words", [("check", "PIPE"), ("run", "PIPE"), ("check", "--offline", "PIPE")])
def test_a_pipe_without_a_writer_is_no_plan_and_nothing_to_wait_for(
    say: Say, place: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    os.mkfifo(place / "pipe")
    monkeypatch.setattr("orchestrator.files.read_file.__kwdefaults__", {"patience": 0.05})
    code, said = say(*(str(place / "pipe") if word == "PIPE" else word for word in words))
    assert code == 2
    assert "it is a pipe, and nothing came out of it" in said


@pytest.mark.parametrize("way", ["--token-file", "TE_TOKEN_FILE"])
def test_a_pipe_without_a_writer_holds_no_token(
    say: Say, place: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    os.mkfifo(place / "pipe")
    monkeypatch.setattr("orchestrator.files.read_file.__kwdefaults__", {"patience": 0.05})
    words = ["doctor"]
    if way == "TE_TOKEN_FILE":
        monkeypatch.setenv(way, "pipe")
    else:
        words += [way, "pipe"]
    code, said = say(*words)
    assert code == 2
    assert "nothing came out of it" in said


def test_a_plan_may_come_through_a_pipe_as_a_shell_gives_it(say: Say) -> None:
    reads, writes = os.pipe()
    with os.fdopen(writes, "w") as stream:
        stream.write(PLAN)
    try:
        code, said = say("check", "--offline", f"/dev/fd/{reads}")
    finally:
        os.close(reads)
    assert code == 0, said


@pytest.mark.parametrize("command", ["resume", "rerun"])
@pytest.mark.parametrize("group", ["1234", "0", "another"])
def test_a_run_goes_on_in_its_own_account_group_only(say: Say, command: str, group: str) -> None:
    code, said = say(command, RUN, "--aid", group, "--base-url", "https://api.thousandeyes.com")
    assert code == 2
    assert "was begun without an account group" in said


def test_the_test_of_another_run_is_not_adopted(say: Say, place: Path) -> None:
    async def store() -> None:
        async with open_store(str(place / "runs.db")) as opened:
            other = "65000000deadbee0"
            await opened.store.create_run(make_run(other), make_tests([make_spec("k1")], other), (), ())
            await opened.store.intend(other, "k1", "name", 1.0)
            await opened.store.created(other, "k1", "4711", {}, 2.0)
            await opened.store.add_answers(other, "k1", [make_answer()])

    anyio.run(store)
    code, said = say("reconcile", RUN, "--adopt", "k00000=4711")
    assert code == 2
    assert "test 4711 has answered another creation already" in said
    assert say("reconcile", RUN, "--adopt", "k00000=4712")[0] == 0
