"""What becomes of a run that a worker no longer has."""

from __future__ import annotations

import pytest

from orchestrator.errors import Exit
from orchestrator.queueing.attempts import (
    LONGEST_WAIT,
    MOST_ATTEMPTS,
    Attempts,
    Next,
    after_end,
    after_error,
)


def test_a_run_without_progress_is_given_up_after_so_many_attempts() -> None:
    now = Attempts()
    for _ in range(MOST_ATTEMPTS):
        now = now.another(7)
        assert not now.poisoned
    assert now.another(7).poisoned


def test_any_progress_begins_the_count_anew() -> None:
    now = Attempts(MOST_ATTEMPTS, 7)
    assert now.another(8) == Attempts(1, 8)


def test_the_wait_grows_to_its_longest_and_stays_there() -> None:
    waits = [Attempts(count).wait for count in range(40)]
    assert waits == sorted(waits)
    assert waits[0] > 0
    assert waits[-1] == LONGEST_WAIT


@pytest.mark.parametrize("code", list(Exit))
def test_only_a_stop_that_the_user_asked_for_ends_a_run_that_was_stopped(code: Exit) -> None:
    stopped = code in (Exit.SIGTERM, Exit.SIGHUP, Exit.SIGINT)
    assert after_end(Exit.SIGINT, asked=True) is Next.OVER
    if stopped:
        assert after_end(code, asked=False) is Next.ANYBODY


def test_what_cannot_end_otherwise_is_over_and_what_may_is_tried_again() -> None:
    for code in (Exit.USAGE, Exit.REFUSED, Exit.CEILING):
        assert after_error(code, began=False) is Next.OVER
    assert after_error(Exit.BUSY, began=True) is Next.LATER
    assert after_error(Exit.INCOMPLETE, began=False) is Next.LATER
    assert after_error(Exit.INCOMPLETE, began=True) is Next.ANYBODY
