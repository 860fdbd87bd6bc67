"""Bad plans, each with the problems that must be reported, in comments ``# expect LINE:COLUMN text``.

A place in another file is written with its name: ``# expect holes.csv:3:3 text``.
"""

from __future__ import annotations

import socket
from pathlib import Path

import jsonschema
import pytest

from orchestrator.errors import Exit, PlanInvalid
from orchestrator.model import Json
from orchestrator.plan.load import load_plan
from orchestrator.plan.problems import Problems
from orchestrator.plan.schema import schema
from orchestrator.plan.source import plain, read_yaml
from orchestrator.plan.text import decode

BAD = sorted((Path(__file__).parent / "bad").glob("*.yaml"))
MARK = "# expect "

# What a schema can see in a single file; the rest needs names, files, the parser or arithmetic.
SEEN_BY_SCHEMA = {
    "agent-id-is-a-name",
    "agents-from-a-csv-without-agents",
    "agents-is-empty",
    "agents-per-test-is-zero",
    "ceiling-of-nothing",
    "country-by-name",
    "courtesy-that-is-none",
    "csv-beside-more",
    "duration-in-words",
    "duration-negative",
    "empty-group",
    "empty-tests",
    "expect-is-prose",
    "expect-single-equals",
    "expect-unknown-layer",
    "expect-unknown-metric",
    "misspelt-key-of-a-test",
    "misspelt-option",
    "name-is-a-number",
    "name-is-empty",
    "nested-option-misspelt",
    "no-tests",
    "no-version",
    "option-choice-in-capitals",
    "option-choice-unknown",
    "option-is-fraction",
    "option-is-not-a-truth-value",
    "option-is-text-instead-of-number",
    "option-of-another-type",
    "option-of-scheduled-tests",
    "option-read-only",
    "option-set-by-us",
    "option-too-large",
    "option-too-small",
    "plan-is-a-list",
    "port-beside-server",
    "sample-per-nonsense",
    "sample-without-count",
    "selector-of-everything",
    "several-problems-at-once",
    "step-without-url",
    "target-with-unknown-field",
    "test-is-a-text",
    "test-without-agents",
    "unknown-api",
    "unknown-key-of-a-selector",
    "unknown-key-of-budget",
    "unknown-kind-of-agent",
    "unknown-layer",
    "unknown-top-key",
    "unknown-type",
    "unknown-version",
    "type-that-v6-lacks-hides-nothing",
    "variable-that-is-a-list",
    "wrong-type-hides-nothing",
}


def _wanted(path: Path) -> list[tuple[str, str]]:
    lines = path.read_bytes().decode("utf-8", "replace").splitlines()
    marks = [line.removeprefix(MARK) for line in lines if line.startswith(MARK)]
    return [(place, text) for place, _, text in (mark.partition(" ") for mark in marks)]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a plan was checked over the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_the_corpus_is_large_and_every_file_says_what_is_wrong_with_it() -> None:
    assert len(BAD) >= 40
    assert [path.name for path in BAD if not _wanted(path)] == []


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_plan_is_refused_with_exactly_the_problems_it_has(path: Path, tmp_path: Path) -> None:
    # A link cannot be kept in every checkout, so the folder is copied and gets its link here.
    folder = tmp_path / "plans"
    folder.mkdir()
    for other in path.parent.iterdir():
        (folder / other.name).write_bytes(other.read_bytes())
    (tmp_path / "elsewhere.csv").write_text("name,url\na,https://a.example\n")
    (folder / "link.csv").symlink_to(tmp_path / "elsewhere.csv")
    with pytest.raises(PlanInvalid) as caught:
        load_plan(folder / path.name, environ={})
    assert caught.value.exit_code is Exit.USAGE
    found = [str(problem).replace(f"{folder / path.name}:", "") for problem in caught.value.problems]
    assert all("\n" not in line for line in found)
    wanted = _wanted(path)
    missing = [
        (place, text)
        for place, text in wanted
        if not any(line.startswith(f"{place}: ") and text in line for line in found)
    ]
    assert missing == [], f"reported instead: {found}"
    assert len(found) == len(wanted), f"reported: {found}"


def _document(path: Path) -> Json:
    """The plan as an editor sees it, or ``None`` where it is not YAML to begin with."""
    problems = Problems()
    text = decode(path.read_bytes(), path.name, problems)
    node = None if text is None else read_yaml(text, path.name, problems)
    return None if node is None or len(problems) else plain(node)


@pytest.mark.parametrize(
    "path", [one for one in BAD if _document(one) is not None], ids=lambda path: path.stem
)
def test_the_schema_refuses_what_an_editor_can_see(path: Path) -> None:
    refused = not jsonschema.Draft202012Validator(schema()).is_valid(_document(path))
    assert refused is (path.stem in SEEN_BY_SCHEMA)
