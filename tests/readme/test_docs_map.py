"""The pages that a contributor reads agree with the tree, and the facts that comments cite are there."""

from __future__ import annotations

import re

import pytest
from documentation import ROOT
from house_rules import ENTRANCES, GROUND, PURE, RULES
from import_graph import PACKAGE, modules

ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
FACTS = (ROOT / "docs" / "api-facts.md").read_text("utf-8")
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text("utf-8")
_ROW = re.compile(r"^\| `(?P<room>[a-z_/]+)` \| (?P<files>[^|]+) \| (?P<what>[^|]+) \|$", re.MULTILINE)
_CITED = re.compile(r"api-facts (?P<numbers>[0-9.]+(?:(?:, | to | and )[0-9.]+)*)")
_NUMBERED = re.compile(r"^(?:#+ )?(?P<number>[0-9]+(?:\.[0-9]+)?) ", re.MULTILINE)


def _tree() -> dict[str, set[str]]:
    """Rooms with the stems of their files, as they lie on the disk."""
    found: dict[str, set[str]] = {}
    for path in modules().values():
        room = path.parent.relative_to(PACKAGE).as_posix()
        name = "orchestrator/" if room == "." else f"{room}/"
        found.setdefault(name, set()).update({path.stem} - {"__init__"})
    return found


def test_the_listing_of_rooms_is_the_tree() -> None:
    listed = {row["room"]: set(row["files"].split()) - {"-"} for row in _ROW.finditer(ARCHITECTURE)}
    assert listed == _tree()


def test_every_room_says_what_it_is_for() -> None:
    assert all(len(row["what"].split()) >= 3 for row in _ROW.finditer(ARCHITECTURE))


def test_each_rule_of_the_house_is_told_on_the_map() -> None:
    told = ARCHITECTURE.partition("## Who may never reach whom")[2].partition("\n## ")[0]
    for rule in RULES:
        # Entrances and pure rooms are told in one word each.
        rooms = [] if rule.who in (ENTRANCES, PURE, GROUND) else [room for room in rule.who if room]
        assert not [room for room in rooms if f"`{room}`" not in told], rule.sentence


def _cited() -> list[tuple[str, str]]:
    places = [(name, path.read_text("utf-8")) for name, path in modules().items()]
    return sorted(
        {
            (name, number.rstrip("."))
            for name, text in places
            for found in _CITED.finditer(text)
            for number in re.findall(r"[0-9]+(?:\.[0-9]+)?", found["numbers"])
        }
    )


@pytest.mark.parametrize(("module", "number"), _cited())
def test_a_fact_that_a_comment_cites_is_in_the_facts(module: str, number: str) -> None:
    del module  # for the test's id
    assert number in {found["number"] for found in _NUMBERED.finditer(FACTS)}


def test_facts_have_a_number_each_and_come_in_order() -> None:
    numbers = [tuple(map(int, found["number"].split("."))) for found in _NUMBERED.finditer(FACTS)]
    assert numbers == sorted(set(numbers))


def test_the_glossary_is_sorted_and_says_each_word_once() -> None:
    words = re.findall(r"^\| ([a-z][a-z, -]*) \|", GLOSSARY, re.MULTILINE)[1:]
    assert len(words) > 50
    assert words == sorted(words, key=lambda word: word.replace("-", ""))
    assert len(words) == len(set(words))


def test_words_that_were_given_up_are_not_used_for_what_has_a_better_one() -> None:
    """The field's word: poll, circuit breaker, ambiguous, permit."""
    given_up = re.compile(
        r"\bclass (Look|Looking|Caution|Ticket|Line|Situation|Snapshot)\b|\.looking\b|\bacquit"
    )
    found = [name for name, path in modules().items() if given_up.search(path.read_text("utf-8"))]
    assert not found
