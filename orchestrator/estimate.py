"""What a plan will take: creations, reads, units, time. Pure, and an estimate: it is shown as one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.allotment import percent
from orchestrator.budget.readings import INSTANT_LIMIT, ORGANIZATION_LIMIT, WINDOW
from orchestrator.model import Agent, AgentType, Spec
from orchestrator.schedule import least
from orchestrator.schedule.hops import MOST_FAILING, allowance
from orchestrator.schedule.latency import LatencyModel, prior
from orchestrator.testtypes import PRICE_SOURCE, milliunits

if TYPE_CHECKING:  # a run in progress asks too, and it knows no plans
    from orchestrator.expand import Expansion
    from orchestrator.plan.model import Plan

# Polls of a test that find it unfinished; two are what the polling policy wastes on average.
WASTED_POLLS = 2.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """``creations_unpacked`` is one creation for each cell. ``exceeded`` has a sentence per ceiling.

    ``deadline`` is the plan's time box in seconds, ``beyond_deadline`` how many creations do not fit into it:
    their answers would come later.

    ``hops`` is how many reads more there may be at most, for hops where the plan leaves them to us.

    ``courtesy_seconds`` is what the plan's courtesy alone asks for; ``finish_seconds`` is no less.

    ``limits_known`` tells whether the limits came from the API or are the vendor's defaults.
    """

    creations: int
    creations_unpacked: int
    cells: int
    left_out: int
    reads: int
    units: float
    finish_seconds: float
    organization_limit: int
    instant_limit: int
    limits_known: bool
    exceeded: tuple[str, ...]
    deadline: float | None = None
    beyond_deadline: int = 0
    hops: int = 0
    price_source: str = PRICE_SOURCE
    courtesy_seconds: float = 0.0


def estimate(
    plan: Plan,
    expansion: Expansion,
    agents: Sequence[Agent],
    *,
    organization_limit: int | None = None,
    instant_limit: int | None = None,
    window: float = WINDOW,
    share_of_left: float | str | None = None,
) -> Estimate:
    """Estimate a plan that starts in fresh windows which nobody else uses.

    The time is short rather than long, so that the ceiling on duration refuses nothing that could have
    been done, and what is said not to fit into the deadline does not. ``window`` is in seconds; limits are
    calls per window, ``None`` when not known. ``share_of_left`` is what a share of the units that are left
    comes to, or why that is not known, which exceeds it.
    """
    specs = expansion.specs
    units = units_of(specs, agents)
    reads = _reads(specs)
    organization, instant = organization_limit or ORGANIZATION_LIMIT, instant_limit or INSTANT_LIMIT
    lasts = _typical(specs)
    polite = least.least_seconds(specs, plan.courtesy, lasts) if plan.courtesy.limits else 0.0
    finish = max(polite, _finish(specs, reads, organization, instant, window))
    fitting = _fitting(specs, reads, plan.deadline, organization, instant, window)
    if plan.courtesy.limits and plan.deadline is not None:
        fitting = min(fitting, least.fitting(specs, plan.courtesy, lasts, plan.deadline))
    return Estimate(
        creations=len(specs),
        creations_unpacked=expansion.cells,
        cells=expansion.cells,
        left_out=len(expansion.not_run),
        reads=reads,
        units=units,
        finish_seconds=finish,
        organization_limit=organization,
        instant_limit=instant,
        limits_known=organization_limit is not None and instant_limit is not None,
        exceeded=_exceeded(plan, len(specs), units, finish, share_of_left),
        deadline=plan.deadline,
        beyond_deadline=len(specs) - fitting,
        hops=_hops(specs, max(1, math.ceil(finish / window)) * allowance(organization, 0)),
        courtesy_seconds=polite,
    )


def units_of(specs: Sequence[Spec], agents: Sequence[Agent]) -> float:
    """Units of one round of these specs; an agent that is not listed counts as a cloud agent."""
    kinds = {agent.id: agent.type for agent in agents}
    return round(sum(_milliunits(spec, kinds) for spec in specs) / 1000, 4)


def finish_seconds(
    *,
    creations: int,
    open_layers: float,
    layers_per_test: float,
    organization_limit: int | None = None,
    instant_limit: int | None = None,
    slowest: float = 60.0,
    window: float = WINDOW,
) -> float:
    """Seconds until a run in progress is done: windows still needed by the scarcer budget, and a last answer.

    ``open_layers`` are layers of created tests that are not complete; ``slowest`` is how long nearly all
    tests of the slowest type take, in seconds.
    """
    if creations <= 0 and open_layers <= 0:
        return 0.0
    reads = creations * (1 + layers_per_test + WASTED_POLLS) + open_layers
    windows = max(
        creations / max(1, instant_limit or INSTANT_LIMIT),
        reads / max(1, organization_limit or ORGANIZATION_LIMIT),
    )
    return windows * window + slowest


def slowest_answer(type_names: Sequence[str], *, share: float = 0.9) -> float:
    """Seconds in which this share of the tests of the slowest type are complete, before any is measured."""
    return max((LatencyModel(prior(name)).quantile(share) for name in set(type_names)), default=0.0)


def _typical(specs: Sequence[Spec]) -> Callable[[Spec], float]:
    """Seconds in which half of the tests of a spec's type are complete, before any is measured."""
    by_type = {name: slowest_answer([name], share=0.5) for name in {spec.type for spec in specs}}
    return lambda spec: by_type[spec.type]


