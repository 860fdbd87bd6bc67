"""Pages are made once for all who ask, kept while they are fresh, and never too many of them."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from orchestrator.store.opening import Opened, open_store
from orchestrator.web.shelf import Crowded, Drawer, Page, Shelf


class _Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _page(text: str, size: int = 0) -> Page:
    return Page(200, "text/html", text.encode() + b"x" * size)


async def test_a_page_is_made_once_for_all_who_ask_meanwhile_and_again_when_it_is_old() -> None:
    time, made = _Time(), 0
    shelf, go_on = Shelf(time), anyio.Event()

    async def make() -> Page:
        nonlocal made
        made += 1
        await go_on.wait()
        return _page(str(made))

    found: list[Page] = []

    async def ask() -> None:
        found.append(await shelf.get("key", 1.0, make))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        go_on.set()
    assert [page.body for page in found] == [b"1"] * 5
    time.now += 0.9
    assert (await shelf.get("key", 1.0, make)).body == b"1"
    time.now += 0.2
    assert (await shelf.get("key", 1.0, make)).body == b"2"
    assert (await shelf.get("other", 1.0, make)).body == b"3"


async def test_what_could_not_be_made_is_tried_again_by_the_next() -> None:
    shelf = Shelf(_Time())

    async def fail() -> Page:
        raise ValueError("not now")

    async def make() -> Page:
        return _page("made")

    with pytest.raises(ValueError, match="not now"):
        await shelf.get("key", 1.0, fail)
    assert (await shelf.get("key", 1.0, make)).body == b"made"


async def test_those_go_first_that_were_asked_for_longest_ago() -> None:
    shelf, made = Shelf(_Time(), most=3000), list[str]()

    async def ask(key: str, size: int = 700) -> None:
        async def make() -> Page:
            made.append(key)
            return _page(key, size)

        await shelf.get(key, 9.0, make)

    for key in ("a", "b", "c", "a", "d", "a", "c", "b"):
        await ask(key)
    assert made == ["a", "b", "c", "d", "b"]
    await ask("huge", 9000)
    await ask("huge", 9000)
    assert made[-2:] == ["huge", "huge"], "what is larger than the shelf is not kept"


async def test_large_pages_are_made_one_at_a_time_and_not_for_too_many(tmp_path: Path) -> None:
    url = str(tmp_path / "runs.db")
    async with open_store(url):
        pass
    drawer, said = Drawer(url, most_waiting=2), list[str]()

    async def make(opened: Opened) -> str:
        said.append("begin")
        await anyio.lowlevel.checkpoint()
        said.append("end")
        return (await opened.store.about()).place

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(drawer.draw, make)
        tasks.start_soon(drawer.draw, make)
        await anyio.lowlevel.checkpoint()
        with pytest.raises(Crowded):
            await drawer.draw(make)
    assert said == ["begin", "end"] * 2
    assert await drawer.draw(make) == url
