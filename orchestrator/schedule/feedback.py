"""What came of a step, as values: whoever carries a step out hands them to the schedule. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.schedule.progress import Harvest
from orchestrator.schedule.steps import Detail, Poll, Purpose

# A poll before a re-run is tried this often.
BASELINE_TRIES = 3


@dataclass(frozen=True, slots=True)
class ReadAnswered:
    """The API answered a read; ``good``: with what was asked for, and not with a refusal."""

    good: bool


@dataclass(frozen=True, slots=True)
class ReadLost:
    """A read brought no answer, or the error of a gateway."""


@dataclass(frozen=True, slots=True)
class PageRead:
    """A poll brought rows, or none yet. ``asked`` is when it was sent, in monotonic seconds.

    ``details`` are hops that can be asked for since: agent and round. ``failing``: a cell of the test fails.
    """

    poll: Poll
    harvest: Harvest
    next_href: str | None
    asked: float
    details: tuple[tuple[str, int], ...] = ()
    failing: bool = False


@dataclass(frozen=True, slots=True)
class PageMissed:
    """A poll brought nothing. ``limited``: a 429. Not ``again``: the API refused to answer it."""

    poll: Poll
    again: bool
    limited: bool = False

    @property
    def tries(self) -> int:
        """Tries that came to nothing so far; a 429 spends none."""
        return self.poll.tries + (not self.limited)

    @property
    def forbids_rerun(self) -> bool:
        """Whether the newest rounds before a re-run cannot be read, so that it must not be made."""
        return self.poll.purpose is Purpose.BASELINE and self.tries >= BASELINE_TRIES


@dataclass(frozen=True, slots=True)
class BaselineRead:
    """A page of the newest rounds before a re-run was read; ``following`` is the poll of the next one."""

    key: str
    following: Poll | None


@dataclass(frozen=True, slots=True)
class HopsToRead:
    """The hops of a test that are worth reading: agent and round; none is an answer, too."""

    key: str
    details: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class DetailEnded:
    """A detail came, or failed and may be tried ``again``. ``limited``: a 429, which spends no try.

    ``refused``: what failed was not an answer that is to come yet.
    """

    detail: Detail
    again: bool
    limited: bool = False
    refused: bool = False


@dataclass(frozen=True, slots=True)
class CreationAnswered:
    """A creation was answered as it should be. Its test is open once that is stored."""

    key: str


@dataclass(frozen=True, slots=True)
class CreationUndone:
    """A creation certainly did not happen. ``unreached``: because the API could not be reached."""

    key: str
    unreached: bool = False


@dataclass(frozen=True, slots=True)
class CreationAmbiguous:
    """A creation may or may not have been taken. Its end follows."""

    key: str


@dataclass(frozen=True, slots=True)
class CreationEnded:
    """A creation came to its end without a test: refused, ambiguous, or not run at all."""

    key: str


@dataclass(frozen=True, slots=True)
class ProbeEnded:
    """A probe is over. Whether the API answered was said before (:class:`ReadAnswered`)."""


OfReads = (
    ReadAnswered | ReadLost | PageRead | PageMissed | BaselineRead | HopsToRead | DetailEnded | ProbeEnded
)
OfCreations = CreationAnswered | CreationUndone | CreationAmbiguous | CreationEnded
Feedback = OfReads | OfCreations
