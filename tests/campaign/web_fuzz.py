"""Nonsense at the pages and the hooks, over and over: no 500, no traceback, nothing begun, nothing told.

``python tests/campaign/web_fuzz.py --requests 20000 [--seed N]``

A server with runs and hooks is sent what strangers send: addresses that climb, escape and overflow; ids of
every shape; headers twice, broken and huge; bodies that are huge, slow, cut off, or JSON of every depth;
proofs that are nearly right. Each answer must be one of ours, small and without a word of the inside; the log
must have no defect, no run may be begun, and at the end a plain request must still be answered. It prints its
figures and what was violated, and exits with 1 if anything was.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import random
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import structlog

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

from web_site import ATTACK, site_over

from orchestrator.alerts.config import load_hooks
from orchestrator.clock import LoopClock
from orchestrator.web import server
from orchestrator.web.hooks import Alerts, Came, Wish

SECRET = b"correct horse battery staple"
HOOKS = """\
hooks:
  plain: {secret: env:A, allow: ["*.example.com"]}
  signed: {secret: env:A, by: hmac, header: X-Signature, time: at, allow: ["*.example.com"]}
  pagerduty: {kind: pagerduty, secret: env:A, allow: ["*.example.com"]}
"""
_STATUSES = {200, 302, 304, 400, 403, 404, 405, 408, 413, 415, 421, 431, 503}
# Seconds without an answer: the server waits for the rest of what is no whole request.
_QUIET = 0.7
_INSIDE = (b"Traceback", b"aiohttp", b"orchestrator/", b".py", SECRET)


class Fuzz:
    """One sequence of requests, the same for a seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def request(self) -> bytes:
        """A request, as bytes on the wire."""
        if self._chance.random() < 0.02:
            return self._chance.randbytes(self._chance.randrange(400))
        body = self._body() if self._chance.random() < 0.6 else b""
        hook = self._chance.random() < 0.5
        method = "POST" if hook and self._chance.random() < 0.9 else self._method()
        lines = [f"{method} {self._target(hook)} HTTP/1.{self._chance.choice('1' * 40 + '09')}"]
        lines += self._headers(body)
        return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body

    def _pick(self, *these: str) -> str:
        return self._chance.choice(these)

    def _method(self) -> str:
        return self._pick(
            "GET", "GET", "GET", "POST", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "G\x01T"
        )

    def _target(self, hook: bool) -> str:
        if hook:
            start = self._pick(*3 * ("plain", "signed", "pagerduty"), "", "none", "..")
            words = self._chance.randrange(2) if self._chance.random() < 0.3 else 0
            return f"/hooks/{start}" + "".join(self._word() for _ in range(words))
        start = self._pick(
            *("/", "/runs/", "/runs/aa02", "/plan?name=", "/diff?run=", "/?before=", "/?plan=", "/?state="),
            *("/budgets", "/queue", "/style.css", "http://evil/", "*", ""),
        )
        return start + "".join(self._word() for _ in range(self._chance.randrange(3)))

    def _word(self) -> str:
        return self._pick(
            *(
                "../",
                "..%2f",
                "%00",
                "%ff%fe",
                "//",
                "\\",
                "aa02",
                "last",
                "'--",
                "&run=",
                "?",
                "#",
                ";",
                "%",
                "~",
            ),
            *(
                "etc/passwd",
                "a" * 300,
                "a" * 9000,
                "%s%n",
                "{{7*7}}",
                "${x}",
                "style.css",
                "/.",
                "&base=before",
            ),
            *(
                "\u00e9",
                "%E2%80%AE",
                "-1",
                "99999999999999999999",
                "=",
                "&",
                "%2500",
                quote(ATTACK),
            ),
        )

    def _headers(self, body: bytes) -> list[str]:
        length = str(len(body))
        if self._chance.random() < 0.1:
            length = self._pick(str(len(body) + 50), "-1", "99999999999", "x")
        known = [
            *(
                "Accept: application/json",
                "Accept: ;;q=,",
                "If-None-Match: *",
                "Range: bytes=0-1",
                "X-Host: evil.net",
            ),
            *(
                "Authorization: Bearer x",
                "Authorization: Basic ====",
                "Content-Type: multipart/form-data",
                "TE: x",
            ),
            *("X-Signature: 00", "X-PagerDuty-Signature: v1=" + "0" * 64, "X-Signature: 1\r\nX-Signature: 2"),
        ]
        if self._chance.random() < 0.1:
            known += [
                *(
                    "Host: evil.net",
                    "Transfer-Encoding: chunked",
                    "Upgrade: h2c",
                    "Connection: upgrade",
                    "X: \x0b",
                ),
                *("Content-Encoding: gzip", "\tX", "Authorization: " + "x" * 9000, "Expect: 100-continue"),
            ]
        chosen = ["Host: 127.0.0.1", *self._chance.sample(known, self._chance.randrange(4))]
        if self._chance.random() < 0.05:
            chosen = chosen[1:]
        return [line for line in [*chosen, f"Content-Length: {length}" if body else ""] if line]

    def _body(self) -> bytes:
        kind = self._chance.randrange(6)
        if kind == 0:
            return self._chance.randbytes(self._chance.randrange(2000))
        if kind == 1:
            return b"[" * self._chance.choice((10, 5_000, 60_000))
        if kind == 2:
            return b"x" * self._chance.choice((300_000, 262_145, 262_144))
        target = self._pick(
            "https://a.example.com", "evil.net", "file:///etc/passwd", "a.example.com\n", "", ATTACK
        )
        found: dict[str, object] = {
            "target": target,
            "at": self._chance.choice((0, -1, 1e308, "now", None, [])),
            "event": {"data": target},
        }
        return json.dumps(found).encode()


