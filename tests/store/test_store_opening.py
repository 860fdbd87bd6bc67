"""A store is opened by its URL: a path, or one that names what keeps it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import UsageProblem
from orchestrator.store.opening import open_store, pick_store, store_exists


async def test_a_store_that_must_be_there_is_not_made(url: str) -> None:
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


@pytest.mark.parametrize("url", ["postgresql://host/runs", "mysql://x", "sqlite://relative", "http://a/b.db"])
async def test_another_kind_of_store_is_refused(url: str) -> None:
    scheme = url.partition(":")[0]
    with pytest.raises(UsageProblem, match=f"store {scheme}://…: only a file is supported") as caught:
        pick_store(url, {})
    assert caught.value.hint == "give a path, or sqlite:///path"
    with pytest.raises(UsageProblem, match="only a file"):
        async with open_store(url):
            raise AssertionError("opened")


async def test_the_name_of_the_shared_budget_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="for the budget that runs share"):
        pick_store(str(tmp_path / "budget.db"), {})
    with pytest.raises(UsageProblem, match="for the budget that runs share"):
        async with open_store(str(tmp_path / "budget.db")):
            raise AssertionError("opened")
    assert list(tmp_path.iterdir()) == []
