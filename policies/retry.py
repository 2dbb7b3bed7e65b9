"""Whether and when an attempt is repeated; decided from the outcome's class, never from its text.

The dice come in as an argument: the same arguments always give the same decision.
"""

from typing import Literal

from msgspec import Struct

from canonical.outcome import Outcome

MINUTE = 60.0
HOUR = 60 * MINUTE
RECHECK = 5.0


class Schedule(Struct, frozen=True, kw_only=True):
    """The waits before each try (the first is the first try), how far dice may stretch one, and the last moment."""

    waits: tuple[float, ...] = (
        0,
        5,
        5 * MINUTE,
        30 * MINUTE,
        2 * HOUR,
        5 * HOUR,
        10 * HOUR,
        14 * HOUR,
        20 * HOUR,
        24 * HOUR,
    )
    jitter: float = 0.2
    horizon: float = 120 * HOUR


DEFAULT = Schedule()


class Decision(Struct, frozen=True, kw_only=True):
    """What happens to a delivery now; `after` counts from the end of the attempt, `why` is a stable code."""

    verb: Literal["done", "retry", "park", "disable"]
    after: float = 0.0
    why: str


def decide(
    outcome: Outcome,
    attempt: int,
    elapsed: float,
    schedule: Schedule = DEFAULT,
    *,
    deduplicates: bool,
    dice: float,
) -> Decision:
    """What follows the try number `attempt` (from 1), `elapsed` seconds after the first; `dice` is in [0, 1).

    An ambiguous outcome may have taken effect, so it is repeated only where the destination recognises what
    it has seen. An outcome that was not attempted uses up no try: call with the number of real tries so far.
    """
    match outcome.kind:
        case "delivered":
            return Decision(verb="done", why=outcome.code)
        case "gone":
            return Decision(verb="disable", why=outcome.code)
        case "permanent":
            return Decision(verb="park", why=outcome.code)
        case "ambiguous" if not deduplicates:
            return Decision(verb="park", why="ambiguous")
    if outcome.attempted and attempt >= len(schedule.waits):
        return Decision(verb="park", why="tries_used_up")
    left = schedule.horizon - elapsed
    after = wait(outcome, attempt, schedule, dice, left)
    if after > left:
        return Decision(verb="park", why="too_late")
    return Decision(verb="retry", after=after, why=outcome.code)


def wait(outcome: Outcome, attempt: int, schedule: Schedule, dice: float, left: float) -> float:
    """Seconds until the next try: dice only ever lengthen it, so it is never earlier than Retry-After.

    Who asks to be left alone for longer than is `left` is tried once more at the very end.
    """
    stretch = 1 + schedule.jitter * dice
    planned = (schedule.waits[attempt] if outcome.attempted else RECHECK) * stretch
    asked = outcome.retry_after
    if asked is None or planned > left:
        return planned
    if not outcome.attempted:
        return min(asked * stretch, left)
    return max(planned, min(asked * stretch, left))
