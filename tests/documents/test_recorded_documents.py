"""Documents are what they were before the code behind them changed, to the byte, but for what is named here.

Five scenarios (``tests/support/recorded_scenarios.py``) are run over both versions of the API in virtual
time, and their documents are compared with those in ``recorded``, which ``record.py`` wrote before that.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from added_keys import difference, without
from recorded_documents import DOCUMENTS, documents_of, run_names

Made = Callable[[str], Mapping[str, bytes]]

RECORDED = Path(__file__).parent / "recorded"
# What each document has more than when it was recorded, by the document's file name; how to name it is told
# in ``added_keys``. Only additions that are wanted and documented belong here.
ADDED_KEYS: Mapping[str, frozenset[str]] = {
    "check.json": frozenset(
        {"deadline", "keep", "notes", "requests.hops_at_most", "specs.expect", "specs.warn"}
    ),
    "show.json": frozenset(
        {
            "allow_missing",
            "insight",
            "paths",
            "silent_agents",
            "raw_pruned",
            "answers_pruned",
            "snapshots",
        }
    ),
    "results.jsonl": frozenset({"error_type", "hops", "test"}),
    "results.csv": frozenset({"error_type"}),
}

RUNS = run_names()
CASES = [pytest.param(run, document, id=f"{run}/{document}") for run in RUNS for document in DOCUMENTS]


@pytest.fixture(scope="session")
def made() -> Made:
    """The documents of a run by its name. Each run is made once, and only where a test asks for it."""
    return functools.cache(documents_of)


def added_to(document: str) -> frozenset[str]:
    return ADDED_KEYS.get(document, frozenset())


@pytest.mark.parametrize(("run", "document"), CASES)
def test_a_document_is_equal_to_the_recorded_one_to_the_byte(made: Made, run: str, document: str) -> None:
    before = (RECORDED / run / document).read_bytes()
    now = without(document, made(run)[document], added_to(document))
    if before != now:
        pytest.fail(
            f"{run}/{document} is not as recorded:\n{difference(document, before, now)}", pytrace=False
        )


def test_every_recorded_document_is_compared() -> None:
    there = {str(path.relative_to(RECORDED)) for path in RECORDED.rglob("*") if path.is_file()}
    assert there == {f"{run}/{document}" for run in RUNS for document in DOCUMENTS}


def test_what_is_named_as_added_belongs_to_a_document_that_is_compared() -> None:
    assert set(ADDED_KEYS) <= set(DOCUMENTS)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_is_named_as_added_was_in_no_document_when_it_was_recorded(document: str) -> None:
    """Else a loss or a change of something old would pass as an addition."""
    for run in RUNS:
        before = (RECORDED / run / document).read_bytes()
        for name in added_to(document):
            assert without(document, before, [name]) == before, f"{name} is in {run}/{document}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_is_named_as_added_is_in_a_document_of_today(made: Made, document: str) -> None:
    for name in added_to(document):
        now = [made(run)[document] for run in RUNS]
        assert any(without(document, one, [name]) != one for one in now), f"{name} is in no {document}"


# -- the comparison itself ---------------------------------------------------------------------------------

SHOWN = b'{\n  "run": "RUN",\n  "tests": {\n    "planned": 3\n  }\n}\n'
SHOWN_WITH_MORE = (
    b'{\n  "run": "RUN",\n  "tests": {\n    "planned": 3,\n    "open": 1\n  },\n'
    b'  "openings": [\n    1\n  ]\n}\n'
)


@pytest.mark.parametrize(
    ("document", "before", "now", "added"),
    [
        pytest.param("show.json", SHOWN, SHOWN_WITH_MORE, ["tests.open", "openings"], id="keys of an object"),
        pytest.param(
            "check.json",
            b'{\n  "specs": [\n    {\n      "a": 1\n    }\n  ]\n}\n',
            b'{\n  "specs": [\n    {\n      "a": 1,\n      "b": 2\n    }\n  ]\n}\n',
            ["specs.b"],
            id="a key of each object in a list",
        ),
        pytest.param(
            "results.jsonl",
            b'{"a":1,"metrics":{"x":0.5}}\n{"a":"\\ud800","metrics":{}}\n',
            b'{"a":1,"b":null,"metrics":{"x":0.5,"y":1}}\n{"a":"\\ud800","b":2,"metrics":{}}\n',
            ["b", "metrics.y"],
            id="keys of each line",
        ),
        pytest.param(
            "results.csv",
            b'run,what\nRUN,"a ""b"", c"\nRUN,\n',
            b'run,opening,what,more\nRUN,1,"a ""b"", c",\nRUN,2,,x\n',
            ["opening", "more"],
            id="columns",
        ),
        pytest.param(
            "report.md",
            b"| tests | 3 |\n| cells | 6 |\n",
            b"| tests | 3 |\n| openings | 2 |\n| cells | 6 |\n",
            [r"^\| openings \|.*\n"],
            id="a row of a table",
        ),
        pytest.param(
            "junit.xml",
            b'<suite><property name="run" value="RUN" /></suite>',
            b'<suite><property name="run" value="RUN" /><property name="opening" value="1" /></suite>',
            ['<property name="opening" value="[0-9]+" />'],
            id="an element",
        ),
    ],
)
def test_what_is_named_as_added_is_taken_out_and_nothing_else(
    document: str, before: bytes, now: bytes, added: list[str]
) -> None:
    assert without(document, now, added) == before
    assert without(document, now, added[1:]) != before
    assert without(document, before, added) == before
    assert without(document, now, []) == now


@pytest.mark.parametrize(
    ("document", "content"),
    [
        ("show.json", b'{"run":  "RUN"}\n'),
        ("show.json", '{\n  "agent": "Zürich"\n}\n'.encode()),
        ("results.jsonl", b'{"a": 1}\n'),
        ("results.csv", b'run,what\n"RUN",x\n'),
        ("results.csv", b"run,what\r\nRUN,x\r\n"),
    ],
)
def test_a_document_that_would_be_rewritten_otherwise_is_not_touched(document: str, content: bytes) -> None:
    with pytest.raises(ValueError, match="not written as usual"):
        without(document, content, ["more"])


@pytest.mark.parametrize(
    ("document", "before", "now", "told"),
    [
        ("results.jsonl", b'{"a":{"b":1}}\n', b'{"a":{"b":2}}\n', ["-1: a.b=1", "+1: a.b=2"]),
        ("results.csv", b"a,b\n1,2\n", b"a,b\n1,3\n", ["-2: b=2", "+2: b=3"]),
        ("junit.xml", b"<a><b/></a>", b"<a><c/></a>", ["-<b/>", "+<c/>"]),
        ("report.md", b"one\ntwo\n", b"one\n2\n", ["-two", "+2"]),
        ("results.jsonl", b'{"a":1}\n', b'{"a": 1}\n', ["byte 5: "]),
        ("results.jsonl", b'{"a":1}\n', b"no JSON\n", ['-1: a=1', "+no JSON"]),
        ("report.md", b"one\n", b"one", ["byte 3: "]),
        ("report.md", b"", b"x\n" * 100, ["and 43 more lines"]),
    ],
)  # fmt: skip
def test_a_difference_is_told_where_it_is(document: str, before: bytes, now: bytes, told: list[str]) -> None:
    text = difference(document, before, now)
    assert all(any(line.startswith(one) for line in text.splitlines()) for one in told), text
    assert difference(document, before, before) == ""
