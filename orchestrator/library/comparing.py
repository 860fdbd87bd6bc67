"""Runs held against other runs, and the baselines that have a name."""

from __future__ import annotations

from orchestrator.actions import compare as comparing
from orchestrator.actions import reading
from orchestrator.actions.asked import HISTORY, Terms
from orchestrator.actions.compare import Held
from orchestrator.clock import LoopClock
from orchestrator.compare.gate import Strictness
from orchestrator.errors import UsageProblem
from orchestrator.library.doors import Place, stored
from orchestrator.records import Baseline


async def diff(
    base: str = comparing.LAST_GOOD,
    run: str = "last",
    *,
    history: int = HISTORY,
    gate: str = Strictness.NORMAL.value,
    min_cover: float = 80.0,
    store: Place = None,
) -> Held:
    """A run held against another one, as ``orchestrator diff``: what got better or worse, and what counts.

    ``base`` is ``last-good``, ``before``, the name of a baseline or a run; ``min_cover`` is a percentage.
    Raises ``UsageProblem``, ``NoBase`` if there is no such run yet, ``StoreProblem``.
    """
    if gate not in [*Strictness]:
        raise UsageProblem(f"no gate is {gate!r}", hint=f"the gates are {', '.join(Strictness)}")
    terms = Terms(history, Strictness(gate), min_cover / 100)
    async with stored(store) as opened:
        return await comparing.diff(opened, run, base, terms)


async def pin(
    name: str, run: str = "last", *, note: str | None = None, force: bool = False, store: Place = None
) -> Baseline:
    """Name a run as a baseline; ``force`` moves a name that another run has.

    Raises ``UsageProblem``, ``StoreProblem``.
    """
    async with stored(store) as opened:
        found = await reading.find(opened, run)
        return await comparing.pin(opened, name, found, note, LoopClock().wall(), force=force)


async def unpin(name: str, *, store: Place = None) -> None:
    """Forget the name of a baseline; its run stays. Raises ``UsageProblem``, ``StoreProblem``."""
    async with stored(store) as opened:
        await comparing.unpin(opened, name)


async def baselines(*, store: Place = None) -> tuple[Baseline, ...]:
    """Every baseline, in the order of names. Raises ``UsageProblem``, ``StoreProblem``."""
    async with stored(store) as opened:
        return tuple((await opened.store.baselines()).values())