async def _asked(port: int, request: bytes) -> bytes:
    """The first answer; nothing where the server waits for more of a request, or has let go of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(_QUIET):
            head = await reader.readuntil(b"\r\n\r\n")
            found = re.search(rb"(?i)content-length: (\d+)", head)
            return head + (await reader.read(int(found[1])) if found else b"")
    except (ConnectionError, TimeoutError, asyncio.IncompleteReadError):
        return b""
    finally:
        writer.close()


def wrong_with(answer: bytes) -> str | None:
    """What an answer should not have been."""
    if not answer:
        return None
    head = answer.split(b"\r\n", 1)[0].split()
    if len(head) < 2 or not head[1].isdigit() or int(head[1]) not in _STATUSES:
        return f"answered {answer[:60]!r}"
    if int(head[1]) >= 400:
        inside = [one for one in _INSIDE if one in answer]
        return f"tells of the inside: {inside}" if inside else None
    return None


async def fuzz(folder: Path, requests: int, seed: int) -> tuple[collections.Counter[str], list[str]]:
    """So many requests; the statuses, and what was violated."""
    begun: list[Wish] = []
    server.BODY_WITHIN = 0.3  # type: ignore[misc] # a slow body is given up before we lose patience

    async def start(wish: Wish) -> Came:
        begun.append(wish)
        return Came("0", "", 0.0)

    (folder / "hooks.yaml").write_text(HOOKS)
    hooks = load_hooks(folder / "hooks.yaml")
    alerts = Alerts(hooks, {hook.name: [SECRET] for hook in hooks}, start, LoopClock())
    statuses, wrong, made = collections.Counter[str](), list[str](), Fuzz(seed)
    with structlog.testing.capture_logs() as told:
        async with site_over(folder, alerts=alerts) as origin:
            port = int(origin.rpartition(":")[2])
            running = asyncio.create_task(alerts.run())
            for _ in range(requests):
                request = made.request()
                answer = await _asked(port, request)
                statuses[answer[9:12].decode("latin-1") or "none"] += 1
                problem = wrong_with(answer)
                if problem is not None:
                    wrong.append(f"{problem} to {request[:200]!r}")
            last = await _asked(
                port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            )
            if not last.startswith(b"HTTP/1.1 200"):
                wrong.append(f"a plain request was answered {last[:60]!r}")
            running.cancel()
            await asyncio.wait([running])
    wrong += [f"defect: {line}" for line in told if line["event"] == "defect"]
    wrong += [f"begun: {wish.target}" for wish in begun]
    return statuses, wrong


def main(words: Sequence[str]) -> int:
    """Fuzz, and tell."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--requests", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=1)
    said = options.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        statuses, wrong = asyncio.run(fuzz(Path(folder), said.requests, said.seed))
    print(f"{said.requests} requests, seed {said.seed}: {dict(statuses.most_common())}")  # noqa: T201 - a script
    print(f"{len(wrong)} violations", *wrong[:10], sep="\n")  # noqa: T201 - as above
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
