"""Notices a feed that falls silent beyond its usual pace, and that it is back; pure, its state can be kept.

The rule. For each of the 168 hours of the week it remembers the longest quiet that was usual at that hour: how long
the feed had already been quiet while the clock stood there. A quiet night teaches its own hours that ten hours of
quiet are usual at five in the morning, and teaches nothing about noon. A feed is silent when it has been quiet for
more than `factor` times the longest usual quiet of this hour and its two neighbours (a change of the clocks moves a day
by one hour), and for at least `minimum`. An hour not yet lived through borrows from the same hour of other days
between Tuesday and Friday; Saturday, Sunday and Monday follow quiets of their own and are lived through once. Where
nothing is known nothing is said, unless a `ceiling` is set.

What is usual rises at once and falls slowly; a quiet that was reported as silence teaches only slowly, so an outage
does not hide the next one.
"""

from typing import Final, Literal, TypeAlias

from msgspec import Struct, field

HOUR: Final = 3600.0
HOURS: Final = 168
UNKNOWN: Final = -1.0
LEARN: Final = 0.3
EPOCH_SLOT: Final = 3 * 24  # a week starts on Monday, the epoch was a Thursday
Change: TypeAlias = Literal["silent", "back"]
LENDING: Final = range(1, 5)


class Pace(Struct, frozen=True, kw_only=True):
    """How a feed's silence is judged, in seconds; `ceiling` also holds while nothing has been learned."""

    minimum: float = 900.0
    factor: float = 3.0
    ceiling: float | None = None


class Memory(Struct, kw_only=True):
    """What a detector knows, in a form that can be stored.

    `heard` is when the last message came; `last` is since when quiet is counted, which may be later (`resume`).
    `missed` is what `heard` was when the feed last fell silent: those who listen to one feed name its silence by it.
    """

    usual: list[float] = field(default_factory=lambda: [UNKNOWN] * HOURS)
    last: float | None = None
    heard: float | None = None
    missed: float | None = None
    hour: int = 0
    longest: float = 0.0
    silent: bool = False
    returned: bool = False


class Silence:
    """One feed's detector: `observe` each message, `check` every few seconds."""

    def __init__(self, pace: Pace | None = None, memory: Memory | None = None) -> None:
        self.pace = pace or Pace()
        self.memory = memory or Memory()

    def observe(self, now: float) -> None:
        """A message came."""
        memory = self.memory
        if memory.last is None:
            memory.last, memory.hour = now, _hour(now)
        self._live_to(memory.last, now)
        if memory.silent:
            memory.silent, memory.returned, memory.longest = False, True, 0.0
        memory.last = max(now, memory.last)
        memory.heard = max(now, memory.heard or now)

    def check(self, now: float) -> Change | None:
        """What changed since the last check: the feed fell silent, or it is back; each is said once."""
        memory = self.memory
        if memory.returned:
            memory.returned = False
            return "back"
        if memory.silent or memory.last is None or now - memory.last <= self.threshold(now):
            return None
        memory.silent, memory.missed = True, memory.heard
        return "silent"

    def unsaid(self, change: Change) -> None:
        """What a check found could not be told: the next one finds it again."""
        self.memory.silent, self.memory.returned = False, change == "back"

    def resume(self, now: float) -> None:
        """Count quiet from now: we were not listening (a restart, a pause), and that teaches nothing."""
        if self.memory.last is not None:
            self.memory.last, self.memory.hour, self.memory.longest = now, _hour(now), 0.0

    def threshold(self, now: float) -> float:
        """The quiet beyond which the feed is silent at this moment."""
        slot = _slot(_hour(now))
        known = [self._usual(slot + step) for step in (-1, 0, 1)]
        ceiling = self.pace.ceiling if self.pace.ceiling is not None else float("inf")
        if self._usual(slot) == UNKNOWN:
            return ceiling
        return min(max(self.pace.factor * max(known), self.pace.minimum), ceiling)

    def _usual(self, slot: int) -> float:
        usual = self.memory.usual
        day, hour = divmod(slot % HOURS, 24)
        own = usual[day * 24 + hour]
        if own != UNKNOWN or day not in LENDING:
            return own
        return max(usual[other * 24 + hour] for other in LENDING)

    def _live_to(self, last: float, now: float) -> None:
        """Let each hour since the last message learn the longest quiet that it saw; only a quiet that ended teaches."""
        memory, hour = self.memory, _hour(now)
        while memory.hour < hour:
            reached = (memory.hour + 1) * HOUR - last
            self._learn(_slot(memory.hour), max(memory.longest, reached))
            memory.hour, memory.longest = max(memory.hour + 1, hour - HOURS), 0.0
        memory.longest = max(memory.longest, now - last)

    def _learn(self, slot: int, longest: float) -> None:
        usual = self.memory.usual
        if usual[slot] == UNKNOWN or (longest > usual[slot] and not self.memory.silent):
            usual[slot] = longest
        else:
            usual[slot] += LEARN * (longest - usual[slot])


def _hour(now: float) -> int:
    return int(now // HOUR)


def _slot(hour: int) -> int:
    """The hour of the week, from Monday 00:00 UTC."""
    return (hour + EPOCH_SLOT) % HOURS
