"""What a hook is, what it is sent, and what comes of it. Times are epoch seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

# Where it is not known which hook began a diagnosis, it counts with each of them.
ANY = "*"


class Way(StrEnum):
    """How a sender proves that it knows the secret."""

    BEARER = "bearer"  # Authorization: Bearer SECRET
    BASIC = "basic"  # the password of HTTP Basic, of any user
    HEADER = "header"  # a header of its own that is the secret
    HMAC = "hmac"  # a header with the HMAC-SHA256 of the body, hexadecimal


@dataclass(frozen=True, slots=True)
class Proof:
    """``header`` is where the proof stands, ``prefix`` what stands before a signature.

    ``secrets`` are references (``env:NAME``, ``file:/path``), any of which will do, so that one can be
    changed without an outage.
    """

    way: Way = Way.BEARER
    header: str = "Authorization"
    prefix: str = ""
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """Where things are in a body, as paths: ``alert.labels.instance``, with ``[]`` for each item of a list.

    ``each`` leads to the items that are alerts of their own, to which the other paths are relative; ``when``
    has patterns one of which the text at its path must match. ``names`` turns what an alert says into a
    target.
    """

    target: str
    time: str | None = None
    each: str | None = None
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hook:
    """One address for alerts. ``allow`` are patterns of hosts, ``window`` how old or early an alert may be,
    and ``quiet`` for how long a target is not diagnosed again (seconds). ``per_hour`` counts diagnoses,
    ``units`` those of a day. ``agents`` and ``box`` (seconds) are those of the diagnosis, ``notify`` who is
    told."""

    name: str
    proof: Proof
    finding: Finding
    allow: tuple[str, ...]
    window: float = 300.0
    quiet: float = 600.0
    per_hour: int = 6
    units_a_day: float = 20.0
    agents: int | None = None
    box: float | None = None
    notify: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """What a body asks for; ``at`` is when it says that it was sent or began, if it says so."""

    target: str
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """A diagnosis that was begun for a target; ``units`` are those that it took, or may take while it goes
    on.

    ``hook`` is the name of the one that began it, :data:`ANY` of one that is not known, ``None`` of a person.
    One that ``failed`` told nothing of its target, and counts all the same; ``why`` says why. ``run`` is what
    another one was.
    """

    target: str
    at: float
    units: float
    hook: str | None = None
    failed: bool = False
    why: str | None = None
    run: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is answered to whoever sent an alert. ``targets`` are those to be diagnosed.

    ``why`` is for the log, one line; whoever sent it learns the status, and with 429 when to come again
    (seconds).
    """

    status: int
    why: str
    targets: tuple[str, ...] = ()
    again: float | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """A request to a hook: headers by lower-case name, with every value that was sent, and the body."""

    headers: Mapping[str, Sequence[str]]
    body: bytes
