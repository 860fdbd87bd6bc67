"""What an address asks for; whatever is not known is not found."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.records import RunState
from orchestrator.report.site import addresses
from orchestrator.web.asking import (
    Comparison,
    NotFound,
    Plan,
    Report,
    Runs,
    Simple,
    Wanted,
    wanted,
    wants_json,
)


@pytest.mark.parametrize(
    ("target", "asked"),
    [
        ("/", Runs()),
        ("/?plan=a%20b&state=running&organization=x&before=6b09", Runs("a b", RunState.RUNNING, "x", "6b09")),
        ("/?plan=&state=", Runs()),
        ("/?nonsense=1", Runs()),
        ("/runs/6b09aa", Report("6b09aa")),
        ("/runs/6b09aa?still=1", Report("6b09aa", still=True)),
        ("/runs/last", Report("last")),
        ("/runs/6b09aa/style.css", Report("6b09aa", style=True)),
        ("/plan?name=%2e%2e%2fetc", Plan("../etc")),
        ("/diff", Comparison("last", "last-good")),
        ("/diff?base=before&run=6b09", Comparison("6b09", "before")),
        ("/diff/style.css?base=before&run=6b09", Comparison("6b09", "before", style=True)),
        ("/budgets", Simple("budgets")),
        ("/queue?still=1", Simple("queue", still=True)),
        ("/style.css", Simple("style")),
        ("/healthz", Simple("health")),
    ],
)
def test_an_address_asks_for_its_page(target: str, asked: Wanted) -> None:
    assert wanted(target) == asked


@pytest.mark.parametrize(
    "target",
    [
        "", "*", "runs", "http://evil/", "//evil/", "/..", "/../etc/passwd", "/runs/../../etc/passwd",
        "/runs/",
        "/runs/6b09/", "/runs/6B09", "/runs/%36b09", "/runs/6b09%00", "/runs/6b09/style.css/..", "/runs/..",
        "/runs/" + "a" * 65, "/style.css/", "/%2e%2e/", "/\\..\\", "/runs/6b09/../style.css",
        "/plan", "/plan?name=",
        "/plan?name=a&name=b", "/?state=done", "/?before=zz", "/?before=last%00", "/diff?run=zz",
        "/diff?base=../x",
        "/diff?base=" + "a" * 65, "/?" + "&".join(f"a{n}=1" for n in range(30)), "/" + "a" * 3000,
        "/RUNS/last",
    ],
)  # fmt: skip
def test_what_is_no_address_of_ours_is_not_found(target: str) -> None:
    with pytest.raises(NotFound):
        wanted(target)


@given(st.text(max_size=300) | st.text("/.%?=&abcrunsplad0123456789\\", max_size=80).map("/".__add__))
@example("/?plan=%ff%fe")
@example("/plan?name=\ud800")
def test_every_address_is_a_page_or_not_found(target: str) -> None:
    try:
        asked = wanted(target)
    except NotFound:
        return
    assert isinstance(asked, Wanted)


@given(
    st.text(min_size=1, max_size=200).filter(lambda name: name.isprintable() and name.encode(errors="ignore"))
)
def test_the_address_that_a_page_writes_for_a_plan_is_that_plans(name: str) -> None:
    if len(addresses.plan_address(name)) <= 2000:
        assert wanted(addresses.plan_address(name)) == Plan(name)
        assert wanted(addresses.runs_address(plan=name)) == Runs(name)


@pytest.mark.parametrize(
    ("accept", "json"),
    [
        (None, False), ("", False), ("*/*", False), ("text/html", False), ("application/json", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("application/json, text/html;q=0.9", True), ("text/html, application/json;q=0.9", False),
        ("application/json;q=0", False), ("APPLICATION/JSON", True), ("application/json;q=nonsense", False),
        (";;,,q=", False),
    ],
)  # fmt: skip
def test_json_is_for_those_who_would_rather_have_it(accept: str | None, json: bool) -> None:
    assert wants_json(accept) == json
