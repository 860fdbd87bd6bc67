"""A store is opened by its URL: a path, or one that names what keeps it."""

from __future__ import annotations

from pathlib import Path

import pytest
from stores import Kind

from orchestrator.errors import UsageProblem
from orchestrator.store.opening import open_store, pick_store, store_exists


async def test_a_store_that_must_be_there_is_not_made(url: str, kind: Kind) -> None:
    if kind.server:
        pytest.skip("a database is never made by opening it: test_postgres_schema")
    assert not await store_exists(url)
    with pytest.raises(UsageProblem, match=r"there is no store at .*, so there is no run yet") as caught:
        async with open_store(url, make=False):
            raise AssertionError("opened")
    assert caught.value.hint == "run a plan, or name another store with --store"
    assert not await store_exists(url)
    async with open_store(url):
        assert await store_exists(url)
    async with open_store(url, make=False) as opened:
        assert await opened.store.runs() == []


async def test_a_path_is_a_url_too(tmp_path: Path) -> None:
    async with open_store(str(tmp_path / "a.db")):
        pass
    assert (tmp_path / "a.db").is_file()
    assert await store_exists(f"sqlite:///{tmp_path / 'a.db'}")


def test_the_flag_goes_before_the_environment_and_that_before_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    environ = {"ORCHESTRATOR_STORE": "/srv/env.db"}
    assert pick_store("sqlite:////srv/flag.db", environ) == "/srv/flag.db"
    assert pick_store("", environ) == "/srv/env.db"
    assert pick_store("~/runs.db", environ) == str(tmp_path / "runs.db")
    assert Path(pick_store(None, {})).name == "orchestrator.db"
    assert Path(pick_store(None, {})).is_relative_to(tmp_path)


@pytest.mark.parametrize("url", ["mysql://x", "sqlite://relative", "http://a/b.db"])
async def test_another_kind_of_store_is_refused(url: str) -> None:
    scheme = url.partition(":")[0]
    with pytest.raises(UsageProblem, match=f"store {scheme}://…: only a file or postgresql:// is") as caught:
        pick_store(url, {})
    assert caught.value.hint == "give a path, sqlite:///path or postgresql://host/database"
    with pytest.raises(UsageProblem, match="only a file or"):
        async with open_store(url):
            raise AssertionError("opened")


async def test_the_name_of_the_shared_budget_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="for the budget that runs share"):
        pick_store(str(tmp_path / "budget.db"), {})
    with pytest.raises(UsageProblem, match="for the budget that runs share"):
        async with open_store(str(tmp_path / "budget.db")):
            raise AssertionError("opened")
    assert list(tmp_path.iterdir()) == []


IN_MEMORY = (
    *(":memory:", ":MEMORY:", " :memory: ", "./:memory:", "sqlite://:memory:", "sqlite:///:memory:"),
    *("sqlite::memory:", "file::memory:?cache=shared", "file:x?mode=memory", "sqlite:///x.db?mode=memory"),
)
OTHER_URLS = (
    "file:x.db",
    "file:///srv/x.db",
    "FILE:x.db",
    "sqlite:x.db",
    "sqlite:/x.db",
    "sqlite:///x.db?a=1",
)
NO_FILES = ("sqlite:///", "sqlite:///  ", "  ", ".", "..", "/", "runs/", "sqlite:///runs/", "a\0b", "x/..")


@pytest.mark.parametrize("url", [*IN_MEMORY, *OTHER_URLS, *NO_FILES])
async def test_a_name_that_would_keep_nothing_is_refused_and_makes_nothing(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = "only in memory" if url in IN_MEMORY else "URL" if url in OTHER_URLS else "names no file"
    for flag, environ in ((url, {}), (None, {"ORCHESTRATOR_STORE": url})):
        with pytest.raises(UsageProblem, match=said) as caught:
            pick_store(flag, environ)
        assert caught.value.hint == "give a path, sqlite:///path or postgresql://host/database"
    with pytest.raises(UsageProblem, match=said):
        await store_exists(url)
    with pytest.raises(UsageProblem, match=said):
        async with open_store(url):
            raise AssertionError("opened")
    assert list(tmp_path.iterdir()) == []


async def test_odd_names_that_are_files_are_kept_in_those_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("memory", "file", "x.db?a=1", "a b%20#c.db", "sqlite", "\u00fc.db", "SQLITE:///upper.db"):
        async with open_store(name) as opened:
            await opened.store.save_latencies("o", {"t": [1.0]})
        async with open_store(name, make=False) as opened:
            assert await opened.store.latencies("o") == {"t": [1.0]}
    assert {path.name for path in tmp_path.iterdir()} >= {"memory", "file", "x.db?a=1", "a b%20#c.db"}


async def test_a_home_folder_that_is_not_there_is_told() -> None:
    with pytest.raises(UsageProblem, match="no such home folder"):
        pick_store("~nosuchuser/runs.db", {})
