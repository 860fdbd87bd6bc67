"""Whether there is room for a diagnosis: not the same target again so soon, not too many, not too many
units."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from orchestrator.alerts.allowed import key_of
from orchestrator.alerts.values import ANY, Alert, Begun, Hook, Verdict

HOUR, DAY = 3_600.0, 86_400.0
# What a diagnosis may take until its end tells what it took.
UNITS_EACH = 2.0
# So many targets of one alert are diagnosed; the first of a list stand for it.
MOST_TARGETS = 3


@dataclass(frozen=True, slots=True)
class Past:
    """The diagnoses of the last day, by hooks and by people. ``named`` says as what the store knows a
    target."""

    begun: tuple[Begun, ...] = ()
    named: Callable[[str], str] = str

    def with_begun(self, targets: Iterable[str], hook: str, now: float) -> Past:
        """With these begun now, and without what is older than a day."""
        kept = [one for one in self.begun if now - one.at < DAY]
        begun = (Begun(target, now, UNITS_EACH, hook) for target in targets)
        return replace(self, begun=(*kept, *begun))

    def with_ended(self, target: str, at: float, units: float, run: str | None = None) -> Past:
        """With what the diagnosis of a target that was begun then took, and the ``run`` that it was."""
        return self._changed(target, at, lambda one: replace(one, units=units, run=run))

    def with_failed(self, target: str, at: float, units: float, why: str) -> Past:
        """With a diagnosis that failed after it took so much: it counts, and the target may be asked for
        again."""
        return self._changed(target, at, lambda one: replace(one, units=units, failed=True, why=why))

    def _changed(self, target: str, at: float, change: Callable[[Begun], Begun]) -> Past:
        changed = (change(one) if (one.target, one.at) == (target, at) else one for one in self.begun)
        return replace(self, begun=tuple(changed))

    def has(self, target: str, since: float) -> bool:
        """Whether this target was diagnosed after a moment, however it was spelled."""
        keys = {key_of(target), key_of(self.named(target))}
        return any(one.at > since and not one.failed and key_of(one.target) in keys for one in self.begun)


def decided(hook: Hook, found: Sequence[Alert], past: Past, now: float) -> Verdict:
    """What is done for alerts whose targets are allowed."""
    late = [one for one in found if one.at is not None and abs(now - one.at) > hook.window]
    if late and len(late) == len(found):
        return Verdict(
            403, f"its time is {now - (late[0].at or 0.0):.0f} s ago, and {hook.window:.0f} s is the most"
        )
    spelled = dict[str, str]()
    for one in found:
        if one not in late:
            spelled.setdefault(key_of(one.target), one.target)
    targets = list(spelled.values())
    fresh = [target for target in targets if not past.has(target, now - hook.quiet)]
    if not fresh:
        return Verdict(200, f"diagnosed less than {hook.quiet:.0f} s ago: {', '.join(targets)[:200]}")
    room = _room(hook, past, now)
    if room.number < 1:
        return Verdict(429, room.why, again=room.opens)
    wanted = fresh[: min(MOST_TARGETS, room.number)]
    left = f"; {len(fresh) - len(wanted)} more targets left out" if len(fresh) > len(wanted) else ""
    return Verdict(202, f"diagnosing {', '.join(wanted)[:200]}{left}", tuple(wanted))


class _Room(NamedTuple):
    """How many may begin now; where that is none, why, and in how many seconds there is room."""

    number: int
    why: str = ""
    opens: float = 0.0


def _room(hook: Hook, past: Past, now: float) -> _Room:
    own = sorted((one for one in past.begun if one.hook in (hook.name, ANY)), key=lambda one: one.at)
    hour = [one for one in own if now - one.at < HOUR]
    day = [one for one in own if now - one.at < DAY]
    spent = sum(one.units for one in day)
    affordable = int((hook.units_a_day - spent) / UNITS_EACH)
    whys, opens = list[str](), now
    if len(hour) >= hook.per_hour:
        whys.append(f"{len(hour)} diagnoses in the last hour, and {hook.per_hour} is the most")
        opens = hour[len(hour) - hook.per_hour].at + HOUR
    if affordable < 1:
        whys.append(f"{spent:.3g} units in the last day, and {hook.units_a_day:g} is the most")
        opens = max(opens, _affordable_at(hook, day, spent))
    if whys:
        return _Room(0, "; ".join(whys), max(1.0, opens - now))
    return _Room(min(affordable, hook.per_hour - len(hour)))


def _affordable_at(hook: Hook, day: Sequence[Begun], spent: float) -> float:
    """When so much is a day ago that there is room for one more."""
    for one in day:
        spent -= one.units
        if spent + UNITS_EACH <= hook.units_a_day:
            return one.at + DAY
    return day[-1].at + DAY if day else 0.0
