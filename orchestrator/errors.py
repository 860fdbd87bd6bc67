"""What stops a run, by what the caller does next.

    OrchestratorError
    ├── UsageProblem        exit 2   wrong usage; nothing was sent
    │   ├── PlanInvalid     exit 2   the plan, with every problem and its place
    │   ├── NoBase          exit 2   there is no run to compare with yet
    │   └── MissingExtra    exit 2   a library that only some installations have
    ├── NothingToDo         exit 0   what was asked for is so already
    ├── Refused             exit 4   the API refused us: authentication, permission, account group
    ├── Unanswered          exit 3   the API cannot be reached or gives no answer; nothing was created
    ├── PlanBusy            exit 5   another run of this plan is going on
    ├── CeilingExceeded     exit 6   tests, units or duration; nothing was created
    └── StoreProblem        exit 3   the journal cannot be trusted or written; the run cannot go on
        ├── NoRight         exit 3   the role that was named to a shared store may not do this
        └── LostRun         exit 5   another process goes on with the run

A failed test, poll or answer is a record in the store, never one of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the command line (a contract, see ``docs/exit-codes.md``)."""

    OK = 0
    EXPECTATION_FAILED = 1
    USAGE = 2
    INCOMPLETE = 3
    REFUSED = 4
    BUSY = 5
    CEILING = 6
    DEFECT = 70
    SIGHUP = 129
    SIGINT = 130
    PIPE = 141
    SIGTERM = 143


class OrchestratorError(Exception):
    """The run cannot go on. ``hint`` says what the user can do next."""

    exit_code: Exit = Exit.INCOMPLETE

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageProblem(OrchestratorError):
    """Wrong arguments or environment; nothing was sent."""

    exit_code = Exit.USAGE


@dataclass(frozen=True, slots=True)
class PlanProblem:
    """One thing that is wrong in a plan, and where. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class PlanInvalid(UsageProblem):
    """The plan has problems; all of them are listed, in the order of the file."""

    def __init__(self, problems: tuple[PlanProblem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class NoBase(UsageProblem):
    """There is no run to compare with yet."""


class MissingExtra(UsageProblem):
    """What was asked for needs a library of an extra that is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the extra '{extra}', which is not installed",
            hint=f"pip install 'orchestrator[{extra}]'",
        )


class NothingToDo(OrchestratorError):
    """What was asked for is so already; a good end."""

    exit_code = Exit.OK


class Refused(OrchestratorError):
    """The API refused the token, the permission or the account group."""

    exit_code = Exit.REFUSED


class Unanswered(OrchestratorError):
    """The API could not be reached or did not answer; nothing was created."""


class PlanBusy(OrchestratorError):
    """Another run of the same plan holds the lock."""

    exit_code = Exit.BUSY


class CeilingExceeded(OrchestratorError):
    """The plan would exceed one of its own ceilings; nothing was created."""

    exit_code = Exit.CEILING


class StoreProblem(OrchestratorError):
    """The store cannot be opened, read or written."""


class NoRight(StoreProblem):
    """The store works, but whoever was named to it may not do this in it."""


class LostRun(StoreProblem):
    """Another process has taken the run over, and goes on with it: this one may write nothing more of it."""

    exit_code = Exit.BUSY


def telling(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one exception of a group that tells the most.

    Several steps fail at once where one cause is behind them: a full disk stops every write under way. A
    defect comes before what the user can mend, that before an interruption; of several it is the first.
    """
    leaves = list(_leaves(group))
    failures = [leaf for leaf in leaves if isinstance(leaf, Exception)]
    defects = [leaf for leaf in failures if not isinstance(leaf, OrchestratorError)]
    return (defects or failures or leaves)[0]


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
