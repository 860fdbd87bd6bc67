"""One limit of the API, fed by the headers of every answer. Pure: no I/O, no clock, no chance.

Theory of operation
===================

The server counts requests in fixed windows and tells, in each answer, the limit, what remained after this
request was counted, and the epoch second (truncated) at which the window ends. Windows may be aligned to the
clock minute (published samples) or begin with the first request (documentation); nothing here assumes either.
Other tools of the organization spend from the same window. From that follow the rules; each carries the
failure that it prevents:

I1  A token is reserved in the same synchronous step that chooses the request (:meth:`Budget.reserve`; both
    budgets or none: ``ledger``). Otherwise two tasks spend the last token.
I2  ``free = remaining - in flight - lost``. Answers lag: with ten requests in flight the newest Remaining
    still counts them as unspent.
I3  Within a window Remaining only falls (:meth:`Budget._merge`): answers overtake each other.
I4  A window's identity is its Reset. Newer by more than half a window: another window has begun. Older: the
    answer only ends its own reservation, or it would bring a dead window's Remaining back.
I5  At a rollover the new window is unknown until one probe has named it: others, and our own stragglers, may
    have spent from it already, and it may not have begun yet.
I6  A rollover is declared when the server's time has certainly reached the end. Reset is truncated: the true
    end lies in ``[Reset, Reset + 1)``. It is also at most one window after any request counted in it, and
    exactly Reset where windows are seen to be aligned (:meth:`Budget.ends_by`).
I7  Requests in flight at a rollover stay in flight: they may be counted by the new window.
I8  A request without an answer was probably counted, perhaps later than we gave up. It is a debt of its own
    (``limbo``) until an answer to a request *sent after* that includes it; folded into Remaining, a later
    minimum would swallow it. Its window is over after a window's length, whatever comes.
I9  Missing, malformed or absurd headers teach nothing. Their request is a debt like a lost one.
I10 The organization's last token is kept (``floor``): a probe that was early after all must not be refused.
I11 What others were seen to spend per window is left to them, shrinking with the window (``keep``).
I12 After a lost probe the next waits 2, 4, 8, .. 30 s: we know nothing, so we are quiet.
I13 The server's time comes from ``ServerClock``, never from a clock of ours.
I14 The length of a window is not known, only supposed (``window``). An answer to a request that was sent when
    the known window had certainly ended, whose Reset is newer by more than truncation, names another window,
    however near; else windows of ten seconds would be one for half a minute. Sent before that it was perhaps
    counted by the next window: what it tells is kept for both (``ahead``). Where a Reset was farther ahead
    than a window is supposed to be long, windows are longer (``span``): what I6 and I8 conclude from the
    length is concluded from that. What is learned of shorter ones (``length``) serves planning.

What follows from I1 to I8, and is tested as such: with no other users no request of ours is refused, whatever
the order, delay and loss of answers and whatever our clock. To keep that strictly, a probe too counts what is
in flight and lost (:meth:`Budget._may_probe`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from orchestrator.budget.permits import BudgetView
from orchestrator.budget.readings import WINDOW
from orchestrator.budget.state import BudgetState
from orchestrator.budget.windows import LARGEST_GUARD, TICK, TRUNCATED, Heard, Windows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.budget.clock import ServerClock
    from orchestrator.budget.readings import LimitReading

EXPIRY = 90.0  # seconds until a reservation that nobody settled becomes a loss; above any request timeout
TRANSIT = 10.0  # seconds that a request whose connection broke may still take to be counted
BLIND_AFTER = 3  # successful answers in a row without usable headers
BLIND_ROOM = 1_000_000  # what is free in blind mode, where the caller's pacer rules
LARGEST_LIMIT = 100_000  # published limits reach 1,000; more than this is not believed
LARGEST_SHARE = 0.6  # of a window left to others, however much they spend: ours must end too
STALE = 1.0  # seconds that what we know of others is old, by the time that a request of ours is counted
RISING, FALLING = 0.7, 0.3  # weight of the newest window in what others spend: quick to yield, slow to take
LONGEST_WAIT = 60.0  # seconds between probes that are refused without headers
LONGEST_PROBE_WAIT = 30.0  # seconds between probes that are lost


class Budget(Windows):
    """One limit. Small methods, so that each rule can be taken out by a test that then must fail.

    ``share`` is the part of a window always left to others; ``floor`` the tokens never spent on anything but
    a probe. Times are monotonic seconds of our clock.
    """

    def __init__(
        self,
        clock: ServerClock,
        *,
        window: float = WINDOW,
        share: float = 0.1,
        floor: int = 1,
        expiry: float = EXPIRY,
        transit: float = TRANSIT,
        blind_after: int = BLIND_AFTER,
    ) -> None:
        self.clock = clock
        self.window, self.share, self.floor = window, share, floor
        self.expiry, self.transit, self.blind_after = expiry, transit, blind_after
        self.state = BudgetState()

    # What may be spent.

    @property
    def blind(self) -> bool:
        """Whether answers stopped carrying usable headers; the caller then paces by time."""
        return not self.state.known and self.state.unreadable >= self.blind_after

    def free(self, now: float) -> int:
        """Tokens that may be spent now, reserve included; a probe is one token."""
        self.advance(now)
        if self.paused(now):
            return 0
        if self.state.known:
            return max(0, self.state.remaining - self._debt())
        if self.blind:
            return BLIND_ROOM
        return int(self._may_probe(now))

    def room(self, now: float, spare: int = 0) -> int:
        """Tokens that may be spent now after the reserve and ``spare`` are set aside. A probe is exempt."""
        free = self.free(now)
        if not self.state.known:
            return free
        return max(0, free - self.keep(now) - spare)

    def paused(self, now: float) -> bool:
        """Whether a refusal without a known window, or a Retry-After, still holds."""
        return self.state.paused is not None and now < self.state.paused

    def keep(self, now: float) -> int:
        """Tokens of this window to leave: I10 and I11, the latter shrinking as the window passes."""
        if not self.state.known:
            return 0
        return self._keep_at(self.fraction_left(now))

    def _keep_at(self, fraction: float) -> int:
        return self._keep_of(fraction, self._others_at(fraction))

    def _keep_of(self, fraction: float, others: float) -> int:
        """With a margin for chance: near a window's end few requests of others stray far from their mean."""
        largest = LARGEST_SHARE * (self.state.limit or 0)
        expected = min(largest, others) * (fraction + STALE / self.length())
        chance = expected + 2.5 * math.sqrt(expected)
        return max(self.floor, int(max(self.reserve_tokens(others) * fraction, min(largest, chance)) + 0.5))

    def reserve_tokens(self, others: float) -> float:
        """Tokens of a whole window to leave to ``others``, by what they are seen to spend."""
        limit = self.state.limit or 0
        return min(LARGEST_SHARE * limit, max(self.share * limit, 1.2 * others))

    def others(self, now: float) -> float:
        """Tokens per window that everybody else spends: as in earlier windows, or as in this one if more."""
        return self._others_at(self.fraction_left(now))

    def _others_at(self, fraction: float) -> float:
        """What was seen of this window is extrapolated, but a burst at its beginning is no rate."""
        state = self.state
        before = state.others or 0.0
        if state.limit is None or not state.known:
            return before
        seen = max(0, state.limit - state.remaining - state.mine - self._debt())
        return max(before, seen / max(1.0 - fraction, 0.4))

    def opens_at(self, now: float, spare: int = 0) -> float:
        """When to ask again: ``now`` if there is room, ``inf`` if only an answer of ours can help."""
        if self.room(now, spare) >= 1:
            return now
        state = self.state
        if state.paused is not None and now < state.paused:
            return state.paused
        if not state.known:
            return self._probe_opens_at(now)
        return max(now, min(self._rollover_at(), self._reserve_opens_at(spare)))

    def _probe_opens_at(self, now: float) -> float:
        state = self.state
        if state.probing is not None:
            return math.inf
        hold = now if state.hold is None else max(now, state.hold)
        if self._crowded():
            return max(hold, min(state.limbo) + self.forgiven_after()) if state.limbo else math.inf
        return hold

    def _reserve_opens_at(self, spare: int) -> float:
        """When the reserve will have shrunk enough for one token; ``inf`` if that is not what is missing."""
        state = self.state
        spendable = state.remaining - self._debt() - 1 - spare
        if spendable < self._keep_at(0.0) or state.reset is None:
            return math.inf
        enough, too_much = 0.0, 1.0
        for _ in range(12):  # to 60 s / 4096
            middle = (enough + too_much) / 2
            enough, too_much = (middle, too_much) if self._keep_at(middle) <= spendable else (enough, middle)
        return self.clock.when(state.reset - enough * self.length()) + TICK

    def _debt(self) -> int:
        return len(self.state.flying) + len(self.state.limbo)

    def _may_probe(self, now: float) -> bool:
        state = self.state
        if state.probing is not None or (state.hold is not None and now < state.hold):
            return False
        return not self._crowded()

    def _crowded(self) -> bool:
        """Whether stragglers alone might fill the next window, so that a probe could be refused."""
        return self.state.limit is not None and self._debt() >= self.state.limit

    def view(self, now: float) -> BudgetView:
        """How it stands."""
        free, state, fraction = self.free(now), self.state, self.fraction_left(now)
        others = self._others_at(fraction)
        return BudgetView(
            limit=state.limit,
            remaining=state.remaining if state.known else None,
            reset=state.reset,
            known=state.known,
            free=free,
            room=max(0, free - self._keep_of(fraction, others)) if state.known else free,
            others=others,
            reserve=self.reserve_tokens(others),
            mine=state.mine,
            blind=self.blind,
            in_flight=len(state.flying),
            window=self.length(),
        )

    # Time passes.

    def advance(self, now: float) -> None:
        """Expire what nobody settled, forgive old debts, notice a rollover. Cheap; called by everything."""
        state = self.state
        if state.flying and min(state.flying.values()) <= now:
            for request in [request for request, deadline in state.flying.items() if deadline <= now]:
                self.lost(request, now)
        if state.limbo:
            state.limbo = [then for then in state.limbo if now < then + self.forgiven_after()]
        if state.known and self._over(now) and not self._go_on(now):
            self._roll()

    def _go_on(self, now: float) -> bool:
        """I14: take over the window that answers have named before the known one was certainly over."""
        state = self.state
        if state.ahead is None:
            return False
        state.reset, state.remaining, state.ahead = state.ahead, state.ahead_remaining, None
        state.mine, state.began = 0, now
        return not self._over(now)

    def _roll(self) -> None:
        """The window is over, the next one unknown (I5). In flight stays in flight (I7)."""
        self.state.known = False
        self.state.probing = None

    # The life of one request.

    def reserve(self, request: int, now: float) -> bool:
        """Count a request before it is sent. Returns whether it is the probe of an unknown window."""
        state = self.state
        state.flying[request] = now + self.expiry
        if state.known or self.blind or state.probing is not None:
            return False
        state.probing = request
        return True

    def release(self, request: int) -> None:
        """The request was certainly never sent: as if it had not been reserved."""
        self._land(request)

    def lost(self, request: int, now: float, sent: float | None = None) -> None:
        """No answer, and none will come (I8). ``sent`` tells how long it may still be under way."""
        if request not in self.state.flying:
            return
        was_probe = self._land(request)
        self._owe(now if sent is None else max(now, sent + self.transit))
        if was_probe:
            self._back_off(now, LONGEST_PROBE_WAIT)

    def _owe(self, certain: float) -> None:
        self.state.limbo.append(certain)

    def _back_off(self, now: float, longest: float) -> None:
        self.state.hold = now + self.state.wait
        self.state.wait = min(longest, 2 * self.state.wait)

    def _land(self, request: int) -> bool:
        state = self.state
        state.flying.pop(request, None)
        if state.probing != request:
            return False
        state.probing = None
        return True

    def settle(
        self, request: int, reading: LimitReading | None, *, sent: float, now: float, status: int
    ) -> Heard:
        """An answer came. ``reading`` is what its headers say of this limit; returns what it was to us.

        A request that had expired meanwhile is heard all the same; its debt stays until it is cleared.
        """
        flying = request in self.state.flying
        was_probe = self._land(request)
        if reading is None or not self._plausible(reading, sent, now):
            if flying:
                self._unreadable(was_probe, now, status)
            return Heard.NOTHING
        self.state.unreadable = 0
        self._learn_span(reading, now)
        heard = self._place(reading.reset, sent)
        if heard is Heard.NEW_WINDOW:
            self._open(reading, sent, now)
        elif heard is Heard.SAME_WINDOW:
            self._merge(reading)
            self._look_ahead(reading)
            if was_probe:
                self._was_early(now)
        else:
            return heard
        lost = len(self.state.limbo)
        self.state.limbo = [then for then in self.state.limbo if then >= sent]
        # What was lost before this request was sent is counted by its answer, and it was ours, not others'.
        self.state.mine += (status != 429) + lost - len(self.state.limbo)
        return heard

    def refuse(self, heard: Heard, now: float) -> None:
        """This limit is to blame for a 429 whose headers were ``heard``: exhausted, or wait ever longer."""
        state = self.state
        if heard is Heard.OLD_WINDOW:
            # Another part of the API lives in another window: wait a little, or it refuses us in a storm.
            self._back_off(now, LONGEST_WAIT)
            self.pause(state.hold or now)
            return
        if state.known:
            state.remaining = 0
        elif self.blind:
            state.paused = now + state.wait
            state.wait = min(LONGEST_WAIT, 2 * state.wait)
        elif heard is Heard.NOTHING:
            self._back_off(now, LONGEST_WAIT)

    def pause(self, until: float) -> None:
        """Spend nothing before ``until``; never shortens a pause."""
        self.state.paused = until if self.state.paused is None else max(until, self.state.paused)

    # What the headers say.

    def _open(self, reading: LimitReading, sent: float, now: float) -> None:
        state = self.state
        self._account_for_others()
        if state.reset is not None:
            # Windows that nobody saw may lie between the two: the shortest distance is the best.
            apart = reading.reset - state.reset
            state.shortest = apart if state.shortest is None else min(state.shortest, apart)
        self._learn_alignment(reading, sent)
        state.limit, state.reset = min(reading.limit, LARGEST_LIMIT), reading.reset
        state.remaining = min(reading.remaining, state.limit)
        state.mine, state.wait, state.hold = 0, 2.0, None
        state.began, state.ahead = now, None
        if self._over(now):
            state.known = False  # so late an answer that its window is over; a probe may be out for the next
        else:
            state.known, state.probing = True, None

    def _account_for_others(self) -> None:
        state = self.state
        if state.reset is None or state.limit is None:
            return
        used = max(0, state.limit - state.remaining - state.mine - self._debt())
        before = float(used) if state.others is None else state.others
        state.others = before + (RISING if used > before else FALLING) * (used - before)

    def _look_ahead(self, reading: LimitReading) -> None:
        """I14: it was perhaps counted by the next window already, so what remains of that is known, too."""
        state = self.state
        if state.reset is None or reading.reset <= state.reset + TRUNCATED:
            return
        if state.ahead is None or reading.reset > state.ahead + TRUNCATED:
            state.ahead, state.ahead_remaining = reading.reset, reading.remaining
        state.ahead_remaining = min(state.ahead_remaining, reading.remaining, reading.limit)

    def _merge(self, reading: LimitReading) -> None:
        self.state.limit = min(reading.limit, LARGEST_LIMIT)
        self.state.remaining = min(self.state.remaining, reading.remaining, self.state.limit)

    def _was_early(self, now: float) -> None:
        """A probe met the old window: our bound was wrong (clocks of several servers). Be more careful."""
        if not self.state.known:
            self.state.guard = min(LARGEST_GUARD, max(1.0, 2 * self.state.guard))
            self.state.hold = now + self.state.guard

    def _unreadable(self, was_probe: bool, now: float, status: int) -> None:
        if status < 400:
            self.state.unreadable += 1
        if self.blind:
            self.state.wait = 2.0 if status < 400 else self.state.wait
            return
        self._owe(now)
        if was_probe:
            self.state.hold = now + 1.0

    # Kept outside the process.

    def dump(self) -> dict[str, Any]:
        """The state as JSON values."""
        return self.state.dump()

    def load(self, data: Mapping[str, Any]) -> None:
        """Take over what :meth:`dump` gave. Raises ``ValueError``, ``KeyError`` or ``TypeError``."""
        self.state = BudgetState.load(data)
