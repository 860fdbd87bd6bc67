"""A real browser for tests: headless Chromium, spoken to over its DevTools protocol. It loads files,
and pages of servers of ours on loopback.

One process serves all tests of a session; each test opens pages of its own.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The first that is installed; the newest release of axe comes first.
AXES = ("axe_playwright_python", "axe_core_python")
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
    *(
        "--disable-extensions",
        "--disable-default-apps",
        "--no-default-browser-check",
        "--force-color-profile=srgb",
    ),
    *("--remote-debugging-port=0", "--disable-dev-shm-usage", "--allow-file-access-from-files"),
)
_STARTS_WITHIN = 60.0  # seconds, on a machine that is busy
_ANSWERS_WITHIN = 120.0


def installed() -> str | None:
    """The browser's program, or ``None``."""
    return next((path for name in NAMES if (path := shutil.which(name)) is not None), None)


def axe() -> str | None:
    """The source of axe, from whichever package brings it; ``None`` if none does."""
    for name in AXES:
        found = importlib.util.find_spec(name)
        if found is not None and found.origin is not None:
            source = Path(found.origin).with_name("axe.min.js")
            if source.exists():
                return source.read_text("utf-8")
    return None


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[str]:
    """A browser that runs; gives the address of its DevTools. ``folder`` is empty, and its own."""
    program = installed()
    assert program is not None
    environment = {
        **os.environ,
        "HOME": str(folder),
        "XDG_CACHE_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    process = subprocess.Popen(
        [program, *_FLAGS, f"--user-data-dir={folder}/profile", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    try:
        yield f"http://127.0.0.1:{_port(folder / 'profile' / 'DevToolsActivePort', process)}"
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    end = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int(file.read_text("utf-8").splitlines()[0])
        assert process.poll() is None, "the browser ended at once"
        time.sleep(0.05)  # another process writes it, and tells nobody
    raise AssertionError("the browser did not start")


@dataclass
class Page:
    """One page. ``console`` is whatever it said there, ``requests`` every address that it asked for."""

    socket: aiohttp.ClientWebSocketResponse
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    loaded: int = 0
    _sent: int = 0

    async def call(self, method: str, **params: Any) -> Any:
        """One command, and its result."""
        self._sent += 1
        await self.socket.send_json({"id": self._sent, "method": method, "params": params})
        return await self._until(lambda message: message.get("id") == self._sent)

    async def _until(self, wanted: Any) -> Any:
        async with asyncio.timeout(_ANSWERS_WITHIN):
            while True:
                message = json.loads(await self.socket.receive_str())
                self._hear(message)
                if wanted(message):
                    assert "error" not in message, message["error"]
                    return message.get("result")

    def _hear(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Runtime.consoleAPICalled":
                self.console.append(str([one.get("value") for one in params["args"]]))
            case "Runtime.exceptionThrown":
                self.console.append(str(params["exceptionDetails"]))
            case "Log.entryAdded":
                self.console.append(params["entry"]["text"])
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Page.loadEventFired":
                self.loaded += 1

    async def open(self, what: Path | str) -> None:
        """Open a file, or an address, until it has loaded."""
        before = self.loaded
        await self.call("Page.navigate", url=what if isinstance(what, str) else what.as_uri())
        await self.until_loaded(before)

    async def until_loaded(self, before: int) -> None:
        """Until more pages have loaded than so many."""
        if self.loaded == before:
            await self._until(lambda _: self.loaded > before)

    async def run(self, script: str) -> Any:
        """What a script gives, as JSON would carry it. The page itself may run none: this is the tester's."""
        told = await self.call(
            "Runtime.evaluate",
            expression=script,
            returnByValue=True,
            awaitPromise=True,
            allowUnsafeEvalBlockedByCSP=True,
        )
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    async def looks(self, *, width: int, dark: bool = False, paper: bool = False, height: int = 800) -> None:
        """How it is looked at."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", media="print" if paper else "screen", features=[scheme])

    async def picture(self, *, full: bool = True) -> bytes:
        """A PNG of the page, or of what is seen without scrolling."""
        told = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=full)
        return base64.b64decode(told["data"])

    async def paper(self) -> bytes:
        """A PDF of the page."""
        told = await self.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
        return base64.b64decode(told["data"])


@contextlib.asynccontextmanager
async def page(devtools: str) -> AsyncIterator[Page]:
    """A new page of a browser that runs."""
    async with aiohttp.ClientSession() as session:
        async with session.put(f"{devtools}/json/new?about:blank") as answer:
            target = await answer.json()
        async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            found = Page(socket)
            for domain in ("Page", "Runtime", "Log", "Network"):
                await found.call(f"{domain}.enable")
            yield found
        async with session.get(f"{devtools}/json/close/{target['id']}") as answer:
            await answer.read()
