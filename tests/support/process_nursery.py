"""Forks processes that have everything loaded already: half a second of CPU less for each of a thousand.

``python process_nursery.py FD``, where FD is a socket: each message is a JSON object of ``program``,
``words``, ``env`` and ``cwd`` with three files, and is answered with the id of a process. That has its own
memory, streams, environment and signals, as one that was started anew, and ends as one does. Whoever asks
becomes its parent (see :mod:`process_forked`).
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import process_start  # noqa: F401 - turns the collector off while all of this is loaded

import orchestrator

MOST = 1 << 18  # bytes of a message
# Heavy, and of few commands: those load it themselves.
SKIPPED = ("orchestrator.assistant", "orchestrator.telemetry.exporting", "orchestrator.__main__")


def load() -> None:
    """All that commands and simulated worlds are made of."""
    for found in pkgutil.walk_packages(orchestrator.__path__, "orchestrator."):
        if not found.name.startswith(SKIPPED):
            importlib.import_module(found.name)
    assert threading.active_count() == 1, "what is forked has one thread"
    gc.freeze()


def become(request: Mapping[str, Any], files: Sequence[int]) -> None:
    """What a new interpreter would do: from here on this process is that program."""
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    for ends in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ends, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    time.tzset()
    # Left open: the interpreter writes out what they hold at its end, and so does nobody else.
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, "utf-8", "backslashreplace", closefd=False)  # noqa: SIM115
    sys.argv = [request["program"], *request["words"]]
    runpy.run_path(request["program"], run_name="__main__")
    raise SystemExit(0)


def main() -> None:
    asks = socket.socket(fileno=int(sys.argv[1]))
    load()
    while True:
        message, files, _, _ = socket.recv_fds(asks, MOST, 3)
        if not message:
            asks.close()
            return
        told, tells = os.pipe()
        between = os.fork()
        if between == 0:
            born = os.fork()
            if born == 0:
                asks.detach()  # closed with all other files
                become(json.loads(message), files)
            os.write(tells, str(born).encode())
            os._exit(0)  # and so the new one is handed to the next ancestor that takes it
        os.waitpid(between, 0)
        asks.send(os.read(told, 20))
        for file in (told, tells, *files):
            os.close(file)


if __name__ == "__main__":
    main()
