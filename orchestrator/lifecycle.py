"""The states of a spec and the legal moves between them. A table: anything else raises.

::

    planned ──> creating ──> waiting ──> complete | partial | timed_out
       │           │ │ └───> planned          (429 or nothing sent: certainly not created)
       │           │ └─────> failed           (the API refused this creation)
       │           └───────> unknown          (the answer was lost; never repeated blindly)
       └──> not_run                           (left out, stopped, refused by a ceiling or a deadline)

    unknown ──> waiting   (adopted: a test id was found)
    unknown ──> planned   (the user's policy is to try again)
    not_run, failed ──> planned               (resume: nothing was created, nothing was paid)
    partial, timed_out ──> waiting            (resume: one more poll)
"""

from __future__ import annotations

from enum import StrEnum


class SpecState(StrEnum):
    """Where a spec stands. The values are stored; do not rename."""

    PLANNED = "planned"
    CREATING = "creating"
    WAITING = "waiting"
    COMPLETE = "complete"
    PARTIAL = "partial"
    TIMED_OUT = "timed_out"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_RUN = "not_run"


_S = SpecState

MOVES: frozenset[tuple[SpecState, SpecState]] = frozenset(
    {
        (_S.PLANNED, _S.CREATING),
        (_S.PLANNED, _S.NOT_RUN),
        (_S.CREATING, _S.WAITING),
        (_S.CREATING, _S.PLANNED),
        (_S.CREATING, _S.FAILED),
        (_S.CREATING, _S.UNKNOWN),
        (_S.WAITING, _S.COMPLETE),
        (_S.WAITING, _S.PARTIAL),
        (_S.WAITING, _S.TIMED_OUT),
        (_S.UNKNOWN, _S.WAITING),
        (_S.UNKNOWN, _S.PLANNED),
        (_S.NOT_RUN, _S.PLANNED),
        (_S.FAILED, _S.PLANNED),
        (_S.PARTIAL, _S.WAITING),
        (_S.TIMED_OUT, _S.WAITING),
    }
)


class IllegalMove(AssertionError):
    """A defect of ours: the table has no such move."""


def check_move(old: SpecState, new: SpecState) -> None:
    """Raise :class:`IllegalMove` unless the table has the move."""
    if (old, new) not in MOVES:
        raise IllegalMove(f"a spec cannot move from {old.value} to {new.value}")
