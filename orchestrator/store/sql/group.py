"""Writes that wait for the disk together: while one commit is under way, the next ones gather for the next.

Each caller still returns only when its own write is on the disk. A commit costs the same for one write as
for twenty, in time (the disk's sync) and in CPU (the thread, the journal), so a burst of answers pays once.

What passes (another process has the lock, the database is away) is waited for here, in the event loop, and
not by the database: who waits can leave, writes that come meanwhile join, and reads go on. A write waits for
the engine's patience, from when it was asked for.
**What its caller does not see written is never written**: an intention that were committed later, when
nobody sends its request any more, would be a creation that is lost for ever.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio

from orchestrator.errors import LostRun, StoreProblem
from orchestrator.store.sql.engine import Db, Engine, Pause

T = TypeVar("T")
Work = Callable[[Db], T]
Away = Callable[[float], None]

# Between two attempts to take the lock: the first and the longest (seconds). A commit takes milliseconds.
FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.1


def unheard(_seconds: float) -> None:
    """Nobody counts."""


class _Write:
    """One caller's work and what came of it.

    It is taken when its work begins under the write lock, and until that attempt has ended its caller cannot
    leave; it is done when it is on the disk, or certainly not.
    """

    def __init__(self, work: Work[Any], until: float) -> None:
        self.work = work
        self.until = until
        self.taken = False
        self.left = False
        self.done = False
        self.value: Any = None
        self.error: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        """It is certainly not on the disk."""
        self.error, self.done = error, True


class GroupCommit:
    """Carries out writes in transactions, in the order in which they came.

    ``pause`` waits for so many seconds of the event loop between two attempts; ``away`` hears of each attempt
    that did not succeed how long it kept everybody waiting, with the pause after it.
    """

    def __init__(
        self,
        engine: Engine,
        offload: Callable[[Callable[[], None]], Awaitable[None]],
        pause: Pause = anyio.sleep,
        away: Away = unheard,
    ) -> None:
        self._engine = engine
        self._offload = offload
        self._pause = pause
        self._away = away
        self._waiting: list[_Write] = []
        self._turn = anyio.Lock(fast_acquire=True)
        # Between the event loop, where callers leave, and the thread, where writes are taken.
        self._handing = threading.Lock()
        self._attempt_over = anyio.Event()
        self._locked: StoreProblem | None = None

    async def write(self, work: Work[T]) -> T:
        """What ``work`` returned, once it is on the disk. Raises what it raised, and ``StoreProblem``.

        ``work`` may be done more than once, and only the last time counts.
        """
        mine = _Write(work, anyio.current_time() + self._engine.patience)
        self._waiting.append(mine)
        try:
            async with self._turn:
                await self._until_done(mine)
        except BaseException:  # cancelled
            if await self._left(mine):
                raise
        if mine.error is not None:
            raise mine.error
        value: T = mine.value
        return value

    async def _until_done(self, mine: _Write) -> None:
        pause = FIRST_PAUSE
        while not mine.done:
            began = anyio.current_time()
            await self._together()
            if mine.done:
                return
            self._give_up()
            await self._pause(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            self._away(anyio.current_time() - began)

    async def _together(self) -> None:
        """One attempt at everything that waits; where the store is locked, it waits on."""
        together, self._waiting = self._waiting, []
        self._attempt_over = anyio.Event()
        try:
            await self._offload(lambda: self._commit(together))
        finally:
            self._attempt_over.set()
            self._waiting[:0] = [each for each in together if not each.done and not each.left]

    def _give_up(self) -> None:
        """What has waited for the lock too long fails; it came first, so all that waits on came later."""
        now = anyio.current_time()
        for each in self._waiting:
            if self._locked is not None and now >= each.until:
                each.fail(self._locked)
        self._waiting = [each for each in self._waiting if not each.done]

    async def _left(self, mine: _Write) -> bool:
        """Whether a write whose caller wants to leave will never be on the disk; else it is done."""
        while not mine.done:
            with self._handing:
                # In this order: it is done before it is given back.
                mine.left = not mine.taken and not mine.done
            if mine.left:
                self._waiting = [each for each in self._waiting if each is not mine]
                return True
            with anyio.CancelScope(shield=True):
                await self._attempt_over.wait()
        return False

    # -- in the thread --------------------------------------------------------------------------------

    def _commit(self, together: list[_Write]) -> None:
        """All in one transaction. Where one's work fails, each in its own, so that each has its own outcome.

        Where the store fails it fails for all: each alone would wait for the same disk again.
        """
        if len(together) > 1:
            try:
                done = self._transact(together)
            except StoreProblem as problem:
                # What is one write's matter, the second try tells whose.
                if not isinstance(problem, LostRun) and not self._engine.of_one(problem):
                    self._failed(together, problem)
            except Exception:  # noqa: S110 - all is rolled back, and told by the second try
                pass
            else:
                for each in done:
                    each.done = True
                return
            finally:
                self._give_back(together)
            if self._locked is not None or all(each.done for each in together):
                return  # it waits on, or has failed
        for each in together:
            self._commit_one(each)

    def _commit_one(self, each: _Write) -> None:
        try:
            done = self._transact([each])
        except StoreProblem as problem:
            self._failed([each], problem)
        except BaseException as error:
            each.fail(error)
        else:
            each.done = bool(done)
        finally:
            self._give_back([each])

    def _transact(self, together: list[_Write]) -> list[_Write]:
        """Those whose callers are still there, in one transaction."""
        taken: list[_Write] = []
        with self._engine.transaction() as db:
            self._locked = None
            for each in together:
                with self._handing:
                    each.taken = not each.left
                if each.taken:
                    taken.append(each)
                    each.value = each.work(db)
        return taken

    def _failed(self, together: list[_Write], problem: StoreProblem) -> None:
        if self._engine.passing(problem):
            self._locked = problem
        else:
            for each in together:
                each.fail(problem)

    def _give_back(self, together: list[_Write]) -> None:
        for each in together:
            each.taken = False


__all__ = ["GroupCommit", "Pause"]
