"""What to do next in an incident, and when it is enough. A function of what is known and of the time.

Of each target there are three hypotheses: that it is healthy, that it fails from every agent, and that it
fails in places. ``EVERY`` may be said early, of enough agents in enough countries and networks; ``HEALTHY``
never ends anything before everybody has answered: an outage that hits a fifth of the agents looks healthy to
the first ones.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from orchestrator.diagnosis.found import Found
from orchestrator.errors import Exit
from orchestrator.insight.groups import JUDGED
from orchestrator.insight.values import Observed
from orchestrator.model import Verdict

SURE = 0.85
LEAST_ANSWERS, LEAST_COUNTRIES, LEAST_NETWORKS = 6, 4, 3
ONE_LEVEL = 0.8
# Nothing came for so long (seconds) after this share of the first wave: the rest is not waited for.
QUIET, MOST_OF_IT = 12.0, 0.75
# Whoever is this much later than those of whom the last had answered when others were asked in its place.
LATE = 1.4
HALF = 0.5
# So long (seconds) a further round needs, or it would not end in the box.
ROUND = 30.0
# Of the box: what is open at its end is read once more, and told.
LAST_READS = 4.0
# Beta priors of the share of agents from which a target fails, with their weights.
_HYPOTHESES = ((1.0, 19.0, 0.25), (19.0, 1.0, 0.35), (1.5, 1.5, 0.40))


class Word(StrEnum):
    """How it looks so far."""

    OPEN = "open"
    HEALTHY = "healthy"
    EVERY = "every agent"
    PLACES = "in places"


class Stopped(StrEnum):
    """Why a diagnosis ended."""

    CERTAIN = "certain"
    NOTHING_BAD = "nothing bad"
    ALL_ASKED = "all asked"
    TIME_BOX = "time box"
    INTERRUPTED = "interrupted"


class Do(Enum):
    """A next step."""

    STAND_IN = auto()
    ASK_MORE = auto()
    CONFIRM = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Moment:
    """How a diagnosis stands: seconds since it began and since the last news, what has begun and ended.

    ``waves`` and ``confirm`` are what is wanted at all. ``asked_more``: the second wave was made, or there
    was nothing to make it of; ``stood_in`` is when others were asked in the place of mute agents, or nobody
    was there to be asked; ``confirming`` until the second round has ended.
    """

    elapsed: float
    quiet: float
    waves: bool = True
    confirm: bool = True
    asked_more: bool = False
    stood_in: float | None = None
    confirming: bool = False
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Next:
    """What to do, in that order; nothing is to wait. ``stopped`` is why it ends."""

    steps: tuple[Do, ...] = ()
    stopped: Stopped | None = None


WAIT = Next()


def posterior(bad: int, judged: int) -> tuple[float, float, float]:
    """How likely it is: healthy, failing from every agent, failing in places."""
    logs = [math.log(weight) + _ln_beta_binomial(bad, judged, a, b) for a, b, weight in _HYPOTHESES]
    most = max(logs)
    shares = [math.exp(one - most) for one in logs]
    whole = sum(shares)
    healthy, every, places = (one / whole for one in shares)
    return healthy, every, places


def _ln_beta_binomial(k: int, n: int, a: float, b: float) -> float:
    return _ln_beta(a + k, b + n - k) - _ln_beta(a, b)


def _ln_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def word_of(found: Found) -> Word:
    """How all targets look together, by the first wave."""
    cells: dict[tuple[str, str], list[Observed]] = {}
    for one in found.first_asked:
        cells.setdefault((one.record.test, one.record.target), []).append(one)
    words = [_word(found, of_target) for of_target in cells.values()]
    if Word.PLACES in words:
        return Word.PLACES
    if Word.OPEN in words or not words:
        return Word.OPEN
    return Word.EVERY if Word.EVERY in words else Word.HEALTHY


def _word(found: Found, cells: Sequence[Observed]) -> Word:
    known = [one for one in cells if one.record.verdict in JUDGED]
    bad = [one for one in known if one.record.verdict is Verdict.FAIL]
    healthy, every, _ = posterior(len(bad), len(known))
    if not bad:
        return Word.HEALTHY if healthy >= SURE else Word.OPEN
    wide = _wide(
        [one.record.country for one in known], [one.record.country for one in cells], LEAST_COUNTRIES
    )
    wide = wide and _wide(_networks(known), _networks(cells), LEAST_NETWORKS)
    enough = len(known) >= min(LEAST_ANSWERS, len(cells))
    if every >= SURE and enough and wide and _one_level(found, bad):
        return Word.EVERY
    return Word.PLACES if enough else Word.OPEN


def _networks(cells: Iterable[Observed]) -> list[str | None]:
    return [None if one.agent is None else one.agent.network for one in cells]


def _wide(known: Iterable[str | None], asked: Iterable[str | None], least: int) -> bool:
    """Whether enough different ones are known, or all that were asked."""
    return len({*known} - {None}) >= min(least, len({*asked} - {None}))


def _one_level(found: Found, bad: Sequence[Observed]) -> bool:
    levels = Counter(phase.level for one in bad if (phase := found.phase(one)) is not None)
    return not levels or max(levels.values()) >= ONE_LEVEL * len(bad)


def following(found: Found, moment: Moment) -> Next:
    """What to do now."""
    if moment.elapsed >= found.asked.box - LAST_READS:
        return Next((Do.END,), Stopped.TIME_BOX)
    time_left = moment.elapsed + ROUND <= found.asked.box
    if not found.bad and not moment.asked_more and not moment.confirming and not moment.confirmed:
        return _nothing_bad(found, moment, time_left=time_left)
    every = word_of(found) is Word.EVERY
    if not every and not _settled(found, moment):
        return WAIT
    steps: list[Do] = []
    if moment.waves and not (moment.asked_more or every or found.clear) and time_left:
        steps.append(Do.ASK_MORE)
    if moment.confirm and not (moment.confirming or moment.confirmed) and time_left:
        steps.append(Do.CONFIRM)
    if steps:
        return Next(tuple(steps))
    if _is_confirming(found, moment) or not _has_come(found.second_asked, moment):
        return WAIT
    return Next((Do.END,), Stopped.CERTAIN if found.told_apart else Stopped.ALL_ASKED)


def _nothing_bad(found: Found, moment: Moment, *, time_left: bool) -> Next:
    """While nothing fails everybody is waited for. In the place of agents of which nothing ever came others
    near them are asked; where those pass too it ends, and tells who did not answer."""
    if not found.open:
        return Next((Do.END,), Stopped.NOTHING_BAD)
    if not found.mute or not moment.waves:
        return WAIT
    if moment.stood_in is None:
        return Next((Do.STAND_IN,)) if moment.quiet >= QUIET and time_left else WAIT
    enough = found.stand_ins_came and moment.elapsed >= LATE * moment.stood_in
    return Next((Do.END,), Stopped.ALL_ASKED) if enough else WAIT


def _is_confirming(found: Found, moment: Moment) -> bool:
    """Whether the second round may tell something yet: of who was mute in the first nothing is awaited."""
    if not moment.confirming or not found.again:
        return moment.confirming
    mute = {agent.id for agent in found.mute}
    return not found.awaited or any(key.agent_id not in mute for key in found.awaited)


def _settled(found: Found, moment: Moment) -> bool:
    """Whether the first wave has said what it is going to say."""
    return bool(found.first_asked) and _has_come(found.first_asked, moment)


def _has_come(cells: Sequence[Observed], moment: Moment) -> bool:
    """Whether all of these have come to something, or most have and nothing comes any more."""
    ended = sum(1 for one in cells if one.record.verdict is not None)
    return ended == len(cells) or (ended >= MOST_OF_IT * len(cells) and moment.quiet >= QUIET)


def exit_code(found: Found, run: Exit) -> Exit:
    """What a diagnosis ends with; ``run`` is the code of its run.

    A refusal or an interruption is told first. 1: something is bad. 0: everything that was asked answered,
    and nothing is bad; one cell that passes a round later is a flake. 3: it cannot be told.
    """
    if run not in {Exit.OK, Exit.EXPECTATION_FAILED, Exit.INCOMPLETE}:
        return run
    if found.share_judged < HALF:
        return Exit.INCOMPLETE
    if found.bad or len(found.recovered) > 1:
        return Exit.EXPECTATION_FAILED
    every = [one for one in found.cells if one.record.verdict is not Verdict.NOT_RUN]
    return Exit.OK if all(one.record.verdict in JUDGED for one in every) else Exit.INCOMPLETE