def _milliunits(spec: Spec, kinds: dict[str, AgentType]) -> float:
    price = {kind: milliunits(spec.type, spec.fields, kind) for kind in AgentType}
    return sum(price[kinds.get(agent, AgentType.CLOUD)] for agent in spec.agents)


def _reads(specs: Sequence[Spec]) -> int:
    """Polls of each layer, polls that are too early, hop details of each agent, the listing of agents."""
    if not specs:
        return 1
    polls = sum(len(spec.layers) + WASTED_POLLS for spec in specs)
    details = sum(len(spec.agents) for spec in specs if spec.path_details is True)
    return math.ceil(polls + details) + 1


def _hops(specs: Sequence[Spec], allowed: int) -> int:
    """If every target fails: hops of failing cells and of as many that pass, as far as that is allowed."""
    agents: Counter[tuple[str, str]] = Counter()
    for spec in specs:
        if spec.path_details == "auto":
            agents[spec.test, spec.target] += len(spec.agents)
    return min(allowed, sum(min(number, 2 * MOST_FAILING) for number in agents.values()))


def _finish(
    specs: Sequence[Spec],
    reads: int,
    organization_limit: int,
    instant_limit: int,
    window: float,
) -> float:
    """The first window is open at the start, so n windows' worth of calls waits for n - 1 resets."""
    if not specs:
        return 0.0
    creations = math.ceil(len(specs) / max(1, instant_limit))
    calls = math.ceil((len(specs) + reads) / max(1, organization_limit))
    return (max(creations, calls) - 1) * window + slowest_answer([spec.type for spec in specs])


def _fitting(
    specs: Sequence[Spec],
    reads: int,
    deadline: float | None,
    organization_limit: int,
    instant_limit: int,
    window: float,
) -> int:
    """How many creations have their answers by the deadline, if each takes as long as half of them do."""
    if deadline is None or not specs:
        return len(specs)
    spare = deadline - slowest_answer([spec.type for spec in specs], share=0.5)
    if spare < 0:
        return 0
    windows = int(spare // window) + 1
    calls_each = (len(specs) + reads) / len(specs)
    by_calls = int(windows * max(1, organization_limit) / calls_each)
    return min(len(specs), windows * max(1, instant_limit), by_calls)


def _exceeded(
    plan: Plan, creations: int, units: float, finish: float, share_of_left: float | str | None
) -> tuple[str, ...]:
    budget = plan.budget
    found = []
    if budget.max_tests is not None and creations > budget.max_tests:
        found.append(f"the plan needs {creations} tests, budget.max_tests allows {budget.max_tests}")
    if budget.max_units is not None and units > budget.max_units:
        found.append(f"the plan costs about {units:.2f} units, budget.max_units allows {budget.max_units:g}")
    if isinstance(share_of_left, str):
        found.append(share_of_left)
    elif share_of_left is not None and units > share_of_left:
        allows = (
            f"budget.max_units allows {share_of_left:g} ({percent(budget.max_share or 0.0)} of what is left)"
        )
        found.append(f"the plan costs about {units:.2f} units, {allows}")
    takes = finish if plan.deadline is None else min(finish, plan.deadline)  # a time box ends a run
    if budget.max_duration is not None and takes > budget.max_duration:
        allows = f"budget.max_duration allows {budget.max_duration:.0f} s"
        found.append(f"the plan takes about {takes:.0f} s, {allows}")
    return tuple(found)
