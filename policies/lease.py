"""Quota that several processes share, lent to each in small blocks: the arithmetic, without a network or a clock.

All blocks come from one count, so the sum is kept however many processes there are: in `w` seconds a client is
admitted at most its burst and what its rate gives in `w + KEPT`; what is admitted without a question, because no answer
came in time, is made up for by as much, up to KEPT of it. The proof is one sentence: what is lent is gone from
the count, may be spent for `LIFE`, and what comes back is worth `KEPT` seconds less, more than the count regained while
it was out. A block holds what its process spends in `AHEAD`, so nobody hoards, and a client that calls rarely is lent
one call when it makes one.
"""

from msgspec import Struct

from policies.throttle import Limit, Verdict, arrival, room

AHEAD = 0.1  # seconds of calls that a block is for
LIFE = 0.5  # seconds in which a block may be spent
KEPT = 1.0  # seconds after which nothing of it comes back
SHARE = 16  # no block is larger than this part of what may come at once
PAUSE = 0.01  # seconds in which a count that was used up is not asked again


class Wish(Struct, frozen=True):
    """What a process asks of the shared count: calls, and what the count should know first, in seconds of calls.

    `owed` is what this process has admitted in all and is not yet forgotten: a count that was lost begins with it.
    `back` is what is left of blocks that were lent before, less what was admitted without having been lent.
    """

    calls: int
    owed: float
    back: float


class Lent(Struct, frozen=True):
    """What the shared count answered: calls, and its debt now: the seconds until all that was lent is forgotten."""

    calls: int
    debt: float


class Parcel(Struct):
    """Calls that were lent at once, and until when they may be spent."""

    calls: int = 0
    until: float = 0.0


class Lease:
    """What one process holds of one client's quota. Times are those of the process's own clock."""

    __slots__ = ("_again", "_alone", "_back", "_next", "_now", "_since", "_size", "_spent", "_tat", "limit")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._now, self._next = Parcel(), Parcel()
        self._tat = 0.0  # of the shared count, as far as it is known
        self._again = 0.0  # before then the count has nothing to lend
        self._size, self._spent, self._since = 1, 0, 0.0
        self._back = 0.0
        self._alone = 0.0  # theoretical arrival time of what was admitted without having been lent

    def take(self, now: float) -> bool:
        """Spend one call of what is held; False where nothing is."""
        if (not self._now.calls or now >= self._now.until) and not self._turn(now):
            return False
        self._now.calls -= 1
        self._spent += 1
        return True

    def untake(self) -> None:
        """The call is not made after all."""
        self._now.calls += 1
        self._spent -= 1

    def may_let_in(self, now: float) -> bool:
        """Whether a call may be admitted that nobody lent, by what was last known of the shared count."""
        return self._room(now)[0] > 0

    def let_in(self, now: float) -> None:
        """It was; the count hears of it with the next question."""
        self._alone = arrival(self._alone, now, self.limit.spacing)
        self._tat = arrival(self._tat, now, self.limit.spacing)

    def is_used_up(self, now: float) -> bool:
        """Whether the shared count has nothing more now, so that asking is of no use."""
        return now < self._again

    def is_low(self, now: float) -> bool:
        """Whether the next block should be asked for while this one is spent: not for whoever calls rarely."""
        is_half_spent = self._size > 1 and self._now.calls <= self._size // 2 and not self._next.calls
        return is_half_spent and not self.is_used_up(now)

    def wish(self, now: float, owed: float, waiting: int) -> Wish:
        """What to ask for: as much as is spent in AHEAD, and at least what waits."""
        self._resize(now)
        return Wish(max(waiting, self._size), owed, self._returned(now))

    def give_back(self, now: float, owed: float) -> Wish | None:
        """What to tell the count when the time of a block is over; None where all was spent."""
        self._turn(now)
        back = self._returned(now)
        return Wish(0, owed, back) if back else None

    def receive(self, wish: Wish, lent: Lent, now: float) -> None:
        """Hold what was lent."""
        lent_now = Parcel(lent.calls, now + LIFE)
        if self._turn(now):
            self._next = lent_now
        else:
            self._now = lent_now
        self._tat = max(self._alone, now) + lent.debt
        if lent.calls < wish.calls:
            left, more_in = self._room(now)
            self._again = now + max(PAUSE, 0.0 if left else more_in)

    def verdict(self, own: Verdict, now: float) -> Verdict:
        """What the headers say of a call that was taken, where `own` is what this process's count alone would say."""
        left, more_in = self._room(now)
        left += self._now.calls + self._next.calls
        return own if own.remaining <= left else Verdict(True, self.limit.name, left, more_in)

    def refused(self, now: float) -> Verdict:
        """The refusal of a call for which there was none."""
        name, (left, more_in) = self.limit.name, self._room(now)
        return Verdict(False, name, 0, max(self._again - now, 0.0 if left else more_in), (name,))

    def _room(self, now: float) -> tuple[int, float]:
        return room(self._tat, now, self.limit.spacing, self.limit.tolerance)

    def _returned(self, now: float) -> float:
        """What the count is to be put right by; it is told once."""
        back = self._back - max(0.0, self._alone - now)
        self._back = self._alone = 0.0
        return back

    def _turn(self, now: float) -> bool:
        """Go on to the next parcel where this one is over; whether there is something to spend."""
        for _ in range(2):
            if self._now.calls and now < self._now.until:
                return True
            self._give_up(self._now, now)
            self._now, self._next = self._next, self._now
        return False

    def _give_up(self, parcel: Parcel, now: float) -> None:
        if parcel.calls and now < parcel.until - LIFE + KEPT:
            self._back += max(0.0, parcel.calls * self.limit.spacing - KEPT)
        parcel.calls = 0

    def _resize(self, now: float) -> None:
        """As many as were spent in AHEAD since the last wish; twice as many while they are gone faster than that."""
        took = now - self._since
        size = self._size * 2 if took < AHEAD else int(self._spent * AHEAD / took)
        self._size = max(1, min(size, (self.limit.burst or self.limit.quota) // SHARE))
        self._spent, self._since = 0, now
