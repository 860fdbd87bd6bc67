"""One run more: what is known of a plan then, and what changed. Each thing that is wrong goes its own way.

============================  =============================================================================
a cause, at least likely      wrong at once
a possible cause, a cell      wrong in the second run in a row; at once if it failed when it was run again. In
that fails alone              a plan with so many flakes that this would be chance, in the third or fourth
many cells alone              a tenth of all and more, other ones each time: in the second run in a row
an incomplete run             wrong in the second in a row, or at once where somebody has to act
absent                        over at once if it was there three runs and more, or it is that runs are
                              incomplete; else in the second run in a row
absent, run incomplete        nothing is known of it
four changes in eight runs    flapping: told once, then silent until three runs in a row were equal
============================  =============================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import pairwise

from orchestrator.notices.values import (
    CALM,
    CELL,
    CHANGES,
    INCOMPLETE,
    LONGEST_CALM,
    RUNS,
    SCATTERED,
    SOON,
    Cause,
    Change,
    Flakes,
    Key,
    Seen,
    State,
    Track,
)

# What was there for so many runs is over with the first run without it.
LONG = 3
# So rarely may cells seem to fail again by chance (cells a run), and so many runs are waited for at most.
CHANCE, MOST_RUNS = 5e-4, 4
# Cells alone are many from this share of those that were judged, and this number.
SHARE, NUMBER = 0.1, 3
# More is not kept: who has so much to tell of has told it.
MOST_TRACKS = 300


def step(state: State, seen: Seen) -> Change:
    """What a run changes."""
    needed, flakes = _needed(state, seen), _flakes(state, seen)
    known = {track.key: track for track in state.tracks}
    shown = _shown(known, seen)
    # What was never there was absent before, if there was a run.
    before = (False,) if state.runs else ()
    fresh = {
        key: Track(key, cause.label, seen.at, before, len(before))
        for key, cause in shown.items()
        if key not in known
    }
    moved = [_moved(track, shown, seen, needed) for track in (*state.tracks, *fresh.values())]
    told = Change(
        before=state,
        after=state,
        new=_those(moved, known, _is_new),
        over=_those(moved, known, _is_over),
        flapping=_those(moved, known, lambda was, now: now.flapping and not was.flapping),
        stayed=_those(moved, known, lambda was, now: was.flapping and not now.flapping and now.up),
        still=_those(moved, known, lambda was, now: was.up and now.up and not (was.flapping or now.flapping)),
    )
    return replace(told, after=_after(state, seen, _kept(moved), flakes))


def _is_new(was: Track, now: Track) -> bool:
    return now.up and not was.up and not was.flapping and not now.flapping


def _is_over(was: Track, now: Track) -> bool:
    """What flapped is over once it is quiet, if it was told at all."""
    if was.flapping:
        return not now.flapping and not now.up
    return was.up and not now.up and not now.flapping


def _those(
    moved: Iterable[Track], known: Mapping[Key, Track], picks: Callable[[Track, Track], bool]
) -> tuple[Track, ...]:
    return tuple(one for one in moved if picks(known.get(one.key, Track(one.key, "", 0.0)), one))


def _after(state: State, seen: Seen, tracks: tuple[Track, ...], flakes: tuple[Flakes, ...]) -> State:
    after = replace(
        state,
        tracks=tracks,
        flakes=flakes,
        alone=frozenset(seen.isolated) if seen.complete else state.alone | frozenset(seen.isolated),
        last=seen.run or state.last,
        ended=seen.at if seen.run else state.ended,
    )
    if bool(after.wrong) == bool(state.wrong) and state.since is not None:
        return replace(after, runs=state.runs + 1)
    # What is wrong was seen before it counted.
    since = min((one.since for one in after.wrong), default=seen.at)
    return replace(after, since=since, runs=1)


# -- what a run shows -------------------------------------------------------------------------------------


def _shown(known: Mapping[Key, Track], seen: Seen) -> dict[Key, Cause]:
    """What is wrong in the run, by the key that it was known by before."""
    shown: dict[Key, Cause] = {}
    for cause in seen.causes:
        shown.setdefault(_known_as(cause, known, shown), cause)
    for key, label in seen.isolated.items():
        shown[key] = Cause(key, label)
    if _many_alone(seen):
        shown[SCATTERED] = Cause(SCATTERED, "failures without a common cause")
    if seen.counts and not seen.complete:
        shown[INCOMPLETE] = Cause(INCOMPLETE, "incomplete")
    return shown


def _known_as(cause: Cause, known: Mapping[Key, Track], taken: Mapping[Key, Cause]) -> Key:
    """What counts as wrong before what does not, and the same claim before one that fits as well."""
    alike = [track for key, track in known.items() if cause.is_as(key) and key not in taken]
    if not alike:
        return cause.key
    return max(alike, key=lambda one: (one.up, one.flapping, one.key == cause.key, one.key)).key


def _many_alone(seen: Seen) -> bool:
    return len(seen.isolated) >= max(NUMBER, SHARE * seen.judged)


def _flakes(state: State, seen: Seen) -> tuple[Flakes, ...]:
    fresh = len(seen.isolated.keys() - state.alone)
    return (*state.flakes, Flakes(fresh, seen.judged))[-RUNS:]


def _needed(state: State, seen: Seen) -> int:
    """How many runs in a row the same cell must fail alone, so that it is hardly chance."""
    again = len(seen.isolated.keys() & state.alone)
    fresh = max(0, sum(one.fresh for one in state.flakes) - again)
    judged = sum(one.judged for one in state.flakes)
    rate = fresh / judged if judged else 0.0
    enough = (runs for runs in range(2, MOST_RUNS) if seen.judged * rate**runs < CHANCE)
    return next(enough, MOST_RUNS)


# -- one thing --------------------------------------------------------------------------------------------


def _moved(track: Track, shown: Mapping[Key, Cause], seen: Seen, needed: int) -> Track:
    key = track.key
    there = _there(key, shown, seen)
    if there is None:
        return track
    track = _with_run(track, there, seen.at)
    if key in shown and key.kind != CELL:
        track = replace(track, label=shown[key].label)
    if track.flapping:
        return _calmed(track)
    up = _is_up(track, shown.get(key), seen, needed)
    track = replace(track, up=up, told=track.told or up)
    return _flapping(track) if _flaps(track) else track


def _there(key: Key, shown: Mapping[Key, Cause], seen: Seen) -> bool | None:
    """Whether the run shows it; ``None`` where it says nothing of it."""
    if key in shown:
        return True
    if key == INCOMPLETE:
        return False if seen.counts else None
    # A cell that fails with others now is not over.
    return None if not seen.complete or key in seen.shared else False


def _with_run(track: Track, there: bool, at: float) -> Track:
    same = bool(track.seen) and track.seen[-1] is there
    begins = there and not same
    ends = not there and not same
    return replace(
        track,
        seen=(*track.seen, there)[-(RUNS + 1) :],
        steady=track.steady + 1 if same else 1,
        lasted=track.steady if ends and track.seen else track.lasted,
        # What goes on after a run without it has not begun anew.
        since=at if begins and not track.up and not track.flapping else track.since,
        settled=min(track.settled + 1, SOON),
    )


def _is_up(track: Track, cause: Cause | None, seen: Seen, needed: int) -> bool:
    if cause is None:
        gone = track.lasted >= LONG or track.steady >= 2 or track.key == INCOMPLETE
        return track.up and not gone
    if track.up or track.key in seen.confirmed:
        return True
    if track.key.kind == CELL:
        return track.steady >= needed
    if track.key == INCOMPLETE:
        return seen.urgent or track.steady >= 2
    at_once = cause.sure and track.key != SCATTERED
    return at_once or track.steady >= 2


def _flaps(track: Track) -> bool:
    """Flakes come and go, too: what nobody was told of does not flap. Incomplete runs do."""
    if not track.told and track.key != INCOMPLETE:
        return False
    return sum(one is not other for one, other in pairwise(track.seen)) >= CHANGES


def _flapping(track: Track) -> Track:
    soon = track.settled < SOON
    calm = min(2 * track.calm, LONGEST_CALM) if soon else CALM
    return replace(track, flapping=True, calm=calm)


def _calmed(track: Track) -> Track:
    """Flapping, until enough runs in a row were equal; then it is as it was in them."""
    if track.steady < track.calm:
        return track
    there = track.seen[-1]
    return replace(track, flapping=False, up=there, seen=(there,), settled=0)


def _kept(moved: Iterable[Track]) -> tuple[Track, ...]:
    """Those of which the past still matters, what is wrong first."""
    matter = [one for one in moved if one.up or one.flapping or any(one.seen) or one.settled < SOON]
    matter.sort(key=lambda one: (not one.up, not one.flapping, -one.since))
    return tuple(matter[:MOST_TRACKS])
