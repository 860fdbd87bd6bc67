"""README shows what a run says in a world that is broken on purpose: the run is made, and says just that."""

from __future__ import annotations

import re
from collections.abc import Callable

from documentation import ROOT, blocks
from workplace import Workplace

# What differs from run to run: its id, when it was, and how long it took.
_CHANGES = (
    (re.compile(r"\b[0-9a-f]{16}\b"), "RUN"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"), "WHEN"),
    (re.compile(r"\b\d\d:\d\d:\d\d UTC"), "WHEN"),
    (re.compile(r" in (\d+ min )?\d+ s "), " in TIME "),
    (re.compile(r" units, (\d+ min )?\d+ s\."), " units, TIME."),
)


def shown(language: str, name: str = "broken") -> str:
    found = blocks(ROOT / "README.md", language)
    return next(block.text.strip() for block in found if block.name == name)


def constant(text: str) -> list[str]:
    """The lines without what differs from run to run, their columns parted by one blank."""
    for pattern, word in _CHANGES:
        text = pattern.sub(word, text)
    return [" ".join(line.split()) for line in text.strip().splitlines()]


def test_the_example_of_a_broken_world_is_what_its_run_says(workplace_at: Callable[[str], Workplace]) -> None:
    done = workplace_at("http://127.0.0.1:9").sh(shown("console").removeprefix("$ "))
    assert done.returncode == 3, done.stderr
    assert constant(done.stdout) == constant(shown("text"))


def test_the_example_of_an_incident_is_the_ticket_of_its_diagnosis(
    workplace_at: Callable[[str], Workplace],
) -> None:
    done = workplace_at("http://127.0.0.1:9").sh(shown("console", "diagnose").removeprefix("$ "))
    assert done.returncode == 1, done.stderr
    assert not done.stderr
    assert constant(done.stdout) == constant(shown("text", "diagnose"))
