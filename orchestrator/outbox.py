"""What is kept of notices: who is told of a plan's runs and when, and each notice until it is delivered."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.model import JsonObject

# The name of a channel: it becomes a part of an environment variable and of a file's name.
CHANNEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", re.ASCII)


class On(StrEnum):
    """When a channel is told: when the state changes, of every run that is not good, or of every run."""

    CHANGE = "change"
    BAD = "bad"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Channel:
    """Who is told, by a name: its address is a secret and no part of it."""

    to: str
    on: On = On.CHANGE


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a plan on a channel. ``version`` counts the changes; 0: nothing is known yet."""

    version: int = 0
    state: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A notice before it has a number. ``run`` is ``None`` where none came to be."""

    event: str
    run: str | None
    at: float
    document: JsonObject


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice in the outbox. Times are epoch seconds.

    ``tries`` are deliveries that were begun, ``doubtful`` says that one of them may have arrived: its answer
    was lost, or its process died. ``sent`` is when the receiver took it, ``error`` what became of the last
    try, ``given_up`` when nobody tried any more.
    """

    n: int
    plan: str
    channel: str
    number: int
    draft: Draft
    tries: int = 0
    doubtful: bool = False
    sent: float | None = None
    error: str | None = None
    given_up: float | None = None

    @property
    def id(self) -> str:
        """What the receiver knows it by: the plan, and the number of the state that it tells."""
        return f"{self.draft.document.get('plan', self.plan)}/{self.number}"

    @property
    def key(self) -> str:
        """The same for each try, and for no other notice of any store: what receivers tell repeats by."""
        what = f"{self.plan}\n{self.channel}\n{self.number}\n{self.draft.run}\n{self.draft.at!r}"
        return hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    @property
    def pending(self) -> bool:
        """Whether it is still to be delivered."""
        return self.sent is None and self.given_up is None
