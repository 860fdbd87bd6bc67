"""The few values that cross rooms. Frozen: a change makes a new one. Durations are seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple, TypeAlias

# JSON as it comes and goes; Mapping and tuple so that frozen values can carry it.
Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = "dict[str, Json]"
Metric: TypeAlias = str | int | float | bool
# Whose hops are read: every path's, none's, or (``auto``) those that tell something of a target that fails.
PathDetails: TypeAlias = 'bool | Literal["auto"]'


class Api(StrEnum):
    """API versions that a plan can ask for."""

    V7 = "v7"
    V6 = "v6"


class AgentType(StrEnum):
    """Kinds of agents, by their v7 names."""

    CLOUD = "cloud"
    ENTERPRISE = "enterprise"
    CLUSTER = "enterprise-cluster"


class AgentState(StrEnum):
    """What the API last said of an agent. Cloud agents carry no state (api-facts 4.1)."""

    ONLINE = "online"
    OFFLINE = "offline"
    DISABLED = "disabled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Agent:
    """Where from: an agent as the API listed it at the start of the run.

    ``network`` and ``prefix`` are those of its public address, the network with the number of its autonomous
    system; ``latitude`` and ``longitude`` are decimal degrees. ``None`` where the API told nothing.
    """

    id: str
    name: str
    type: AgentType
    country: str | None = None
    location: str | None = None
    state: AgentState = AgentState.UNKNOWN
    labels: tuple[str, ...] = ()
    target_only: bool = False
    network: str | None = None
    prefix: str | None = None
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What is tested: a name for people and the request fields that it fills (v7 names).

    ``expect`` and ``warn`` are its own, beside those of its test block.
    """

    name: str
    fields: Mapping[str, Json]
    expect: tuple[str, ...] = ()
    warn: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spec:
    """One instant test to be created: one target, one kind of test, one set of options, many agents.

    ``key`` is derived from the content, so the same plan gives the same keys. ``fields`` is the request
    body in v7 names without ``agents`` and ``testName``; ``raw`` is sent as it stands. ``servers`` is the
    number of rows that each agent gives in the dns-server layer, 1 elsewhere.
    """

    key: str
    test: str
    type: str
    target: str
    fields: Mapping[str, Json]
    agents: tuple[str, ...]
    layers: tuple[str, ...]
    deadline: float
    raw: Mapping[str, Json] = field(default_factory=dict)
    expect: tuple[str, ...] = ()
    warn: tuple[str, ...] = ()
    servers: int = 1
    path_details: PathDetails = False


@dataclass(frozen=True, slots=True)
class NotRun:
    """A planned cell that is left out before anything is created, with the reason."""

    test: str
    type: str
    target: str
    agent: str
    reason: str


class AnswerStatus(StrEnum):
    """A row either measured something or says why it could not."""

    OK = "ok"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop of a path trace. ``time`` is the round trip in milliseconds, ``loss`` a percentage.

    ``network`` is the autonomous system as the API names it. What was not told is ``None``.
    """

    number: int
    address: str | None = None
    rdns: str | None = None
    network: str | None = None
    prefix: str | None = None
    location: str | None = None
    time: float | None = None
    loss: float | None = None
    mpls: str | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """One path trace: its hops by number. A number that is missing did not answer (api-facts 3.4)."""

    id: str | None
    hops: tuple[Hop, ...]

    @property
    def last_answered(self) -> Hop | None:
        """The hop farthest from the agent that answered."""
        return next((hop for hop in reversed(self.hops) if hop.address is not None), None)


class Answer(NamedTuple):
    """One row of one layer of one round from one agent, in one shape for v6 and v7.

    ``metrics`` has v7 metric names; a failed measurement has no metrics (api-facts 0.7). ``round_id`` is
    the epoch second of the round's start, ``date`` ISO 8601 UTC with ``Z``. ``raw`` is the row as JSON text.
    ``error_type`` is the phase that failed in lower case, where the layer has one. ``paths`` are the traces
    of a row with hop details, ``None`` in every other row (and in those stored before hops were kept).

    A tuple, because a run makes and reads so many of them: it is built in a third of a data class's time.
    """

    layer: str
    agent_id: str
    agent: str
    country: str | None
    server: str | None
    round_id: int
    date: str | None
    status: AnswerStatus
    error: str | None
    metrics: Mapping[str, Metric]
    raw: str
    direction: str | None = None
    link: str | None = None
    error_type: str | None = None
    paths: tuple[Path, ...] | None = None


def by_agent(answers: Iterable[Answer]) -> dict[str, list[Answer]]:
    """The answers of each agent, by its id, in the order in which they come."""
    found: dict[str, list[Answer]] = {}
    for answer in answers:
        found.setdefault(answer.agent_id, []).append(answer)
    return found


class Verdict(StrEnum):
    """What the expectations make of a cell."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    WARN = "warn"
    FAIL = "fail"
    PARTIAL = "partial"
    NO_ANSWER = "no-answer"
    NOT_RUN = "not-run"


class CellState(StrEnum):
    """What came of a cell; the five ends add up to planned."""

    PENDING = "pending"
    ANSWERED = "answered"
    ERRORS = "errors"
    PARTIAL = "partial"
    MISSING = "missing"
    NOT_RUN = "not_run"


# What a cell has come to of which nothing is missing.
COLLECTED = frozenset({CellState.ANSWERED, CellState.ERRORS})


@dataclass(frozen=True, slots=True)
class CellResult:
    """What one cell came to: its state, its verdict, and the reasons a person would ask for."""

    agent_id: str
    state: CellState
    verdict: Verdict
    reasons: tuple[str, ...] = ()
