"""Issue 9, number 16: a plan is checked without token and network, and what that cannot tell is said."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.cli import main
from orchestrator.plan.model import Plan
from orchestrator.plan.offline import Unlisted, offline
from orchestrator.plan.problems import Place

Parse = Callable[..., Plan]
OneTest = Callable[..., str]
PLANS = sorted((Path(__file__).parents[2] / "plans").glob("*.yaml"))
SELECTORS = "agents: {all: {name: '*'}, hq: ['1', '2'], few: {id: ['3'], exclude: [{id: '3'}]}}"


@dataclass(frozen=True, slots=True)
class Done:
    code: object
    out: str
    err: str


@pytest.fixture
def check(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """`orchestrator check` of a plan, where there is neither token nor home nor network."""

    def refuse(*_: object) -> None:
        raise AssertionError("an offline check went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for name in ("TE_TOKEN", "TE_TOKEN_FILE", "HOME", "XDG_STATE_HOME", "ORCHESTRATOR_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TE_BASE_URL", "no origin at all")
    monkeypatch.chdir(tmp_path)

    def run(plan: str | Path, *words: str) -> Done:
        path = plan if isinstance(plan, Path) else tmp_path / "plan.yaml"
        if isinstance(plan, str):
            path.write_text(plan)
        with pytest.raises(SystemExit) as ended:
            main(["check", "--offline", *words, str(path) if isinstance(plan, Path) else "plan.yaml"])
        told = capsys.readouterr()
        return Done(ended.value.code, told.out, told.err)

    return run


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
@pytest.mark.parametrize("api", ["v7", "v6"])
def test_every_shipped_plan_is_valid_without_token_and_network(
    check: Callable[..., Done], path: Path, api: str
) -> None:
    done = check(path, "--api", api)
    if api == "v6" and done.code == 2:
        assert "API v6 has no" in done.err
    else:
        assert (done.code, done.err) == (0, "")
        assert "as far as can be told offline" in done.out


def test_selectors_that_need_the_list_are_named_with_their_places(
    check: Callable[..., Done], one_test: OneTest
) -> None:
    text = one_test(agents="[all, hq, few, {country: GB}]", top=SELECTORS)
    done = check(text)
    assert done.code == 0
    assert "plan.yaml:8:14: selector all (test web)" in done.out
    assert "plan.yaml:8:23: selector few (test web)" in done.out
    assert "plan.yaml:8:28: selector in place (test web)" in done.out
    assert "selector hq" not in done.out, "its ids are known"


def test_the_document_says_it_too(check: Callable[..., Done], one_test: OneTest) -> None:
    document = json.loads(check(one_test(agents="[all, hq]", top=SELECTORS), "--json").out)
    assert document["offline"] is True
    assert document["tests"] == {"at_least": 1}
    assert document["blocks"][0]["agents"] is None
    assert document["needs_listing"] == [
        {"test": "web", "what": "selector", "name": "all", "file": "plan.yaml", "line": 8, "column": 14}
    ]


def test_mistakes_are_told_as_everywhere(check: Callable[..., Done], one_test: OneTest) -> None:
    done = check(one_test(targets="['http:/x']"), "--json")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("plan.yaml:6:15: url begins with 'http:/'")


def test_a_ceiling_that_is_exceeded_in_any_case_ends_with_6(
    check: Callable[..., Done], one_test: OneTest
) -> None:
    targets = "['https://a.example', 'https://b.example']"
    done = check(one_test(targets=targets, agents="all", top=f"{SELECTORS}\nbudget: {{max_tests: 1}}"))
    assert done.code == 6
    assert "the plan needs at least 2 tests, budget.max_tests allows 1" in done.out


def test_columns_that_nobody_uses_are_said_once(
    check: Callable[..., Done], one_test: OneTest, tmp_path: Path
) -> None:
    (tmp_path / "sites.csv").write_text("url,owner\nhttps://a.example,x\nhttps://b.example,y\n")
    done = check(one_test(targets="[{csv: sites.csv}]"), "--json")
    (note,) = json.loads(done.out)["notes"]
    assert note.startswith("sites.csv:1:5: column 'owner' is not used")
    assert done.err.splitlines() == [note]


TOKEN = "sesame-0123456789abcdef-0123456789abcdef"


@pytest.mark.parametrize(
    "holds",
    [f"# {TOKEN}", f"options: {{headers: ['X-Any: {TOKEN}']}}", "options: {headers: ['X-Any: ${env:KEY}']}"],
)
def test_a_plan_that_holds_the_token_is_refused_where_one_is_configured(
    holds: str, check: Callable[..., Done], one_test: OneTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", TOKEN)
    assert check(one_test(holds)).code == 0, "nobody can know"
    monkeypatch.setenv("TE_TOKEN", TOKEN)
    done = check(one_test(holds))
    assert done.code == 2
    assert "the plan holds the value of the API token" in done.err
    assert TOKEN not in done.err
    assert check(one_test()).code == 0


def test_a_token_file_that_was_named_is_read_and_its_mistakes_are_told(
    check: Callable[..., Done], one_test: OneTest, tmp_path: Path
) -> None:
    assert check(one_test(), "--token-file", "nowhere").code == 2
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o600)
    assert check(one_test(f"# {TOKEN}"), "--token-file", "token").code == 2


def test_offline_and_simulated_are_two_things(check: Callable[..., Done], one_test: OneTest) -> None:
    done = check(one_test(), "--simulate")
    assert done.code == 2
    assert "give one of the two" in done.err


class TestWhatIsCertain:
    def test_ids_are_counted_and_split_as_the_plan_says(self, parse: Parse, one_test: OneTest) -> None:
        found = offline(parse(one_test("agents_per_test: 2", agents="['1', '2', '3']")))
        assert (found.blocks[0].agents, found.creations, found.unlisted) == (3, 2, ())

    def test_ids_from_a_file_are_known_and_names_are_not(
        self, parse: Parse, one_test: OneTest, tmp_path: Path
    ) -> None:
        (tmp_path / "a.csv").write_text("id\n1\n2\n")
        plan = parse(one_test(agents="{csv: a.csv}"), folder=tmp_path)
        assert offline(plan).blocks[0].agents == 2
        (tmp_path / "a.csv").write_text("name\nhq\n")
        plan = parse(one_test(agents="{csv: a.csv}"), folder=tmp_path)
        assert [one.name for one in offline(plan).unlisted] == ["in place"]

    def test_agents_as_targets_need_the_list(self, parse: Parse, one_test: OneTest) -> None:
        found = offline(parse(one_test(type="agent-to-agent", targets="[hq]")))
        assert found.unlisted == (Unlisted("web", "target", "hq", Place("plan.yaml", 6, 15)),)
        assert found.creations == 0, "an agent may be its own only target"
