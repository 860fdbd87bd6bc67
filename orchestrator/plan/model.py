"""A checked plan. A value that exists is valid; durations are seconds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from orchestrator.courtesy import Courtesy
from orchestrator.model import Api, Json, PathDetails, Target
from orchestrator.outbox import Channel
from orchestrator.plan.problems import Place
from orchestrator.plan.selectors import Selector


@dataclass(frozen=True, slots=True)
class AgentsRef:
    """Agents as a test block names them: a named selector, or one in place (its name says where)."""

    name: str
    selector: Selector
    place: Place


@dataclass(frozen=True, slots=True)
class TestBlock:
    """One kind of test for some targets from some agents.

    ``fields`` holds the options without what the targets bring; ``deadline`` is ``None`` for the type's
    default. ``places`` has one place for each target, for problems that only the agents' listing shows.
    """

    name: str
    type: str
    targets: tuple[Target, ...]
    agents: tuple[AgentsRef, ...]
    fields: Mapping[str, Json]
    raw: Mapping[str, Json]
    layers: tuple[str, ...]
    deadline: float | None
    expect: tuple[str, ...]
    warn: tuple[str, ...]
    path_details: PathDetails
    agents_per_test: int | None
    place: Place
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Budget:
    """Ceilings, and the share of the limits that is left to the organization's other tools (0.1 is 10 %).

    ``max_duration`` is in seconds; ``max_share`` is a share of the units that are left of the month.
    """

    reserve: float = 0.10
    max_tests: int | None = None
    max_units: float | None = None
    max_duration: float | None = None
    max_share: float | None = None

    def at_most(self, tests: int | None, units: float | None) -> Budget:
        """The same with ceilings that are no higher than these."""
        return replace(self, max_tests=_lower(self.max_tests, tests), max_units=_lower(self.max_units, units))


Ceiling = TypeVar("Ceiling", int, float)


def _lower(one: Ceiling | None, other: Ceiling | None) -> Ceiling | None:
    return min((each for each in (one, other) if each is not None), default=None)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is wanted. ``allow_missing`` is the share of the cells that may lack an answer, ``keep`` how many
    runs of the plan stay in the store (``None``: all), ``notify`` who is told of its runs.

    ``source_text``, ``attachments`` (CSV files by the name that the plan gives them) and ``sets`` are
    everything that the plan was made of besides the environment; :meth:`bundle` holds them together.
    ``hash`` is the SHA-256 of the three; it does not depend on the environment. ``notes`` has what is no
    mistake and worth a word, each with its place.
    """

    version: int
    name: str
    api: Api
    account_group: str | None
    selectors: Mapping[str, Selector]
    tests: tuple[TestBlock, ...]
    budget: Budget
    deadline: float | None
    vars: Mapping[str, str | int | float | bool | None]
    file: str
    source_text: str
    hash: str
    attachments: Mapping[str, str] = field(default_factory=dict)
    sets: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    allow_missing: float = 0.0
    keep: int | None = None
    notify: tuple[Channel, ...] = ()
    courtesy: Courtesy = field(default_factory=Courtesy)

    def bundle(self) -> str:
        """The plan as one text that needs no file beside it; ``parse_bundle`` reads it."""
        return json.dumps(
            {
                "file": self.file,
                "text": self.source_text,
                "attachments": dict(self.attachments),
                "sets": dict(self.sets),
                "api": self.api.value,
            },
            sort_keys=True,
        )
