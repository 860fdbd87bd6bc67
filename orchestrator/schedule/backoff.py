"""How long to wait after what failed, and for what is slow. Pure; jitter is an argument."""

from __future__ import annotations


def backoff(failures: int, jitter: float, longest: float = 30.0) -> float:
    """Seconds before the next try after ``failures`` in a row: 2, 4, 8, .. ``longest``, jitter in [0, 1).

    Half of it is jitter, so that many requests that failed together do not come back together.
    """
    return min(longest, 2.0 * 2.0 ** min(failures - 1, 10)) * (0.5 + 0.5 * jitter)


class Slowest:
    """The seconds that the slowest of the last answers took, forgotten by and by."""

    FORGET = 0.95

    def __init__(self) -> None:
        self.seconds = 0.0

    def took(self, seconds: float) -> None:
        """One more answer."""
        self.seconds = max(seconds, self.FORGET * self.seconds)


class Patience:
    """How long to wait for the answer to a read, in real seconds.

    A read may be asked again, so an answer that was lost should not cost a whole time-out. But a slow server
    must not be asked ever more for what it is about to say: the wait is several times what answers were seen
    to take, and doubles with each try.
    """

    FIRST, LONGEST = 15.0, 60.0  # the first is longer than connecting may take, which tells more
    TIMES = 4.0  # the slowest answer

    def __init__(self) -> None:
        self._slowest = Slowest()

    def answered(self, seconds: float) -> None:
        """An answer took so long."""
        self._slowest.took(seconds)

    def wait(self, tries: int) -> float:
        """For how long to wait after ``tries`` that failed."""
        return min(self.LONGEST, max(self.FIRST, self.TIMES * self._slowest.seconds) * 2.0 ** min(tries, 10))
