"""The values that go into the engine, and those between its rooms. All frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from orchestrator.insight.jumps import Jump
from orchestrator.model import Agent, Answer, Hop, Spec, Verdict
from orchestrator.records import CellRecord


class Phase(Enum):
    """Which layer broke first: its letter in a matrix, and its level. Names of documents are in ``word``."""

    DNS = ("D", 1, "dns")
    CONNECT = ("C", 2, "connect")
    LOSS = ("L", 2, "packet loss")
    TLS = ("T", 3, "tls")
    WAIT = ("W", 4, "server wait")
    RECEIVE = ("R", 4, "receive")
    ANSWER = ("H", 4, "answer")
    ERROR = ("E", 4, "error")
    SLOW = ("S", 5, "slow")

    def __init__(self, letter: str, level: int, word: str) -> None:
        self.letter = letter
        self.level = level
        self.word = word


LEVELS = (1, 2, 3, 4, 5)
# Where a path can be to blame: what never connects, loses packets, or is slow.
PATH_LEVELS = (2, 5)


class CellKey(NamedTuple):
    """Which cell: test block, target, agent id."""

    test: str
    target: str
    agent_id: str


class Group(NamedTuple):
    """What a cell has in common with others: ``value`` has more than one part where it is a pair."""

    kind: str
    value: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong in a cell, as a verdict found it.

    ``metric`` is that of an expectation that does not hold, ``None`` where the row is an error. ``asked``: an
    ``expect`` asks for it, so that it makes the cell fail.
    """

    layer: str
    text: str
    metric: str | None = None
    error_type: str | None = None
    asked: bool = True


class Observed(NamedTuple):
    """A cell as it comes in: its record, its newest rows, what is wrong with it, and who looked.

    ``earlier`` are the hops of the same cell in the newest good run of the same plan, each trace a tuple.
    ``silence`` is why nothing came, as the run recorded it.
    """

    record: CellRecord
    spec: Spec | None = None
    rows: tuple[Answer, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    agent: Agent | None = None
    earlier: tuple[tuple[Hop, ...], ...] = ()
    silence: str | None = None


class Seen(NamedTuple):
    """A judged cell. ``phase`` is ``None`` unless it is bad; ``why`` are texts of what is wrong.

    ``recalled`` are the groups of paths that only an earlier run knows of it, kept of bad cells.
    ``tells`` are the levels at which a pass of it means something: a name that is resolved says nothing of
    connecting. ``metrics`` has ``layer.metric`` of rows that measured something. ``hops_known``: a path of it
    is known, now or (``hops_now`` is false) from an earlier run. ``filtered``: its probes are lost while HTTP
    answers. ``jumps`` are those of its traces now, where it is bad.
    """

    key: CellKey
    verdict: Verdict
    phase: Phase | None
    groups: tuple[Group, ...]
    country: str | None = None
    why: tuple[str, ...] = ()
    metrics: Mapping[str, float] = MappingProxyType({})
    hops_known: bool = False
    hops_now: bool = False
    filtered: bool = False
    jumps: tuple[Jump, ...] = ()
    tells: tuple[int, ...] = LEVELS
    recalled: frozenset[Group] = frozenset()
