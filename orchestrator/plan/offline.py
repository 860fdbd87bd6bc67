"""What a plan comes to without the list of agents: what is certain, and what only the list can tell. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from orchestrator.plan.model import Plan, TestBlock
from orchestrator.plan.problems import Place
from orchestrator.plan.selectors import Selector
from orchestrator.testtypes import TEST_TYPES


@dataclass(frozen=True, slots=True)
class Unlisted:
    """Something of a test that needs the list of agents: a ``selector``, or an agent as a ``target``."""

    test: str
    what: str
    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class OfflineBlock:
    """A test block. ``agents`` is ``None`` where a selector must be matched; ``creations`` are a minimum."""

    name: str
    type: str
    targets: int
    agents: int | None
    creations: int
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Offline:
    """A valid plan as far as it goes. ``exceeded`` has a sentence for a ceiling exceeded in any case."""

    blocks: tuple[OfflineBlock, ...]
    unlisted: tuple[Unlisted, ...]
    exceeded: tuple[str, ...]

    @property
    def creations(self) -> int:
        """Creations that the plan needs whatever its selectors match."""
        return sum(block.creations for block in self.blocks)


def offline(plan: Plan) -> Offline:
    """What can be said of a plan without network."""
    blocks = tuple(_block(test) for test in plan.tests)
    unlisted = tuple(one for test in plan.tests for one in _unlisted(test, plan))
    least, most = sum(block.creations for block in blocks), plan.budget.max_tests
    exceeded: tuple[str, ...] = ()
    if most is not None and least > most:
        exceeded = (f"the plan needs at least {least} tests, budget.max_tests allows {most}",)
    return Offline(blocks, unlisted, exceeded)


def _block(test: TestBlock) -> OfflineBlock:
    known = [_ids(ref.selector) for ref in test.agents]
    ids: set[str] = set().union(*(one for one in known if one is not None))
    agents = len(ids) if all(one is not None for one in known) else None
    # An agent that is its own target is left out, and a test of it alone with it.
    each = (
        0
        if _agents_are_targets(test)
        else math.ceil((len(ids) or 1) / (test.agents_per_test or len(ids) or 1))
    )
    return OfflineBlock(
        test.name, test.type, len(test.targets), agents, len(test.targets) * each, test.layers
    )


def _ids(selector: Selector) -> frozenset[str] | None:
    """The agents of a selector that is nothing but ids; whether they exist is for the list to tell."""
    ids = (*selector.ids, *selector.listed)
    if not ids or selector != Selector(ids=selector.ids, listed=selector.listed):
        return None
    return frozenset(ids) if all(one.isascii() and one.isdecimal() for one in ids) else None


def _agents_are_targets(test: TestBlock) -> bool:
    return TEST_TYPES[test.type].bare == "targetAgentId"


def _unlisted(test: TestBlock, plan: Plan) -> list[Unlisted]:
    def called(name: str) -> str:
        return name if name in plan.selectors else "in place"

    found = [
        Unlisted(test.name, "selector", called(ref.name), ref.place)
        for ref in test.agents
        if _ids(ref.selector) is None
    ]
    if _agents_are_targets(test):
        pairs = zip(test.targets, test.places, strict=True)
        found += [Unlisted(test.name, "target", target.name, place) for target, place in pairs]
    return found
