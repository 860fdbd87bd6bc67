"""A notice for people: a title and a few lines that fit one screen of a chat, data in code marks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.insight.look import Insight
from orchestrator.insight.words import count, written
from orchestrator.notices.marks import code, plain
from orchestrator.notices.reading import Mask
from orchestrator.notices.values import CALM, INCOMPLETE, Change, Event, Seen, Track
from orchestrator.records import RunRecord
from orchestrator.report.times import people, span
from orchestrator.safe import clip

TITLE, TEXT, CAUSES = 80, 1_200, 5
_LINE = 260
_LABEL = 60
_SIGNS = {
    Event.BAD: "\u2715",
    Event.CHANGED: "\u2715",
    Event.RECOVERED: "\u2713",
    Event.INCOMPLETE: "\u2013",
    Event.FLAPPING: "~",
    Event.GOOD: "\u2713",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What a notice is made of. ``run`` and ``insight`` are ``None`` where no run came to be; ``problem`` is
    why, in words."""

    plan: str
    event: Event
    seen: Seen
    change: Change
    run: RunRecord | None = None
    insight: Insight | None = None
    problem: str | None = None
    mask: Mask = str

    @property
    def begun(self) -> float:
        """When the state that is over now, or goes on, began."""
        state = self.change.before if self.event is Event.RECOVERED else self.change.after
        return state.since if state.since is not None else self.seen.at


def title(told: Told) -> str:
    """At most 80 characters. What it is about stands before what may be cut."""
    sign, said = _SIGNS[told.event], _said(told)
    room = max(20, TITLE - len(sign) - len(said) - 3)
    name = plain(told.mask(told.plan), min(room, TITLE // 2))
    return clip(f"{sign} {name}: {said}", TITLE)


def text(told: Told) -> str:
    """The title and what there is to know, at most 1,200 characters; the last line says where to look."""
    head, foot = title(told), _foot(told)
    room = TEXT - len(head) - len(foot) - 2
    kept: list[str] = []
    for line in map(_clipped, _lines(told)):
        if len(line) + 1 > room - 6:
            kept.append("...")
            break
        kept.append(line)
        room -= len(line) + 1
    return "\n".join([head, *kept, foot])


def _clipped(line: str) -> str:
    """At most so long, and no code mark left open."""
    cut = clip(line, _LINE)
    return f"{cut}`" if cut.count("`") % 2 else cut


def _said(told: Told) -> str:
    change, event = told.change, told.event
    if event is Event.RECOVERED:
        return f"over after {span(max(0.0, told.seen.at - told.begun))}"
    if event is Event.FLAPPING:
        return f"flapping: {_labels(change.flapping, 1)}"
    if event is Event.CHANGED:
        parts = [
            f"{len(tracks)} {word}"
            for tracks, word in (
                ((*change.new, *change.stayed), "new"),
                (change.over, "over"),
                (change.still, "still there"),
            )
            if tracks
        ]
        return ", ".join(parts)
    if told.problem is not None:
        return plain(told.mask(told.problem), TITLE)
    if told.insight is None:
        return "it did not run"
    return plain(told.mask(told.insight.headline), TITLE)


def _lines(told: Told) -> Iterator[str]:
    change, event = told.change, told.event
    if event in (Event.CHANGED, Event.RECOVERED):
        yield from _changed(told)
    if event is Event.FLAPPING:
        calm = max((one.calm for one in change.flapping), default=CALM)
        yield (
            f"{_labels(change.flapping)}: four changes in the last eight runs. "
            f"You hear of it again when {calm} runs in a row were equal."
        )
    if event is Event.BAD and change.new and not change.before.wrong and change.before.runs:
        yield f"was good for {count(change.before.runs, 'run')}"
    if event is Event.INCOMPLETE:
        yield from _incomplete(told)
    if event in (Event.BAD, Event.CHANGED, Event.INCOMPLETE):
        yield from _points(told)
    flaps = [one for one in change.after.tracks if one.flapping and one not in change.flapping]
    if flaps and event is not Event.FLAPPING:
        yield f"still flapping: {_labels(flaps)}"


def _changed(told: Told) -> Iterator[str]:
    change = told.change
    for word, tracks in (("new", (*change.new, *change.stayed)), ("over", change.over)):
        if tracks:
            yield f"{word}: {_labels(tracks, with_time=told.seen.at if word == 'over' else None)}"
    if told.event is Event.RECOVERED and told.seen.isolated:
        yield f"{count(len(told.seen.isolated), 'cell')} failed alone, which may be chance"


def _incomplete(told: Told) -> Iterator[str]:
    before = [one for one in told.change.before.wrong if one.key != INCOMPLETE]
    if told.problem is not None:
        yield plain(told.mask(told.problem), _LINE)
    if before:
        yield f"it is not known whether this is over: {_labels(before)}"


def _points(told: Told) -> Iterator[str]:
    """The causes, then what did not answer, then what fails alone; numbered as in the report."""
    insight = told.insight
    lines = [cause.text or code(told.mask(cause.label)) for cause in told.seen.causes]
    if insight is not None:
        lines += [written(one.text, lambda data: code(told.mask(data))) for one in insight.silences]
    yield from (f"{number} {line}" for number, line in enumerate(lines[:CAUSES], start=1))
    if len(lines) > CAUSES:
        yield f"and {len(lines) - CAUSES} more"
    alone = [*told.seen.isolated.values()]
    if alone:
        named = ", ".join(code(told.mask(one), _LABEL) for one in alone[:2])
        more = f" and {len(alone) - 2} more" if len(alone) > 2 else ""
        yield f"{count(len(alone), 'cell')} without a common cause: {named}{more}"


def _labels(tracks: Sequence[Track], most: int = CAUSES, with_time: float | None = None) -> str:
    """What it is called, with how long it was there."""
    named = []
    for one in tracks[:most]:
        time = "" if with_time is None else f" (after {span(max(0.0, with_time - one.since))})"
        named.append(f"{_label(one)}{time}")
    more = f" and {len(tracks) - most} more" if len(tracks) > most else ""
    return ", ".join(named) + more


def _label(track: Track) -> str:
    if track.key == INCOMPLETE:
        return "incomplete runs"
    return track.label if not track.key.value else code(track.label, _LABEL)


def _foot(told: Told) -> str:
    run = told.run
    code_of = f"exit {told.seen.code}"
    if run is None:
        return f"{people(told.seen.at)}, no run, {code_of}"
    simulated = ", simulated" if run.simulated else ""
    return (
        f"{people(told.seen.at)}, run {run.id[:8]}, {code_of}{simulated} · orchestrator report {run.id[:8]}"
    )
