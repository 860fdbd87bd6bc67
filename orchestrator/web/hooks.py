"""The addresses for alerts: a request becomes a decision, and a decision a diagnosis, one after the other.

What is begun waits in a short queue for the one task that diagnoses; if the queue is full, whoever sends more
is told to come again. The past is kept in memory, and read from the store at the start, so that a restart is
no way around a limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import anyio
import structlog

from orchestrator.alerts.allowance import Past
from orchestrator.alerts.take import taken
from orchestrator.alerts.values import Begun, Hook, Received, Verdict
from orchestrator.clock import Clock
from orchestrator.errors import OrchestratorError
from orchestrator.safe import terminal
from orchestrator.web.defects import defect

# So many diagnoses wait; each takes minutes, and an alert that waits for an hour tells nothing.
MOST_WAITING = 10
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
    out of what is logged."""

    def __init__(
        self,
        hooks: Sequence[Hook],
        secrets: Mapping[str, Sequence[bytes]],
        start: Start,
        clock: Clock,
        *,
        past: Sequence[Begun] = (),
        mask: Callable[[str], str] = str,
    ) -> None:
        self._hooks = {hook.name: hook for hook in hooks}
        self._secrets, self._start, self._clock, self._mask = secrets, start, clock, mask
        self._past = Past(tuple(past))
        self._send, self._receive = anyio.create_memory_object_stream[Wish](MOST_WAITING)

    def has(self, name: str) -> bool:
        """Whether there is such a hook."""
        return name in self._hooks

    def take(self, name: str, received: Received) -> Verdict:
        """What is answered to a request to this hook; what is to be begun waits for :meth:`run`."""
        hook, now = self._hooks[name], self._clock.wall()
        verdict = taken(hook, self._secrets.get(name, ()), received, self._past, now)
        if verdict.targets and MOST_WAITING - self._waiting() < len(verdict.targets):
            verdict = Verdict(429, f"{self._waiting()} diagnoses wait already", again=60.0)
        for target in verdict.targets:
            self._send.send_nowait(Wish(target, hook, now))
        if verdict.targets:
            self._past = self._past.with_begun(verdict.targets, name, now)
        tell = _log.info if verdict.status < 400 else _log.warning
        tell("alert", hook=name, status=verdict.status, why=terminal(self._mask(verdict.why)))
        return verdict

    def _waiting(self) -> int:
        return self._send.statistics().current_buffer_used

    async def run(self) -> None:
        """Diagnose what was begun, one after the other, until it is cancelled."""
        async with self._send, self._receive:
            async for wish in self._receive:
                await self._diagnose(wish)

    async def _diagnose(self, wish: Wish) -> None:
        about = {"hook": wish.hook.name, "target": terminal(wish.target)}
        _log.info("diagnosis begins", **about)
        try:
            came = await self._start(wish)
        except OrchestratorError as problem:
            _log.warning("diagnosis failed", **about, why=terminal(self._mask(problem.message)))
            return
        except Exception as error:
            # The next alert is another one, and may be more lucky.
            _log.error("defect", **about, **defect(error))
            return
        self._past = self._past.with_ended(wish.target, wish.at, came.units)
        _log.warning("diagnosed", **about, run=came.run, found=terminal(self._mask(came.sentence)))
