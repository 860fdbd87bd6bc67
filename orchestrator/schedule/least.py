"""The least time that courtesy asks for, and how many tests fit into a time. Pure; times are seconds."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from orchestrator.courtesy import Courtesy
from orchestrator.model import Spec
from orchestrator.testtypes.contacts import hosts_under_test

Lasts = Callable[[Spec], float]


def least_seconds(specs: Sequence[Spec], courtesy: Courtesy, lasts: Lasts) -> float:
    """Seconds that no order of these specs can beat, if each test is under way as long as ``lasts`` says.

    Of n tests toward a host of which k may be at once, somebody does at least n / k one after the other; and
    n of them begin in no less than n - 1 spacings.
    """
    found = 0.0
    if courtesy.per_host is not None or courtesy.spacing > 0.0:
        for durations in _by_host(specs, lasts):
            spaced = (len(durations) - 1) * courtesy.spacing + durations[0]
            found = max(found, spaced, _one_after_the_other(durations, courtesy.per_host))
    if courtesy.per_agent is not None:
        for durations in _by_agent(specs, lasts):
            found = max(found, _one_after_the_other(durations, courtesy.per_agent))
    return found


def fitting(specs: Sequence[Spec], courtesy: Courtesy, lasts: Lasts, seconds: float) -> int:
    """How many of the specs can be over in so many seconds at most: no order has more."""
    limits = [len(specs)]
    if courtesy.per_host is not None or courtesy.spacing > 0.0:
        first: defaultdict[str, list[float]] = defaultdict(list)
        for spec in specs:
            # Each counts at one host only: what is counted there is an upper bound anyway.
            first[next(iter(hosts_under_test(spec.fields, spec.raw)), spec.key)].append(lasts(spec))
        limits.append(sum(_fit(one, courtesy.per_host, courtesy.spacing, seconds) for one in first.values()))
    if courtesy.per_agent is not None:
        begins: defaultdict[str, list[float]] = defaultdict(list)
        for spec in specs:
            begins[spec.agents[0] if spec.agents else spec.key].append(lasts(spec))
        limits.append(sum(_fit(one, courtesy.per_agent, 0.0, seconds) for one in begins.values()))
    return min(limits)


def _by_host(specs: Iterable[Spec], lasts: Lasts) -> Iterable[list[float]]:
    found: defaultdict[str, list[float]] = defaultdict(list)
    for spec in specs:
        for host in hosts_under_test(spec.fields, spec.raw):
            found[host].append(lasts(spec))
    return map(sorted, found.values())


def _by_agent(specs: Iterable[Spec], lasts: Lasts) -> Iterable[list[float]]:
    """Agents that have the same tests are looked at once: mostly all of a plan's have."""
    groups: defaultdict[tuple[str, ...], list[float]] = defaultdict(list)
    for spec in specs:
        groups[spec.agents].append(lasts(spec))
    members: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
    for agents in groups:
        for agent in agents:
            members[agent].append(agents)
    alike = {tuple(map(id, of_agent)): of_agent for of_agent in members.values()}
    for of_agent in alike.values():
        yield sorted(one for agents in of_agent for one in groups[agents])


def _one_after_the_other(durations: Sequence[float], limit: int | None) -> float:
    """``durations`` are sorted; with ``limit`` at once somebody has at least the shortest of them."""
    if limit is None:
        return durations[-1]
    rounds = math.ceil(len(durations) / limit)
    return max(durations[-1], sum(durations) / limit, sum(durations[:rounds]))


def _fit(durations: Sequence[float], limit: int | None, spacing: float, seconds: float) -> int:
    shortest = min(durations)
    if shortest > seconds:
        return 0
    fit = len(durations)
    if limit is not None and shortest > 0.0:
        fit = min(fit, limit * int(seconds // shortest))
    if spacing > 0.0:
        fit = min(fit, int((seconds - shortest) // spacing) + 1)
    return fit
