"""docs/reading-a-report.md shows what a report of the run beside it says, and explains every sign."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path

from documentation import ROOT, blocks
from workplace import Workplace

from orchestrator.insight.headline import Mark
from orchestrator.insight.values import Phase
from orchestrator.report.html.signs import SIGNS

DOCUMENT = ROOT / "docs" / "reading-a-report.md"
TEXT = DOCUMENT.read_text("utf-8")


def test_the_example_is_what_the_report_of_its_run_says(
    workplace_at: Callable[[str], Workplace], tmp_path: Path
) -> None:
    command = example("console").removeprefix("$ ")
    done = workplace_at("http://127.0.0.1:9").sh(command)
    assert done.returncode == 3, done.stderr
    page = (tmp_path / "report.html").read_text("utf-8")
    headline, lead, _, *cards = example("text").splitlines()
    assert words(page, r"<h1>(.*?)</h1>") == [headline]
    assert words(page, r'<p class="lead">(.*?)</p>') == [lead]
    titles = [re.sub(r"^([0-9]+)\. [A-Z][a-z ]*:", r"\1", one) for one in words(page, r"<h3>(.*?)</h3>")]
    evidence = [
        re.sub(r" ([0-9]+ of)", r", \1", one, count=1) for one in words(page, r'<p class="ev">(.*?)</p>')
    ]
    evidence = [re.sub(" cells ", " cells, ", one) for one in evidence]
    assert [re.split(" {3,}", card) for card in cards] == [
        list(pair) for pair in zip(titles, evidence, strict=True)
    ]


def example(language: str) -> str:
    """What the page shows as its example in a language."""
    return next(block.text.strip() for block in blocks(DOCUMENT, language) if block.name == "example")


def words(page: str, pattern: str) -> list[str]:
    """What a reader sees of each place that matches."""
    found = re.findall(pattern, page, re.DOTALL)
    return [" ".join(html.unescape(re.sub("<[^>]*>", "", one)).split()) for one in found]


def test_every_sign_of_a_report_is_explained() -> None:
    table = TEXT.partition("## The matrix")[2]
    for phase in Phase:
        assert re.search(rf"^\| {phase.letter} \| ", table, re.MULTILINE), phase
    assert all(
        f"`{sign.mark}`" in table for verdict, sign in SIGNS.items() if verdict and not sign.one and sign.mark
    )
    head = TEXT.partition("## The causes")[0]
    assert all(f"| {mark.sign} " in head for mark in Mark)
