"""The addresses for alerts: a request becomes a decision, and a decision a diagnosis, one after the other.

What is begun waits in a short queue for the one task that diagnoses; if the queue is full, whoever sends more
is told to come again. The past is kept in memory, and read from the store at the start, so that a restart is
no way around a limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import anyio
import structlog

from orchestrator.alerts.allowance import UNITS_EACH, Past
from orchestrator.alerts.proof import stranger
from orchestrator.alerts.take import taken
from orchestrator.alerts.values import Begun, Hook, Received, Verdict, Way
from orchestrator.clock import Clock
from orchestrator.defects import defect
from orchestrator.errors import (
    CeilingExceeded,
    OrchestratorError,
    PlanBusy,
    Refused,
    Unanswered,
    UsageProblem,
    telling,
)
from orchestrator.safe import terminal

# So many diagnoses wait; each takes minutes, and an alert that waits for an hour tells nothing.
MOST_WAITING = 10
# After these no run was begun, and so no unit was taken.
_NOTHING = (UsageProblem, PlanBusy, CeilingExceeded, Refused, Unanswered)
_log = structlog.get_logger("orchestrator.web.hooks")


@dataclass(frozen=True, slots=True)
class Wish:
    """A diagnosis that a hook wants."""

    target: str
    hook: Hook
    at: float


@dataclass(frozen=True, slots=True)
class Came:
    """What came of it: the run, one sentence, and the units that it took."""

    run: str
    sentence: str
    units: float


class Start(Protocol):
    """Diagnoses a target, and tells whom the hook names. Raises :class:`OrchestratorError` if it could
    not."""

    async def __call__(self, wish: Wish) -> Came: ...


class Alerts:
    """The hooks of a server. ``secrets`` are the resolved ones, by the hook's name; ``mask`` takes secrets
    out of what is logged, ``named`` says as what the store knows a target."""

    def __init__(
        self,
        hooks: Sequence[Hook],
        secrets: Mapping[str, Sequence[bytes]],
        start: Start,
        clock: Clock,
        *,
        past: Sequence[Begun] = (),
        mask: Callable[[str], str] = str,
        named: Callable[[str], str] = str,
    ) -> None:
        self._hooks = {hook.name: hook for hook in hooks}
        self._secrets, self._start, self._clock, self._mask = secrets, start, clock, mask
        self._past = Past(tuple(past), named)
        self._closed = False
        self._send, self._receive = anyio.create_memory_object_stream[Wish](MOST_WAITING)

    @property
    def past(self) -> Past:
        """The diagnoses of the last day."""
        return self._past

    def has(self, name: str) -> bool:
        """Whether there is such a hook."""
        return name in self._hooks

    def proves_by_body(self, name: str) -> bool:
        """Whether the senders of this hook sign the body, so that it is read before they are known."""
        return self._hooks[name].proof.way is Way.HMAC

    def stranger(self, name: str, received: Received) -> Verdict | None:
        """What is answered to whoever cannot be believed, by the headers alone; ``None``: its body is
        wanted."""
        why = stranger(self._hooks[name].proof, self._secrets.get(name, ()), received)
        if why is None:
            return None
        verdict = Verdict(403, why)
        self._tell(name, verdict)
        return verdict

    def take(self, name: str, received: Received) -> Verdict:
        """What is answered to a request to this hook; what is to be begun waits for :meth:`run`."""
        hook, now = self._hooks[name], self._clock.wall()
        verdict = taken(hook, self._secrets.get(name, ()), received, self._past, now)
        if verdict.targets and self._closed:
            verdict = Verdict(503, "the server ends", again=60.0)
        elif verdict.targets and MOST_WAITING - self._waiting() < len(verdict.targets):
            verdict = Verdict(429, f"{self._waiting()} diagnoses wait already", again=60.0)
        for target in verdict.targets:
            self._send.send_nowait(Wish(target, hook, now))
        if verdict.targets:
            self._past = self._past.with_begun(verdict.targets, name, now)
        self._tell(name, verdict)
        return verdict

    def _tell(self, name: str, verdict: Verdict) -> None:
        tell = _log.info if verdict.status < 400 else _log.warning
        tell("alert", hook=name, status=verdict.status, why=terminal(self._mask(verdict.why)))

    def _waiting(self) -> int:
        return self._send.statistics().current_buffer_used

    async def run(self) -> None:
        """Diagnose what was begun, one after the other, until :meth:`close` or until it is cancelled."""
        async with self._send, self._receive:
            try:
                async for wish in self._receive:
                    await self._diagnose(wish)
            finally:
                self.close()

    def close(self) -> None:
        """Take nothing more, and drop what waits, which the log tells; the diagnosis that goes on is the last
        one of :meth:`run`."""
        self._closed = True
        with suppress(anyio.WouldBlock, anyio.EndOfStream, anyio.ClosedResourceError):
            while True:
                wish = self._receive.receive_nowait()
                about = {"hook": wish.hook.name, "target": terminal(wish.target)}
                _log.warning("dropped", **about, why="the server ends; nobody diagnoses it")
        self._send.close()

    async def _diagnose(self, wish: Wish) -> None:
        about = {"hook": wish.hook.name, "target": terminal(wish.target)}
        _log.info("diagnosis begins", **about)
        try:
            try:
                came = await self._start(wish)
            except BaseExceptionGroup as group:
                raise telling(group) from group  # a session that could not be opened comes as one
        except OrchestratorError as problem:
            units = 0.0 if isinstance(problem, _NOTHING) else UNITS_EACH
            why = self._mask(problem.message)
            self._past = self._past.with_failed(wish.target, wish.at, units, why)
            _log.warning("diagnosis failed", **about, why=terminal(why))
            return
        except Exception as error:
            # The next alert is another one, and may be more lucky.
            self._past = self._past.with_failed(wish.target, wish.at, UNITS_EACH, "a defect: see the log")
            _log.error("defect", **about, **defect(error))
            return
        self._past = self._past.with_ended(wish.target, wish.at, came.units, came.run)
        _log.warning("diagnosed", **about, run=came.run, found=terminal(self._mask(came.sentence)))
