"""Small facts that documents state: exit codes, links, numbers of the quickstart, names of variables."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from documentation import ROOT, documents, prose, shown
from workplace import Workplace

from orchestrator.errors import Exit

README = (ROOT / "README.md").read_text("utf-8")
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")


def anchor(heading: str) -> str:
    """The anchor that a heading gets where Markdown is shown."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("path", documents(), ids=shown)
def test_links_lead_somewhere(path: Path) -> None:
    wrong = []
    for found in LINK.finditer(prose(path)):
        target, _, part = found["target"].partition("#")
        if "://" in target:
            continue
        place = (path.parent / target) if target else path
        if not place.exists():
            wrong.append(found["target"])
        elif part:
            headings = re.findall(r"^#+ (.*)$", place.read_text("utf-8"), re.MULTILINE)
            if part not in {anchor(heading) for heading in headings}:
                wrong.append(found["target"])
    assert not wrong


def test_every_exit_code_has_its_row() -> None:
    text = (ROOT / "docs" / "exit-codes.md").read_text("utf-8")
    assert {int(number) for number in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)} == set(map(int, Exit))


def test_the_readme_names_every_exit_code_that_a_user_can_meet() -> None:
    sentence = README.split("Exit codes:", 1)[1].split("##", 1)[0]
    told = {int(number) for number in re.findall(r"\b\d+\b", sentence)}
    assert told == set(map(int, Exit)) - {int(Exit.DEFECT)}


def test_the_readme_counts_the_quickstart_rightly(workplace: Workplace) -> None:
    done = workplace.sh("orchestrator check --simulate --json plans/quickstart.yaml")
    checked = json.loads(done.stdout)
    kinds = {spec["type"] for spec in checked["specs"]}
    most = max(spec["agents"] for spec in checked["specs"])
    words = {7: "seven"}
    counted = (
        f"{checked['tests']['planned']} tests of {words[len(kinds)]} kinds, each from up to {most} agents: "
        f"{checked['cells']['planned']} cells"
    )
    assert counted in README


def test_the_environment_variables_of_the_readme_are_read_somewhere() -> None:
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "orchestrator").rglob("*.py"))
    named = set(re.findall(r"\b(?:TE|ORCHESTRATOR)_[A-Z_]+\b", README))
    assert len(named) >= 6
    assert not [name for name in named if f'"{name}"' not in code]
