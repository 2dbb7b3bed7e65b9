"""Quota that is shared by several processes, taken from it in blocks (GATEWAY 2.8): the arithmetic, without a network.

Who shares a limit takes some of its calls at once, a block, and spends it call by call without asking. All blocks come
from one count, so all processes together admit no call more than the limit allows; a block that is not spent within
its time is lost, so they may admit up to one block of each process fewer.
"""

from math import ceil

from msgspec import Struct

from policies.throttle import Limit, Verdict

SHARE = 16  # a block is this part of what may come at once
LONGEST = 1.0  # seconds that a block may be spent in
LOW = 0.5  # of a block: when so much is left the next one is asked for


class Granted(Struct, frozen=True):
    """What the shared count answered: calls granted, calls left, and seconds until there is room for one more."""

    calls: int
    left: int
    more_in: float


class Block:
    """The calls that one process holds of one client's limit; `asked` while the next are on their way."""

    __slots__ = ("again", "asked", "held", "left", "until")

    def __init__(self) -> None:
        self.held = 0
        self.left = 0
        self.until = 0.0  # what is held may be spent
        self.again = 0.0  # there is room for one more in the shared count, where that was used up
        self.asked = False

    def take(self, limit: Limit, now: float) -> Verdict | None:
        """The verdict on one call; None where the shared count must be asked first."""
        if self.held and now < self.until:
            self.held -= 1
            return Verdict(True, limit.name, self.held + self.left, max(self.again - now, 0.0))
        if self.left or now >= self.again:
            return None
        return Verdict(False, limit.name, 0, self.again - now, (limit.name,))

    def is_low(self, limit: Limit) -> bool:
        """Whether the next block should be asked for while this one is spent."""
        return not self.asked and 0 < self.held <= size(limit) * LOW and self.left > 0

    def fill(self, granted: Granted, now: float) -> None:
        """Add what was granted to what is held; where that was the last, remember until when."""
        self.held = granted.calls + (self.held if now < self.until else 0)
        self.left, self.again, self.until = granted.left, now + granted.more_in, now + LONGEST


def size(limit: Limit) -> int:
    """Calls of one block."""
    return max(1, (limit.burst or limit.quota) // SHARE)


def micros(seconds: float) -> int:
    """Seconds as the shared count has them: it counts in whole microseconds."""
    return ceil(seconds * 1_000_000)
