"""A receiver of notices on loopback: the witness of what was sent."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Post:
    """One POST that came, and the status that it was answered with (``None``: not at all)."""

    path: str
    key: str
    document: dict[str, Any]
    status: int | None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Receiver:
    """Takes notices. ``answers`` says with which status, by the number of the POST; ``None``: not at all."""

    url: str = ""
    posts: list[Post] = field(default_factory=list)
    answers: Callable[[int], int | None] = lambda _: 200
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def taken(self) -> list[Post]:
        """What was answered 2xx."""
        return [one for one in self.posts if one.status is not None and one.status // 100 == 2]

    def ids(self) -> list[str]:
        """The ids of what was taken, each as often as it was."""
        return [str(one.document["id"]) for one in self.taken]

    def events(self) -> list[str]:
        """The events of what was taken, each key once: as one sees who remembers the keys that came."""
        first = {one.key: str(one.document["event"]) for one in reversed(self.taken)}
        return [*reversed(first.values())]


@contextmanager
def receiving(
    answers: Callable[[int], int | None] = lambda _: 200, *, tls: ssl.SSLContext | None = None
) -> Iterator[Receiver]:
    """A receiver as long as the block runs."""
    receiver = Receiver(answers=answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = receiver.answers(len(receiver.posts) + 1)
            key = self.headers.get("Idempotency-Key", "")
            receiver.posts.append(Post(self.path, key, json.loads(body), status, dict(self.headers)))
            if status is None:
                receiver.closing.wait()
                return
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", f"{receiver.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the library calls it
            """Nothing is written."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    if tls is not None:
        receiver.url = f"https://localhost:{server.server_port}"
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
