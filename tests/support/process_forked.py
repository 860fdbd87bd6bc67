"""Programs of this folder as processes that the nursery forks: children of this process like any others.

A process that is orphaned becomes a child of its next ancestor that takes orphans. That is this one for as
long as one is born, and at no other time: a database server that lets go of whoever started it is nobody's.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

SUPPORT = Path(__file__).resolve().parent
# What the installed command does; that itself is called by crontabs, recipes and shells of the documents.
PRODUCT = SUPPORT.parents[1] / "orchestrator" / "__main__.py"
PATIENCE = 240.0
# From linux/prctl.h.
PR_SET_CHILD_SUBREAPER = 36
# What an interpreter reads when it starts, or a process is given before it: such a one is started anew.
_AT_START = ("PYTHON", "LC_", "LANG", "MALLOC_", "LD_")
_KNOWN = {("LANG", "C.UTF-8"), ("PYTHONWARNINGS", "error")}
_OPTIONS = frozenset({"cwd", "env", "stdin", "stdout", "stderr", "text", "encoding", "errors"})


class Nursery:
    """The process that forks; ended by the end of this one."""

    def __init__(self) -> None:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._asks, self._turn = ours, threading.Lock()
        self._prctl = ctypes.CDLL(None).prctl
        self._process = subprocess.Popen(
            [sys.executable, str(SUPPORT / "process_nursery.py"), str(its.fileno())],
            env={**os.environ, "PYTHONPATH": environ_path(), "PYTHONWARNINGS": "error"},
            stdin=subprocess.DEVNULL,
            pass_fds=(its.fileno(),),
        )
        its.close()
        atexit.register(self.close)

    def close(self) -> None:
        """Fork nothing more."""
        self._asks.close()
        self._process.wait()

    def bear(
        self, program: str, words: Sequence[str], env: Mapping[str, str], cwd: str, files: Sequence[int]
    ) -> int:
        """The id of a new child of this process that is this program."""
        asked = json.dumps({"program": program, "words": [*words], "env": dict(env), "cwd": cwd}).encode()
        with self._turn:
            self._prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            try:
                socket.send_fds(self._asks, [asked], [*files])
                born = self._asks.recv(20)
            finally:
                self._prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        assert born, "the nursery has gone"
        return int(born)


@cache
def nursery() -> Nursery:
    """That of this process."""
    return Nursery()


def environ_path() -> str:
    """Where programs find this folder and the package beside these tests."""
    return os.pathsep.join(map(str, (SUPPORT, SUPPORT.parents[1])))


class Forked(subprocess.Popen[Any]):
    """A process of ``[sys.executable, PROGRAM, *WORDS]`` that the nursery forks."""

    if TYPE_CHECKING:
        _child_created: bool

        def _close_pipe_fds(self, *ends: int) -> None: ...

    # What Popen calls to have the process made, the same from 3.9 to 3.14 as far as it is used here.
    def _execute_child(
        self,
        args: Sequence[str],
        _executable: Any,
        _preexec: Any,
        _close: Any,
        _pass: Any,
        cwd: Any,
        env: Mapping[str, str],
        *rest: Any,
    ) -> None:
        ends = rest[3:9]
        stdin, _, _, stdout, _, stderr = ends
        files = (own if end == -1 else end for own, end in enumerate((stdin, stdout, stderr)))
        self.pid = nursery().bear(args[1], args[2:], env, str(cwd or Path.cwd()), [*files])
        self._child_created = True
        self._close_pipe_fds(*ends)


def signals_as_usual() -> None:
    """As a login gives them. Tests may run in the background, where Ctrl-C is ignored; that is inherited."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def orchestrator(
    *words: str | Path, env: Mapping[str, str], cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``orchestrator WORDS`` to its end."""
    command = [*map(str, words)]
    with started(
        PRODUCT,
        command,
        env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def started(
    program: str | Path, words: Sequence[str], env: Mapping[str, str], **options: Any
) -> subprocess.Popen[Any]:
    """A process of a program of this folder: forked where that is the same, else started anew."""
    command = [sys.executable, str(SUPPORT / program), *words]
    at_start = any(
        name.startswith(_AT_START) and name != "PYTHONPATH" and (name, value) not in _KNOWN
        for name, value in env.items()
    )
    if sys.platform == "linux" and _OPTIONS.issuperset(options) and not at_start:
        return Forked(command, env=env, **options)
    return subprocess.Popen(command, env=env, **{"preexec_fn": signals_as_usual, **options})
